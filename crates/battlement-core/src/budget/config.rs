//! The settings of a budget, checked before the first call.

use std::{ops::RangeInclusive, time::Duration};

use super::{COST_BITS, account};
use crate::backoff::Trouble;

/// The largest reserve of a cost ledger, and the most that it keeps.
pub const MOST_COST: u64 = account::MOST >> COST_BITS;

const SHARES: RangeInclusive<f64> = 0.001..=10.0;
const RESERVES: RangeInclusive<f64> = 0.01..=100.0;
const WEIGHTS: RangeInclusive<f64> = 0.01..=100.0;
const HALF_LIVES: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3600);

/// How many repetitions there may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Repetitions per first attempt, from 0.001 to 10. A tenth by default, as in Google's SRE book:
    /// it keeps a provider recoverable up to nine tenths of its capacity.
    pub share: f64,
    /// Repetitions that are there from the beginning and never forgotten, so that a client with few
    /// calls can repeat at all. 1 by default: twenty processes of ten calls a minute each, with 2, send a
    /// third more at once when everything begins to fail. At least the largest of the weights, at most 100; the
    /// reserves of all processes together should stay below the share of a minute's calls.
    pub reserve: f64,
    /// In what time half of what is above the reserve is forgotten, from ten seconds to an hour. 30 s by
    /// default: the worst minute then spends what some 45 seconds before it have earned, and its own share.
    pub half_life: Duration,
    /// What a repetition counts.
    pub weights: Weights,
    /// The second ledger. None by default.
    pub cost: Option<Cost>,
}

/// A ledger in tokens, or in money in a small unit such as a millionth of a dollar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// What repetitions may cost for each unit that first attempts cost, from 0.001 to 10.
    pub share: f64,
    /// What is there from the beginning and never forgotten, from 1 to [`MOST_COST`]. A few times
    /// what a large call costs, or it can never be repeated by a client with few calls.
    pub reserve: u64,
}

/// What a repetition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The same again after this kind of trouble.
    Retry(Trouble),
    /// The same again beside an attempt that is slow.
    Hedge,
    /// Another model or key of the same provider.
    Fallback,
}

impl Purpose {
    pub(super) const COUNT: usize = 7;

    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Retry(Trouble::Unsent),
        Self::Retry(Trouble::RateLimit),
        Self::Retry(Trouble::Overloaded),
        Self::Retry(Trouble::Broken),
        Self::Retry(Trouble::Silent),
        Self::Hedge,
        Self::Fallback,
    ];

    /// The position in [`Purpose::ALL`].
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Retry(trouble) => trouble as usize,
            Self::Hedge => 5,
            Self::Fallback => 6,
        }
    }
}

/// What a repetition counts, from 0.01 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// 0.5: the provider sees nothing of it, but a dead network should not be hammered either.
    pub unsent: f64,
    /// 1: a rejection costs the provider little, but some count it against the limit all the same, and then
    /// three for one keep an account over its limit that uses nine tenths of it.
    pub rate_limit: f64,
    /// 1.
    pub overloaded: f64,
    /// 1.
    pub broken: f64,
    /// 1: there is no more than one for a call.
    pub silent: f64,
    /// 1.
    pub hedge: f64,
    /// 1.
    pub fallback: f64,
}

impl Weights {
    /// What a repetition for this purpose counts.
    pub const fn get(&self, purpose: Purpose) -> f64 {
        match purpose {
            Purpose::Retry(Trouble::Unsent) => self.unsent,
            Purpose::Retry(Trouble::RateLimit) => self.rate_limit,
            Purpose::Retry(Trouble::Overloaded) => self.overloaded,
            Purpose::Retry(Trouble::Broken) => self.broken,
            Purpose::Retry(Trouble::Silent) => self.silent,
            Purpose::Hedge => self.hedge,
            Purpose::Fallback => self.fallback,
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            unsent: 0.5,
            rate_limit: 1.0,
            overloaded: 1.0,
            broken: 1.0,
            silent: 1.0,
            hedge: 1.0,
            fallback: 1.0,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            share: 0.1,
            reserve: 1.0,
            half_life: Duration::from_secs(30),
            weights: Weights::default(),
            cost: None,
        }
    }
}

impl Config {
    pub(super) fn validate(&self) -> Result<(), InvalidBudget> {
        for share in std::iter::once(self.share).chain(self.cost.map(|cost| cost.share)) {
            if !SHARES.contains(&share) {
                return Err(InvalidBudget::Share(share));
            }
        }
        if !HALF_LIVES.contains(&self.half_life) {
            return Err(InvalidBudget::HalfLife(self.half_life));
        }
        if !RESERVES.contains(&self.reserve) {
            return Err(InvalidBudget::Reserve(self.reserve));
        }
        for purpose in Purpose::ALL {
            let weight = self.weights.get(purpose);
            if !WEIGHTS.contains(&weight) || weight > self.reserve {
                return Err(InvalidBudget::Weight { purpose, weight, reserve: self.reserve });
            }
        }
        match self.cost {
            Some(Cost { reserve, .. }) if reserve == 0 || reserve > MOST_COST => {
                Err(InvalidBudget::CostReserve(reserve))
            }
            _ => Ok(()),
        }
    }
}

/// Why there is no budget with these settings.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBudget {
    /// A share is out of range.
    #[error("a share of {0} is not between 0.001 and 10")]
    Share(f64),
    /// The half-life is out of range.
    #[error("a half-life of {0:?} is not between ten seconds and an hour")]
    HalfLife(Duration),
    /// The reserve is out of range.
    #[error("a reserve of {0} is not between 0.01 and 100")]
    Reserve(f64),
    /// A weight is out of range, or a client with few calls could never pay it.
    #[error(
        "a weight of {weight} for {purpose:?} is not between 0.01 and the reserve of {reserve}"
    )]
    Weight {
        /// What the weight is for.
        purpose: Purpose,
        /// The weight.
        weight: f64,
        /// The reserve.
        reserve: f64,
    },
    /// The reserve of the cost ledger is out of range.
    #[error("a cost reserve of {0} is not between 1 and {MOST_COST}")]
    CostReserve(u64),
}
