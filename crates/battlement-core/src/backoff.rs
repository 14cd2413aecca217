//! How long to wait before a call is tried again.
//!
//! Clients that failed together and wait equally long come back together, and fail together again.
//! So a wait is drawn, over a range that doubles with every repetition (Marc Brooker, "Exponential
//! Backoff and Jitter", AWS architecture blog). With a hundred clients contending, full jitter
//! makes the least work, and decorrelated jitter is slightly faster; shaving a quarter off at
//! random, as the providers' own SDKs do, takes more than twice as long.
//!
//! What failed decides how fast to come back: a connection that was never made costs nothing to
//! repeat, an overloaded model needs seconds. Each [`Trouble`] has its own [`Pace`].
//!
//! A wait that the provider asks for is a **floor**. Coming back earlier fails for certain and may
//! count against the quota; coming back exactly then, with everybody who was told the same, is a
//! herd; so jitter goes upwards only. A wait that is longer than the caller has patience for is
//! neither shortened nor ignored: [`Wait::TooLong`] hands it back. (Anthropic's SDK, asked to wait
//! for ninety seconds, comes back after half of one.)
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_core::{
//!     backoff::{Backoff, Series, Trouble, Wait},
//!     random::Seeded,
//! };
//!
//! let backoff = Backoff::default();
//! let mut random = Seeded(7); // One for all calls, never one per call.
//! let mut series = Series::default(); // One per call.
//!
//! let Wait::For(first) = backoff.wait(&mut series, Trouble::Overloaded, None, &mut random) else {
//!     unreachable!("only a hint can be too long")
//! };
//! assert!(first <= Duration::from_secs(1));
//!
//! let asked = Duration::from_secs(20);
//! let Wait::For(second) = backoff.wait(&mut series, Trouble::RateLimit, Some(asked), &mut random)
//! else {
//!     unreachable!("twenty seconds are within the default patience")
//! };
//! assert!(second >= asked, "never earlier than the provider asks");
//! ```

mod config;
#[cfg(test)]
mod tests;
mod trouble;

pub use config::{Config, InvalidBackoff, Jitter, LONGEST, Pace, Paces};
pub use trouble::Trouble;

use std::time::Duration;

use crate::random::{Random, between};

/// Decides waits. Shared by all calls; what one call has been through is its [`Series`].
///
/// The default is [`Config::default`].
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    config: Config,
}

/// The waits of one call so far.
#[derive(Clone, Debug, Default)]
pub struct Series {
    count: u32,
    previous: Duration,
}

impl Series {
    /// How many waits were decided.
    pub const fn count(&self) -> u32 {
        self.count
    }
}

/// What to do before the next attempt.
#[must_use = "a wait is decided, not waited"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait for this long.
    For(Duration),
    /// Give up: the provider asks for this long, which is more than [`Config::patience`].
    TooLong(Duration),
}

impl Backoff {
    /// Checks the settings.
    pub fn new(config: Config) -> Result<Self, InvalidBackoff> {
        config.validate()?;
        Ok(Self { config })
    }

    /// Decides the wait after a failed attempt.
    ///
    /// `hint` is what the provider asked for, see [`hint::wait`](crate::hint::wait). Without one
    /// the wait is at most the cap of the pace; with one it is at least the hint.
    pub fn wait(
        &self,
        series: &mut Series,
        trouble: Trouble,
        hint: Option<Duration>,
        random: &mut (impl Random + ?Sized),
    ) -> Wait {
        let pace = self.config.paces.get(trouble);
        let own = self.draw(series, pace, random);
        let wait = match hint {
            None => own,
            Some(hint) if hint > self.config.patience => return Wait::TooLong(hint),
            Some(hint) => {
                // Spread over as much again, so that a herd told the same comes back thinned by
                // half or more, but never over more than the cap.
                let latest = hint.saturating_add(hint.min(pace.cap));
                between(hint, latest, random).max(own)
            }
        };
        series.count = series.count.saturating_add(1);
        series.previous = own;
        Wait::For(wait)
    }

    fn draw(&self, series: &Series, pace: Pace, random: &mut (impl Random + ?Sized)) -> Duration {
        let Pace { base, cap } = pace;
        // The cap comes before the jitter: after it, a late attempt would wait for the cap exactly.
        let full = base.saturating_mul(1 << series.count.min(31)).min(cap);
        match self.config.jitter {
            Jitter::Full => between(Duration::ZERO, full, random),
            Jitter::Equal => between(full / 2, full, random),
            Jitter::Decorrelated => {
                let high = series.previous.max(base).saturating_mul(3);
                between(base, high.min(cap), random)
            }
            Jitter::Proportional(share) => {
                between(full.mul_f64(1.0 - share), full.mul_f64(1.0 + share).min(cap), random)
            }
        }
    }
}
