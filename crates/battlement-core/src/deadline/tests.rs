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
        let deadline = Deadline::after(now, left * SECOND);
        let expected = match short {
            None => Ok(now + wait * SECOND),
            Some(short) => Err(TooLate { short: short * SECOND }),
        };
        let found = deadline.room(now, wait * SECOND, needed * SECOND);
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
    assert!(never > Deadline::after(now, 1_000_000 * SECOND));
    assert_eq!(never.remaining(now), None);
    assert!(!never.is_past(now));
    assert_eq!(never.room(now, SECOND, Duration::MAX), Ok(now + SECOND));
    assert!(never.room(now, Duration::MAX, SECOND).is_err());
    assert_eq!(never.within(now, Duration::MAX), never);
    assert_eq!(never.within(now, SECOND), Deadline::at(now + SECOND));
    assert_eq!(Deadline::after(now, Duration::MAX), never);
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
            first.map_or(Deadline::NEVER, |time| Deadline::after(now, Duration::from_millis(time)));
        for (later, time) in layers {
            now += Duration::from_millis(later);
            let time = Duration::from_millis(time);
            let child = deadline.within(now, time);
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
        let deadline = Deadline::after(started, limit);
        let needed = Duration::from_millis(needed);
        let (backoff, mut series, mut random) =
            (Backoff::default(), Series::default(), Seeded(seed));
        for (takes, hint) in attempts {
            let cut = deadline.within(now, Duration::from_millis(takes));
            now = cut.instant().unwrap().max(now);
            let hint = hint.map(Duration::from_millis);
            let wait = backoff.wait(&mut series, Trouble::Overloaded, hint, &mut random);
            let Wait::For(wait) = wait else { break };
            match deadline.room(now, wait, needed) {
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
