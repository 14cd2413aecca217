//! What it costs that somebody is told of a call, and that nobody is.
//!
//! The recorder is one of atomics, as those of exporters are; what an exporter itself does besides is its own.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use battlement::{call::CallLayer, observe::ObserveLayer, telemetry::TelemetryLayer};
use battlement_core::Provider;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tower::ServiceBuilder;

use super::{READING, contender, inner::Bare};
use crate::{
    Bench,
    harness::{Role, Scenario, Unit as Per, Work},
    report::Goal,
};

pub(super) fn run(bench: &mut Bench) {
    if !bench.wants("layers/telemetry") {
        return;
    }
    let work = Work { bytes: 0, unit: Per::Call, units: 1 };
    let beyond = Goal::Beyond { of: READING, nanos: 50.0, allocations: 0.0 };
    let scenario = Scenario::new("layers/telemetry", "a call that nobody is told of", work, &());
    let scenario = contender(scenario.goals([beyond]), READING, Role::Floor, reading());
    let spans = over_reading(TelemetryLayer::new());
    let scenario = contender(scenario, "telemetry, no subscriber", Role::Ours, spans);
    bench.measure(scenario);

    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Whoever came first measures the same.
        let _installed = metrics::set_global_recorder(Atomics);
    });
    let beyond = Goal::Beyond { of: READING, nanos: 1_000.0, allocations: 2.0 };
    let scenario = Scenario::new("layers/telemetry-metrics", "a call that is measured", work, &());
    let scenario = contender(scenario.goals([beyond]), READING, Role::Floor, reading());
    let measured = over_reading(TelemetryLayer::new().metrics());
    let scenario = contender(scenario, "telemetry, metrics on", Role::Ours, measured);
    let all = over_reading(TelemetryLayer::new().metrics().incidents(|_| ()));
    let scenario = contender(scenario, "the same, and incidents on", Role::Ours, all);
    bench.measure(scenario);
}

fn reading() -> impl super::Calls {
    ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(ObserveLayer::new())
        .service(Bare)
}

fn over_reading(telemetry: TelemetryLayer) -> impl super::Calls {
    ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(telemetry)
        .layer(ObserveLayer::new())
        .service(Bare)
}

/// A recorder of atomics.
struct Atomics;

/// Numbers by the power of two that they are below.
#[derive(Default)]
struct Buckets([AtomicU64; 16]);

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let bucket = (0..15).position(|power| value < 0.01 * f64::from(1_u32 << power));
        self.0[bucket.unwrap_or(15)].fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Atomics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(AtomicU64::new(0)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(AtomicU64::new(0)))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Buckets::default()))
    }
}
