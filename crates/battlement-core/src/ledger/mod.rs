//! All limits of one key, decided at once: requests, tokens, input, output; by second, minute, day.
//!
//! A call must pass every limit or be charged by none; limits that are asked one after the other leak
//! what the first has charged when the second says no. And what a call costs in tokens is only known
//! when it ends. So a call is charged by what it is expected to cost, a [`Reservation`] is held while
//! it runs, and at the end the truth replaces the charge: as if it had been known from the beginning,
//! so that refunds make no bursts (see [`bucket`](crate::bucket)), and with debt if it was more.
//!
//! How a provider charges differs, and the ledger must be the mirror of the provider's own:
//! [`Charging`] holds the habits of each as data. Where output is charged as it is produced, a call
//! passes if the limit holds at every moment to come, at whatever speed the open answers are produced
//! up to [`Config::stream_speed`]; report progress through [`Ledger::streamed`].
//!
//! A ledger at rest is small, 48 bytes and as many for each limit, so there can be one for each of many keys:
//! [`Ledger::another`] shares what was configured. What is open, and what headers have told, takes
//! memory of its own for as long as it matters.
//!
//! Headers tell what the provider thinks is left: [`Ledger::heard`] lowers a level that is too
//! high at once, and raises one that is too low only on repeated evidence.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::{
//!     Provider, Usage,
//!     ledger::{Actual, Config, Estimate, Ledger, Limit, Meter, Refused},
//! };
//!
//! let now = Instant::now();
//! let limits = vec![
//!     Limit::per_minute(Meter::Requests, 50),
//!     Limit::per_minute(Meter::Tokens, 10_000),
//! ];
//! let mut ledger = Ledger::new(Config::new(Provider::Groq, limits), now)?;
//!
//! let call = Estimate { input: 5_000, output: 3_000, ..Estimate::default() };
//! let reservation = ledger.reserve(&call, now)?;
//! let Err(Refused::Wait { until, meter }) = ledger.reserve(&call, now) else { unreachable!() };
//! assert_eq!((until - now, meter), (Duration::from_secs(36), Meter::Tokens));
//!
//! // It used less, and the next call need not wait.
//! let mut usage = Usage::default();
//! (usage.input, usage.output) = (Some(1_200), Some(80));
//! ledger.settle(reservation, Actual::Used(&usage), now);
//! assert!(ledger.check(&call, now).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod charging;
mod config;
mod forecast;
mod open;
mod streams;
mod sync;

#[cfg(test)]
mod tests;

pub use charging::{Charging, Output, Total};
pub use config::{Config, InvalidLedger, Limit, MAX_LIMITS, Meter};
pub use forecast::Forecast;

use std::{cmp::Ordering, num::NonZeroU64, sync::Arc, time::Instant};

use self::{charging::Charge, open::Open, streams::Streams, sync::Gauge};
use crate::{
    Usage,
    bucket::{Rate, Tank, later, passed},
};

/// What a call is expected to cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the prompt, all of them.
    pub input: u64,
    /// Those of the prompt that are expected to be read from a cache.
    pub cached_input: u64,
    /// Tokens of the answer, of all choices; see [`estimator`](crate::estimator).
    pub output: u64,
    /// The most tokens that the request allows, for all choices.
    pub max_output: Option<u64>,
}

/// What a call has cost.
#[derive(Clone, Copy, Debug)]
pub enum Actual<'a> {
    /// It was never sent: nothing.
    Unsent,
    /// The provider turned it away before any work: a request at most.
    Rejected,
    /// As the provider says.
    Used(&'a Usage),
    /// At least this: the answer broke off, and nobody said the whole.
    AtLeast(&'a Usage),
    /// Nobody said. What was reserved stays charged.
    Unknown,
}

/// A call that was let through, to be given back through [`Ledger::settle`].
#[must_use = "a call that is not settled takes a place for good"]
#[derive(Debug)]
pub struct Reservation {
    place: u32,
    serial: u64,
}

/// Why a call may not pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It may pass then, if nothing else passes before.
    #[error("the limit of {meter:?} is used up")]
    Wait {
        /// When to ask again.
        until: Instant,
        /// The limit that takes longest.
        meter: Meter,
    },
    /// It is larger than the limit ever lets pass at once.
    #[error("{cost} is more than the limit of {meter:?} lets pass at once, {burst}")]
    TooLarge {
        /// The limit.
        meter: Meter,
        /// What the call would be charged.
        cost: u64,
        /// What may pass at once.
        burst: u64,
    },
    /// As many calls are open as may be.
    #[error("{open} calls are open, and no more may be")]
    TooManyOpen {
        /// How many.
        open: usize,
    },
}

