//! All limits of one key, decided at once: requests, tokens, input, output; by second, minute, day.
//!
//! A call must pass every limit or be charged by none; limits that are asked one after the other leak
//! what the first has charged when the second says no. And what a call costs in tokens is only known
//! when it ends. So a call is charged by what it is expected to cost, a [`Reservation`] is held while
//! it runs, and at the end the truth replaces the charge: as if it had been known from the beginning,
//! so that refunds make no bursts (see [`bucket`]), and with debt if it was more.
//!
//! How a provider charges differs, and the ledger must be the mirror of the provider's own:
//! [`Charging`] holds the habits of each as data. Where output is charged as it is produced, a call
//! passes if the limit holds at every moment to come, at whatever speed the open answers are produced
//! up to [`Config::stream_speed`]; report progress through [`Ledger::streamed`].
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
mod streams;
mod sync;

#[cfg(test)]
mod tests;

pub use charging::{Charging, Output, Total};
pub use config::{Config, InvalidLedger, Limit, MAX_LIMITS, Meter};
pub use forecast::Forecast;

use std::{cmp::Ordering, num::NonZeroU64, time::Instant};

use smallvec::SmallVec;

use self::{charging::Charge, sync::Gauge};
use crate::{Usage, bucket, bucket::Bucket};

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
    charging: Charging,
    stream_speed: NonZeroU64,
    max_open: usize,
    windows: SmallVec<[Window; 4]>,
    calls: Vec<Call>,
    free: Vec<u32>,
    /// How many calls were let through.
    serial: u64,
    /// Memory for [`streams::demand`], kept to allocate none per decision.
    scratch: Vec<u64>,
}

/// One limit.
#[derive(Debug)]
struct Window {
    limit: Limit,
    bucket: Bucket,
    gauge: Gauge,
}

/// One call; its place is free when the serial is 0.
#[derive(Debug, Default)]
struct Call {
    serial: u64,
    /// Whether its headers were read.
    heard: bool,
    /// Output reported as produced, weighed.
    streamed: u64,
    shares: SmallVec<[Share; 4]>,
}

/// What a call was charged by one limit.
#[derive(Debug)]
struct Share {
    /// `None` if nothing was charged at admission.
    reservation: Option<bucket::Reservation>,
    charge: Charge,
    /// What the limit had charged in all, this call included.
    mark: u128,
}

impl Ledger {
    /// A ledger of which nothing is spent.
    ///
    /// # Errors
    ///
    /// Limits that are out of range or contradict each other.
    pub fn new(config: Config, now: Instant) -> Result<Self, InvalidLedger> {
        config.check()?;
        let mut windows = SmallVec::new();
        for limit in config.limits {
            let rate = limit
                .rate(&config.charging)
                .map_err(|source| InvalidLedger::Rate { meter: limit.meter, source })?;
            let bucket = Bucket::new(rate, now);
            let bucket = if config.lends { bucket.lending() } else { bucket };
            windows.push(Window { limit, bucket, gauge: Gauge::new(rate, now) });
        }
        Ok(Self {
            charging: config.charging,
            stream_speed: config.stream_speed,
            max_open: config.max_open,
            windows,
            calls: Vec::new(),
            free: Vec::new(),
            serial: 0,
            scratch: Vec::new(),
        })
    }

    /// Whether a call would pass now.
    ///
    /// # Errors
    ///
    /// Why not, and when it may.
    pub fn check(&mut self, call: &Estimate, now: Instant) -> Result<(), Refused> {
        if self.open() >= self.max_open {
            return Err(Refused::TooManyOpen { open: self.open() });
        }
        let mut wait: Option<(Instant, Meter)> = None;
        for index in 0..self.windows.len() {
            let meter = self.windows[index].limit.meter;
            let charge = self.charging.reserved(meter, call);
            match self.check_one(index, charge, now) {
                Ok(()) => {}
                Err(bucket::Refused::Until(until)) => {
                    wait = wait.filter(|(latest, _)| *latest >= until).or(Some((until, meter)));
                }
                Err(bucket::Refused::TooLarge { burst }) => {
                    let cost = charge.now.saturating_add(charge.later);
                    return Err(Refused::TooLarge { meter, cost, burst });
                }
            }
        }
        wait.map_or(Ok(()), |(until, meter)| Err(Refused::Wait { until, meter }))
    }

