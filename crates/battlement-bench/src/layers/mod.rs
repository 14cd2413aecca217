//! What the layers cost a call that nothing is wrong with, next to tower's and tower-resilience's.
//!
//! Ours read the request once and the answer as it passes; theirs do not. That is the row `reading`,
//! which is what a layer of ours is compared with: the difference is the layer's own. Theirs are compared with
//! the bare service. The nine layers are those of [`Stack`]; a limit is set that is never reached.

mod contended;
mod in_flight;
mod inner;
mod peers;
mod told;

use std::{cell::RefCell, sync::Arc};

use battlement::{
    breaker::BreakerLayer,
    cache::{CacheLayer, Memory},
    call::CallLayer,
    concurrency::ConcurrencyLayer,
    context::ContextLayer,
    deadline::DeadlineLayer,
    fallback::{FallbackLayer, Route},
    finish::FinishLayer,
    hedge::{self, HedgeLayer},
    observe::ObserveLayer,
    preflight::PreflightLayer,
    rate_limit::{Config, RateLimitLayer},
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    single_flight::SingleFlightLayer,
    stack::Stack,
    timeout::TimeoutLayer,
};
use battlement_core::Provider;
use tower::{Layer, ServiceBuilder};

use self::{
    inner::{ANSWERED, Bare, LONG_BYTES, Long, Streams, ask, ask_fixed, call},
    peers::Calls,
};
use crate::{
    Bench,
    harness::{Role, Scenario, Unit, Work},
    report::{Bound, Figure, Goal},
};

pub(crate) fn run(bench: &mut Bench) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    // Whoever has a timer needs a runtime around.
    let _inside = runtime.enter();
    idle(bench);
    not_taken(bench);
    not_late(bench);
    cached(bench);
    told::run(bench);
    contended::run(bench, &runtime);
    streamed(bench);
    in_flight::run(bench);
}

const BARE: &str = "bare service";
const READING: &str = "reading (call + observe)";
const NINE: &str = "the stack of nine";
const THEIR_FOUR: &str = "tower-resilience: all four";

/// The stack, with limits that are set and never reached.
fn nine() -> Stack {
    let limits = Config::new(Provider::OpenAi)
        .requests_per_minute(1_000_000_000)
        .tokens_per_minute(10_000_000_000);
    let limits = RateLimitLayer::new(limits).expect("in range").per_model();
    let places = ConcurrencyLayer::new(1_000_000).expect("in range").per_model();
    Stack::openai().rate_limit(limits).concurrency(places)
}

/// A route as in every stack: something on it keeps the account of the call, and something holds an answer until
/// it may go.
const ROUTE: &str = "a route (call, retry, finish, observe)";

/// A fallback over that route, which serves every call.
fn over_a_route(routes: usize, first: Route) -> impl Calls {
    let names = ["second", "third", "fourth"].into_iter().take(routes);
    let layer = names.fold(FallbackLayer::builder(first), |layer, name| layer.route(name, Bare));
    ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(layer.build().expect("names that differ"))
        .layer(RetryLayer::new())
        .layer(FinishLayer::new())
        .layer(ObserveLayer::new())
        .service(Bare)
}

/// Another route is there, and not needed.
fn not_taken(bench: &mut Bench) {
    if !bench.wants("layers/fallback") {
        return;
    }
    let work = Work { bytes: 0, unit: Unit::Call, units: 1 };
    let beyond = Goal::Beyond { of: ROUTE, nanos: 150.0, allocations: 4.0 };
    let scenario = Scenario::new("layers/fallback", "a fallback that is not taken", work, &());
    let route = ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(RetryLayer::new())
        .layer(FinishLayer::new())
        .layer(ObserveLayer::new())
        .service(Bare);
    let scenario = contender(scenario.goals([beyond]), ROUTE, Role::Floor, route);
    let plain = over_a_route(1, Route::new("first"));
    let scenario = contender(scenario, "fallback, not taken", Role::Ours, plain);
    let three = over_a_route(3, Route::new("first"));
    let scenario = contender(scenario, "three of them, not taken", Role::Ours, three);
    let alone = over_a_route(0, Route::new("first"));
    let scenario = contender(scenario, "nowhere to go", Role::Floor, alone);
    let model = over_a_route(1, Route::new("first").model("gpt-5"));
    let scenario = contender(scenario, "the first with another model", Role::Floor, model);
    bench.measure(scenario);
}

/// A hedge over that route, which knows what is late if it was `taught`; no call is.
fn over_attempts(taught: bool) -> impl Calls {
    let config = hedge::Config { quantile: 0.5, samples: 2, ..hedge::Config::default() };
    let config = if taught { config } else { hedge::Config { samples: u32::MAX, ..config } };
    let mut service = ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(RetryLayer::new())
        .layer(HedgeLayer::new(config).expect("in range"))
        .layer(FinishLayer::new())
        .layer(ObserveLayer::new())
        .service(Bare);
    // Before the first call is measured.
    for _ in 0..3 {
        call(&mut service, ask());
    }
    service
}

