//! A recorder that adds up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// What was counted and measured so far, by series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(Arc<Mutex<BTreeMap<Key, f64>>>);

impl Values {
    /// The sum over all series of this name with all of these values.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        let values = self.0.lock().unwrap();
        let has = |key: &Key, value: &str| key.labels().any(|label| label.value() == value);
        let picked = values
            .iter()
            .filter(|(key, _)| key.name() == name && labels.iter().all(|value| has(key, value)));
        picked.map(|(_, sum)| *sum as u64).sum()
    }

    /// Each metric with the names of its labels.
    pub(crate) fn metrics(&self) -> BTreeMap<String, BTreeSet<String>> {
        let values = self.0.lock().unwrap();
        let labels = |key: &Key| key.labels().map(|label| label.key().to_owned()).collect();
        values.keys().map(|key| (key.name().to_owned(), labels(key))).collect()
    }
}

struct Cell(Values, Key);

impl Cell {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.0.lock().unwrap();
        let value = values.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Cell {
    fn increment(&self, more: u64) {
        self.change(|value| value + more as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, more: f64) {
        self.change(|value| value + more);
    }

    fn decrement(&self, less: f64) {
        self.change(|value| value - less);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.change(|sum| sum + value);
    }
}

impl Recorder for Values {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }
}
