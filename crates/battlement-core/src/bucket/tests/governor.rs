//! The same calls to our bucket and to governor 0.10.4, where they must agree and where it is wrong.

use std::num::NonZeroU32;

use ::governor::{Quota, RateLimiter, clock::FakeRelativeClock};
use proptest::{collection::vec, prelude::*};

use super::*;

proptest! {
    /// With an interval of whole nanoseconds, decisions are equal, call by call.
    #[test]
    fn decides_as_governor_does(
        interval in 1..5_000_000_000u64,
        burst in 1..50u32,
        calls in vec((0..20_000_000_000u64, 1..60u32), 1..100),
    ) {
        let interval = Duration::from_nanos(interval);
        let clock = FakeRelativeClock::default();
        let quota =
            Quota::with_period(interval).unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
        let governor = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut now = start();
        let rate = Rate::new(1, interval).unwrap().with_burst(burst.into()).unwrap();
        let mut bucket = Bucket::new(rate, now);
        for (gap, cost) in calls {
            let gap = Duration::from_nanos(gap);
            clock.advance(gap);
            now += gap;
            let ours = bucket.take(cost.into(), now);
            match governor.check_n(NonZeroU32::new(cost).unwrap()) {
                Ok(theirs) => prop_assert_eq!(ours.is_ok(), theirs.is_ok()),
                Err(_more_than_burst) => {
                    prop_assert_eq!(ours, Err(Refused::TooLarge { burst: burst.into() }));
                }
            }
        }
    }
}

/// 450 million a minute are 133.3 ns each, which governor cuts to 133.
#[test]
fn governor_passes_a_quarter_of_a_percent_too_much() {
    let amount = 450_000_000;
    let clock = FakeRelativeClock::default();
    let governor = RateLimiter::direct_with_clock(
        Quota::per_minute(NonZeroU32::new(amount).unwrap()),
        clock.clone(),
    );
    let mut now = start();
    let mut bucket = Bucket::new(rate(amount.into(), 60), now);
    // Empty both, then ask every millisecond for what should have come back.
    assert!(governor.check_n(NonZeroU32::new(amount).unwrap()).unwrap().is_ok());
    bucket.take(amount.into(), now).unwrap();
    let (mut theirs, mut ours) = (0, 0);
    for _ in 0..10_000 {
        clock.advance(Duration::from_millis(1));
        now += Duration::from_millis(1);
        let mut piece = 7_519;
        while piece > 0 {
            let cost = NonZeroU32::new(piece).unwrap();
            theirs += if governor.check_n(cost).unwrap().is_ok() { piece } else { 0 };
            ours += if bucket.take(piece.into(), now).is_ok() { piece } else { 0 };
            piece /= 2;
        }
    }
    let should = 75_000_000;
    assert!(ours <= should, "{ours}");
    assert!(f64::from(theirs) > f64::from(should) * 1.002, "{theirs}");
}

/// Whoever asks again after a sleep is overtaken by whoever asks for less: governor has no queue.
#[test]
fn governor_starves_who_asks_for_much() {
    let clock = FakeRelativeClock::default();
    let quota = Quota::per_second(NonZeroU32::new(100).unwrap());
    let governor = RateLimiter::direct_with_clock(quota, clock.clone());
    let mut passed_large = 0;
    for _ in 0..10_000 {
        // The small ones ask whenever one fits; the large one asks as often.
        clock.advance(Duration::from_millis(10));
        while governor.check().is_ok() {}
        let large = governor.check_n(NonZeroU32::new(50).unwrap()).unwrap();
        passed_large += u32::from(large.is_ok());
    }
    assert_eq!(passed_large, 0);
}
