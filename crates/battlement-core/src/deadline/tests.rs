use proptest::prelude::*;

use super::*;
use crate::{
    backoff::{Backoff, Series, Trouble, Wait},
    random::Seeded,
};

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn room_for_a_wait_and_an_attempt() {
    // Left, wait, needed, and how much is missing, in seconds.
    let check = |left: u32, wait: u32, needed: u32, short: Option<u32>| {
        let now = start();
        let deadline = Deadline::after(left * SECOND, now);
        let expected = match short {
            None => Ok(now + wait * SECOND),
            Some(short) => Err(TooLate { short: short * SECOND }),
        };
        let found = deadline.room(wait * SECOND, needed * SECOND, now);
        assert_eq!(found, expected, "{left} {wait} {needed}");
    };
    check(10, 3, 5, None);
    check(10, 5, 5, None);
    check(10, 6, 5, Some(1));
    check(10, 0, 11, Some(1));
    check(10, 10, 0, None);
    check(0, 0, 0, Some(0)); // No time at all is not enough for anything.
    check(0, 1, 1, Some(2));
}

#[test]
fn never_is_later_than_everything() {
    let now = start();
    let never = Deadline::NEVER;
    assert_eq!(Deadline::default(), never);
    assert!(never > Deadline::after(1_000_000 * SECOND, now));
    assert_eq!(never.remaining(now), None);
    assert!(!never.is_past(now));
    assert_eq!(never.room(SECOND, Duration::MAX, now), Ok(now + SECOND));
    assert!(never.room(Duration::MAX, SECOND, now).is_err());
    assert_eq!(never.within(Duration::MAX, now), never);
    assert_eq!(never.within(SECOND, now), Deadline::at(now + SECOND));
    assert_eq!(Deadline::after(Duration::MAX, now), never);
}

#[test]
fn past_from_the_instant_on() {
    let now = start();
    let deadline = Deadline::at(now + SECOND);
    assert_eq!(deadline.instant(), Some(now + SECOND));
    assert!(!deadline.is_past(now));
    assert!(deadline.is_past(now + SECOND));
    assert_eq!(deadline.remaining(now), Some(SECOND));
    assert_eq!(deadline.remaining(now + 2 * SECOND), Some(Duration::ZERO));
}

proptest! {
    /// Through any number of layers, each with a time limit of its own and a clock that moved on.
    #[test]
    fn t1_a_deadline_handed_down_is_never_later(
        first in prop::option::of(0..1_000_000_u64),
        layers in prop::collection::vec((0..10_000_u64, 0..1_000_000_u64), 0..20),
    ) {
        let mut now = start();
        let mut deadline =
            first.map_or(Deadline::NEVER, |time| Deadline::after(Duration::from_millis(time), now));
        for (later, time) in layers {
            now += Duration::from_millis(later);
            let time = Duration::from_millis(time);
            let child = deadline.within(time, now);
            prop_assert!(child <= deadline);
            prop_assert!(child.remaining(now) <= Some(time));
            let both = [deadline.instant(), now.checked_add(time)];
            prop_assert_eq!(child.instant(), both.into_iter().flatten().min());
            deadline = child;
        }
    }

    /// A call whose attempts are cut at the deadline, and whose waits were asked for first.
    #[test]
    fn r1_waits_and_attempts_fit_into_the_deadline(
        seed: u64,
        limit in 0..120_000_u64,
        needed in 0..5_000_u64,
        attempts in prop::collection::vec((0..40_000_u64, prop::option::of(0..60_000_u64)), 1..20),
    ) {
        let started = start();
        let mut now = started;
        let limit = Duration::from_millis(limit);
        let deadline = Deadline::after(limit, started);
        let needed = Duration::from_millis(needed);
        let (backoff, mut series, mut random) =
            (Backoff::default(), Series::default(), Seeded(seed));
        for (takes, hint) in attempts {
            let cut = deadline.within(Duration::from_millis(takes), now);
            now = cut.instant().unwrap().max(now);
            let hint = hint.map(Duration::from_millis);
            let wait = backoff.wait(&mut series, Trouble::Overloaded, hint, &mut random);
            let Wait::For(wait) = wait else { break };
            match deadline.room(wait, needed, now) {
                Ok(next) => {
                    now = next;
                    prop_assert!(deadline.remaining(now) >= Some(needed));
                }
                Err(TooLate { short }) => {
                    prop_assert_eq!(now + wait + needed, started + limit + short);
                    break;
                }
            }
        }
        prop_assert!(now <= started + limit);
    }
}

#[test]
fn who_waits_keeps_time_for_the_answer() {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let check = |left: u32, needed: u32, expected: u32| {
        let found = Deadline::at(now + second * left).latest_start(second * needed, now);
        assert_eq!(found, Some(now + second * expected), "{left} {needed}");
    };
    check(60, 0, 60);
    check(60, 14, 46);
    check(60, 40, 30);
    check(10, 1_000, 5);
    check(0, 5, 0);
    assert_eq!(Deadline::NEVER.latest_start(second, now), None);
}