/// A second attempt could be sent, and no first one is late.
fn not_late(bench: &mut Bench) {
    if !bench.wants("layers/hedge") {
        return;
    }
    let work = Work { bytes: 0, unit: Unit::Call, units: 1 };
    let beyond = Goal::Beyond { of: ROUTE, nanos: 100.0, allocations: 1.0 };
    let scenario = Scenario::new("layers/hedge", "a hedge that is not taken", work, &());
    let route = ServiceBuilder::new()
        .layer(CallLayer::new().provider(Provider::OpenAi))
        .layer(RetryLayer::new())
        .layer(FinishLayer::new())
        .layer(ObserveLayer::new())
        .service(Bare);
    let scenario = contender(scenario.goals([beyond]), ROUTE, Role::Floor, route);
    let scenario = contender(scenario, "hedge, not taken", Role::Ours, over_attempts(true));
    let scenario =
        contender(scenario, "hedge, that is still learning", Role::Floor, over_attempts(false));
    bench.measure(scenario);
}

/// What a call costs whose answer is kept, and one that makes an answer that is.
fn cached(bench: &mut Bench) {
    if !bench.wants("layers/cache") {
        return;
    }
    let work = Work { bytes: 0, unit: Unit::Call, units: 1 };
    let beyond = Goal::Beyond { of: READING_LONG, nanos: 2_000.0, allocations: 12.0 };
    let scenario = Scenario::new("layers/cache", "an answer of 4 KiB that is kept", work, &());
    let over = || ServiceBuilder::new().layer(CallLayer::new().provider(Provider::OpenAi));
    let reading = over().layer(ObserveLayer::new()).service(Long);
    let scenario = contender_for(scenario.goals([beyond]), READING_LONG, Role::Floor, reading);
    let kept = over().layer(CacheLayer::new()).layer(ObserveLayer::new()).service(Long);
    let scenario = contender_for(scenario, "cache, a hit", Role::Ours, kept);
    let small = CacheLayer::with(Arc::new(Memory::new(0)));
    let missed = over().layer(small).layer(ObserveLayer::new()).service(Long);
    let scenario = contender_for(scenario, "cache, a miss that is kept", Role::Floor, missed);
    let alone = over().layer(SingleFlightLayer::new()).layer(ObserveLayer::new()).service(Long);
    let scenario = contender_for(scenario, "single_flight, joined by nobody", Role::Floor, alone);
    bench.measure(scenario);
}

const READING_LONG: &str = "reading (call + observe) 4 KiB";

/// As [`contender`], of calls that ask for the same answer each time.
fn contender_for<'a>(
    scenario: Scenario<'a, ()>,
    name: &'static str,
    role: Role,
    service: impl Calls + 'a,
) -> Scenario<'a, ()> {
    let service = RefCell::new(service);
    scenario
        .contender(name, role, &LONG_BYTES, move |()| call(&mut *service.borrow_mut(), ask_fixed()))
}

/// A layer over what is read in any case.
macro_rules! over_reading {
    ($layer:expr) => {
        ServiceBuilder::new()
            .layer(CallLayer::new().provider(Provider::OpenAi))
            .layer($layer)
            .layer(ObserveLayer::new())
            .service(Bare)
    };
}

