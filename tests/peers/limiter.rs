//! governor 0.10.4. Where both must agree is checked by the properties of `bucket`.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use battlement_core::{
    Provider,
    bucket::{Bucket, Rate, Refused},
    lanes::Lane,
    ledger::{self, Config, Estimate, Ledger, Limit, Meter},
    queue::{self, Queue, Tenant, Waiter},
};
use governor::{Quota, RateLimiter, clock::FakeRelativeClock};

const RATE: u32 = 100;
const LARGE: u32 = 50;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Where an interval has whole nanoseconds there is nothing to round, and each call is decided alike.
#[test]
fn decisions_are_the_same_where_nothing_is_rounded() {
    let clock = FakeRelativeClock::default();
    let theirs = RateLimiter::direct_with_clock(Quota::per_second(number(RATE)), clock.clone());
    let mut now = Instant::now();
    let rate = Rate::new(RATE.into(), Duration::from_secs(1)).unwrap();
    let mut ours = Bucket::new(rate, now);
    let mut passed = 0;
    for step in 0..10_000 {
        let gap = Duration::from_micros(step * 7_919 % 40_000);
        clock.advance(gap);
        now += gap;
        let cost = 1 + (step * 31 % 110) as u32;
        let ours = ours.take(cost.into(), now);
        match theirs.check_n(number(cost)) {
            Ok(theirs) => assert_eq!(ours.is_ok(), theirs.is_ok(), "step {step}"),
            Err(_more_than_burst) => {
                assert_eq!(ours, Err(Refused::TooLarge { burst: RATE.into() }));
            }
        }
        passed += u32::from(ours.is_ok());
    }
    assert!((1_000..9_000).contains(&passed), "{passed}");
}

/// One caller wants 50, and next to it another wants one after the other, a hundred a second come back.
#[test]
fn who_asks_for_much_starves_where_nobody_queues() {
    let clock = FakeRelativeClock::default();
    let theirs = RateLimiter::direct_with_clock(Quota::per_second(number(RATE)), clock.clone());
    while theirs.check().is_ok() {}
    // An hour in steps of 10 ms. Both ask whenever something has come back, the large one first.
    let mut passed_large = 0;
    for _ in 0..360_000 {
        clock.advance(Duration::from_millis(10));
        passed_large += u32::from(theirs.check_n(number(LARGE)).unwrap().is_ok());
        while theirs.check().is_ok() {}
    }
    assert_eq!(passed_large, 0, "of governor");

    let start = Instant::now();
    let limits = vec![Limit::per_second(Meter::Input, RATE.into())];
    let mut ledger = Ledger::new(Config::new(Provider::Generic, limits), start).unwrap();
    let mut queue = Queue::new(queue::Config::default()).unwrap();
    let call = |cost: u32| Estimate { input: cost.into(), ..Estimate::default() };
    let push = |queue: &mut Queue<u32>, cost: u32, now| {
        let (class, tenant) = (Lane::Interactive, Tenant::new(1));
        let waiter = Waiter { class, tenant, cost: cost.into(), deadline: None };
        queue.push(waiter, cost, now).unwrap()
    };
    // The bucket is empty, ten small ones wait, then comes the large one, and always another small one.
    let _open = ledger.reserve(&call(RATE), start).unwrap();
    for cost in [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, LARGE] {
        let _place = push(&mut queue, cost, start);
    }
    let mut now = start;
    loop {
        let cost = *queue.next(now, |_| ()).unwrap();
        match ledger.reserve(&call(cost), now) {
            Ok(_open) => {
                queue.pop(now, |_| ());
                let _place = push(&mut queue, 1, now);
                if cost == LARGE {
                    break;
                }
            }
            Err(ledger::Refused::Wait { until, .. }) => now = until,
            Err(never) => panic!("{never}"),
        }
    }
    // What was ahead of it and itself, at the rate.
    assert_eq!(now - start, Duration::from_millis(600));
}
