//! The layer around the gates.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use battlement_core::{
    cooldown::{Config, InvalidConfig},
    lanes::{Lane, Lanes},
};
use tower_layer::Layer;

use super::{
    Ticket, Turn,
    gates::{Admitted, Gates},
};
use crate::{
    call::{Attempt, Call, Key, Place, Progress, Reads},
    gate::{self, Gate, Gated},
    observe::Head,
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
        Reads::before(Gated::new(inner, self.clone()))
    }
}

/// Keeps calls back while a provider asks for a wait; see the [module documentation](super).
pub type RetryAfter<S> = Gated<S, RetryAfterLayer>;

impl Gate for RetryAfterLayer {
    type Held = Ticket;
    type Turn = Turn;

    fn places() -> impl Iterator<Item = Place> {
        [Place::RetryAfter].into_iter()
    }

    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> gate::Admitted<Self> {
        let patience = self.patience[attempt.call().lane() as usize];
        // Another route may be quicker.
        let patience = attempt.patience().map_or(patience, |in_place| patience.min(in_place));
        match self.gates.admit(attempt, patience, now) {
            Admitted::Go(ticket) => gate::Admitted::Go(ticket),
            Admitted::Wait(turn) => gate::Admitted::Wait(turn),
            Admitted::Late(error) => gate::Admitted::Reject(error.into()),
        }
    }

    fn again(
        self: &Arc<Self>,
        ticket: Ticket,
        attempt: &Attempt,
        now: Instant,
    ) -> gate::Admitted<Self> {
        if ticket.is_in_force(&self.gates, attempt.call(), now) {
            return gate::Admitted::Go(ticket);
        }
        self.admit(attempt, now)
    }

    /// A pass is good for nothing but to judge what an answer proves.
    fn give_back(&self, _ticket: Ticket, _attempt: &Attempt, _now: Instant) {}

    fn head(&self, ticket: &mut Ticket, attempt: &Attempt, head: Head<'_>) {
        ticket.head(&self.gates, attempt, head);
    }

    fn progress(&self, ticket: &mut Ticket, attempt: &Attempt, progress: Progress) {
        ticket.progress(&self.gates, attempt, progress);
    }

    fn settle(&self, ticket: Ticket, attempt: &Attempt) {
        ticket.settle(&self.gates, attempt);
    }
}

/// As an extension of a request: it goes out whatever the gates say, such as a check by hand.
///
/// If it is answered, the gates open. To be there when the request meets the first of our layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Force;
