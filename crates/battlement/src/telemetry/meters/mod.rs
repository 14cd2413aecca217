//! Counts and measures, through the facade of the crate `metrics`.
//!
//! A handle for each series is asked for once and kept: asking takes an allocation for each label and a look into the
//! recorder's own table. So a series here is one number, put together of the places that the values of its labels
//! have in their enums, and names are only looked up for a series that is new.

#[cfg(test)]
mod printed;
mod series;
mod table;

pub use table::{Kind, Label, Metric, TABLE};

use std::{fmt, num::NonZeroU16};

use battlement_core::{Usage, breaker::Mode, request::Facts};

use self::{
    series::{Known, Value},
    table::Id,
};
use super::finished::{Finished, Tried};
use crate::{call::Call, events::Event};

/// What is counted and measured.
pub(super) struct Meters {
    known: Known,
}

impl Meters {
    pub(super) fn new(most_models: NonZeroU16) -> Self {
        describe();
        Self { known: Known::new(most_models) }
    }

    /// A call begins.
    pub(super) fn begun(&self, call: &Call) {
        self.in_flight(call).increment(1.0);
    }

    fn in_flight(&self, call: &Call) -> metrics::Gauge {
        let labels = [Value::operation(call.facts().operation), Value::lane(call.lane())];
        self.known.gauge(Id::InFlight, &labels)
    }

    /// Something happened to a call that is not said of one of its attempts alone.
    pub(super) fn event(&self, call: &Call, event: &Event<'_>) {
        let facts = call.facts();
        match event {
            Event::FallingBack { code, .. } => {
                let labels = [Value::provider(facts.provider), Value::error(Some(*code))];
                self.known.counter(Id::Fallbacks, &labels).increment(1);
            }
            Event::GaveUp { reason } => {
                let labels = self.of(facts, [self.known.word(reason)]);
                self.known.counter(Id::GaveUp, &labels).increment(1);
            }
            Event::Cooling { .. } => {
                self.known.counter(Id::Cooldowns, &self.of(facts, [])).increment(1);
            }
            Event::Circuit { to, .. } => {
                let labels = self.of(facts, [self.known.word(to.as_str())]);
                self.known.counter(Id::Circuits, &labels).increment(1);
                let is_open = if *to == Mode::Closed { 0.0 } else { 1.0 };
                self.known.gauge(Id::Open, &self.of(facts, [])).set(is_open);
            }
            Event::Concurrency { limit } => {
                self.known.gauge(Id::Limit, &self.of(facts, [])).set(f64::from(*limit));
            }
            Event::Misordered { .. } => self.warn("misordered"),
            Event::Repeated { .. } => self.warn("repeated"),
            Event::SentAgain => self.warn("sent_again"),
            _ => {}
        }
    }

    fn warn(&self, what: &'static str) {
        self.known.counter(Id::Warnings, &[self.known.word(what)]).increment(1);
    }

    /// Provider and model, and what else there is.
    fn of<const MORE: usize>(
        &self,
        facts: &Facts,
        more: [Value; MORE],
    ) -> impl std::ops::Deref<Target = [Value]> + use<MORE> {
        let mut labels = smallvec::SmallVec::<[Value; 6]>::new();
        labels.push(Value::provider(facts.provider));
        labels.push(self.known.model(facts.model.as_deref()));
        labels.extend(more);
        labels
    }

    /// A call is over.
    pub(super) fn finished(&self, finished: &Finished<'_>) {
        self.in_flight(&finished.call).decrement(1.0);
        let facts = finished.facts();
        let operation = Value::operation(facts.operation);
        let provider = Value::provider(facts.provider);
        let model = self.known.model(facts.model.as_deref());
        let error = Value::error(finished.code);
        let outcome = self.known.word(finished.outcome);
        let lane = Value::lane(finished.call.lane());
        // Behind a colon is the name of a route.
        let source = finished.source().split(':').next().unwrap_or_default();
        let source = self.known.name(source);
        let labels = [operation, provider, model, lane, outcome, error, source];
        self.known.counter(Id::Calls, &labels).increment(1);
        let histogram = |id, value: Option<f64>, label: Option<Value>| {
            if let Some(value) = value {
                let labels = [operation, provider, model, label.unwrap_or_default()];
                let labels = &labels[..3 + usize::from(label.is_some())];
                self.known.histogram(id, labels).record(value);
            }
        };
        histogram(Id::Duration, Some(finished.took().as_secs_f64()), Some(error));
        histogram(Id::FirstChunk, finished.first_output().map(|first| first.as_secs_f64()), None);
        histogram(Id::PerToken, finished.per_token().map(|pace| pace.as_secs_f64()), None);
        if let Some(usage) = finished.usage() {
            let number = |count: Option<u64>| count.map(|count| count as f64);
            histogram(Id::Usage, number(usage.input), Some(Value::tokens("input")));
            histogram(Id::Usage, number(usage.output), Some(Value::tokens("output")));
        }
        for (index, tried) in finished.tried.iter().enumerate() {
            self.tried(tried, finished.was_of_use(index), finished);
        }
    }

    /// An attempt is over, and its call as well.
    fn tried(&self, tried: &Tried, was_of_use: bool, finished: &Finished<'_>) {
        let facts = tried.facts();
        let use_ = Value::of_use(was_of_use);
        let (outcome, error) = (self.known.word(tried.outcome()), Value::error(tried.code()));
        let labels = self.of(facts, [Value::role(tried.role), outcome, error]);
        self.known.counter(Id::Attempts, &labels).increment(1);
        if tried.is_untold() {
            self.known.counter(Id::Untold, &self.of(facts, [])).increment(1);
        }
        if let Some(usage) = tried.usage() {
            for (kind, count) in parts(usage) {
                if let Some(count) = count.filter(|&count| count > 0) {
                    let labels = self.of(facts, [Value::tokens(kind), use_]);
                    self.known.counter(Id::Tokens, &labels).increment(count);
                }
            }
            if let Some(cost) = tried.cost(finished.settings) {
                let labels = self.of(facts, [use_]);
                self.known.counter(Id::Cost, &labels).increment(cost.nanodollars());
            }
        }
        let before = (!tried.waited.is_zero()).then_some(("retry", tried.waited));
        for (layer, took) in tried.lines.iter().copied().chain(before) {
            let labels = self.of(facts, [self.known.word(layer)]);
            self.known.histogram(Id::Wait, &labels).record(took.as_secs_f64());
        }
    }
}

/// The types of tokens, and how many there were.
fn parts(usage: &Usage) -> [(&'static str, Option<u64>); 5] {
    [
        ("input", usage.input),
        ("output", usage.output),
        ("cache_read", usage.cached_input),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
    ]
}

/// Tells the recorder what each metric is.
fn describe() {
    for metric in TABLE {
        let unit = match metric.unit {
            "s" => metrics::Unit::Seconds,
            _ => metrics::Unit::Count,
        };
        metrics::with_recorder(|recorder| {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, Some(unit), help),
                Kind::Gauge => recorder.describe_gauge(name, Some(unit), help),
                Kind::Histogram => recorder.describe_histogram(name, Some(unit), help),
            }
        });
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
