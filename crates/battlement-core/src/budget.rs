//! How many repetitions all calls together may make.
//!
//! A limit per call, such as two retries, protects nobody: when everything fails, the provider gets
//! three times the load at the very moment it has no capacity, and stays down after the cause is
//! gone. Simulated with calls of ten seconds and a slowdown of two minutes, two retries per call
//! never recover above a third of the capacity; with a budget of 10 % they do up to 80 %. The law
//! behind it: load × (1 + share) has to stay below the capacity.
//!
//! So every *first* attempt earns a share of a repetition, and every repetition is paid for, be it
//! a retry, a hedge or a fallback at the same provider. What is not spent is forgotten by half
//! every half minute, except for a small reserve. This works at one call in ten seconds (the reserve
//! pays for a retry, then every tenth call for one) as at ten thousand in one (there is about
//! three quarters of a minute's worth of the share for a burst). Finagle's budget, and tower's after it, adds ten
//! retries a second whatever the load: at the rates of LLM calls that is no limit at all.
//!
//! An optional second ledger counts tokens, or money in a small unit: the retry of a long prompt
//! costs a thousand times that of a short one. Both have to agree.
//!
//! # How it is kept
//!
//! A leaky token bucket whose leak is proportional to what is above the reserve. Balance and time
//! share one atomic word, in fixed point: a decision is one compare-and-swap, and there is nothing
//! between the check and the withdrawal for another thread to slip into. The forgetting is a
//! formula, so a gap of a year takes as long as one of a second. Shares are not rounded to whole
//! retries (tower makes 100 % of 60 %) but to four millionths of one, always down.
//!
//! ```
//! use std::time::Instant;
//!
//! use battlement_core::{
//!     backoff::Trouble,
//!     budget::{Budget, Config, Purpose, Refused},
//! };
//!
//! let now = Instant::now();
//! let budget = Budget::new(&Config::default(), now)?; // 10 %, and a reserve of 1.
//! let retry = Purpose::Retry(Trouble::Overloaded);
//!
//! assert!(budget.withdraw(retry, 0, now).is_ok());
//! assert_eq!(budget.withdraw(retry, 0, now).unwrap_err(), Refused::Attempts);
//! for _first_attempt in 0..11 {
//!     budget.deposit(0, now);
//! }
//! let unused = budget.withdraw(retry, 0, now)?;
//! budget.give_back(unused, now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, Cost, InvalidBudget, MOST_COST, Purpose, Weights};

use std::time::{Duration, Instant};

use self::account::{Account, TICKS_PER_HALF_LIFE};

/// What all calls together may spend on repetitions. Shared, by reference or in an `Arc`.
#[derive(Debug)]
pub struct Budget {
    start: Instant,
    nanos_per_tick: u64,
    weights: [u64; Purpose::COUNT],
    /// What a first attempt earns.
    earned: u64,
    attempts: Account,
    cost: Option<CostAccount>,
}

#[derive(Debug)]
struct CostAccount {
    account: Account,
    /// The share in units of 2⁻³².
    share: u64,
}

/// Permission for one repetition.
#[must_use = "what is withdrawn and not used can be given back"]
#[derive(Debug)]
pub struct Withdrawal {
    attempts: u64,
    cost: u64,
}

/// Why there is no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There were too few first attempts for another repetition.
    #[error("the retry budget is used up")]
    Attempts,
    /// The first attempts were too small for a repetition that costs this much.
    #[error("the cost budget for retries is used up")]
    Cost,
}

/// What is in the ledgers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Balance {
    /// Repetitions of weight 1.
    pub attempts: f64,
    /// Tokens or money, when they are counted.
    pub cost: Option<f64>,
}

impl Budget {
    /// Checks the settings and starts with full reserves at `start`.
    pub fn new(config: &Config, start: Instant) -> Result<Self, InvalidBudget> {
        config.validate()?;
        let nanos = config.half_life.as_nanos() / u128::from(TICKS_PER_HALF_LIFE);
        let cost = config.cost.map(|cost| CostAccount {
            account: Account::new(cost.reserve << COST_BITS),
            share: fixed(cost.share, 32),
        });
        Ok(Self {
            start,
            nanos_per_tick: u64::try_from(nanos).unwrap_or(u64::MAX),
            weights: Purpose::ALL.map(|purpose| fixed(config.weights.get(purpose), ATTEMPT_BITS)),
            earned: fixed(config.share, ATTEMPT_BITS),
            attempts: Account::new(fixed(config.reserve, ATTEMPT_BITS)),
            cost,
        })
    }

    /// A first attempt begins, which is estimated to cost this much.
    ///
    /// Earned at the beginning and not at a success: when everything fails, a budget that is fed by
    /// successes dries up, and the calls that could be saved are not.
    pub fn deposit(&self, cost: u64, now: Instant) {
        let ticks = self.ticks(now);
        self.attempts.deposit(self.earned, ticks);
        if let Some(CostAccount { account, share }) = &self.cost {
            let earned = (u128::from(cost) * u128::from(*share)) >> (32 - COST_BITS);
            account.deposit(u64::try_from(earned).unwrap_or(u64::MAX), ticks);
        }
    }

    /// Asks for a repetition that is estimated to cost this much.
    pub fn withdraw(
        &self,
        purpose: Purpose,
        cost: u64,
        now: Instant,
    ) -> Result<Withdrawal, Refused> {
        let ticks = self.ticks(now);
        let attempts = self.weights[purpose.index()];
        if !self.attempts.withdraw(attempts, ticks) {
            return Err(Refused::Attempts);
        }
        let Some(CostAccount { account, .. }) = &self.cost else {
            return Ok(Withdrawal { attempts, cost: 0 });
        };
        let cost = cost.saturating_mul(1 << COST_BITS);
        if !account.withdraw(cost, ticks) {
            // Whoever asked between these two lines may have been refused too early. The other
            // order of mistakes, letting two through for one, is impossible.
            self.attempts.deposit(attempts, ticks);
            return Err(Refused::Cost);
        }
        Ok(Withdrawal { attempts, cost })
    }

    /// Gives back what was not used: the deadline or the caller came first.
    pub fn give_back(&self, withdrawal: Withdrawal, now: Instant) {
        let ticks = self.ticks(now);
        self.attempts.deposit(withdrawal.attempts, ticks);
        if let Some(CostAccount { account, .. }) = &self.cost {
            account.deposit(withdrawal.cost, ticks);
        }
    }

    /// What is in the ledgers, for display.
    pub fn balance(&self, now: Instant) -> Balance {
        let ticks = self.ticks(now);
        let unit = |bits: u32| (1_u64 << bits) as f64;
        let cost = self.cost.as_ref().map(|cost| cost.account.balance(ticks) as f64);
        Balance {
            attempts: self.attempts.balance(ticks) as f64 / unit(ATTEMPT_BITS),
            cost: cost.map(|cost| cost / unit(COST_BITS)),
        }
    }

    fn ticks(&self, now: Instant) -> u64 {
        let since: Duration = now.saturating_duration_since(self.start);
        // Saturates after 584 years.
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX) / self.nanos_per_tick
    }
}

/// Fraction bits of an attempt: a share of 0.001 is exact to 0.01 %, and 32 000 attempts fit.
const ATTEMPT_BITS: u32 = 22;

/// Fraction bits of a token or a unit of money: 134 million fit.
const COST_BITS: u32 = 10;

/// In fixed point, rounded down. The settings are checked, so it fits.
fn fixed(value: f64, bits: u32) -> u64 {
    (value * (1_u64 << bits) as f64) as u64
}
