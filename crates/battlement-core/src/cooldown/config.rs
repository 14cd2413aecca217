//! The settings of a cool-down, checked once.

use std::{num::NonZeroU32, time::Duration};

/// How long gates stay shut, and how traffic comes back through them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The wait after a throttle that names none; doubled each time it turns out to be too short.
    /// Default 1 s, the base AWS uses for throttles.
    pub unhinted: Duration,
    /// The longest of these. Default 30 s: the windows of most limits are a minute and refill all
    /// the time.
    pub unhinted_longest: Duration,
    /// The longest wait a provider is believed. Default 1 h: a daily quota is then asked for once an
    /// hour, and a wait of fifty years, read from a header that changed its unit, is survived.
    pub longest: Duration,
    /// How much longer than told to wait, at most, as a share of the wait: drawn, and never more
    /// than 10 s. Default 0.1. Other machines with the same key were told the same.
    pub spread: f64,
    /// In which time the number of calls let through may double, when traffic comes back; at most
    /// the wait itself. Default 1 s, a little more than it takes to be throttled again.
    pub ramp: Duration,
    /// How many gates are kept. Default 10,000; only those shut, or lately so, are.
    pub keys: NonZeroU32,
}

/// A setting with which a cool-down cannot work.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The spread is not from 0 to 1.
    #[error("spread {0} is not from 0 to 1")]
    Spread(f64),
    /// The longest unhinted wait is shorter than the first.
    #[error("longest wait {longest:?} without a hint is shorter than the first, {first:?}")]
    Unhinted {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        longest: Duration,
    },
    /// A time is zero or too long.
    #[error("{name} of {value:?} is not from 1 ms to 30 days")]
    Time {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: Duration,
    },
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self {
            unhinted: Duration::from_secs(1),
            unhinted_longest: Duration::from_secs(30),
            longest: Duration::from_secs(60 * 60),
            spread: 0.1,
            ramp: Duration::from_secs(1),
            keys: NonZeroU32::MIN.saturating_add(9999),
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let Self { unhinted, unhinted_longest, longest, spread, ramp, keys: _ } = *self;
        if !(0.0..=1.0).contains(&spread) {
            return Err(InvalidConfig::Spread(spread));
        }
        let times = [
            ("unhinted", unhinted),
            ("unhinted_longest", unhinted_longest),
            ("longest", longest),
            ("ramp", ramp),
        ];
        for (name, value) in times {
            if !(SHORTEST..=LONGEST).contains(&value) {
                return Err(InvalidConfig::Time { name, value });
            }
        }
        if unhinted_longest < unhinted {
            return Err(InvalidConfig::Unhinted { first: unhinted, longest: unhinted_longest });
        }
        Ok(())
    }
}
