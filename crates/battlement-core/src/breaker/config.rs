//! The settings of a breaker, checked once.

use std::{num::NonZeroU32, time::Duration};

/// How a breaker decides. [`Config::default`] is meant for one model of one provider on one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Trip when more than this share of the calls fails. Default 0.5: below it, trying again costs
    /// less than not asking.
    pub threshold: f64,
    /// How sure to be of that. Default 0.95: from nothing, four failures in a row are enough and
    /// three are not, and a provider at the threshold itself is rarely blamed.
    pub confidence: f64,
    /// After how long a result counts half. Default 30 s: an outage of a minute is most of what is
    /// remembered, and at one call in ten seconds there are still four results to go by.
    pub half_life: Duration,
    /// Trip after this many failures in a row, however many successes came before; `None` turns
    /// this off. Default 5: a provider that fails half of its calls does so one time in 32. It is
    /// what trips a breaker whose calls come further apart than `half_life`.
    pub streak: Option<NonZeroU32>,
    /// How long to stay open.
    pub open: OpenTime,
    /// How many probes may be undecided at once. Default 1.
    pub probes: NonZeroU32,
    /// How many good probes close the circuit. Default 2: one may have been luck.
    pub good_probes: NonZeroU32,
    /// How long to wait for a good probe before the circuit opens again. Default 90 s, longer than
    /// models think before their first word; a shorter limit belongs into a timeout of the call.
    pub half_open_max_age: Duration,
    /// For how long traffic is held back after closing, at first to one more undecided call than there were
    /// good probes, and to one more with every good answer: so it can double in the time of a first
    /// token. Default 30 s; zero turns it off.
    pub ramp: Duration,
}

/// How long a circuit stays open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenTime {
    /// The first time. Default 5 s.
    pub first: Duration,
    /// By what it is multiplied each time the provider turns out not to be back; 1 keeps it fixed.
    /// Default 2.
    pub growth: f64,
    /// The longest time. Default 60 s: one probe a minute is cheap, and an outage of an hour is not
    /// made longer by more than that.
    pub longest: Duration,
    /// Which part of the time is drawn, from 0 for none to 1 for all of it. Default 0.5, "equal
    /// jitter": clients that tripped together do not probe together.
    pub jitter: f64,
}

/// A setting with which a breaker cannot work.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The threshold is not between 0 and 1.
    #[error("threshold {0} is not between 0 and 1")]
    Threshold(f64),
    /// The confidence is not from 0.5 to below 1.
    #[error("confidence {0} is not from 0.5 to below 1")]
    Confidence(f64),
    /// The growth of the open time is not from 1 to 1000.
    #[error("growth {0} of the open time is not from 1 to 1000")]
    Growth(f64),
    /// The jitter of the open time is not from 0 to 1.
    #[error("jitter {0} of the open time is not from 0 to 1")]
    Jitter(f64),
    /// The longest open time is shorter than the first.
    #[error("longest open time {longest:?} is shorter than the first, {first:?}")]
    OpenTime {
        /// The first time.
        first: Duration,
        /// The longest time.
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
            threshold: 0.5,
            confidence: 0.95,
            half_life: Duration::from_secs(30),
            streak: NonZeroU32::new(5),
            open: OpenTime::default(),
            probes: NonZeroU32::MIN,
            good_probes: NonZeroU32::MIN.saturating_add(1),
            half_open_max_age: Duration::from_secs(90),
            ramp: Duration::from_secs(30),
        }
    }
}

impl Default for OpenTime {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            growth: 2.0,
            longest: Duration::from_secs(60),
            jitter: 0.5,
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let Self { threshold, confidence, open, .. } = *self;
        if !(threshold > 0.0 && threshold < 1.0) {
            return Err(InvalidConfig::Threshold(threshold));
        }
        if !(0.5..1.0).contains(&confidence) {
            return Err(InvalidConfig::Confidence(confidence));
        }
        if !(1.0..=1000.0).contains(&open.growth) {
            return Err(InvalidConfig::Growth(open.growth));
        }
        if !(0.0..=1.0).contains(&open.jitter) {
            return Err(InvalidConfig::Jitter(open.jitter));
        }
        let times = [
            ("half_life", self.half_life),
            ("open.first", open.first),
            ("open.longest", open.longest),
            ("half_open_max_age", self.half_open_max_age),
            // Zero is allowed here, and only here.
            ("ramp", self.ramp.max(SHORTEST)),
        ];
        for (name, value) in times {
            if !(SHORTEST..=LONGEST).contains(&value) {
                return Err(InvalidConfig::Time { name, value });
            }
        }
        if open.longest < open.first {
            return Err(InvalidConfig::OpenTime { first: open.first, longest: open.longest });
        }
        Ok(())
    }
}
