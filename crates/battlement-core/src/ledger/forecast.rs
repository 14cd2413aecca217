//! When calls that wait in line will pass.

use std::time::Instant;

use smallvec::SmallVec;

use super::{Charging, Estimate, MAX_LIMITS, Meter};
use crate::bucket::{Bucket, Refused};

/// The future of a ledger, if nothing is settled, no headers come, and calls pass in a given order.
///
/// Walk the line with [`Forecast::next`]: it says when each call will pass, to the nanosecond. A
/// settlement that is less than was reserved makes it sooner; one that is more, later. Where output
/// is charged as it is produced nobody knows when, so it is taken to be produced at once.
#[derive(Clone, Debug)]
pub struct Forecast {
    pub(super) charging: Charging,
    pub(super) buckets: SmallVec<[(Meter, Bucket); MAX_LIMITS]>,
    pub(super) at: Instant,
}

impl Forecast {
    /// Lets the next call in line pass, and says when that is; `None` if it never will.
    pub fn next(&mut self, call: &Estimate) -> Option<Instant> {
        let mut at = self.at;
        for (meter, bucket) in &self.buckets {
            match bucket.check(cost(&self.charging, *meter, call), self.at) {
                Ok(()) => {}
                Err(Refused::Until(until)) => at = at.max(until),
                Err(Refused::TooLarge { .. }) => return None,
            }
        }
        self.at = at;
        for (meter, bucket) in &mut self.buckets {
            bucket.charge(cost(&self.charging, *meter, call), at);
        }
        Some(at)
    }
}

fn cost(charging: &Charging, meter: Meter, call: &Estimate) -> u64 {
    let charge = charging.reserved(meter, call);
    charge.now.saturating_add(charge.later)
}
