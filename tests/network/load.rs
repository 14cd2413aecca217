//! Some callers, a provider that is not well, and what happens to the network between them.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use battlement::{
    breaker::{BreakerLayer, Circuits},
    call::{Call, CallLayer},
    concurrency::{self, ConcurrencyLayer},
    events::Event,
    rate_limit::{self, Config, RateLimitLayer},
    retry_after::{Gates, RetryAfterLayer},
    stack::Stack,
};
use battlement_core::{
    Provider as Vendor, adaptive, breaker, cooldown,
    lanes::{Lanes, Terms},
    random::{Random, Seeded, between},
};
use battlement_sim::Script;
use http::HeaderValue;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tower::Layer;

use crate::{
    trace::Trace,
    world::{Fault, Got, Http, call, millis, request, stack, words},
};

const CALLERS: u64 = 5;
const CALLS: u64 = 4;
/// How long a call may take.
pub(crate) const TIME: Duration = Duration::from_millis(1_500);
/// How often it may be tried.
pub(crate) const ATTEMPTS: u32 = 3;

/// One of the calls.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: HeaderValue,
    /// Nothing, if its caller has left.
    pub(crate) got: Option<Got>,
    pub(crate) took: Duration,
}

/// What is left when all have been made.
pub(crate) struct Left {
    pub(crate) calls: Vec<Made>,
    pub(crate) handles: Handles,
    /// Whether somebody got an answer once the trouble was over.
    pub(crate) gets_through: bool,
}

/// Some callers, each of which makes some calls, and leaves now and then.
pub(crate) async fn callers(seed: u64, http: Http, trace: Trace, is_well: Arc<AtomicBool>) -> Left {
    let (stack, handles) = whole_stack(seed, &trace);
    let service = stack.layer(http.client());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (service, trace) = (service.clone(), trace.clone());
        callers.spawn(async move {
            let mut random = Seeded(seed.wrapping_mul(31).wrapping_add(caller));
            let mut calls = Vec::new();
            for number in 0..CALLS {
                sleep(between(Duration::ZERO, millis(300), &mut random)).await;
                let mut request = request(below(&mut random, 4) > 0);
                let name = caller * CALLS + number;
                request.headers_mut().insert("x-call", name.into());
                // A slow reader now and then, and one that has no patience.
                let pause = if below(&mut random, 5) == 0 { millis(15) } else { Duration::ZERO };
                let patience =
                    if below(&mut random, 6) == 0 { below(&mut random, 150) } else { 60_000 };
                let start = Instant::now();
                let call = call(service.clone(), request, pause);
                let got = timeout(millis(patience), call).await.ok();
                let told = got.as_ref().map_or("left".to_owned(), |got| {
                    let code = got.error.as_ref().map(|error| error.code());
                    format!("{:?}, {} bytes, {code:?}", got.status, got.body.len())
                });
                trace.say(format!("call {name}: {told}"));
                calls.push(Made { name: name.into(), got, took: start.elapsed() });
            }
            calls
        });
    }
    let calls = callers.join_all().await.into_iter().flatten().collect();
    // The trouble is over, so it must not take long until somebody gets an answer: two seconds are four times as
    // long as a circuit stays open.
    is_well.store(true, Relaxed);
    let mut gets_through = false;
    for _ in 0..20 {
        sleep(millis(100)).await;
        let got = call(service.clone(), request(true), Duration::ZERO).await;
        gets_through |= got.error.is_none() && words(&got.body).is_whole;
        if gets_through {
            break;
        }
    }
    // What is sent to somebody who has gone is noticed a little later.
    sleep(millis(300)).await;
    Left { calls, handles, gets_through }
}

/// The handles of a stack.
pub(crate) struct Handles {
    pub(crate) limit: concurrency::Handle,
    pub(crate) rate: rate_limit::Limits,
    pub(crate) gates: Gates,
    pub(crate) circuits: Circuits,
}

fn whole_stack(seed: u64, trace: &Trace) -> (Stack, Handles) {
    let limit = ConcurrencyLayer::new(adaptive::Config::default()).unwrap();
    let rate = RateLimitLayer::new(Config::told_by(Vendor::OpenAi)).unwrap();
    let gates = Gates::new(cooldown::Config {
        unhinted: millis(50),
        ramp: millis(50),
        ..cooldown::Config::default()
    });
    let gates = gates.unwrap();
    let open = breaker::OpenTime {
        first: millis(100),
        longest: millis(500),
        ..breaker::Config::default().open
    };
    let config = breaker::Config { open, half_life: millis(2_000), ..breaker::Config::default() };
    let circuits = Circuits::new(config, NonZeroU32::MIN.saturating_add(9)).unwrap();
    let terms = Terms { time: Some(TIME), attempts: ATTEMPTS, ..Terms::interactive() };
    let lanes = Lanes::new(terms, Terms::deferred(), Terms::batch()).unwrap();
    let handles = Handles {
        limit: limit.handle().clone(),
        rate: rate.limits().clone(),
        gates: gates.clone(),
        circuits: circuits.clone(),
    };
    let (told, start) = (trace.clone(), Instant::now());
    let observer = move |call: &Call, event: &Event<'_>| told.observe(start, call, event);
    let stack = stack(seed)
        .call(CallLayer::new().provider(Vendor::OpenAi).lanes(lanes).observer(observer))
        .retry_after(RetryAfterLayer::with(gates).seed(seed))
        .rate_limit(rate)
        .breaker(BreakerLayer::with(circuits).seed(seed))
        .concurrency(limit);
    (stack, handles)
}

/// What a provider does as long as it is not well, in percent of the calls.
const STEPS: [(u64, &str); 9] = [
    (60, "every 8ms"),
    (8, "503"),
    (4, "429 after 60ms"),
    (6, "cut after 3 events"),
    (5, "stall after 2 events"),
    (5, "end after 2 events"),
    (4, "reset"),
    (4, "head after 120ms"),
    (4, "torn after 1 event"),
];

/// Draws a step for each call, until it is well.
pub(crate) fn script(seed: u64, is_well: Arc<AtomicBool>) -> Script {
    Script::by(move |seen| {
        let mut random = Seeded(seed.wrapping_mul(1_000).wrapping_add(seen.number));
        let mut draw = if is_well.load(Relaxed) { 0 } else { below(&mut random, 100) };
        let step = STEPS.iter().find(|(share, _)| {
            let is_it = draw < *share;
            draw = draw.saturating_sub(*share);
            is_it
        });
        step.expect("they add up").1.parse().unwrap()
    })
}

/// Up to five faults in the first second or so, each of which is over after a while.
pub(crate) fn faults(random: &mut Seeded) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    for _ in 0..below(random, 6) {
        let at = below(random, 1_200);
        let over = at + 20 + below(random, 400);
        let (fault, end) = match below(random, 7) {
            0 => (Fault::Partition, Fault::Repair),
            1 => (Fault::Deafness, Fault::Repair),
            2 => (Fault::Silence, Fault::Repair),
            3 => (Fault::Hold, Fault::Release),
            4 => (Fault::Restart, Fault::Restart),
            5 => (Fault::Latency(below(random, 40)), Fault::Latency(1)),
            // Half open: nobody is told that the other side has gone.
            _ => {
                faults.push((at + 10, Fault::Restart));
                (Fault::Partition, Fault::Repair)
            }
        };
        faults.extend([(at, fault), (over, end)]);
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn below(random: &mut Seeded, most: u64) -> u64 {
    (random.unit() * most as f64) as u64
}
