//! A thousand tasks on two threads, all through one stack.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt};

use super::{
    BARE, NINE, THEIR_FOUR,
    inner::{Bare, ask},
    nine,
    peers::{self, Calls},
};
use crate::{
    Bench,
    harness::{Role, Unit, Work},
    report::{Bound, Figure, Row, Spread, Table},
};

const TASKS: usize = 1_000;
const CALLS: usize = 20;

pub(super) fn run(bench: &mut Bench, runtime: &Runtime) {
    if !bench.wants("layers/contended") {
        return;
    }
    eprintln!("measuring layers/contended …");
    let (ours, theirs) = (nine().layer(Bare), peers::four());
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..bench.settings().rounds {
        samples[0].push(once(runtime, ours.clone()));
        samples[1].push(once(runtime, Bare));
        samples[2].push(once(runtime, theirs.clone()));
    }
    let row = |name, role, own: &[f64]| Row {
        name,
        role,
        rounds: own.len(),
        nanos: Spread::of(own.iter().copied()),
        gigabytes_per_second: 0.0,
        allocations: 0.0,
        allocated_bytes: 0.0,
        times_ours: Some(Spread::of(own.iter().zip(&samples[0]).map(|(own, ours)| own / ours))),
    };
    let rows = vec![
        row(NINE, Role::Ours, &samples[0]),
        row(BARE, Role::Floor, &samples[1]),
        row(THEIR_FOUR, Role::Peer, &samples[2]),
    ];
    let (nine, theirs) = (rows[0].nanos.median, rows[2].nanos.median);
    bench.keep(Table {
        id: "layers/contended".into(),
        title: format!("{TASKS} tasks on 2 threads, one shared stack; wall time of a call"),
        work: Work { bytes: 0, unit: Unit::Call, units: TASKS * CALLS },
        rows,
        goals: Vec::new(),
    });
    bench.figure(Figure {
        scenario: "layers/contended".into(),
        contender: NINE,
        what: "time, of that of their four",
        value: nine / theirs,
        goal: Some(Bound::AtMost(0.25)),
    });
}

/// Nanoseconds of wall time for each call.
fn once<S>(runtime: &Runtime, service: S) -> f64
where
    S: Calls + Clone + Send + Sync + 'static,
{
    let elapsed: Duration = runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let service = service.clone();
                tokio::spawn(async move {
                    for _ in 0..CALLS {
                        let response = service.clone().oneshot(ask()).await.expect("answered");
                        let body = response.into_body().collect().await.expect("whole");
                        std::hint::black_box(body);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("nobody panics");
        }
        start.elapsed()
    });
    elapsed.as_nanos() as f64 / (TASKS * CALLS) as f64
}
