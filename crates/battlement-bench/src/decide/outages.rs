//! The machines of outages: breaker and registry, cool-down, adaptive limit.

use std::{num::NonZeroU32, task::Poll, time::Duration};

use battlement_core::{
    adaptive::{self, Adaptive, Signal},
    breaker::{self, Breaker, Health, Registry},
    cooldown::{self, Admission, Cooldown},
    random::Seeded,
};
use futures_util::{FutureExt, future::Ready, task::noop_waker_ref};
use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

use super::{Row, Ticks};
use crate::Bench;

pub(super) fn run(bench: &mut Bench) {
    Row::new("breaker", "whether to call, or how it went")
        .ours("battlement", breaker())
        .peer("tower-resilience, a whole call", tower_resilience())
        .measure(bench);
    Row::new("registry", "the same by key, of a thousand keys")
        .ours("battlement", registry())
        .measure(bench);
    Row::new("cooldown", "whether a call that concerns two keys may go")
        .ours("battlement, all open", cooldown_open())
        .ours("battlement, one was shut lately", cooldown_lately())
        .ours("battlement, one is shut", cooldown_shut())
        .ours("battlement, throttled", cooldown_throttled())
        .measure(bench);
    Row::new("adaptive", "whether one more may run, or how it went")
        .ours("battlement", adaptive())
        .measure(bench);
}

pub(super) fn breaker() -> impl FnMut() -> bool + Send {
    let (mut ticks, mut random) = (Ticks::default(), Seeded(7));
    let mut breaker = Breaker::new(breaker::Config::default(), ticks.now).expect("it is in range");
    let mut running = None;
    move || match running.take() {
        Some(ticket) => {
            breaker.settle(ticket, Health::Good, ticks.next(), &mut random);
            true
        }
        None => {
            running = breaker.admit(ticks.next(), &mut random).ok();
            running.is_some()
        }
    }
}

/// Their breaker has no decisions apart: the service is asked and called, and all is ready at once.
fn tower_resilience() -> impl FnMut() -> bool {
    let layer = CircuitBreakerLayer::builder().build().expect("it is in range");
    let inner = service_fn(|()| -> Ready<Result<(), &str>> { futures_util::future::ready(Ok(())) });
    let mut service = layer.layer(inner);
    let mut context = std::task::Context::from_waker(noop_waker_ref());
    move || {
        matches!(service.poll_ready(&mut context), Poll::Ready(Ok(())))
            && matches!(service.call(()).now_or_never(), Some(Ok(())))
    }
}

pub(super) fn registry() -> impl FnMut() -> bool + Send {
    let (mut ticks, mut random) = (Ticks::default(), Seeded(7));
    let limit = NonZeroU32::MIN.saturating_add(999);
    let mut breakers = Registry::new(breaker::Config::default(), limit).expect("it is in range");
    let (mut running, mut number) = (None, 0);
    move || match running.take() {
        Some(ticket) => {
            breakers.settle(&("openai", number), ticket, Health::Good, ticks.next(), &mut random);
            true
        }
        None => {
            number = (number + 7) % 1_000;
            running = breakers.admit(&("openai", number), ticks.next(), &mut random).ok();
            running.is_some()
        }
    }
}

const KEYS: [(&str, &str, &str); 2] =
    [("openai", "gpt-5", "tokens"), ("openai", "gpt-5", "requests")];
type Gates = Cooldown<(&'static str, &'static str, &'static str)>;

/// With one gate that is of no concern, and one that is shut for a time.
fn gates(wait: Duration, ticks: &mut Ticks) -> Gates {
    let mut gates = Cooldown::new(cooldown::Config::default()).expect("it is in range");
    let pass = gates.force();
    for key in [("anthropic", "claude", "tokens"), KEYS[0]] {
        gates.throttled(&key, &pass, Some(wait), ticks.next(), &mut Seeded(7));
    }
    gates
}

fn cooldown_open() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut gates: Gates = Cooldown::new(cooldown::Config::default()).expect("it is in range");
    move || matches!(gates.ask(&KEYS, ticks.next()), Admission::Go(_))
}

/// The gate is open again, and traffic comes back along the ramp.
fn cooldown_lately() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut gates = gates(Duration::from_secs(1), &mut ticks);
    let mut passed = false;
    move || {
        // A step is a second, and after the gate nine seconds of it.
        let now = ticks.next() + Duration::from_secs(2);
        let admission = gates.ask(&KEYS, now);
        passed |= matches!(admission, Admission::Go(_));
        if gates.is_empty() {
            let pass = gates.force();
            gates.throttled(&KEYS[0], &pass, Some(Duration::from_secs(1)), now, &mut Seeded(7));
        }
        passed
    }
}

pub(super) fn cooldown_shut() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::new(Duration::from_nanos(1));
    let mut gates = gates(Duration::from_secs(3_000), &mut ticks);
    move || matches!(gates.ask(&KEYS, ticks.next()), Admission::Wait(_))
}

fn cooldown_throttled() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut gates = gates(Duration::from_secs(3_000), &mut ticks);
    let mut random = Seeded(7);
    move || {
        let (pass, now) = (gates.force(), ticks.next());
        gates.throttled(&KEYS[1], &pass, Some(Duration::from_secs(20)), now, &mut random) > now
    }
}

pub(super) fn adaptive() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let mut limit = Adaptive::new(adaptive::Config::default(), ticks.now).expect("it is in range");
    let mut running = None;
    move || match running.take() {
        Some(permit) => {
            limit.release(permit, Signal::Good, ticks.next());
            true
        }
        None => {
            running = limit.admit(ticks.next()).ok();
            running.is_some()
        }
    }
}
