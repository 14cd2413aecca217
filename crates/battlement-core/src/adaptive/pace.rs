//! How quickly calls are answered.

use std::time::{Duration, Instant};

/// How quickly calls are answered, of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Answers, of which older ones count less and less.
    answered: f64,
    at: Instant,
}

/// How far back it looks, about: long enough that a process with a call every few seconds has a pace, and short enough
/// to see within half a minute that a provider is well again.
const LOOKS_BACK: Duration = Duration::from_secs(20);

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { answered: 0.0, at: now }
    }

    /// A call was answered.
    pub(super) fn answer(&mut self, now: Instant) {
        self.move_to(now);
        self.answered += 1.0;
    }

    /// What was answered is longer ago now.
    pub(super) fn move_to(&mut self, now: Instant) {
        let gone = now.saturating_duration_since(self.at);
        self.answered *= (-gone.as_secs_f64() / LOOKS_BACK.as_secs_f64()).exp();
        self.at = self.at.max(now);
    }

    /// How many are answered in so much time.
    pub(super) fn within(&self, time: Duration) -> f64 {
        self.answered * time.as_secs_f64() / LOOKS_BACK.as_secs_f64()
    }
}
