//! One gate: shut for a time, then let through more and more.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// Nobody goes through before this.
    pub(super) until: Instant,
    /// Of when it was shut. Places and throttles from before are not about the present.
    pub(super) generation: u64,
    /// Of the last throttle, even if that changed nothing. A success from before proves nothing.
    pub(super) heard: u64,
    /// How often in a row it was shut without being told for how long.
    pub(super) strikes: u32,
    /// In which time the number of those let through doubles.
    step: Duration,
    /// When they began to come back: at `until` for those who waited, else with the first to come.
    back: Instant,
    /// The next place.
    next: Instant,
    /// Places given away since.
    booked: u32,
}

/// After doubling this often there is no ramp any more. A thousand calls in ten steps.
const DOUBLINGS: u32 = 10;

impl Gate {
    pub(super) fn shut(until: Instant, step: Duration, generation: u64, strikes: u32) -> Self {
        let (back, next) = (until, until);
        Self { until, generation, heard: generation, strikes, step, back, next, booked: 0 }
    }

    /// When the next to come may go through.
    pub(super) fn next(&self, now: Instant) -> Instant {
        if self.booked == 0 { self.until.max(now) } else { self.next }
    }

    /// Gives the next place away.
    pub(super) fn book(&mut self, now: Instant) {
        if self.booked == 0 {
            self.back = self.until.max(now);
        }
        self.booked = self.booked.saturating_add(1);
        // Place k is at step · log2(k + 1): one at once, two after a step, four after two.
        let doublings = (f64::from(self.booked) + 1.0).log2();
        self.next = later(self.back, self.step.mul_f64(doublings));
    }

    /// Opens it at once; traffic comes back as after a wait.
    pub(super) fn prove(&mut self, generation: u64, now: Instant) {
        *self = Self::shut(now, self.step, generation, 0);
    }

    /// Whether it might as well not be there.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= later(self.back, self.step.saturating_mul(DOUBLINGS)) && self.next(now) <= now
    }

    pub(super) fn booked(&self) -> u32 {
        self.booked
    }
}

/// The time after a wait; where the clock ends, the wait is over.
pub(super) fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait).unwrap_or(from)
}
