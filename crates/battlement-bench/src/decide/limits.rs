//! The machines of limits: bucket, ledger, estimator and queue.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use battlement_core::{
    Provider, Usage,
    bucket::{Bucket, Rate},
    estimator::{self, Estimator},
    hint::{self, RateLimits},
    lanes::Lane,
    ledger::{Actual, Config, Estimate, Ledger, Limit, Meter, Reservation},
    queue::{self, Queue, Tenant, Waiter},
};
use governor::{Quota, RateLimiter, clock::FakeRelativeClock};

use super::{Row, Ticks};
use crate::{Bench, data::Random};

pub(super) fn run(bench: &mut Bench) {
    Row::new("bucket", "whether 1 of 450 million tokens a minute may pass")
        .ours("battlement, take", bucket_take())
        .ours("battlement, reading the clock", bucket_take_by_the_clock())
        .ours("battlement, reserve or settle", bucket_reserve(0))
        .ours("battlement, with 100 open", bucket_reserve(100))
        .peer("governor check", governor(NonZeroU32::MIN))
        .peer("governor check_n", governor(NonZeroU32::MIN.saturating_add(99)))
        .peer("governor check, reading the clock", governor_by_the_clock())
        .measure(bench);
    Row::new("ledger", "reserve or settle by requests and tokens, as Groq counts")
        .ours("battlement, none open", ledger(Provider::Groq, &TWO, 0))
        .ours("battlement, 1 open", ledger(Provider::Groq, &TWO, 1))
        .ours("battlement, 100 open", ledger(Provider::Groq, &TWO, 100))
        .measure(bench);
    Row::new("ledger-anthropic", "reserve or settle by requests, input and output as it streams")
        .ours("battlement, none open", ledger(Provider::Anthropic, &THREE, 0))
        .ours("battlement, 1 open", ledger(Provider::Anthropic, &THREE, 1))
        .ours("battlement, 100 open", ledger(Provider::Anthropic, &THREE, 100))
        .measure(bench);
    Row::new("ledger-live", "what arrives while 100 calls are open")
        .ours("battlement, streamed", streamed())
        .ours("battlement, heard", heard())
        .ours("battlement, refused", refused())
        .ours("battlement, cleared", cleared())
        .measure(bench);
    Row::new("queue", "push or pop, with 500 waiting of 50 tenants")
        .ours("battlement, none waiting", queue_moves(0))
        .ours("battlement, 500 waiting", queue_moves(500))
        .measure(bench);
    if bench.wants("decide/queue-turns") {
        bench.measure(turns());
    }
    Row::new("estimator", "how long an answer will be")
        .ours("battlement, expected", estimator_expected())
        .ours("battlement, learn", estimator_learn())
        .measure(bench);
}

fn rate() -> Rate {
    Rate::new(450_000_000, Duration::from_secs(60)).expect("it is in range")
}

pub(super) fn bucket_take() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut bucket = Bucket::new(rate(), ticks.now);
    move || bucket.take(1, ticks.next()).is_ok()
}

fn bucket_take_by_the_clock() -> impl FnMut() -> bool + Send {
    let mut bucket = Bucket::new(rate(), Instant::now());
    move || bucket.take(1, Instant::now()).is_ok()
}

/// Keeps so many open; the one to be settled is any of them.
fn bucket_reserve(open: usize) -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut bucket = Bucket::new(rate(), ticks.now);
    let mut reservations = Vec::new();
    let mut random = Random::new(7);
    move || {
        if reservations.len() > open {
            let reservation = reservations.swap_remove(random.below(open + 1));
            bucket.settle(reservation, 40, ticks.next());
            return true;
        }
        let reserved = bucket.reserve(100, ticks.next());
        let passed = reserved.is_ok();
        reservations.extend(reserved);
        passed
    }
}

fn quota() -> Quota {
    Quota::per_minute(NonZeroU32::MIN.saturating_add(449_999_999))
}