/// The limits of one key and what was spent of them.
#[derive(Debug)]
pub struct Ledger {
    rules: Arc<Rules>,
    /// One for each limit, refilled until `at`.
    tanks: Box<[Tank]>,
    at: Instant,
    /// While calls are open, or headers have told something worth to be remembered.
    open: Option<Box<Open>>,
}

/// What was configured; the same for many keys.
#[derive(Clone, Debug)]
struct Rules {
    charging: Charging,
    stream_speed: NonZeroU64,
    max_open: usize,
    lends: bool,
    limits: Box<[(Limit, Rate)]>,
}

impl Ledger {
    /// A ledger of which nothing is spent.
    ///
    /// # Errors
    ///
    /// Limits that are out of range or contradict each other.
    pub fn new(config: Config, now: Instant) -> Result<Self, InvalidLedger> {
        config.check()?;
        let Config { limits, charging, lends, max_open, stream_speed } = config;
        let rated = limits.into_iter().map(|limit| match limit.rate(&charging) {
            Ok(rate) => Ok((limit, rate)),
            Err(source) => Err(InvalidLedger::Rate { meter: limit.meter, source }),
        });
        let limits = rated.collect::<Result<_, _>>()?;
        let rules = Rules { charging, stream_speed, max_open, lends, limits };
        Ok(Self::of(Arc::new(rules), now))
    }

    /// A ledger with the same limits for another key, of which nothing is spent.
    #[must_use]
    pub fn another(&self, now: Instant) -> Self {
        Self::of(Arc::clone(&self.rules), now)
    }

    fn of(rules: Arc<Rules>, now: Instant) -> Self {
        let tanks = rules.limits.iter().map(|(_, rate)| Tank::new(*rate)).collect();
        Self { rules, tanks, at: now, open: None }
    }

    /// Whether a call would pass now.
    ///
    /// # Errors
    ///
    /// Why not, and when it may.
    pub fn check(&self, call: &Estimate, now: Instant) -> Result<(), Refused> {
        if self.open() >= self.rules.max_open {
            return Err(Refused::TooManyOpen { open: self.open() });
        }
        self.check_charges(&self.rules.charges(call), passed(self.at, now))
    }

    /// Lets a call pass and charges it by every limit, or by none.
    ///
    /// # Errors
    ///
    /// As [`Ledger::check`].
    pub fn reserve(&mut self, call: &Estimate, now: Instant) -> Result<Reservation, Refused> {
        if self.open() >= self.rules.max_open {
            return Err(Refused::TooManyOpen { open: self.open() });
        }
        self.refill(now);
        let charges = self.rules.charges(call);
        self.check_charges(&charges, 0)?;
        let Self { rules, tanks, open, .. } = self;
        let open = open.get_or_insert_with(|| Box::new(Open::new(tanks.len(), now)));
        let later =
            if rules.streams() { rules.charging.reserved(Meter::Output, call).later } else { 0 };
        Ok(open.admit(tanks, &charges, later))
    }

