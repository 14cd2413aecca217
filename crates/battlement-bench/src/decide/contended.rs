//! Two threads at one machine, as under a layer that is busy: nothing but decisions, without a pause.
//!
//! The machines are behind a `Mutex` of the standard library, one lock for each decision; the budget needs
//! none. One thread alone, behind the same lock, is what the two are compared with. The row of an empty
//! lock shows what of it is the lock's own.

use std::{
    hint::black_box,
    sync::{Barrier, Mutex},
    thread,
    time::{Duration, Instant},
};

use tower::retry::budget::TpsBudget;

use super::{calls, limits, outages};
use crate::{
    Bench,
    harness::{Role, Unit, Work},
    report::{Goal, Row, Spread, Table},
};

pub(super) fn run(bench: &mut Bench) {
    locked(bench, "lock", Role::Floor, || true);
    locked(bench, "bucket", Role::Ours, limits::bucket_take());
    locked(bench, "ledger", Role::Ours, limits::groq());
    locked(bench, "queue", Role::Ours, limits::queue_moves(500));
    locked(bench, "estimator", Role::Ours, limits::estimator_expected());
    locked(bench, "breaker", Role::Ours, outages::breaker());
    locked(bench, "registry", Role::Ours, outages::registry());
    locked(bench, "cooldown", Role::Ours, outages::cooldown_shut());
    locked(bench, "adaptive", Role::Ours, outages::adaptive());
    locked(bench, "hedge", Role::Ours, calls::hedge_plan());
    let budget = calls::plenty(Instant::now());
    let start = Instant::now();
    shared(bench, "budget", Role::Ours, |turn| {
        calls::spend(&budget, turn % 2 == 0, start + Duration::from_micros(10 * turn))
    });
    let theirs = TpsBudget::new(Duration::from_secs(10), 10, 2.0);
    shared(bench, "budget-tower", Role::Peer, |turn| calls::spend_of_tower(&theirs, turn % 2 == 0));
}

fn locked(bench: &mut Bench, name: &str, role: Role, decide: impl FnMut() -> bool + Send) {
    let decide = Mutex::new(decide);
    shared(bench, name, role, |_| {
        let mut decide = decide.lock().expect("nobody panics");
        (*decide)()
    });
}

const ALONE: &str = "one thread";

/// Measures a decision that any thread may ask for; it is told which one of the thread it is.
fn shared(bench: &mut Bench, name: &str, role: Role, decide: impl Fn(u64) -> bool + Sync) {
    let id = format!("contended/{name}");
    if !bench.wants(&id) {
        return;
    }
    eprintln!("measuring {id} …");
    let settings = bench.settings();
    let mut times = 1_000;
    while run_threads(1, times, &decide) < settings.sample / 2 {
        times *= 2;
    }
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..settings.rounds {
        for (threads, samples) in samples.iter_mut().enumerate() {
            let elapsed = run_threads(threads + 1, times, &decide);
            samples.push(elapsed.as_secs_f64() * 1e9 / times as f64);
        }
    }
    let row = |name, role, own: &[f64]| Row {
        name,
        role,
        rounds: own.len(),
        nanos: Spread::of(own.iter().copied()),
        gigabytes_per_second: 0.0,
        allocations: 0.0,
        allocated_bytes: 0.0,
        times_ours: Some(Spread::of(own.iter().zip(&samples[1]).map(|(own, two)| own / two))),
    };
    let rows = vec![row(ALONE, Role::Floor, &samples[0]), row("two threads", role, &samples[1])];
    let work = Work { bytes: 0, unit: Unit::Decision, units: 1 };
    let goals =
        if role == Role::Ours { vec![Goal::Within { times: 4.0, of: ALONE }] } else { vec![] };
    bench.keep(Table { id, title: "one machine".into(), work, rows, goals });
}

/// How long it takes until each thread has made so many decisions.
fn run_threads(threads: usize, times: u64, decide: &(impl Fn(u64) -> bool + Sync)) -> Duration {
    let barrier = Barrier::new(threads);
    let work = || {
        barrier.wait();
        let start = Instant::now();
        for turn in 0..times {
            black_box(decide(turn));
        }
        start.elapsed()
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = others.into_iter().map(|other| other.join().expect("nobody panics"));
        others.fold(own, Duration::max)
    })
}