fn governor(cost: NonZeroU32) -> impl FnMut() -> bool {
    let clock = FakeRelativeClock::default();
    let governor = RateLimiter::direct_with_clock(quota(), clock.clone());
    move || {
        clock.advance(Duration::from_micros(20));
        if cost == NonZeroU32::MIN {
            governor.check().is_ok()
        } else {
            governor.check_n(cost).is_ok_and(|passed| passed.is_ok())
        }
    }
}

fn governor_by_the_clock() -> impl FnMut() -> bool {
    let governor = RateLimiter::direct(quota());
    move || governor.check().is_ok()
}

const TWO: [Limit; 2] = [
    Limit::per_minute(Meter::Requests, 60_000_000),
    Limit::per_minute(Meter::Tokens, 10_000_000_000),
];
/// Output that can feed a few of the streams, so that the others have to be thought of.
const THREE: [Limit; 3] = [
    Limit::per_minute(Meter::Requests, 60_000_000),
    Limit::per_minute(Meter::Input, 10_000_000_000),
    Limit { burst: Some(1_000_000_000), ..Limit::per_minute(Meter::Output, 400_000) },
];

fn usage() -> Usage {
    let mut usage = Usage::default();
    (usage.input, usage.output) = (Some(900), Some(0));
    usage
}

pub(super) fn call() -> Estimate {
    Estimate { input: 1_000, output: 500, max_output: Some(4_000), ..Estimate::default() }
}

/// A ledger with calls open, their places in the order of admission.
struct Busy {
    ledger: Ledger,
    open: VecDeque<Reservation>,
    ticks: Ticks,
    random: Random,
}

impl Busy {
    fn new(provider: Provider, limits: &[Limit], open: usize) -> Self {
        let ticks = Ticks::default();
        let config = Config::new(provider, limits.to_vec());
        let ledger = Ledger::new(config, ticks.now).expect("it is in range");
        let mut busy = Self { ledger, open: VecDeque::new(), ticks, random: Random::new(7) };
        for _ in 0..open {
            busy.reserve();
        }
        busy
    }

    fn reserve(&mut self) -> bool {
        let output = 200 + self.random.below(600) as u64;
        let reserved = self.ledger.reserve(&Estimate { output, ..call() }, self.ticks.next());
        let passed = reserved.is_ok();
        self.open.extend(reserved);
        passed
    }
}

pub(super) fn ledger(
    provider: Provider,
    limits: &[Limit],
    open: usize,
) -> impl FnMut() -> bool + Send {
    let mut busy = Busy::new(provider, limits, open);
    let usage = usage();
    move || {
        if busy.open.len() <= open {
            return busy.reserve();
        }
        let any = busy.random.below(open + 1);
        let Some(reservation) = busy.open.swap_remove_back(any) else { return false };
        busy.ledger.settle(reservation, Actual::Used(&usage), busy.ticks.next());
        true
    }
}

pub(super) fn groq() -> impl FnMut() -> bool + Send {
    ledger(Provider::Groq, &TWO, 1)
}

fn streamed() -> impl FnMut() -> bool + Send {
    let mut busy = Busy::new(Provider::Anthropic, &THREE, 100);
    let mut produced = 0;
    move || {
        // All of them go on in turn, by a token each round.
        produced += 1;
        let reservation = &busy.open[produced % 100];
        busy.ledger.streamed(reservation, (produced / 100) as u64 % 200, busy.ticks.next());
        true
    }
}

