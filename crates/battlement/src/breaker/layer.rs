//! The layer around the registry of circuits.

use std::{
    fmt, mem,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    breaker::{self, Config, Health, InvalidConfig, Reason, Registry, Snapshot},
    random::Seeded,
};
use tower_layer::Layer;

use crate::{
    call::{Attempt, Call, Key, KeyOf, Place, Progress, Reads},
    clock::now,
    error::Explanation,
    events::Event,
    gate::{Admitted, Gate, Gated, NoTurn},
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
        Reads::before(Gated::new(inner, self.clone()))
    }
}

/// Turns calls away while a provider fails; see the [module documentation](super).
pub type Breaker<S> = Gated<S, BreakerLayer>;

impl Gate for BreakerLayer {
    type Held = Ticket;
    type Turn = NoTurn<Ticket>;

    fn places() -> impl Iterator<Item = Place> {
        [Place::Breaker].into_iter()
    }

    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> Admitted<Self> {
        let call = attempt.call();
        let own = Key::own(self.circuits.key.as_deref(), call);
        let key = own.as_deref().unwrap_or_else(|| call.key());
        let ticket = self.circuits.act(call, |shared| {
            let Shared { registry, random } = shared;
            registry.admit(key, now, random)
        });
        match ticket {
            Ok(ticket) => Admitted::Go(Ticket { own, ticket, has_output: false }),
            Err(breaker::Rejected { reason, until, .. }) => {
                let retry_after = until.map(|until| until.saturating_duration_since(now));
                let key = key.clone();
                Admitted::Reject(Rejected { key, reason, retry_after }.into())
            }
        }
    }

    fn is_short(&self, attempt: &Attempt, _now: Instant) -> bool {
        let call = attempt.call();
        let own = Key::own(self.circuits.key.as_deref(), call);
        let circuit = self.circuits.snapshot(own.as_deref().unwrap_or_else(|| call.key()));
        circuit.is_some_and(|circuit| circuit.mode != breaker::Mode::Closed)
    }

    fn again(self: &Arc<Self>, ticket: Ticket, attempt: &Attempt, now: Instant) -> Admitted<Self> {
        self.give_back(ticket, attempt, now);
        self.admit(attempt, now)
    }

    fn give_back(&self, ticket: Ticket, attempt: &Attempt, now: Instant) {
        let Ticket { own, ticket, .. } = ticket;
        let key = own.as_deref().unwrap_or_else(|| attempt.call().key());
        self.circuits.act(attempt.call(), |Shared { registry, random }| {
            registry.settle(key, ticket, Health::Neutral, now, random);
        });
    }

    fn progress(&self, ticket: &mut Ticket, attempt: &Attempt, progress: Progress) {
        if progress.has_output() && !mem::replace(&mut ticket.has_output, true) {
            let Ticket { own, ticket, .. } = ticket;
            let key = own.as_deref().unwrap_or_else(|| attempt.call().key());
            self.circuits.act(attempt.call(), |Shared { registry, random }| {
                registry.first_content(key, ticket, now(), random);
            });
        }
    }

    fn settle(&self, ticket: Ticket, attempt: &Attempt) {
        let Ticket { own, ticket, .. } = ticket;
        let key = own.as_deref().unwrap_or_else(|| attempt.call().key());
        let health =
            attempt.verdict().map_or(Health::Neutral, |verdict| Health::of(verdict.outcome));
        self.circuits.act(attempt.call(), |Shared { registry, random }| {
            registry.settle(key, ticket, health, attempt.ended(), random);
        });
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
        let snapshots = shared.registry.snapshots(now());
        snapshots.map(|(key, snapshot)| (key.clone(), snapshot)).collect()
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

/// What the circuit is owed for a call that it let through: to be told what became of it.
pub struct Ticket {
    /// `None` for the key of the call.
    own: Option<Box<Key>>,
    ticket: breaker::Ticket,
    /// Whether the circuit was told of the first output.
    has_output: bool,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("ticket", &self.ticket).finish_non_exhaustive()
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