    /// Lets a call pass and charges it by every limit, or by none.
    ///
    /// # Errors
    ///
    /// As [`Ledger::check`].
    pub fn reserve(&mut self, call: &Estimate, now: Instant) -> Result<Reservation, Refused> {
        self.check(call, now)?;
        self.serial += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.calls.push(Call::default());
            (self.calls.len() - 1) as u32
        });
        let entry = &mut self.calls[place as usize];
        (entry.serial, entry.heard, entry.streamed) = (self.serial, false, 0);
        for window in &mut self.windows {
            let charge = self.charging.reserved(window.limit.meter, call);
            let reservation =
                (charge.now > 0).then(|| window.bucket.reserve_anyway(charge.now, now));
            window.gauge.charged += u128::from(charge.now);
            entry.shares.push(Share { reservation, charge, mark: window.gauge.charged });
        }
        Ok(Reservation { place, serial: self.serial })
    }

    /// Reports how much output a call has produced so far, in all. Matters where output is charged as
    /// it is produced.
    pub fn streamed(&mut self, reservation: &Reservation, output: u64, now: Instant) {
        if self.charging.output != Output::AsProduced {
            return;
        }
        let Some(call) = call_mut(&mut self.calls, reservation) else { return };
        let output = output.saturating_mul(self.charging.output_weight.into());
        let more = output.saturating_sub(call.streamed);
        call.streamed = call.streamed.max(output);
        for window in self.windows.iter_mut().filter(|window| window.counts_output()) {
            window.bucket.charge(more, now);
            window.gauge.charged += u128::from(more);
        }
    }

    /// Ends a call and charges what it has cost.
    pub fn settle(&mut self, reservation: Reservation, actual: Actual<'_>, now: Instant) {
        let Some(call) = call_mut(&mut self.calls, &reservation) else { return };
        let (charging, streamed) = (self.charging, call.streamed);
        for (window, share) in self.windows.iter_mut().zip(call.shares.drain(..)) {
            let meter = window.limit.meter;
            let streams = charging.output == Output::AsProduced && window.counts_output();
            if let Some(reservation) = share.reservation {
                let cost = charging.settled_at(meter, share.charge.now, streams, &actual);
                window.gauge.charged += u128::from(cost.saturating_sub(share.charge.now));
                window.bucket.settle(reservation, cost, now);
            }
            if streams {
                let output = charging.produced(share.charge.later, streamed, &actual);
                window.gauge.charged += u128::from(output.saturating_sub(streamed));
                match output.cmp(&streamed) {
                    Ordering::Greater => window.bucket.charge(output - streamed, now),
                    Ordering::Less => window.bucket.raise(streamed - output, now),
                    Ordering::Equal => {}
                }
            }
        }
        call.serial = 0;
        self.free.push(reservation.place);
    }

    /// How many calls are open.
    pub fn open(&self) -> usize {
        self.calls.len() - self.free.len()
    }

    /// The limits, as they are in force, and what is left of each; negative when in debt.
    pub fn levels(&self, now: Instant) -> impl Iterator<Item = (Limit, i64)> {
        self.windows.iter().map(move |window| {
            let rate = window.bucket.rate();
            let limit = Limit { amount: rate.amount(), burst: Some(rate.burst()), ..window.limit };
            (limit, window.bucket.level(now))
        })
    }

    /// What is left of the tightest limit, as a share of its burst: below 0 when in debt, 1 when
    /// nothing is spent.
    pub fn headroom(&self, now: Instant) -> f64 {
        let share =
            |window: &Window| window.bucket.level(now) as f64 / window.bucket.rate().burst() as f64;
        self.windows.iter().map(share).fold(1.0, f64::min)
    }

    /// When calls that wait in line will pass.
    pub fn forecast(&mut self, now: Instant) -> Forecast {
        let mut forecast = Forecast { charging: self.charging, buckets: SmallVec::new(), at: now };
        for index in 0..self.windows.len() {
            let mut bucket = self.windows[index].bucket.bare();
            bucket.charge(self.demand(index, None), now);
            forecast.buckets.push((self.windows[index].limit.meter, bucket));
        }
        forecast
    }

    fn check_one(
        &mut self,
        index: usize,
        charge: Charge,
        now: Instant,
    ) -> Result<(), bucket::Refused> {
        if charge.later == 0 {
            return self.windows[index].bucket.check(charge.now, now);
        }
        let rate = self.windows[index].bucket.rate();
        let alone = streams::demand(&mut [charge.later], self.stream_speed, rate);
        let demand = self.demand(index, Some(charge.later));
        let bucket = &self.windows[index].bucket;
        // Even if what comes back feeds all streams, nothing may start in debt.
        let cost = charge.now.saturating_add(demand).max(1);
        if cost <= rate.burst() || charge.now.saturating_add(alone) > rate.burst() {
            return bucket.check(cost, now);
        }
        // The others have to go on until all fit; they may take as long as this comes back.
        Err(bucket::Refused::Until(bucket.time_for(cost - rate.burst(), now)))
    }

    /// The level that the open streams need, and another one.
    fn demand(&mut self, index: usize, another: Option<u64>) -> u64 {
        if self.charging.output != Output::AsProduced || !self.windows[index].counts_output() {
            return 0;
        }
        self.scratch.clear();
        self.scratch.extend(another);
        for call in self.calls.iter().filter(|call| call.serial > 0) {
            let rest = call.shares[index].charge.later.saturating_sub(call.streamed);
            self.scratch.extend((rest > 0).then_some(rest));
        }
        let rate = self.windows[index].bucket.rate();
        streams::demand(&mut self.scratch, self.stream_speed, rate)
    }
}

impl Window {
    fn counts_output(&self) -> bool {
        matches!(self.limit.meter, Meter::Output | Meter::Tokens)
    }
}

/// The call of a reservation, unless it is of another ledger.
fn call_mut<'a>(calls: &'a mut [Call], reservation: &Reservation) -> Option<&'a mut Call> {
    calls.get_mut(reservation.place as usize).filter(|call| call.serial == reservation.serial)
}
