//! The settings of waits, checked before the first call.

use std::time::Duration;

use super::Trouble;

/// No wait may be set longer than this. Nobody holds a request open for an hour.
pub const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How waits are decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How a wait is drawn.
    pub jitter: Jitter,
    /// How fast to come back from what.
    pub paces: Paces,
    /// The longest wait to accept from a provider; a longer one ends the call.
    ///
    /// Two minutes by default: two windows of the usual limits per minute, and what OpenAI's SDK
    /// accepts. A deadline usually ends the call sooner.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { jitter: Jitter::Full, paces: Paces::default(), patience: Duration::from_secs(120) }
    }
}

impl Config {
    pub(super) fn validate(&self) -> Result<(), InvalidBackoff> {
        if let Jitter::Proportional(share) = self.jitter {
            // Written so that a share which is no number is wrong too.
            if !(share > 0.0 && share <= 1.0) {
                return Err(InvalidBackoff::Share(share));
            }
        }
        for trouble in Trouble::ALL {
            let Pace { base, cap } = self.paces.get(trouble);
            if base > cap || cap > LONGEST || (base.is_zero() && !cap.is_zero()) {
                return Err(InvalidBackoff::Pace { trouble, base, cap });
            }
        }
        if self.patience > LONGEST {
            return Err(InvalidBackoff::Patience(self.patience));
        }
        Ok(())
    }
}

/// How a wait is drawn, with `v` for the base of the pace, doubled per repetition and capped.
///
/// There is no `None`: waits that are equal by design are the herd this module is here to prevent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Anything up to `v`. The least work for the provider.
    Full,
    /// Between the base and three times the previous draw, capped. Slightly faster than full.
    Decorrelated,
    /// Between half of `v` and `v`, where a wait of nearly nothing is not wanted.
    Equal,
    /// `v` give or take this share of it, and at most the cap. The share is over 0 and at most 1.
    Proportional(f64),
}

/// How fast to come back from one kind of trouble.
///
/// Both zero is a repetition at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What the first wait is drawn from; doubles with every repetition.
    pub base: Duration,
    /// What the doubling stops at.
    pub cap: Duration,
}

impl Pace {
    /// From these milliseconds up to those.
    pub const fn millis(base: u64, cap: u64) -> Self {
        Self { base: Duration::from_millis(base), cap: Duration::from_millis(cap) }
    }
}

/// The pace for each kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paces {
    /// 50 ms to 2 s: nothing was sent, so nothing is repeated.
    pub unsent: Pace,
    /// 1 s, what the AWS SDKs use for throttling, to 60 s, the usual window. Providers mostly say
    /// how long, and then that counts.
    pub rate_limit: Pace,
    /// 1 s to 30 s: capacity comes back slowly.
    pub overloaded: Pace,
    /// 250 ms to 10 s: another server may do better at once.
    pub broken: Pace,
    /// At once: a whole time limit has passed already.
    pub silent: Pace,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            unsent: Pace::millis(50, 2_000),
            rate_limit: Pace::millis(1_000, 60_000),
            overloaded: Pace::millis(1_000, 30_000),
            broken: Pace::millis(250, 10_000),
            silent: Pace::millis(0, 0),
        }
    }
}

impl Paces {
    /// The pace for this kind.
    pub const fn get(&self, trouble: Trouble) -> Pace {
        match trouble {
            Trouble::Unsent => self.unsent,
            Trouble::RateLimit => self.rate_limit,
            Trouble::Overloaded => self.overloaded,
            Trouble::Broken => self.broken,
            Trouble::Silent => self.silent,
        }
    }
}

/// Why waits cannot be decided with these settings.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBackoff {
    /// The share of [`Jitter::Proportional`].
    #[error("a jitter of {0} is not over 0 and at most 1")]
    Share(f64),
    /// The base is above the cap, the cap above [`LONGEST`], or only the base is zero.
    #[error("a wait from {base:?} to {cap:?} after `{trouble}` is out of order or out of range")]
    Pace {
        /// What the pace is for.
        trouble: Trouble,
        /// What the first wait is drawn from.
        base: Duration,
        /// What the doubling stops at.
        cap: Duration,
    },
    /// The patience is above [`LONGEST`].
    #[error("a patience of {0:?} is longer than an hour")]
    Patience(Duration),
}
