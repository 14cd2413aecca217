//! Permits to run: what is behind the lock of a line.

use std::time::Instant;

use battlement_core::{
    adaptive::{Adaptive, Config, InvalidConfig, Permit, Signal},
    queue::Waiter,
};

use crate::{
    call::Attempt,
    line::{NotNow, Supply},
};

/// The limit of one key, and who is in flight.
pub(super) struct Permits {
    pub(super) limit: Adaptive,
}

impl Supply for Permits {
    type Config = Config;
    type Invalid = InvalidConfig;
    /// Until when its answer is of use.
    type Ask = Option<Instant>;
    type Grant = Permit;
    type Never = std::convert::Infallible;

    fn new(config: &Config, now: Instant) -> Result<Self, InvalidConfig> {
        Ok(Self { limit: Adaptive::new(*config, now)? })
    }

    fn take(&mut self, ask: &Self::Ask, now: Instant) -> Result<Permit, NotNow<Self::Never>> {
        self.limit.admit_until(*ask, now).map_err(|_full| NotNow::Busy)
    }

    fn put_back(&mut self, permit: Permit, now: Instant) {
        self.limit.release(permit, Signal::Neutral, now);
    }

    fn never(&mut self, _ask: &Self::Ask, _now: Instant) -> Option<Self::Never> {
        None
    }

    fn forecast(&mut self, _now: Instant) -> Option<impl FnMut(&Self::Ask) -> Option<Instant>> {
        None::<fn(&Self::Ask) -> Option<Instant>>
    }
}

/// How a call waits: all of them alike, and no longer than leaves the time that an answer takes. Who goes out
/// with a second left keeps a place from those who can still be answered.
pub(super) fn waiter(attempt: &Attempt, permits: &Permits, now: Instant) -> Waiter {
    let call = attempt.call();
    let takes = permits.limit.takes().unwrap_or_default();
    let deadline = attempt.latest_start(takes, now);
    Waiter { class: call.lane(), tenant: call.turn(), cost: 1, deadline }
}
