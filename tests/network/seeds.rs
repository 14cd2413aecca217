//! Trouble of any kind at any time, drawn from a seed; and what holds after it, whatever happened.
//!
//! Fifty seeds are run, or as many as `BATTLEMENT_SEEDS` says, and each of them twice: the second run has to be the
//! same as the first, to the millisecond. So whoever finds a seed that fails has all that it takes to look into it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock, atomic::AtomicBool},
    thread,
};

use battlement::call::Call;
use battlement_core::random::Seeded;
use battlement_sim::{
    Provider,
    answer::Reply,
    provider::{End, Seen},
};

use crate::{
    load::{ATTEMPTS, Handles, Left, Made, TIME, callers, faults, script},
    trace::Trace,
    world::{Http, SAID, millis, simulate, words},
};

const SEEDS: u64 = 50;

/// All seeds, run once for all tests, on as many threads as the smallest machine has that they are run on.
static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    let seeds = std::env::var("BATTLEMENT_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS);
    let run_half = |first: u64| (first..seeds).step_by(2).map(run_twice).collect::<Vec<_>>();
    thread::scope(|scope| {
        let odd = scope.spawn(move || run_half(1));
        let mut runs = run_half(0);
        runs.extend(odd.join().expect("no run panics"));
        runs
    })
});

/// What came of a seed.
struct Run {
    /// What does not hold, by the id of what should.
    broken: Vec<(&'static str, String)>,
    lines: Vec<String>,
}

/// Twice, and it has to be the same.
fn run_twice(seed: u64) -> Run {
    let (mut first, second) = (run(seed), run(seed));
    if hash(&first.lines) != hash(&second.lines) {
        let mut pairs = first.lines.iter().zip(&second.lines);
        let differs = pairs.position(|(first, second)| first != second);
        let at = differs.unwrap_or(first.lines.len().min(second.lines.len()));
        let show =
            |lines: &[String]| lines[at.saturating_sub(3)..lines.len().min(at + 3)].join("\n  ");
        let both =
            format!("seed {seed}:\n  {}\nand\n  {}", show(&first.lines), show(&second.lines));
        first.broken.push(("same", both));
    }
    first
}

fn hash(lines: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    hasher.finish()
}

fn run(seed: u64) -> Run {
    let mut random = Seeded(seed);
    let http = if seed % 2 == 0 { Http::One } else { Http::Two };
    let faults = faults(&mut random);
    let is_well = Arc::new(AtomicBool::new(false));
    let script = script(seed, is_well.clone());
    let provider = Provider::serving(script).reply(Reply::default().text(SAID));
    let trace = Trace::default();
    let callers = callers(seed, http, trace.clone(), is_well);
    let Left { calls, handles, gets_through } = simulate(seed, &provider, &faults, callers);
    let seen = provider.record();
    let told = trace.take(&seen);
    let case = format!("seed {seed}, {http:?}, {faults:?}");
    let mut broken = Vec::new();
    let mut holds = |id: &'static str, is_so: bool, what: &dyn Fn() -> String| {
        if !is_so {
            broken.push((id, format!("{case}: {}", what())));
        }
    };
    everything_is_back(&handles, &told.calls, &mut holds);
    for call in &calls {
        one_answer_to(call, &seen, &mut holds);
    }
    nobody_is_tried_too_often(&told.calls, &seen, &mut holds);
    holds("c3", gets_through, &|| "nobody gets through any more".to_owned());
    Run { broken, lines: told.lines }
}

type Holds<'a> = dyn FnMut(&'static str, bool, &dyn Fn() -> String) + 'a;

/// Nothing is held any more: no permit, no reservation, no ticket, no place in a line.
fn everything_is_back(handles: &Handles, calls: &[Call], holds: &mut Holds<'_>) {
    let limit = handles.limit.snapshot();
    holds("g1", (limit.in_flight, limit.waiting) == (0, 0), &|| format!("{limit:?}"));
    let rate = handles.rate.snapshot();
    holds("g1", (rate.open, rate.waiting) == (0, 0), &|| format!("{rate:?}"));
    let waiting = handles.gates.waiting();
    holds("g1", waiting == 0, &|| format!("{waiting} at the gates"));
    for (key, circuit) in handles.circuits.snapshots() {
        holds("g1", circuit.undecided == 0, &|| format!("{key}: {circuit:?}"));
    }
    for call in calls {
        let is_over = call.trail().iter().all(|step| step.ending.is_some());
        holds("g1", is_over, &|| format!("{:?}", call.trail()));
    }
}

