//! The settings of hedges, checked before the first call.

use std::{ops::RangeInclusive, time::Duration};

use super::race::MOST_CONTENDERS;
use crate::budget::{self, InvalidBudget, Weights};

const QUANTILES: RangeInclusive<f64> = 0.5..=0.999;
const SHARES: RangeInclusive<f64> = 0.001..=0.5;

/// When to hedge.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// A call is late when it is later than this share of calls, from 0.5 to 0.999. By default 0.98,
    /// which costs about 2 % of the input.
    pub quantile: f64,
    /// Never hedge earlier than this. Half a second by default.
    pub earliest: Duration,
    /// How many calls have to be observed first: enough for one of them to be late. 50 by default.
    pub samples: u32,
    /// How many attempts of a call may run at once, the first included, from 2 to
    /// [`MOST_CONTENDERS`]. 2 by default: a third one hardly ever helps.
    pub attempts: u32,
    /// The share of the account's rate limit that has to be free. A fifth by default.
    pub headroom: f64,
    /// Hedges per first attempt, from 0.001 to 0.5, whatever the budget would allow. 0.05 by default,
    /// for the time until a sudden slowness has been learned.
    pub share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quantile: 0.98,
            earliest: Duration::from_millis(500),
            samples: 50,
            attempts: 2,
            headroom: 0.2,
            share: 0.05,
        }
    }
}

impl Config {
    /// Checks the settings, and gives those of the cap on hedges alone.
    pub(super) fn own_budget(&self) -> Result<budget::Config, InvalidHedge> {
        if !QUANTILES.contains(&self.quantile) {
            return Err(InvalidHedge::Quantile(self.quantile));
        }
        let needed = (1.0 / (1.0 - self.quantile)).round() as u32;
        if self.samples < needed {
            return Err(InvalidHedge::Samples { samples: self.samples, needed });
        }
        if !(2..=MOST_CONTENDERS).contains(&self.attempts) {
            return Err(InvalidHedge::Attempts(self.attempts));
        }
        if !(0.0..=1.0).contains(&self.headroom) {
            return Err(InvalidHedge::Headroom(self.headroom));
        }
        if !SHARES.contains(&self.share) {
            return Err(InvalidHedge::Share(self.share));
        }
        // One in reserve: a client with few calls may hedge, but not twice in a row.
        let reserve = 1.0;
        let weights = Weights { silent: reserve, ..Weights::default() };
        Ok(budget::Config { share: self.share, reserve, weights, ..budget::Config::default() })
    }
}

/// Why there are no hedges with these settings.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHedge {
    /// The quantile is out of range.
    #[error("a quantile of {0} is not between 0.5 and 0.999")]
    Quantile(f64),
    /// No observation would be late.
    #[error("{samples} samples are too few to know the quantile, which takes {needed}")]
    Samples {
        /// What was set.
        samples: u32,
        /// The fewest that make sense.
        needed: u32,
    },
    /// The number of attempts is out of range.
    #[error("{0} attempts at once are not between 2 and {MOST_CONTENDERS}")]
    Attempts(u32),
    /// The headroom is no share.
    #[error("a headroom of {0} is not between 0 and 1")]
    Headroom(f64),
    /// The share is out of range.
    #[error("a share of {0} is not between 0.001 and 0.5")]
    Share(f64),
    /// The cap on hedges cannot be built.
    #[error("the cap on hedges is invalid")]
    Budget(#[from] InvalidBudget),
}
