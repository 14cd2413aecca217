//! The gates of a layer, and how to look at them.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    cooldown::{Config, InvalidConfig, Snapshot},
    hint::Dimension,
    random::Seeded,
};

use super::{
    line::{LineKey, Shared, Step},
    ticket::Ticket,
    turn::{Standing, Turn},
};
use crate::{
    call::{Attempt, Key, KeyOf},
    clock::now,
    error::Explanation,
    events::Event,
    seed,
};

/// The gates of a layer. A clone is another handle for the same.
#[derive(Clone)]
pub struct Gates {
    shared: Arc<Mutex<Shared>>,
    pub(super) key: Option<Arc<KeyOf>>,
    /// How long a gate is shut at the head of an answer that names no wait.
    pub(super) unhinted: Duration,
}

/// Every dimension that may have a gate.
const DIMENSIONS: [Dimension; 3] = [Dimension::Requests, Dimension::Tokens, Dimension::Other];

impl Gates {
    /// All of them open.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        let shared = Shared::new(config, Seeded(seed::fresh()))?;
        Ok(Self { shared: Arc::new(Mutex::new(shared)), key: None, unhinted: config.unhinted })
    }

    /// A gate as it stands; `None` when it is open. What is not told of which dimension it is, and what
    /// was shut by hand, is under [`Dimension::Other`].
    pub fn snapshot(&self, key: &Key, dimension: Dimension) -> Option<Snapshot> {
        self.act(|shared| shared.cooldown.snapshot(&(key.clone(), dimension), now()))
    }

    /// How many calls are kept back right now.
    pub fn waiting(&self) -> usize {
        self.act(|shared| shared.waiting())
    }

    /// Shuts a gate by hand, as if the provider had asked for this wait, and returns until when: a
    /// little longer ([`Config::spread`]), and at most [`Config::longest`].
    pub fn shut(&self, key: &Key, wait: Duration) -> Instant {
        let gate = (key.clone(), Dimension::Other);
        self.act(|shared| {
            let pass = shared.cooldown.force();
            shared.throttle(&gate, &pass, Some(wait), now()).0
        })
    }

    /// Opens all gates of a key by hand. Traffic comes back as after a wait.
    pub fn open(&self, key: &Key) {
        let gates = DIMENSIONS.map(|dimension| (key.clone(), dimension));
        self.act(|shared| {
            let pass = shared.cooldown.force();
            shared.succeed(&gates, &pass, now());
        });
    }

    pub(super) fn reseed(&self, seed: u64) {
        self.act(|shared| shared.random = Seeded(seed));
    }

    /// Asks to make a call.
    pub(super) fn admit(&self, attempt: &Attempt, patience: Duration, now: Instant) -> Admitted {
        let call = attempt.call();
        let own = Key::own(self.key.as_deref(), call);
        let idle = self.act(|shared| {
            let is_idle = shared.is_idle();
            (is_idle || call.is_forced()).then(|| (shared.cooldown.force(), !is_idle))
        });
        if let Some((pass, is_proof)) = idle {
            return Admitted::Go(Ticket::new(own, pass, is_proof));
        }
        let line = LineKey::of(own.as_deref(), call);
        let limit = call.deadline().within(patience, now).instant();
        match self.act(|shared| shared.arrive(&line, limit, now)) {
            Step::Go(pass) => Admitted::Go(Ticket::new(own, pass, true)),
            Step::Wait { serial, back, turn } => {
                attempt.report(&Event::Waiting { layer: "retry_after", until: Some(turn) });
                let standing = Standing::new(self.clone(), line, serial);
                Admitted::Wait(Turn::new(standing, own, back))
            }
            Step::Late(turn) => Admitted::Late(CoolingDown::until(turn, &line)),
        }
    }

    /// Does something under the lock, and wakes whoever has to be woken after it.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        let (result, wakers) = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let result = act(&mut shared);
            (result, mem::take(&mut shared.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gates, waiting) = self.act(|shared| (shared.cooldown.len(), shared.waiting()));
        f.debug_struct("Gates")
            .field("gates", &gates)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

/// What becomes of a call.
pub(super) enum Admitted {
    Go(Ticket),
    Wait(Turn),
    Late(CoolingDown),
}

/// The call was not made: the provider has asked for a wait that is longer than the call can wait.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the provider has asked for a wait, and {key} is not called for another {retry_after:?}")]
#[non_exhaustive]
pub struct CoolingDown {
    /// Who is not called.
    pub key: Key,
    /// When the turn of this call would have been.
    pub retry_after: Duration,
}

impl CoolingDown {
    pub(super) fn until(turn: Instant, line: &LineKey) -> Self {
        Self { key: line.key.clone(), retry_after: turn.saturating_duration_since(now()) }
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation::rejected(Code::CoolingDown, Some(self.retry_after))
    }
}
