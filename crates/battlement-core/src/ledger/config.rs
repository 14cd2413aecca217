//! What a ledger is told when it is built.

use std::{num::NonZeroU64, time::Duration};

use super::{Charging, Output};
use crate::{
    Provider,
    bucket::{InvalidRate, Rate},
};

/// How many limits a ledger may have.
pub const MAX_LIMITS: usize = 8;

/// How many calls can be told apart.
const MOST_OPEN: usize = 1 << 24;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Requests.
    Requests,
    /// Tokens of input and output together.
    Tokens,
    /// Tokens of input.
    Input,
    /// Tokens of output.
    Output,
}

/// So much of something in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub meter: Meter,
    /// How much of it may pass in a period. Headers may lower it, and raise it no further than this.
    pub amount: u64,
    /// How long that takes to come back.
    pub period: Duration,
    /// How much may pass at once: all of it, unless told otherwise or counted in slices.
    pub burst: Option<u64>,
}

impl Limit {
    /// A limit for each second.
    pub const fn per_second(meter: Meter, amount: u64) -> Self {
        Self { meter, amount, period: Duration::from_secs(1), burst: None }
    }

    /// A limit for each minute.
    pub const fn per_minute(meter: Meter, amount: u64) -> Self {
        Self { meter, amount, period: Duration::from_secs(60), burst: None }
    }

    /// A limit for each day.
    pub const fn per_day(meter: Meter, amount: u64) -> Self {
        Self { meter, amount, period: Duration::from_secs(86_400), burst: None }
    }

    pub(super) fn rate(&self, charging: &Charging) -> Result<Rate, InvalidRate> {
        let rate = Rate::new(self.amount, self.period)?;
        let slice = charging.request_slice.filter(|slice| {
            self.meter == Meter::Requests && !slice.is_zero() && *slice < self.period
        });
        let burst = self.burst.unwrap_or_else(|| match slice {
            Some(slice) => part(self.amount, slice, self.period).max(1),
            None => self.amount,
        });
        rate.with_burst(burst)
    }
}

/// What of an amount falls on a part of its period.
fn part(amount: u64, slice: Duration, period: Duration) -> u64 {
    let part = u128::from(amount).saturating_mul(slice.as_nanos()) / period.as_nanos();
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The limits of one key, and how they are charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// All of them at once; a call passes when it passes each.
    pub limits: Vec<Limit>,
    /// How the provider charges a call.
    pub charging: Charging,
    /// Whether a call that is larger than a burst may pass when the bucket is full, and leave debt.
    /// Otherwise it never passes.
    pub lends: bool,
    /// How many calls may be open at once. It bounds memory, not concurrency; 16,384 by default.
    pub max_open: usize,
    /// The fastest that a single answer is produced, in tokens a second: matters where output is
    /// charged as it is produced. 300 by default, above what the large models are measured at.
    pub stream_speed: NonZeroU64,
}

impl Config {
    /// Limits charged in the way of that provider.
    pub fn new(provider: Provider, limits: Vec<Limit>) -> Self {
        Self {
            limits,
            charging: Charging::of(provider),
            lends: false,
            max_open: 16_384,
            stream_speed: NonZeroU64::MIN.saturating_add(299),
        }
    }

    pub(super) fn check(&self) -> Result<(), InvalidLedger> {
        if self.limits.is_empty() || self.limits.len() > MAX_LIMITS {
            return Err(InvalidLedger::Limits(self.limits.len()));
        }
        if self.max_open == 0 || self.max_open > MOST_OPEN {
            return Err(InvalidLedger::MaxOpen(self.max_open));
        }
        if self.charging.output_weight == 0 {
            return Err(InvalidLedger::OutputWeight);
        }
        for (index, limit) in self.limits.iter().enumerate() {
            let is_same =
                |other: &Limit| (other.meter, other.period) == (limit.meter, limit.period);
            if self.limits[..index].iter().any(is_same) {
                return Err(InvalidLedger::Twice(limit.meter, limit.period));
            }
            if limit.meter == Meter::Output && self.charging.output == Output::Free {
                return Err(InvalidLedger::Uncounted);
            }
            limit
                .rate(&self.charging)
                .map_err(|source| InvalidLedger::Rate { meter: limit.meter, source })?;
        }
        Ok(())
    }
}

/// Why a ledger is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLedger {
    /// No limits, or too many.
    #[error("{0} limits are not between 1 and {MAX_LIMITS}")]
    Limits(usize),
    /// Two limits for the same meter and period.
    #[error("{0:?} in {1:?} is limited twice")]
    Twice(Meter, Duration),
    /// A limit is to change that there is not.
    #[error("{0:?} in {1:?} is not limited")]
    Absent(Meter, Duration),
    /// The amount, burst or period of a limit is out of range.
    #[error("the limit of {meter:?} is out of range")]
    Rate {
        /// What the limit counts.
        meter: Meter,
        /// What is wrong with it.
        source: InvalidRate,
    },
    /// A limit of output where output does not count.
    #[error("output is limited, but does not count")]
    Uncounted,
    /// No call may be open, or more than can be numbered.
    #[error("{0} open calls are not between 1 and {MOST_OPEN}")]
    MaxOpen(usize),
    /// A token of output counts nothing.
    #[error("a token of output weighs nothing")]
    OutputWeight,
}
