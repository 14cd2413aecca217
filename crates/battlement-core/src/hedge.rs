//! When to send a second attempt beside a slow first one.
//!
//! A few calls wait for their first output far longer than the rest, mostly because they stand in
//! a bad queue and not because they are hard. A second attempt, sent once the first is later than
//! almost all others were, cuts that tail (Dean and Barroso, "The Tail at Scale", CACM 2013: a
//! 99.9th percentile of 1800 ms became 74 ms for 2 % more requests). Sent after a fixed 100 ms, as
//! presets have it, it triples the cost of every call to a model whose first output takes a second.
//!
//! So the delay is learned: a high quantile of the time to the **first output** among calls with a
//! prompt of similar size, as a long prompt takes longer to read. Until enough was seen nothing is
//! hedged. And a hedge is refused whenever it could do harm:
//!
//! - the request may not be repeated, or output has come already;
//! - the provider is overloaded: then all are slow for the same reason, a second attempt would
//!   be slow too, and add to the reason;
//! - the account's limit is nearly used up, so that it would take the place of a first attempt;
//! - too little time is left for it to be of use;
//! - the budget is used up: it pays from the one for retries, and has a small cap of its own.
//!
//! Who wins is decided by [`Race`].
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::{
//!     budget::{self, Budget},
//!     hedge::{Config, Hedge, Plan, Situation},
//! };
//!
//! let now = Instant::now();
//! let mut hedge = Hedge::new(Config::default(), now)?;
//! let budget = Budget::new(&budget::Config::default(), now)?;
//!
//! let tokens = 800;
//! for call in 0..100 {
//!     hedge.observe(tokens, Duration::from_millis(600 + 4 * call));
//! }
//! let situation = Situation { repeatable: true, running: 1, ..Situation::default() };
//! let Plan::At(late) = hedge.plan(tokens, &situation, now) else {
//!     unreachable!("there are enough observations")
//! };
//! // Still no output by then:
//! let permit = hedge.fire(&situation, &budget, u64::from(tokens), late)?;
//! hedge.give_back(permit, &budget, late); // Unless it is sent.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod quantile;
mod race;
#[cfg(test)]
mod tests;

pub use config::{Config, InvalidHedge};
pub use race::{Contender, Failed, MOST_CONTENDERS, Output, Race, Rivals};

use std::time::{Duration, Instant};

use self::quantile::Times;
use crate::{
    budget::{self, Budget, Purpose, Withdrawal},
    deadline::Deadline,
};

/// Prompts are alike up to these numbers of tokens; longer ones are alike too.
const SIZES: [u32; 3] = [2_000, 16_000, 128_000];

/// Decides when to hedge; one per route.
#[derive(Debug)]
pub struct Hedge {
    config: Config,
    learned: [Learned; SIZES.len() + 1],
    /// The cap on hedges alone.
    own: Budget,
}

#[derive(Debug, Default)]
struct Learned {
    times: Times,
    /// The quantile at which to hedge, kept so that a decision need not look for it.
    delay: Duration,
    /// What an attempt usually takes.
    usual: Duration,
}

/// What is known about a call when a hedge is considered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Situation {
    /// Whether the request may be sent twice. Not by default.
    pub repeatable: bool,
    /// Whether output has come.
    pub has_output: bool,
    /// Whether the provider shows signs of overload: a breaker that is not closed, a concurrency
    /// limit that was cut, a cool-down.
    pub overloaded: bool,
    /// The share of the account's limit that is free, where it is known.
    pub headroom: Option<f64>,
    /// How many attempts of the call are running.
    pub running: u32,
    /// Until when the answer is of use.
    pub deadline: Deadline,
}

/// When to consider a hedge.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// If there is no output by then, [`Hedge::fire`].
    At(Instant),
    /// Not for this call.
    Never(Reason),
}

/// Why a call is not hedged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The request may not be sent twice.
    #[error("the request may not be repeated")]
    NotRepeatable,
    /// The answer has begun.
    #[error("output has come already")]
    HasOutput,
    /// All attempts would be slow for the same reason.
    #[error("the provider is overloaded")]
    Overloaded,
    /// The limit is needed for first attempts.
    #[error("too little of the rate limit is free")]
    Headroom,
    /// There is no attempt to stand beside, or there are enough.
    #[error("the number of running attempts does not allow another")]
    Running,
    /// It would come too late.
    #[error("too little time is left")]
    Deadline,
    /// It is not known what is late.
    #[error("too few calls were observed")]
    Unlearned,
    /// The cap on hedges is reached.
    #[error("the share of hedges is used up")]
    Share,
    /// The budget shared with retries is used up.
    #[error("the budget is used up")]
    Budget(#[source] budget::Refused),
}