/// One call after the other, nothing to wait for.
fn idle(bench: &mut Bench) {
    if !bench.wants("layers/idle") {
        return;
    }
    let work = Work { bytes: 0, unit: Unit::Call, units: 1 };
    let limits = Config::new(Provider::OpenAi)
        .requests_per_minute(1_000_000_000)
        .tokens_per_minute(10_000_000_000);
    let beyond = Goal::Beyond { of: READING, nanos: 100.0, allocations: 1.0 };
    let scenario = Scenario::new("layers/idle", "one idle layer", work, &()).goals([beyond]);
    let scenario = contender(scenario, BARE, Role::Floor, Bare);
    let scenario = contender(
        scenario,
        READING,
        Role::Floor,
        over_reading!(tower::layer::util::Identity::new()),
    );
    let scenario = contender(scenario, "deadline", Role::Ours, over_reading!(DeadlineLayer::new()));
    let preflight = over_reading!(PreflightLayer::new());
    let scenario = contender(scenario, "preflight", Role::Ours, preflight);
    let context = over_reading!(ContextLayer::new());
    let scenario = contender(scenario, "context", Role::Ours, context);
    let scenario = contender(scenario, "retry", Role::Ours, over_reading!(RetryLayer::new()));
    let gate = RetryAfterLayer::new(Default::default()).expect("the default");
    let scenario = contender(scenario, "retry_after", Role::Ours, over_reading!(gate));
    let limiter = RateLimitLayer::new(limits).expect("in range");
    let scenario = contender(scenario, "rate_limit", Role::Ours, over_reading!(limiter));
    let breaker = BreakerLayer::new(Default::default()).expect("the default");
    let scenario = contender(scenario, "breaker", Role::Ours, over_reading!(breaker));
    let places = ConcurrencyLayer::new(1_000_000).expect("in range");
    let scenario = contender(scenario, "concurrency", Role::Ours, over_reading!(places));
    let scenario =
        contender(scenario, "timeout", Role::Ours, over_reading!(TimeoutLayer::default()));
    let scenario = contender(scenario, "finish", Role::Ours, over_reading!(FinishLayer::new()));
    let scenario = contender(scenario, "tower: Timeout", Role::Peer, peers::tower_timeout());
    let scenario = contender(scenario, "tower: Retry", Role::Peer, peers::tower_retry());
    let scenario =
        contender(scenario, "tower-resilience: time limiter", Role::Peer, peers::time_limiter());
    let scenario = contender(scenario, "tower-resilience: retry", Role::Peer, peers::retry());
    let scenario =
        contender(scenario, "tower-resilience: rate limiter", Role::Peer, peers::limiter());
    let scenario = contender(scenario, "tower-resilience: breaker", Role::Peer, peers::breaker());
    bench.measure(scenario);

    let scenario = Scenario::new("layers/stack", "the whole stack, idle", work, &());
    let scenario = contender(scenario, NINE, Role::Ours, nine().layer(Bare));
    let scenario = contender(scenario, BARE, Role::Floor, Bare);
    let scenario = contender(
        scenario,
        READING,
        Role::Floor,
        over_reading!(tower::layer::util::Identity::new()),
    );
    let scenario = contender(scenario, THEIR_FOUR, Role::Peer, peers::four());
    bench.measure(scenario);
    let Some(table) = bench.last() else { return };
    let (nine, theirs) = (table.beyond(NINE, READING), table.beyond(THEIR_FOUR, BARE));
    if let (Some(nine), Some(theirs)) = (nine, theirs) {
        bench.figure(Figure {
            scenario: "layers/stack".into(),
            contender: NINE,
            what: "its own time, of that of their four",
            value: nine.0 / theirs.0,
            goal: Some(Bound::AtMost(0.8)),
        });
        bench.figure(Figure {
            scenario: "layers/stack".into(),
            contender: NINE,
            what: "allocations, beyond reading",
            value: nine.1,
            goal: Some(Bound::AtMost(8.0)),
        });
    }
}

fn contender<'a>(
    scenario: Scenario<'a, ()>,
    name: &'static str,
    role: Role,
    service: impl Calls + 'a,
) -> Scenario<'a, ()> {
    let service = RefCell::new(service);
    scenario.contender(name, role, &ANSWERED, move |()| call(&mut *service.borrow_mut(), ask()))
}

/// A frame of a stream on its way through.
fn streamed(bench: &mut Bench) {
    if !bench.wants("layers/frame") {
        return;
    }
    let streams = Streams::new(2_000);
    let (bytes, events) = (streams.bytes(), streams.events.len());
    let work = Work { bytes, unit: Unit::Event, units: events };
    let beyond = Goal::Beyond { of: BARE, nanos: 200.0, allocations: 0.01 };
    let scenario = Scenario::new("layers/frame", "a frame of a stream", work, &()).goals([beyond]);
    let run = |scenario: Scenario<'static, ()>, name, role, service| {
        stream(scenario, name, role, bytes, service)
    };
    let scenario = run(
        scenario,
        BARE,
        Role::Floor,
        Box::new(RefCell::new(streams.clone())) as Box<dyn Streaming>,
    );
    let observed = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(ObserveLayer::new())
        .service(streams.clone());
    let scenario = run(scenario, READING, Role::Floor, Box::new(RefCell::new(observed)));
    let scenario = run(scenario, NINE, Role::Ours, Box::new(RefCell::new(nine().layer(streams))));
    bench.measure(scenario);
}

/// Something that streams when it is called.
trait Streaming {
    fn stream(&self) -> usize;
}

impl<S: Calls> Streaming for RefCell<S> {
    fn stream(&self) -> usize {
        call(&mut *self.borrow_mut(), ask())
    }
}

fn stream(
    scenario: Scenario<'static, ()>,
    name: &'static str,
    role: Role,
    bytes: usize,
    service: Box<dyn Streaming>,
) -> Scenario<'static, ()> {
    scenario.contender(name, role, &bytes, move |()| service.stream())
}
