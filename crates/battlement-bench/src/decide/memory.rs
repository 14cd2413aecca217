//! What 100,000 keys take, by all that the allocator handed out and did not get back.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use battlement_core::{
    Provider, Usage,
    breaker::{self, Health, Registry},
    cooldown::{self, Cooldown},
    estimator::{self, Estimator},
    ledger::{Actual, Config, Ledger, Limit, Meter},
    random::Seeded,
};

use super::limits;
use crate::{
    Bench, alloc,
    report::{Bound, Figure},
};

const KEYS: u32 = 100_000;

pub(super) fn run(bench: &mut Bench) {
    keys(bench, "registry", "one call each", registry);
    keys(bench, "cooldown", "shut", cooldown);
    keys(bench, "estimator", "one answer each", estimator);
    keys(bench, "ledger", "requests and tokens, at rest", || ledgers(&TWO));
    keys(bench, "ledger", "one limit, at rest", || ledgers(&TWO[..1]));
    keys(bench, "ledger", "four limits, at rest", || ledgers(&FOUR));
}

fn keys<T>(bench: &mut Bench, machine: &str, name: &'static str, make: impl FnOnce() -> T) {
    let scenario = format!("memory/{machine}");
    if !bench.wants(&scenario) {
        return;
    }
    let (kept, allocated) = alloc::count(make);
    drop(kept);
    bench.figure(Figure {
        scenario,
        contender: name,
        what: "bytes per key",
        value: ((allocated.bytes - allocated.freed) as f64 / f64::from(KEYS)).round(),
        goal: Some(Bound::AtMost(200.0)),
    });
}

fn registry() -> Registry<u64> {
    let (now, mut random) = (Instant::now(), Seeded(7));
    let limit = NonZeroU32::MIN.saturating_add(KEYS - 1);
    let mut breakers = Registry::new(breaker::Config::default(), limit).expect("it is in range");
    for key in 0..u64::from(KEYS) {
        if let Ok(ticket) = breakers.admit(&key, now, &mut random) {
            breakers.settle(&key, ticket, Health::Bad, now, &mut random);
        }
    }
    assert_eq!(breakers.len(), KEYS as usize);
    breakers
}

fn cooldown() -> Cooldown<u64> {
    let (now, mut random) = (Instant::now(), Seeded(7));
    let keys = NonZeroU32::MIN.saturating_add(KEYS - 1);
    let config = cooldown::Config { keys, ..cooldown::Config::default() };
    let mut gates = Cooldown::new(config).expect("it is in range");
    let pass = gates.force();
    for key in 0..u64::from(KEYS) {
        gates.throttled(&key, &pass, Some(Duration::from_secs(20)), now, &mut random);
    }
    assert_eq!(gates.len(), KEYS as usize);
    gates
}

fn estimator() -> Estimator {
    let config = estimator::Config { most_keys: KEYS as usize, ..estimator::Config::default() };
    let mut estimator = Estimator::new(config).expect("it is in range");
    for key in 0..KEYS {
        estimator.learn(&key, 400);
    }
    assert_eq!(estimator.len(), KEYS as usize);
    estimator
}

const TWO: [Limit; 2] =
    [Limit::per_minute(Meter::Requests, 500), Limit::per_minute(Meter::Tokens, 200_000)];
const FOUR: [Limit; 4] = [
    Limit::per_minute(Meter::Requests, 500),
    Limit::per_day(Meter::Requests, 50_000),
    Limit::per_minute(Meter::Input, 200_000),
    Limit::per_minute(Meter::Output, 40_000),
];

/// Each key has made a call.
fn ledgers(limits: &[Limit]) -> HashMap<u64, Ledger> {
    let now = Instant::now();
    let config = Config::new(Provider::Groq, limits.to_vec());
    let first = Ledger::new(config, now).expect("it is in range");
    let mut ledgers = HashMap::new();
    for key in 0..u64::from(KEYS) {
        let ledger = ledgers.entry(key).or_insert_with(|| first.another(now));
        if let Ok(reservation) = ledger.reserve(&limits::call(), now) {
            let mut usage = Usage::default();
            (usage.input, usage.output) = (Some(900), Some(300));
            ledger.settle(reservation, Actual::Used(&usage), now);
        }
    }
    ledgers
}
