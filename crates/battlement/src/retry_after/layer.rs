//! The layer around the gates.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use battlement_core::{
    cooldown::{Config, InvalidConfig},
    lanes::{Lane, Lanes},
};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Ticket, Turn,
    gates::{Admitted, Gates},
};
use crate::{
    call::{Attempt, Call, Key, Place, Reads},
    error::BoxError,
    observe::{Body, Gated},
};

/// Keeps calls back while a provider asks for a wait; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryAfterLayer {
    gates: Gates,
    patience: [Duration; 3],
}

impl RetryAfterLayer {
    /// With a gate for each model of each provider on each API key.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Ok(Self::with(Gates::new(config)?))
    }

    /// With gates that somebody else looks at, too.
    pub fn with(gates: Gates) -> Self {
        let lanes = Lanes::default();
        Self { gates, patience: Lane::ALL.map(|lane| lanes.terms(lane).waiting) }
    }

    /// Up to how long a call in this lane waits before it fails with [`CoolingDown`]; its deadline counts
    /// too. By default as long as [`Terms`] say: half a minute, five minutes, an hour.
    ///
    /// [`CoolingDown`]: super::CoolingDown
    /// [`Terms`]: battlement_core::lanes::Terms::waiting
    pub fn patience(mut self, lane: Lane, time: Duration) -> Self {
        self.patience[lane as usize] = time;
        self
    }

    /// How many calls may wait for the same gate; who comes after them fails with [`CoolingDown`] at
    /// once. 1,024 by default, as in a [queue](battlement_core::queue): each holds its request in memory.
    ///
    /// [`CoolingDown`]: super::CoolingDown
    pub fn most_waiting(self, most: NonZeroUsize) -> Self {
        self.gates.act(|shared| shared.most_waiting = most.get());
        self
    }

    /// What has a gate of its own. The provider, the model and the API key unless told otherwise; whoever
    /// uses several regions over one stack should tell them apart.
    pub fn key(mut self, key: impl Fn(&Call) -> Key + Send + Sync + 'static) -> Self {
        self.gates.key = Some(Arc::new(key));
        self
    }

    /// Draws the [spread](Config::spread) from this seed, so that a run can be repeated.
    pub fn seed(self, seed: u64) -> Self {
        self.gates.reseed(seed);
        self
    }

    /// The gates, to look at them, or to shut and open them by hand.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }
}

impl<S> Layer<S> for RetryAfterLayer {
    type Service = Reads<RetryAfter<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { gates, patience } = self.clone();
        Reads::before(RetryAfter { inner, gates, patience })
    }
}

/// As an extension of a request: it goes out whatever the gates say, such as a check by hand.
///
/// If it is answered, the gates open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Force;

/// Keeps calls back while a provider asks for a wait; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct RetryAfter<S> {
    inner: S,
    gates: Gates,
    patience: [Duration; 3],
}

impl<S, B, R> Service<Request<B>> for RetryAfter<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<R, Ticket>>;
    type Error = BoxError;
    type Future = Gated<S, B, Turn>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::RetryAfter);
        let call = attempt.call();
        let patience = self.patience[call.lane() as usize];
        let force = request.extensions().get::<Force>().is_some();
        match self.gates.admit(call, patience, force) {
            Admitted::Go(ticket) => Gated::now(&mut self.inner, request, attempt, ticket),
            Admitted::Wait(turn) => Gated::wait(self.inner.clone(), request, attempt, turn),
            Admitted::Late(error) => Gated::rejected(&attempt, error.into()),
        }
    }
}
