//! tower-resilience-circuitbreaker 0.14.0.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use battlement_core::{
    breaker::{Breaker, Config, Health, Mode},
    random::Seeded,
};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerHandle, CircuitBreakerLayer, CircuitState};

/// What a call becomes, told when it is time.
type Call = oneshot::Receiver<Result<(), &'static str>>;

/// Their breaker over a service that answers what it is told to, by a script of `+` and `-`.
macro_rules! theirs {
    ($settings:expr) => {{
        let (layer, handle): (_, CircuitBreakerHandle) = $settings.build_with_handle().unwrap();
        let inner = service_fn(|call: Call| async { call.await.unwrap() });
        (layer.layer(inner), handle)
    }};
}

fn over(result: Result<(), &'static str>) -> Call {
    let (tell, call) = oneshot::channel();
    tell.send(result).unwrap();
    call
}

/// Ours, by itself.
struct Ours {
    breaker: Breaker,
    now: Instant,
    random: Seeded,
}

impl Ours {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self { breaker: Breaker::new(config, now).unwrap(), now, random: Seeded(1) }
    }

    fn play(&mut self, health: Health) {
        if let Ok(ticket) = self.breaker.admit(self.now, &mut self.random) {
            self.breaker.settle(ticket, health, self.now, &mut self.random);
        }
    }
}

#[tokio::test]
async fn a_window_that_never_slides() {
    let settings =
        CircuitBreakerLayer::builder().sliding_window_size(10).failure_rate_threshold(0.5);
    let (mut theirs, handle) = theirs!(settings);
    for _ in 0..1000 {
        theirs.ready().await.unwrap().call(over(Ok(()))).await.unwrap();
    }
    let mut failures = 0;
    while handle.state() == CircuitState::Closed {
        let _ = theirs.ready().await.unwrap().call(over(Err("down"))).await;
        failures += 1;
    }
    assert_eq!(failures, 1000, "with a window of ten");

    let mut ours = Ours::new(Config::default());
    (0..1000).for_each(|_| ours.play(Health::Good));
    let mut failures = 0;
    while ours.breaker.mode() == Mode::Closed {
        ours.play(Health::Bad);
        failures += 1;
    }
    assert_eq!(failures, 5);
}

#[tokio::test]
async fn a_reset_that_forgets_nothing() {
    let settings = CircuitBreakerLayer::builder().sliding_window_size(4);
    let (mut theirs, handle) = theirs!(settings);
    for _ in 0..3 {
        let _ = theirs.ready().await.unwrap().call(over(Err("down"))).await;
    }
    handle.reset().await;
    assert_eq!(handle.metrics().await.failure_count, 3);
    let _ = theirs.ready().await.unwrap().call(over(Err("down"))).await;
    assert_eq!(handle.state(), CircuitState::Open);

    let mut ours = Ours::new(Config::default());
    (0..3).for_each(|_| ours.play(Health::Bad));
    ours.breaker.reset(ours.now);
    assert_eq!(ours.breaker.snapshot(ours.now).bad, 0.0);
    ours.play(Health::Bad);
    assert_eq!(ours.breaker.mode(), Mode::Closed);
}

#[tokio::test]
async fn a_late_success_closes_a_circuit_that_is_being_probed() {
    let settings =
        CircuitBreakerLayer::builder().sliding_window_size(4).wait_duration_in_open(Duration::ZERO);
    let (mut theirs, handle) = theirs!(settings);
    // A long stream begins while all is well.
    let (stream, call) = oneshot::channel();
    let late = tokio::spawn(theirs.ready().await.unwrap().call(call));
    tokio::task::yield_now().await;
    for _ in 0..4 {
        let _ = theirs.ready().await.unwrap().call(over(Err("down"))).await;
    }
    assert_eq!(handle.state(), CircuitState::Open);
    let (_probe, call) = oneshot::channel();
    let _probing = tokio::spawn(theirs.ready().await.unwrap().call(call));
    tokio::task::yield_now().await;
    assert_eq!(handle.state(), CircuitState::HalfOpen);
    // It ends well, which says nothing about the present.
    stream.send(Ok(())).unwrap();
    late.await.unwrap().unwrap();
    assert_eq!(handle.state(), CircuitState::Closed, "while the probe is still running");

    let mut ours = Ours::new(Config { good_probes: NonZeroU32::MIN, ..Config::default() });
    let late = ours.breaker.admit(ours.now, &mut ours.random).unwrap();
    (0..5).for_each(|_| ours.play(Health::Bad));
    assert_eq!(ours.breaker.mode(), Mode::Open);
    ours.now += Duration::from_secs(60);
    let _probe = ours.breaker.admit(ours.now, &mut ours.random).unwrap();
    ours.breaker.settle(late, Health::Good, ours.now, &mut ours.random);
    assert_eq!(ours.breaker.mode(), Mode::HalfOpen);
}

#[tokio::test]
async fn few_calls_are_never_enough() {
    let (mut theirs, handle) = theirs!(CircuitBreakerLayer::builder());
    for _ in 0..99 {
        let _ = theirs.ready().await.unwrap().call(over(Err("down"))).await;
    }
    // At one call in ten seconds that is a quarter of an hour.
    assert_eq!(handle.state(), CircuitState::Closed, "after 99 failures of 99");

    let mut ours = Ours::new(Config::default());
    for _ in 0..4 {
        ours.now += Duration::from_secs(10);
        ours.play(Health::Bad);
    }
    assert_eq!(ours.breaker.mode(), Mode::Closed);
    ours.now += Duration::from_secs(10);
    ours.play(Health::Bad);
    assert_eq!(ours.breaker.mode(), Mode::Open, "in less than a minute");
}