    fn check_charges(&self, charges: &[Charge], passed: u64) -> Result<(), Refused> {
        let mut longest: Option<(u64, Meter)> = None;
        for (((limit, _), tank), charge) in self.rules.limits.iter().zip(&self.tanks).zip(charges) {
            match self.check_one(tank, *charge, passed) {
                Ok(None) => {}
                Ok(Some(wait)) => {
                    longest =
                        longest.filter(|(most, _)| *most >= wait).or(Some((wait, limit.meter)));
                }
                Err(burst) => {
                    let cost = charge.now.saturating_add(charge.later);
                    return Err(Refused::TooLarge { meter: limit.meter, cost, burst });
                }
            }
        }
        let Some((wait, meter)) = longest else { return Ok(()) };
        Err(Refused::Wait { until: later(self.at, wait.saturating_add(passed)), meter })
    }

    /// Reports how much output a call has produced so far, in all. Matters where output is charged as
    /// it is produced.
    pub fn streamed(&mut self, reservation: &Reservation, output: u64, now: Instant) {
        if !self.rules.streams() {
            return;
        }
        self.refill(now);
        let Self { rules, tanks, open, .. } = self;
        let Some(open) = open else { return };
        let output = output.saturating_mul(rules.charging.output_weight.into());
        let Some(more) = open.streamed(reservation, output) else { return };
        for ((index, tank), gauge) in tanks.iter_mut().enumerate().zip(&mut open.gauges) {
            if rules.counts_output(index) {
                tank.charge(more);
                gauge.charged += u128::from(more);
            }
        }
    }

    /// Ends a call and charges what it has cost.
    pub fn settle(&mut self, reservation: Reservation, actual: Actual<'_>, now: Instant) {
        self.refill(now);
        let Self { rules, tanks, open: slot, .. } = self;
        let Some(open) = slot else { return };
        let Some(call) = open.end(&reservation) else { return };
        let (charging, streamed) = (&rules.charging, call.streamed);
        for (index, tank) in tanks.iter_mut().enumerate() {
            let share = open.take_share(index, &reservation);
            let gauge = &mut open.gauges[index];
            let streams = rules.streams() && rules.counts_output(index);
            if let Some(reservation) = share.reservation {
                let meter = rules.limits[index].0.meter;
                let cost = charging.settled_at(meter, share.now, streams, &actual);
                gauge.charged += u128::from(cost.saturating_sub(share.now));
                tank.settle(reservation, Some(cost));
            }
            if streams {
                let output = charging.produced(call.later, streamed, &actual);
                gauge.charged += u128::from(output.saturating_sub(streamed));
                match output.cmp(&streamed) {
                    Ordering::Greater => tank.charge(output - streamed),
                    Ordering::Less => tank.raise(streamed - output),
                    Ordering::Equal => {}
                }
            }
        }
        self.rest();
    }

