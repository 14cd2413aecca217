//! Until when an answer is of use.
//!
//! A timeout per attempt, set in three layers, adds up: two retries of a minute each keep somebody
//! waiting for three. A [`Deadline`] is a point in time instead, set once where the call starts and
//! handed down; whoever receives it can make it earlier and never later.
//!
//! It also decides *before* a wait whether the wait makes sense. A repetition that starts when
//! hardly any time is left is paid for and thrown away: it has to have room for what an attempt
//! usually takes until its first output (`needed`), or the call fails now, with the failure it
//! already has.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::deadline::{Deadline, TooLate};
//!
//! let second = Duration::from_secs(1);
//! let now = Instant::now();
//! let deadline = Deadline::after(30 * second, now);
//! let attempt = deadline.within(60 * second, now);
//! assert_eq!(attempt, deadline, "nobody below gets more time than is left");
//!
//! let usual = 5 * second;
//! assert_eq!(deadline.room(10 * second, usual, now), Ok(now + 10 * second));
//! assert_eq!(deadline.room(28 * second, usual, now), Err(TooLate { short: 3 * second }));
//! ```

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// Until when an answer is of use. The default is [`Deadline::NEVER`].
///
/// Ordered from early to late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// `None` is later than every instant.
    at: Option<Instant>,
}

/// There is not enough time left for a wait and the attempt after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline is {short:?} too early for another attempt")]
pub struct TooLate {
    /// How much later the deadline would have to be.
    pub short: Duration,
}

impl Deadline {
    /// An answer is welcome at any time.
    pub const NEVER: Self = Self { at: None };

    /// At this instant.
    pub const fn at(at: Instant) -> Self {
        Self { at: Some(at) }
    }

    /// After this long; never, when that is beyond what an instant can express.
    pub fn after(time: Duration, now: Instant) -> Self {
        Self { at: now.checked_add(time) }
    }

    /// The instant, unless it is never.
    pub const fn instant(self) -> Option<Instant> {
        self.at
    }

    /// The earlier of the two: how a deadline is handed down.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// The deadline for a part of the call that may take this long. Never later than this one.
    #[must_use]
    pub fn within(self, time: Duration, now: Instant) -> Self {
        self.earlier(Self::after(time, now))
    }

    /// The time left: zero once it has passed, `None` when it is never.
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        Some(self.at?.saturating_duration_since(now))
    }

    /// Whether no time is left.
    pub fn is_past(self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// Until when it makes sense to wait for a turn, if an answer takes as long as `needed`; never less than half of
    /// what is left, since some answers are quicker.
    ///
    /// Whoever waits to the last second and goes out then takes a turn from somebody who could still be
    /// answered. Where calls queue for longer than they have time, first come, first served, they all do that.
    pub fn latest_start(self, needed: Duration, now: Instant) -> Option<Instant> {
        let at = self.at?;
        let left = at.saturating_duration_since(now);
        Some(now + left.saturating_sub(needed).max(left / 2))
    }

    /// Whether an attempt that `needed` time can start after this `wait`, and when it would.
    ///
    /// A wait that cannot be expressed as an instant ends in [`TooLate`] even without a deadline.
    pub fn room(self, wait: Duration, needed: Duration, now: Instant) -> Result<Instant, TooLate> {
        let start = now.checked_add(wait).ok_or(TooLate { short: wait })?;
        let Some(left) = self.remaining(now) else { return Ok(start) };
        let short = wait.saturating_add(needed).saturating_sub(left);
        // No time at all is not enough, even for what needs none.
        if short.is_zero() && !left.is_zero() { Ok(start) } else { Err(TooLate { short }) }
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // An `Option` would put `None` first.
        match (self.at, other.at) {
            (Some(at), Some(other)) => at.cmp(&other),
            (at, other) => at.is_none().cmp(&other.is_none()),
        }
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
