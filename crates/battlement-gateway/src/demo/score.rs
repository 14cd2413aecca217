//! What both made of it, in numbers.
//!
//! Nothing here is assumed: what was delivered is compared with what the provider would have said, and what
//! it cost is read from what the provider saw.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    mishap::{Mishap, Quiet},
    play::{Day, Delivery},
    trouble::Request,
};

/// A run, for machines.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) calls: usize,
    pub(super) naive: Score,
    pub(super) battlement: Score,
}

/// What one client came to.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Score {
    /// Calls whose answer was delivered, all of it, as what it is.
    pub(super) whole: usize,
    /// Calls whose caller got something else and was not told.
    pub(super) silent: Silent,
    /// Answers that would have been silent failures, and were told or tried again.
    pub(super) caught: usize,
    /// Calls whose caller was told that they failed.
    pub(super) told: usize,
    /// What they were told, and how often.
    pub(super) told_as: BTreeMap<String, usize>,
    /// Requests that the provider got, and what happened to them.
    pub(super) requests: usize,
    pub(super) mishaps: BTreeMap<&'static str, usize>,
    /// Requests that brought no whole answer.
    pub(super) wasted_requests: usize,
    /// Calls for which the provider was paid more than once.
    pub(super) paid_twice: usize,
    /// What the provider charges.
    pub(super) tokens: u64,
    /// The part of it that brought no whole answer.
    pub(super) tokens_for_nothing: u64,
    pub(super) waits: Waits,
    /// From the beginning of a call to its first word, over those that have one.
    pub(super) first_word_ms: Quantiles,
    /// … to its end, good or bad.
    pub(super) end_ms: Quantiles,
}

/// Failures that nobody was told of.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Silent {
    pub(super) all: usize,
    pub(super) cut: usize,
    pub(super) empty: usize,
    pub(super) truncated: usize,
    pub(super) filtered: usize,
}

/// Waits that the provider asked for.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Waits {
    /// How often it did.
    pub(super) named: usize,
    /// How often no call at all went out before the time.
    pub(super) kept: usize,
    /// Requests that went out while the provider was known to want none.
    pub(super) requests_before: usize,
}

/// The usual time, and the one that a hundredth of the calls exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: u64,
    pub(super) p99: u64,
}

impl Score {
    pub(super) fn of(day: &Day) -> Self {
        let mut score = Self {
            whole: 0,
            silent: Silent::default(),
            caught: 0,
            told: 0,
            told_as: BTreeMap::new(),
            requests: 0,
            mishaps: BTreeMap::new(),
            wasted_requests: 0,
            paid_twice: 0,
            tokens: 0,
            tokens_for_nothing: 0,
            waits: Waits::of(day),
            first_word_ms: Quantiles::of(
                day.outcomes.iter().filter_map(|outcome| outcome.first_word),
            ),
            end_ms: Quantiles::of(day.outcomes.iter().map(|outcome| outcome.took)),
        };
        for call in 0..day.calls() {
            score.count(day, call);
        }
        score
    }

    fn count(&mut self, day: &Day, call: usize) {
        let (delivery, requests) = (day.delivery(call), &day.requests[call]);
        // What is delivered is of the last request.
        let of_use = requests.last().filter(|_| delivery == Delivery::Whole);
        let quiet = |request: &&Request| request.mishap.quiet().is_some();
        let mut caught = requests.iter().filter(quiet).count();
        match delivery {
            Delivery::Whole => self.whole += 1,
            Delivery::Silent => {
                let quiet = requests.last().and_then(|request| request.mishap.quiet());
                // What is none of the others is a part of an answer as well.
                self.silent.count(quiet.unwrap_or(Quiet::Cut));
                caught = caught.saturating_sub(1);
            }
            Delivery::Told => {
                self.told += 1;
                let error = day.outcomes[call].error.clone().unwrap_or_default();
                *self.told_as.entry(error).or_default() += 1;
            }
        }
        self.caught += caught;
        self.requests += requests.len();
        self.wasted_requests += requests.len() - usize::from(of_use.is_some());
        for request in requests {
            *self.mishaps.entry(request.mishap.name()).or_default() += 1;
        }
        let paid = requests.iter().filter(|request| request.tokens > 0).count();
        self.paid_twice += usize::from(paid > 1);
        let tokens: u64 = requests.iter().map(|request| request.tokens).sum();
        self.tokens += tokens;
        self.tokens_for_nothing += tokens - of_use.map_or(0, |request| request.tokens);
    }

    /// The part of the requests that something happened to.
    pub(super) fn trouble(&self) -> f64 {
        let well = self.mishaps.get(Mishap::None.name()).copied().unwrap_or_default();
        (self.requests - well) as f64 / self.requests.max(1) as f64
    }
}

impl Silent {
    fn count(&mut self, quiet: Quiet) {
        self.all += 1;
        *match quiet {
            Quiet::Cut => &mut self.cut,
            Quiet::Empty => &mut self.empty,
            Quiet::Truncated => &mut self.truncated,
            Quiet::Filtered => &mut self.filtered,
        } += 1;
    }
}

impl Waits {
    fn of(day: &Day) -> Self {
        let mut sent: Vec<Duration> = day.requests.iter().flatten().map(|sent| sent.at).collect();
        sent.sort_unstable();
        let told = |request: &Request| match (request.mishap, request.head_at) {
            // From when it was known to when it is over, which is counted from the same moment.
            (Mishap::Limited(wait), Some(at)) => Some((at, at + wait)),
            _ => None,
        };
        let mut waits: Vec<_> = day.requests.iter().flatten().filter_map(told).collect();
        waits.sort_unstable();
        // No request goes out between these two.
        let is_kept = |(from, until): &(Duration, Duration)| {
            sent.partition_point(|at| at <= from) == sent.partition_point(|at| at < until)
        };
        let is_before =
            |at: &&Duration| waits.iter().any(|(from, until)| from < *at && *at < until);
        Self {
            named: waits.len(),
            kept: waits.iter().filter(|wait| is_kept(wait)).count(),
            requests_before: sent.iter().filter(is_before).count(),
        }
    }
}

impl Quantiles {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<u64> = times.map(|time| time.as_millis() as u64).collect();
        times.sort_unstable();
        // The nearest rank.
        let at = |share: f64| {
            let rank = (times.len() as f64 * share).ceil() as usize;
            times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}
