//! The layer around the registry of circuits.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    breaker::{self, Config, Health, InvalidConfig, Reason, Registry, Snapshot},
    random::Seeded,
};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    call::{Attempt, Call, Key, KeyOf, Place, Progress, Reads},
    clock::now,
    drive::Drive,
    error::{BoxError, Explanation},
    events::Event,
    observe::{Attempted, Body, Guard, Settling},
    seed,
};

/// Turns calls away while a provider fails; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct BreakerLayer {
    circuits: Circuits,
}

/// How many circuits are kept: more than anybody has, in a few megabytes.
const MOST_KEYS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);

impl BreakerLayer {
    /// With a circuit for each model of each provider on each API key.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Ok(Self { circuits: Circuits::new(config, MOST_KEYS)? })
    }

    /// With circuits that somebody else looks at, too.
    pub fn with(circuits: Circuits) -> Self {
        Self { circuits }
    }

    /// What has a circuit of its own. The provider, the model and the API key unless told otherwise; whoever
    /// uses several regions over one stack should tell them apart.
    pub fn key(mut self, key: impl Fn(&Call) -> Key + Send + Sync + 'static) -> Self {
        self.circuits.key = Some(Arc::new(key));
        self
    }

    /// Draws the [open times](breaker::OpenTime::jitter) from this seed, so that a run can be repeated.
    pub fn seed(self, seed: u64) -> Self {
        self.circuits.lock().random = Seeded(seed);
        self
    }

    /// The circuits, to look at them, or to open and close them by hand.
    pub fn circuits(&self) -> &Circuits {
        &self.circuits
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Reads<Breaker<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Breaker { inner, circuits: self.circuits.clone() })
    }
}

/// The circuits of a layer. A clone is another handle for the same.
#[derive(Clone)]
pub struct Circuits {
    shared: Arc<Mutex<Shared>>,
    key: Option<Arc<KeyOf>>,
}

struct Shared {
    registry: Registry<Key>,
    random: Seeded,
}

impl Circuits {
    /// At most so many; the least used of more are forgotten.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config, most: NonZeroU32) -> Result<Self, InvalidConfig> {
        let shared =
            Shared { registry: Registry::new(config, most)?, random: Seeded(seed::fresh()) };
        Ok(Self { shared: Arc::new(Mutex::new(shared)), key: None })
    }

    /// A circuit as it stands; `None` if nothing is known against it.
    pub fn snapshot(&self, key: &Key) -> Option<Snapshot> {
        self.lock().registry.snapshot(key, now())
    }

    /// Every circuit as it stands, in no order.
    pub fn snapshots(&self) -> Vec<(Key, Snapshot)> {
        let shared = self.lock();
        shared.registry.snapshots(now()).map(|(key, snapshot)| (key.clone(), snapshot)).collect()
    }

    /// Opens a circuit by hand: until then, or with `None` until somebody closes it.
    pub fn open(&self, key: &Key, until: Option<Instant>) {
        self.lock().registry.open(key, until, now());
    }

    /// Closes a circuit by hand. Traffic comes back as after good probes.
    pub fn close(&self, key: &Key) {
        self.lock().registry.close(key, now());
    }

    /// Forgets everything about a key.
    pub fn reset(&self, key: &Key) {
        self.lock().registry.reset(key, now());
    }

    fn key_of(&self, call: &Call) -> Key {
        Key::by(self.key.as_deref(), call)
    }

    /// Asks to make a call.
    fn admit(&self, call: &Call) -> Result<Ticket, Rejected> {
        let key = self.key_of(call);
        let now = now();
        let ticket =
            self.act(call, |Shared { registry, random }| registry.admit(&key, now, random));
        match ticket {
            Ok(ticket) => Ok(Ticket { circuits: self.clone(), key, ticket, has_output: false }),
            Err(breaker::Rejected { reason, until, .. }) => {
                let retry_after = until.map(|until| until.saturating_duration_since(now));
                Err(Rejected { key, reason, retry_after })
            }
        }
    }

    /// Does something to a circuit, and tells whoever watches if that changed its state.
    fn act<T>(&self, call: &Call, act: impl FnOnce(&mut Shared) -> T) -> T {
        let (result, transition) = {
            let mut shared = self.lock();
            let result = act(&mut shared);
            (result, shared.registry.transition())
        };
        if let Some((from, to)) = transition {
            call.report(&Event::Circuit { from, to });
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("keys", &self.lock().registry.len())
            .finish_non_exhaustive()
    }
}

/// Turns calls away while a provider fails; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Breaker<S> {
    inner: S,
    circuits: Circuits,
}

impl<S, B, R> Service<Request<B>> for Breaker<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<R, Ticket>>;
    type Error = BoxError;
    type Future = Attempted<S, B, Ticket>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Breaker);
        match self.circuits.admit(attempt.call()) {
            Ok(ticket) => {
                // There before the service is called: a panic gives it back.
                let settling = Settling::new(attempt, ticket);
                Attempted::new(Drive::start(&mut self.inner, request), settling)
            }
            Err(rejected) => Attempted::rejected(&attempt, rejected.into()),
        }
    }
}

/// What the circuit is owed for a call that it let through: to be told what became of it.
pub struct Ticket {
    circuits: Circuits,
    key: Key,
    ticket: breaker::Ticket,
    /// Whether the circuit was told of the first output.
    has_output: bool,
}

impl Guard for Ticket {
    fn progress(&mut self, attempt: &Attempt, progress: Progress) {
        if progress.has_output() && !std::mem::replace(&mut self.has_output, true) {
            let Self { circuits, key, ticket, .. } = self;
            circuits.act(attempt.call(), |Shared { registry, random }| {
                registry.first_content(key, ticket, now(), random);
            });
        }
    }

    fn settle(self, attempt: &Attempt) {
        let Self { circuits, key, ticket, .. } = self;
        let health =
            attempt.verdict().map_or(Health::Neutral, |verdict| Health::of(verdict.outcome));
        circuits.act(attempt.call(), |Shared { registry, random }| {
            registry.settle(&key, ticket, health, attempt.ended(), random);
        });
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The call was not made: too many before it have failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the circuit breaker of {key} let no call through: {}", .reason.as_str())]
#[non_exhaustive]
pub struct Rejected {
    /// Whose circuit.
    pub key: Key,
    /// Why not.
    pub reason: Reason,
    /// After how long the next probe is let through at the latest; `None` if that takes a person.
    pub retry_after: Option<Duration>,
}

impl Rejected {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation::rejected(Code::CircuitOpen, self.retry_after)
    }
}