    /// How many calls are open.
    pub fn open(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.len())
    }

    /// The limits, as they are in force, and what is left of each; negative when in debt.
    pub fn levels(&self, now: Instant) -> impl Iterator<Item = (Limit, i64)> {
        let passed = passed(self.at, now);
        self.rules.limits.iter().zip(&self.tanks).map(move |((limit, _), tank)| {
            let rate = tank.rate();
            let limit = Limit { amount: rate.amount(), burst: Some(rate.burst()), ..*limit };
            (limit, tank.tokens(passed))
        })
    }

    /// What is left of the tightest limit, as a share of its burst: below 0 when in debt, 1 when
    /// nothing is spent.
    pub fn headroom(&self, now: Instant) -> f64 {
        let passed = passed(self.at, now);
        let share = |tank: &Tank| tank.tokens(passed) as f64 / tank.rate().burst() as f64;
        self.tanks.iter().map(share).fold(1.0, f64::min)
    }

    /// When calls that wait in line will pass.
    pub fn forecast(&self, now: Instant) -> Forecast {
        let passed = passed(self.at, now);
        let mut forecast = Forecast::new(self.rules.charging, self.rules.lends, now.max(self.at));
        for (index, tank) in self.tanks.iter().enumerate() {
            let mut bare = tank.bare();
            bare.refill(passed);
            bare.charge(self.demand(tank, index));
            forecast.tanks.push((self.rules.limits[index].0.meter, bare));
        }
        forecast
    }

    /// When so many calls that wait will have passed at the latest, in whatever order, if none is larger
    /// than passes at once; `tokens` is what they come to by [`Ledger::tokens`].
    ///
    /// A bound that is known at once, where [`Ledger::forecast`] goes through the line: enough to
    /// see that a call is in time for its deadline. It is the sum of the waits for each limit, of which
    /// the longest is a bound from below.
    pub fn cleared(&self, calls: usize, tokens: u64, now: Instant) -> Instant {
        let passed = passed(self.at, now);
        let limits = self.rules.limits.iter().zip(&self.tanks).enumerate();
        let waits = limits.map(|(index, ((limit, _), tank))| {
            let cost = if limit.meter == Meter::Requests { calls as u64 } else { tokens };
            tank.wait(cost.saturating_add(self.demand(tank, index)), passed)
        });
        later(now.max(self.at), waits.fold(0, u64::saturating_add))
    }

    /// The most that any limit of tokens charges for a call, the answer included: its cost in a
    /// [`queue`](crate::queue).
    pub fn tokens(&self, call: &Estimate) -> u64 {
        let meters = self.rules.limits.iter().map(|(limit, _)| limit.meter);
        let tokens = meters.filter(|meter| *meter != Meter::Requests).map(|meter| {
            let charge = self.rules.charging.reserved(meter, call);
            charge.now.saturating_add(charge.later)
        });
        tokens.max().unwrap_or(0)
    }

    /// How long a charge has to wait, if it has to, or the burst that it never fits into.
    fn check_one(&self, tank: &Tank, charge: Charge, passed: u64) -> Result<Option<u64>, u64> {
        let (rate, speed) = (tank.rate(), self.rules.stream_speed);
        let check = |cost: u64| {
            let lent = if self.rules.lends { cost.min(rate.burst()) } else { cost };
            tank.check(lent, passed)
        };
        if charge.later == 0 {
            return check(charge.now);
        }
        let demand = |streams: &Streams| {
            charge.now.saturating_add(streams.demand(charge.later, speed, rate))
        };
        let alone = || demand(&Streams::default());
        // Even if what comes back feeds all streams, nothing may start in debt.
        let cost = self.open.as_ref().map_or_else(alone, |open| demand(&open.streams)).max(1);
        if cost <= rate.burst() || alone() > rate.burst() {
            return check(cost);
        }
        // The others have to go on until all fit; they may take as long as this comes back.
        Ok(Some(tank.time_for(cost - rate.burst())))
    }

    /// The level that the open streams need.
    fn demand(&self, tank: &Tank, index: usize) -> u64 {
        match &self.open {
            Some(open) if self.rules.counts_output(index) => {
                open.streams.demand(0, self.rules.stream_speed, tank.rate())
            }
            _ => 0,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = passed(self.at, now);
        if passed > 0 {
            self.at = now;
            self.tanks.iter_mut().for_each(|tank| tank.refill(passed));
        }
    }

    /// Forgets what does not matter any more.
    fn rest(&mut self) {
        let Some(open) = &self.open else { return };
        let limits = || self.rules.limits.iter().zip(&self.tanks);
        let is_at_rest = open.len() == 0
            && open.gauges.iter().all(Gauge::knows_nothing)
            && limits().all(|((_, configured), tank)| *configured == tank.rate());
        if is_at_rest {
            self.open = None;
        }
    }
}

impl Rules {
    /// What every limit charges for a call.
    fn charges(&self, call: &Estimate) -> [Charge; MAX_LIMITS] {
        let mut charges = [Charge::default(); MAX_LIMITS];
        for (charge, (limit, _)) in charges.iter_mut().zip(&self.limits) {
            *charge = self.charging.reserved(limit.meter, call);
        }
        charges
    }

    /// Whether output is charged as it is produced.
    fn streams(&self) -> bool {
        self.charging.output == Output::AsProduced
    }

    fn counts_output(&self, index: usize) -> bool {
        matches!(self.limits[index].0.meter, Meter::Output | Meter::Tokens)
    }
}
