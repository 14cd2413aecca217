//! Permits to run: what is behind the lock of a line.

use std::time::Instant;

use battlement_core::{
    adaptive::{Adaptive, Config, InvalidConfig, Permit, Signal},
    queue::Waiter,
};

use crate::{
    call::Call,
    line::{NotNow, Supply},
};

/// The limit of one key, and who is in flight.
pub(super) struct Permits {
    pub(super) limit: Adaptive,
}

impl Supply for Permits {
    type Config = Config;
    type Invalid = InvalidConfig;
    type Ask = ();
    type Grant = Permit;
    type Never = std::convert::Infallible;

    fn new(config: &Config, now: Instant) -> Result<Self, InvalidConfig> {
        Ok(Self { limit: Adaptive::new(*config, now)? })
    }

    fn take(&mut self, _ask: &(), now: Instant) -> Result<Permit, NotNow<Self::Never>> {
        self.limit.admit(now).map_err(|_full| NotNow::Busy)
    }

    fn put_back(&mut self, permit: Permit, now: Instant) {
        self.limit.release(permit, Signal::Neutral, now);
    }

    fn never(&mut self, _ask: &(), _now: Instant) -> Option<Self::Never> {
        None
    }

    fn forecast(&mut self, _now: Instant) -> Option<impl FnMut(&()) -> Option<Instant>> {
        None::<fn(&()) -> Option<Instant>>
    }
}

/// How a call waits: all of them alike.
pub(super) fn waiter(call: &Call) -> Waiter {
    let deadline = call.deadline().instant();
    Waiter { class: call.lane(), tenant: call.turn(), cost: 1, deadline }
}
