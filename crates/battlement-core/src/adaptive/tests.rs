mod properties;

use std::num::NonZeroU32;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Some moment; core has no clock, and its tests need only one reading of it.
#[expect(clippy::disallowed_methods, reason = "any moment will do, and this is how to get one")]
fn start() -> Instant {
    Instant::now()
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Fills the limit; a second later all show their content, or not, and end. Returns the limit.
fn round(limit: &mut Adaptive, now: &mut Instant, signal: Signal) -> u32 {
    let mut permits = vec![];
    while let Ok(permit) = limit.admit(*now) {
        permits.push(permit);
        assert!(permits.len() <= 1000, "it is never full");
    }
    *now += SECOND;
    if signal == Signal::Good {
        permits.iter_mut().for_each(|permit| limit.first_content(permit, *now));
    }
    for permit in permits {
        limit.release(permit, signal, *now);
    }
    limit.limit()
}

fn check(config: Config, rounds: &str, expected: &[u32]) {
    let mut now = start();
    let mut limit = Adaptive::new(config, now).unwrap();
    let limits: Vec<u32> = rounds
        .chars()
        .map(|kind| match kind {
            '+' => round(&mut limit, &mut now, Signal::Good),
            '-' => round(&mut limit, &mut now, Signal::Overload),
            'n' => round(&mut limit, &mut now, Signal::Neutral),
            _ => {
                now += 60 * SECOND;
                round(&mut limit, &mut now, Signal::Neutral)
            }
        })
        .collect();
    assert_eq!(limits, expected, "{rounds}");
}

#[test]
fn doubles_until_the_first_cut_and_then_grows_by_one() {
    let additive = Config { growth: Growth::Additive, ..Config::default() };
    check(additive, "++++-+++", &[8, 16, 32, 64, 44, 45, 46, 47]);
}

#[test]
fn cubic_is_fast_then_careful_then_fast() {
    let cubic = Config { initial: number(100), ..Config::default() };
    let limits = [70, 86, 95, 99, 99, 100, 102, 108, 121, 143, 177, 200, 200, 200, 200, 200, 200];
    check(cubic, "-++++++++++++++++", &limits);
}

/// Cut before it was back at its peak: others want room, so it is careful below the old peak.
#[test]
fn a_peak_not_reached_again_is_lowered() {
    let cubic = Config { initial: number(100), ..Config::default() };
    check(cubic, "--+++++++", &[70, 49, 52, 58, 59, 59, 60, 65, 75]);
    // At the smallest limit there is nothing to give up.
    let smallest = Config { min: number(10), initial: number(10), ..Config::default() };
    check(smallest, "--++++++++", &[10, 10, 10, 10, 10, 13, 21, 36, 61, 98]);
}

#[test]
fn stays_within_its_bounds() {
    let narrow = Config { min: number(3), max: number(6), ..Config::default() };
    check(narrow, "+++-----", &[6, 6, 6, 4, 3, 3, 3, 3]);
}

#[test]
fn neutral_calls_change_nothing() {
    check(Config::default(), "nnn", &[4, 4, 4]);
}

#[test]
fn starts_again_after_a_pause() {
    let mut now = start();
    let mut limit = Adaptive::new(Config::default(), now).unwrap();
    for _ in 0..4 {
        round(&mut limit, &mut now, Signal::Good);
    }
    assert!(limit.limit() > 40);
    now += 60 * SECOND;
    let permit = limit.admit(now).unwrap();
    assert_eq!(limit.limit(), 4);
    limit.release(permit, Signal::Neutral, now);
    assert_eq!(round(&mut limit, &mut now, Signal::Good), 8);
}

#[test]
fn after_a_pause_it_doubles_to_where_it_was() {
    let additive = Config { growth: Growth::Additive, ..Config::default() };
    check(additive, "++++-.++++++", &[8, 16, 32, 64, 44, 4, 8, 16, 32, 45, 46, 47]);
}

/// Calls that take so long to their first token, one after the other.
fn converse(limit: &mut Adaptive, now: &mut Instant, first_tokens: &[Duration]) {
    for first_token in first_tokens {
        let permit = limit.admit(*now).unwrap();
        *now += *first_token;
        limit.release(permit, Signal::Good, *now);
    }
}

/// How many cuts are made when twelve calls are refused, so far apart.
fn refuse(limit: &mut Adaptive, now: &mut Instant, apart: Duration) -> u64 {
    let before = limit.cuts();
    for _ in 0..12 {
        let permit = limit.admit(*now).unwrap();
        limit.release(permit, Signal::Overload, *now);
        *now += apart;
    }
    limit.cuts() - before
}

#[test]
fn an_epoch_is_the_usual_time_to_a_first_token() {
    let check = |pattern: &[Duration], apart: Duration, expected: u64| {
        let mut now = start();
        let mut limit = Adaptive::new(Config::default(), now).unwrap();
        converse(&mut limit, &mut now, &pattern.repeat(400 / pattern.len()));
        assert_eq!(refuse(&mut limit, &mut now, apart), expected, "{pattern:?}");
    };
    let quick = SECOND / 10;
    check(&[quick], SECOND, 12);
    check(&[quick], SECOND / 2, 6);
    // Ten seconds, give or take a step of learning: of calls four seconds apart every third.
    check(&[10 * SECOND], 4 * SECOND, 4);
    check(&[10 * SECOND], 11 * SECOND, 12);
    // A few that are slow do not make it long, nor a few that are quick make it short.
    check(&[quick, quick, 10 * SECOND], SECOND, 12);
    check(&[quick, 10 * SECOND, 10 * SECOND], 4 * SECOND, 4);
    // A minute at most.
    check(&[300 * SECOND], 61 * SECOND, 12);
}

#[test]
fn an_overdue_first_token_cuts_at_once_and_only_once() {
    let mut now = start();
    let mut limit =
        Adaptive::new(Config { initial: number(10), ..Config::default() }, now).unwrap();
    let mut permits: Vec<_> = (0..10).map(|_| limit.admit(now).unwrap()).collect();
    now += 10 * SECOND;
    for permit in &mut permits {
        limit.overdue(permit, now);
    }
    assert_eq!((limit.limit(), limit.cuts(), limit.in_flight()), (7, 1, 10));
    for permit in permits {
        limit.release(permit, Signal::Overload, now + 10 * SECOND);
    }
    assert_eq!((limit.limit(), limit.cuts(), limit.in_flight()), (7, 1, 0));
}

#[test]
fn settings_are_checked() {
    let check = |config: Config, expected: &str| {
        assert_eq!(Adaptive::new(config, start()).unwrap_err().to_string(), expected);
    };
    check(
        Config { min: number(5), ..Config::default() },
        "limits are not in order: min 5, initial 4, max 200",
    );
    check(Config { cut: 1.0, ..Config::default() }, "cut 1 is not from 0.1 to 0.99");
    check(Config { cut: f64::NAN, ..Config::default() }, "cut NaN is not from 0.1 to 0.99");
    check(
        Config { idle: Duration::ZERO, ..Config::default() },
        "idle of 0ns is not from 1 ms to 1 day",
    );
    let day = Duration::from_secs(86_400);
    check(
        Config { epoch: day + SECOND, ..Config::default() },
        "epoch of 86401s is not from 1 ms to 1 day",
    );
    assert!(Adaptive::new(Config { epoch: day, idle: day, ..Config::default() }, start()).is_ok());
}

#[test]
fn what_outcomes_say_about_the_load() {
    let check = |outcome, expected| assert_eq!(Signal::of(outcome), expected, "{outcome}");
    check(Outcome::Finished(FinishClass::Length), Signal::Good);
    check(Outcome::Finished(FinishClass::InsufficientResource), Signal::Overload);
    check(Outcome::Failed(ErrorClass::of_status(429)), Signal::Overload);
    check(Outcome::Failed(ErrorClass::of_status(503)), Signal::Overload);
    check(Outcome::Failed(ErrorClass::of_status(529)), Signal::Overload);
    check(Outcome::Failed(ErrorClass::of_status(500)), Signal::Neutral);
    check(Outcome::Failed(ErrorClass::QuotaExhausted), Signal::Neutral);
    check(Outcome::Abandoned, Signal::Neutral);
}

/// Calls with a minute each, one a second, at a provider that takes its time.
fn crowd(limit: &mut Adaptive, now: Instant, count: u32) -> Vec<Permit> {
    let admit = |call| {
        let at = now + SECOND * call;
        limit.admit_until(Some(at + 60 * SECOND), at).unwrap()
    };
    (0..count).map(admit).collect()
}

/// A limit of four that knows that answers take five seconds, one after the other.
fn experienced(now: &mut Instant) -> Adaptive {
    let mut limit = Adaptive::new(Config::default(), *now).unwrap();
    converse(&mut limit, now, &[5 * SECOND; 40]);
    assert_eq!((limit.limit(), limit.takes()), (4, Some(10 * SECOND)));
    limit
}

/// A minute each, and for half of it nobody says anything.
fn stalled(now: &mut Instant) -> (Adaptive, Vec<Permit>) {
    let mut limit = experienced(now);
    let permits = crowd(&mut limit, *now, 4);
    *now += 30 * SECOND;
    assert!(limit.admit(*now).is_err());
    assert_eq!(limit.limit(), 1);
    (limit, permits)
}

#[test]
fn who_is_kept_waiting_is_noticed() {
    let check = |first: Option<usize>, waits: u32, expected: u32| {
        let mut now = start();
        let mut limit = experienced(&mut now);
        let mut permits = crowd(&mut limit, now, 4);
        now += SECOND * waits;
        if let Some(first) = first {
            // An answer to one of them.
            limit.release(permits.remove(first), Signal::Good, now);
        }
        let _asked = limit.admit_until(Some(now + 60 * SECOND), now);
        assert_eq!((limit.limit(), limit.cuts()), (expected, 0), "{first:?} {waits}");
    };
    check(None, 29, 4);
    check(None, 30, 1);
    // Who came first was answered: the others have waited as long, or nearly.
    check(Some(0), 32, 2);
    // Who came last was answered: the others are just long.
    check(Some(3), 32, 5);
}

/// The trouble is over and the provider works on what it has: nobody waits for those to be gone.
#[test]
fn answers_to_those_before_give_way_to_more() {
    let mut now = start();
    let (mut limit, permits) = stalled(&mut now);
    let mut limits = vec![];
    for permit in permits {
        now += 5 * SECOND;
        limit.release(permit, Signal::Good, now);
        limits.push(limit.limit());
    }
    // In half a minute six are answered at this pace, and the more of it is seen the more may go.
    assert_eq!(limits, [2, 3, 5, 5]);
    assert!(limit.stall.is_none());
}

#[test]
fn an_answer_to_a_new_call_is_the_end_of_it() {
    let check = |is_alone: bool, takes: u32, expected: u32| {
        let mut now = start();
        let (mut limit, mut permits) = stalled(&mut now);
        now += 60 * SECOND;
        permits.drain(..).for_each(|permit| limit.release(permit, Signal::Neutral, now));
        let mut permit = limit.admit_until(Some(now + 60 * SECOND), now).unwrap();
        assert!(limit.admit(now).is_err(), "one to find out");
        permit.is_alone = is_alone;
        now += SECOND * takes;
        limit.release(permit, Signal::Good, now);
        assert_eq!(limit.limit(), expected, "{is_alone} {takes}");
    };
    check(false, 5, 4);
    check(false, 10, 4);
    check(false, 11, 1);
    // It has waited for nobody of ours: this may be usual now.
    check(true, 25, 4);
}

/// Who would be answered too late leaves the place to others.
#[test]
fn what_an_answer_takes_is_what_the_last_one_took() {
    let mut now = start();
    let (mut limit, mut permits) = stalled(&mut now);
    assert_eq!(limit.takes(), Some(10 * SECOND));
    limit.release(permits.remove(1), Signal::Good, now);
    assert_eq!(limit.takes(), Some(29 * SECOND));
}

/// A limit far above what is in use is no limit, and neither is a part of it. Of a few nothing is too much.
#[test]
fn a_refusal_cuts_what_is_in_use_and_silence_the_limit() {
    let check = |in_flight: usize, is_refused: bool, expected: u32| {
        let mut now = start();
        let mut limit = Adaptive::new(Config::default(), now).unwrap();
        for _ in 0..46 {
            let permits: Vec<_> = (0..limit.limit()).map(|_| limit.admit(now).unwrap()).collect();
            now += SECOND;
            let is_enough = limit.limit() >= 50;
            for permit in permits {
                let signal = if is_enough { Signal::Neutral } else { Signal::Good };
                limit.release(permit, signal, now);
            }
        }
        let before = limit.limit();
        assert!(before >= 50);
        let mut permits: Vec<_> = (0..in_flight).map(|_| limit.admit(now).unwrap()).collect();
        now += SECOND;
        if is_refused {
            limit.release(permits.remove(0), Signal::Overload, now);
        } else {
            limit.overdue(&mut permits[0], now);
        }
        let expected = if expected == 0 { before * 7 / 10 } else { expected };
        assert_eq!((limit.limit(), limit.cuts()), (expected, 1), "{in_flight}, {is_refused}");
    };
    check(20, true, 14);
    check(20, false, 0);
    // As with four, which is where it begins.
    check(1, true, 2);
}

#[test]
fn who_has_all_the_time_may_be_kept_waiting() {
    let mut now = start();
    let mut limit = Adaptive::new(Config::default(), now).unwrap();
    converse(&mut limit, &mut now, &[SECOND; 40]);
    let before = limit.limit();
    let _permits: Vec<_> = (0..4).map(|_| limit.admit(now).unwrap()).collect();
    now += 3600 * SECOND;
    let _full = limit.admit(now);
    assert_eq!(limit.limit(), before);
}