/// What the caller got is of one answer, and not better than what the provider gave.
fn one_answer_to(made: &Made, seen: &[Seen], holds: &mut Holds<'_>) {
    let Made { name, got, took } = made;
    // The clock of the simulation ticks in milliseconds.
    holds("t1", *took <= TIME + millis(5), &|| format!("{made:?}"));
    let Some(got) = got else { return };
    let words = words(&got.body);
    let is_error = got.status != Some(200);
    let is_of_one = words.ids.len() <= 1 && (is_error || SAID.starts_with(&words.text));
    holds("r4", is_of_one, &|| format!("{words:?}"));
    let is_all = words.is_whole && words.text == SAID;
    // A caller that knows nothing of ours sees the status, and how the body ended.
    let looks_good = got.status == Some(200) && got.is_over;
    holds("t3", !looks_good || is_all, &|| format!("taken for good: {made:?}"));
    if words.is_whole {
        let last = seen.iter().rfind(|seen| seen.headers().get("x-call") == Some(name));
        let end = last.and_then(|seen| seen.end);
        let is_whole_there = end == Some(End::Finished);
        holds("t3", is_whole_there, &|| format!("whole for the caller only: {made:?}, {end:?}"));
    }
}

fn nobody_is_tried_too_often(calls: &[Call], seen: &[Seen], holds: &mut Holds<'_>) {
    for call in calls {
        holds("often", call.attempts() <= ATTEMPTS, &|| format!("{:?}", call.trail()));
    }
    let mut arrived = HashMap::new();
    for name in seen.iter().filter_map(|seen| seen.headers().get("x-call")) {
        *arrived.entry(name).or_insert(0) += 1;
    }
    for (name, times) in arrived {
        holds("often", times <= ATTEMPTS, &|| format!("call {name:?} arrived {times} times"));
    }
}

/// Whether this held in every run.
#[track_caller]
fn held(id: &str) {
    let broken = RUNS.iter().flat_map(|run| &run.broken).filter(|(what, _)| *what == id);
    let broken: Vec<&str> = broken.map(|(_, case)| &**case).collect();
    assert!(broken.is_empty(), "{} times, such as\n{}", broken.len(), broken[0]);
}

#[test]
fn g1_everything_comes_back_whatever_the_network_does() {
    held("g1");
}

#[test]
fn r4_no_caller_gets_bytes_of_two_attempts() {
    held("r4");
}

#[test]
fn t1_no_call_outlives_its_deadline_on_a_bad_network() {
    held("t1");
}

#[test]
fn t3_what_is_whole_for_the_caller_is_so_for_the_provider() {
    held("t3");
}

#[test]
fn c3_calls_get_through_once_the_trouble_is_over() {
    held("c3");
}

#[test]
fn nobody_is_tried_more_often_than_allowed() {
    held("often");
}

#[test]
fn the_same_seed_is_the_same_trouble() {
    held("same");
}

#[test]
fn the_trouble_is_of_every_kind() {
    // Or the tests above would show nothing.
    for kind in [
        "ended complete",
        "ended stream_cut",
        "ended overdue",
        "ended unreachable",
        "ended disconnected",
        "ended rate_limit_requests",
        "ended abandoned",
        "circuit Closed Open",
        "circuit Open HalfOpen",
        "circuit HalfOpen Closed",
        "waits for concurrency",
        "waits for retry_after",
        "attempt 3 retry",
        "gave up",
        "withheld",
    ] {
        let mut lines = RUNS.iter().flat_map(|run| &run.lines);
        assert!(lines.any(|line| line.contains(kind)), "no {kind:?}");
    }
}