fn told() -> RateLimits {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("x-ratelimit-limit-requests", "60000000"),
        ("x-ratelimit-remaining-requests", "59999000"),
        ("x-ratelimit-limit-tokens", "10000000000"),
        ("x-ratelimit-remaining-tokens", "9999000000"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    hint::rate_limits(&headers, Provider::Groq, std::time::SystemTime::UNIX_EPOCH)
}

/// A reservation, its headers, its end, in turn; the headers of the others were read before.
fn heard() -> impl FnMut() -> bool + Send {
    let mut busy = Busy::new(Provider::Groq, &TWO, 100);
    let told = told();
    let mut turn = 0;
    move || {
        turn += 1;
        busy.ledger.heard(&busy.open[turn % 100], &told, busy.ticks.next());
        true
    }
}

fn refused() -> impl FnMut() -> bool + Send {
    let limits = [TWO[0], Limit::per_minute(Meter::Tokens, 200_000)];
    let mut busy = Busy::new(Provider::Groq, &limits, 100);
    busy.ticks.step = Duration::from_nanos(1);
    let large = Estimate { input: 190_000, ..call() };
    move || busy.ledger.check(&large, busy.ticks.next()).is_err()
}

fn cleared() -> impl FnMut() -> bool + Send {
    let mut busy = Busy::new(Provider::Anthropic, &THREE, 100);
    move || {
        let now = busy.ticks.next();
        busy.ledger.cleared(500, 2_000_000_000, now) > now
    }
}

fn waiter(number: u64) -> Waiter {
    let class = Lane::ALL[(number % 3) as usize];
    Waiter { class, tenant: Tenant::new(number % 50), cost: 1_000 + number % 700, deadline: None }
}

fn waiting(calls: u64, now: Instant) -> Queue<Estimate> {
    let mut queue = Queue::new(queue::Config::default()).expect("it is in range");
    for number in 0..calls {
        let _stays = queue.push(waiter(number), call(), now);
    }
    queue
}

pub(super) fn queue_moves(calls: u64) -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut queue = waiting(calls, ticks.now);
    let mut number = calls;
    move || {
        number += 1;
        if queue.len() > calls as usize {
            queue.pop(ticks.next(), |_| ()).is_some()
        } else {
            queue.push(waiter(number / 2), call(), ticks.next()).is_ok()
        }
    }
}

/// A call that comes last of 500, and wants to know its turn.
fn turns<'a>() -> crate::harness::Scenario<'a, ()> {
    let known_at_once = {
        let busy = Busy::new(Provider::Groq, &TWO, 100);
        let mut queue = waiting(500, busy.ticks.now);
        move || {
            let now = busy.ticks.now;
            let late = now + Duration::from_secs(3600);
            let in_time = busy.ledger.cleared(queue.len() + 1, queue.cost() + 1_500, now) <= late;
            let place = queue.push(Waiter { deadline: Some(late), ..waiter(2) }, call(), now);
            place.is_ok_and(|place| queue.remove(place).is_some()) && in_time
        }
    };
    let walked = {
        let busy = Busy::new(Provider::Groq, &TWO, 100);
        let mut queue = waiting(500, busy.ticks.now);
        move || {
            let now = busy.ticks.now;
            let mut forecast = busy.ledger.forecast(now);
            let pushed = queue.push_by(waiter(2), call(), now, |call| forecast.next(call));
            pushed.is_ok_and(|(place, _)| queue.remove(place).is_some())
        }
    };
    Row::new("queue-turns", "a call joins 500 that wait, in time for its deadline, and leaves")
        .ours("battlement, by a bound", known_at_once)
        .with("battlement, exact by a walk", crate::harness::Role::Floor, walked)
        .scenario
}

fn taught() -> Estimator {
    let mut estimator = Estimator::new(estimator::Config::default()).expect("it is in range");
    let mut random = Random::new(7);
    for number in 0..100_000 {
        estimator.learn(&("model", number % 1_000), 100 + random.below(900) as u64);
    }
    estimator
}

pub(super) fn estimator_expected() -> impl FnMut() -> bool + Send {
    let (mut estimator, mut number) = (taught(), 0);
    move || {
        number = (number + 7) % 1_000;
        estimator.expected(&("model", number), Some(4_000)) < 2_000
    }
}

fn estimator_learn() -> impl FnMut() -> bool + Send {
    let (mut estimator, mut number) = (taught(), 0);
    move || {
        number = (number + 7) % 1_000;
        estimator.learn(&("model", number), 400);
        true
    }
}
