//! When calls that wait in line will pass.

use std::time::Instant;

use smallvec::SmallVec;

use super::{Charging, Estimate, MAX_LIMITS, Meter};
use crate::bucket::{Tank, later};

/// The future of a ledger, if nothing is settled, no headers come, and calls pass in a given order.
///
/// Walk the line with [`Forecast::next`]: it says when each call will pass, to the nanosecond. A
/// settlement that is less than was reserved makes it sooner; one that is more, later. Where output
/// is charged as it is produced nobody knows when, so it is taken to be produced at once.
#[derive(Clone, Debug)]
pub struct Forecast {
    charging: Charging,
    lends: bool,
    /// Refilled until `at`.
    pub(super) tanks: SmallVec<[(Meter, Tank); 4]>,
    at: Instant,
}

impl Forecast {
    pub(super) fn new(charging: Charging, lends: bool, at: Instant) -> Self {
        Self { charging, lends, tanks: SmallVec::new(), at }
    }

    /// Lets the next call in line pass, and says when that is; `None` if it never will.
    pub fn next(&mut self, call: &Estimate) -> Option<Instant> {
        let mut longest = 0;
        let mut costs = [0; MAX_LIMITS];
        for ((meter, tank), cost) in self.tanks.iter().zip(&mut costs) {
            let charge = self.charging.reserved(*meter, call);
            *cost = charge.now.saturating_add(charge.later);
            let needed = if self.lends { (*cost).min(tank.rate().burst()) } else { *cost };
            longest = longest.max(tank.check(needed, 0).ok()?.unwrap_or(0));
        }
        if longest > 0 {
            self.at = later(self.at, longest);
        }
        for ((_, tank), cost) in self.tanks.iter_mut().zip(costs) {
            tank.refill(longest);
            tank.charge(cost);
        }
        Some(self.at)
    }
}