/// Permission for one hedge.
#[must_use = "a permit that is not used can be given back"]
#[derive(Debug)]
pub struct Permit {
    own: Withdrawal,
    shared: Withdrawal,
}

impl Hedge {
    /// Checks the settings.
    pub fn new(config: Config, start: Instant) -> Result<Self, InvalidHedge> {
        let own = Budget::new(&config.own_budget()?, start)?;
        Ok(Self { config, learned: Default::default(), own })
    }

    /// How long a call with a prompt of this many tokens took until its first output.
    ///
    /// A loser counts with the time after which it was dropped: leaving out the slow ones would
    /// teach that there are none, and hedge more and more.
    pub fn observe(&mut self, tokens: u32, time: Duration) {
        let learned = &mut self.learned[size(tokens)];
        learned.times.add(time);
        [learned.delay, learned.usual] = learned.times.quantiles([self.config.quantile, 0.5]);
    }

    /// After what time a call with a prompt of this many tokens is late; `None` until enough calls
    /// were observed.
    pub fn delay(&self, tokens: u32) -> Option<Duration> {
        let learned = &self.learned[size(tokens)];
        let is_enough = learned.times.count() >= self.config.samples;
        is_enough.then(|| learned.delay.max(self.config.earliest))
    }

    /// A first attempt is sent: when to consider a hedge.
    ///
    /// Call it for every first attempt, as each earns its share of a hedge.
    pub fn plan(&mut self, tokens: u32, situation: &Situation, now: Instant) -> Plan {
        self.own.deposit(0, now);
        if let Err(reason) = self.check(situation) {
            return Plan::Never(reason);
        }
        let Some(delay) = self.delay(tokens) else { return Plan::Never(Reason::Unlearned) };
        let usual = self.learned[size(tokens)].usual;
        match situation.deadline.room(delay, usual, now) {
            Ok(at) => Plan::At(at),
            Err(_) => Plan::Never(Reason::Deadline),
        }
    }

    /// The planned time has come and there is no output: may another attempt be sent, which is
    /// estimated to cost this much?
    ///
    /// What `budget` gives is spent when the permit is used, whoever wins.
    pub fn fire(
        &mut self,
        situation: &Situation,
        budget: &Budget,
        cost: u64,
        now: Instant,
    ) -> Result<Permit, Reason> {
        self.check(situation)?;
        if situation.deadline.is_past(now) {
            return Err(Reason::Deadline);
        }
        let own = self.own.withdraw(Purpose::Hedge, 0, now).map_err(|_| Reason::Share)?;
        match budget.withdraw(Purpose::Hedge, cost, now) {
            Ok(shared) => Ok(Permit { own, shared }),
            Err(refused) => {
                self.own.give_back(own, now);
                Err(Reason::Budget(refused))
            }
        }
    }

    /// Gives back a permit that was not used. `budget` is the one that [`Hedge::fire`] was given.
    pub fn give_back(&mut self, permit: Permit, budget: &Budget, now: Instant) {
        self.own.give_back(permit.own, now);
        budget.give_back(permit.shared, now);
    }

    fn check(&self, situation: &Situation) -> Result<(), Reason> {
        if !situation.repeatable {
            return Err(Reason::NotRepeatable);
        }
        if situation.has_output {
            return Err(Reason::HasOutput);
        }
        if situation.overloaded {
            return Err(Reason::Overloaded);
        }
        let is_short = |headroom: f64| headroom.is_nan() || headroom < self.config.headroom;
        if situation.headroom.is_some_and(is_short) {
            return Err(Reason::Headroom);
        }
        if !(1..self.config.attempts).contains(&situation.running) {
            return Err(Reason::Running);
        }
        Ok(())
    }
}

fn size(tokens: u32) -> usize {
    SIZES.iter().take_while(|&&largest| tokens > largest).count()
}
