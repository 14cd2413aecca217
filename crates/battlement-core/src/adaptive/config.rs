//! The settings of an adaptive limit, checked once.

use std::{num::NonZeroU32, time::Duration};

/// How a limit adapts. [`Config::default`] is meant for one model on one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The limit never falls below. Default 1.
    pub min: NonZeroU32,
    /// The limit never rises above. Default 200.
    pub max: NonZeroU32,
    /// Where it starts, and starts again after a pause. Default 4: found out in seconds, whatever the
    /// account allows.
    pub initial: NonZeroU32,
    /// What a cut leaves. Default 0.7, as in CUBIC and in the adaptive mode of AWS.
    pub cut: f64,
    /// How the limit grows back after a cut. Default CUBIC.
    pub growth: Growth,
    /// The shortest time between two cuts; longer where first tokens take longer. Default 1 s.
    pub epoch: Duration,
    /// After a pause of this length the limit is found out anew. Default 60 s.
    pub idle: Duration,
}

/// How a limit grows back after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// By one in the time of a first token. With a cut to 0.7 it uses 85 % of the peak.
    Additive,
    /// Fast at first, slow near where it was cut, then fast again (RFC 9438). 92.5 % of the peak.
    Cubic,
}

/// A setting with which a limit cannot work.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The three limits are out of order.
    #[error("limits are not in order: min {min}, initial {initial}, max {max}")]
    Order {
        /// The smallest.
        min: NonZeroU32,
        /// The first.
        initial: NonZeroU32,
        /// The largest.
        max: NonZeroU32,
    },
    /// The cut is not from 0.1 to 0.99.
    #[error("cut {0} is not from 0.1 to 0.99")]
    Cut(f64),
    /// A time is zero or too long.
    #[error("{name} of {value:?} is not from 1 ms to 1 day")]
    Time {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: Duration,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min: NonZeroU32::MIN,
            max: NonZeroU32::MIN.saturating_add(199),
            initial: NonZeroU32::MIN.saturating_add(3),
            cut: 0.7,
            growth: Growth::Cubic,
            epoch: Duration::from_secs(1),
            idle: Duration::from_secs(60),
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let Self { min, max, initial, cut, epoch, idle, growth: _ } = *self;
        if !(min <= initial && initial <= max) {
            return Err(InvalidConfig::Order { min, initial, max });
        }
        if !(0.1..=0.99).contains(&cut) {
            return Err(InvalidConfig::Cut(cut));
        }
        let range = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);
        for (name, value) in [("epoch", epoch), ("idle", idle)] {
            if !range.contains(&value) {
                return Err(InvalidConfig::Time { name, value });
            }
        }
        Ok(())
    }
}
