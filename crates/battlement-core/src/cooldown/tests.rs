mod properties;

use std::num::NonZeroU32;

use super::*;
use crate::random::Seeded;

const SECOND: Duration = Duration::from_secs(1);
const KEY: [&str; 1] = ["key"];

/// Some moment; core has no clock, and its tests need only one reading of it.
#[expect(clippy::disallowed_methods, reason = "any moment will do, and this is how to get one")]
fn start() -> Instant {
    Instant::now()
}

/// Nothing is drawn.
fn config() -> Config {
    Config { spread: 0.0, ..Config::default() }
}

/// Plays a script against one gate and compares what is answered to each call and question.
///
/// ```text
/// +        a call that succeeds; answered by G go, or by the seconds to wait
/// <        a call that goes on; answered likewise
/// 1 to 9   the oldest that goes on is throttled, with a hint of that many seconds
/// u        the same without a hint
/// s        the oldest that goes on succeeds
/// f        a forced call goes on
/// .        a second passes
/// w        until when? answered by the seconds
/// ```
#[track_caller]
fn check(script: &str, expected: &str) {
    let (mut now, mut random) = (start(), Seeded(1));
    let mut cooldown = Cooldown::new(config()).unwrap();
    let (mut running, mut answers) = (Vec::new(), Vec::new());
    let seconds = |time: Duration| format!("{:.0}", time.as_secs_f64() * 10.0);
    for step in script.chars() {
        match step {
            '+' | '<' => match cooldown.ask(&KEY, now) {
                Admission::Wait(place) => answers.push(seconds(place.at() - now)),
                Admission::Go(pass) => {
                    answers.push("G".to_owned());
                    match step {
                        '+' => _ = cooldown.succeeded(&KEY, &pass, now),
                        _ => running.push(pass),
                    }
                }
            },
            '1'..='9' => {
                let hint = step.to_digit(10).unwrap() * SECOND;
                cooldown.throttled(&KEY[0], &running.remove(0), Some(hint), now, &mut random);
            }
            'u' => {
                cooldown.throttled(&KEY[0], &running.remove(0), None, now, &mut random);
            }
            's' => _ = cooldown.succeeded(&KEY, &running.remove(0), now),
            'f' => running.push(cooldown.force()),
            '.' => now += SECOND,
            'w' => answers.push(seconds(cooldown.when(&KEY, now) - now)),
            ' ' => {}
            _ => panic!("no such step: {step}"),
        }
    }
    assert_eq!(answers.join(" "), expected, "{script}");
}

#[test]
fn a_hint_shuts_the_gate_for_all() {
    check("w+ <4 w .w ...w", "0 G G 40 30 0");
}

#[test]
fn a_shorter_hint_never_shortens_a_longer_one() {
    check("<<< 9w 2w .4w ....w", "G G G 90 90 80 40");
    check("<<< 2w 9w .9w", "G G G 20 90 90");
}

#[test]
fn only_a_success_of_a_later_call_opens_it() {
    check("<< 9 .s w", "G G 80");
    check("< 9 f.s w", "G 0");
    check("< 9 f. 3 w", "G 80");
    // Traffic comes back slowly after that, too.
    check("< 9 f.s +++", "G G 10 16");
    // Those that were forced before the throttle prove nothing.
    check("f< 9 s w", "G 90");
}

#[test]
fn those_who_wait_come_back_one_by_one_and_then_faster() {
    check("<4 <<<<<<<<", "G 40 50 56 60 63 66 68 70");
    // Nobody waited: it begins with the first to come.
    check("<4 ...... ++++", "G G 10 16 20");
    check("<4 .... + . +++", "G G G 6 10");
    // Ten steps later all is as before.
    check("<4 .... ............ ++++", "G G G G G");
}

#[test]
fn a_throttle_on_the_way_back_shuts_it_again() {
    check("<4 .... <3 w", "G G 30");
    check("<4 <<< .... w", "G 40 50 56 20");
}

#[test]
fn without_a_hint_the_wait_doubles_once_for_each_throttle() {
    check("< uw .< uw ..< uw ....< u w", "G 10 G 20 G 40 G 80");
    check("<<<<uuuu w", "G G G G 10");
    // A success begins it anew.
    check("< u . < u .. < s. < u w", "G G G G 10");
}

#[test]
fn a_place_is_kept_until_the_gate_is_shut_again() {
    let (now, mut random) = (start(), Seeded(1));
    let mut cooldown = Cooldown::new(config()).unwrap();
    let first = cooldown.force();
    cooldown.throttled(&"key", &first, Some(SECOND), now, &mut random);
    let Admission::Wait(place) = cooldown.ask(&KEY, now) else { panic!() };
    let Admission::Wait(second) = cooldown.ask(&KEY, now) else { panic!() };
    assert_eq!((place.at(), second.at()), (now + SECOND, now + 2 * SECOND));
    // Not before its time.
    let Admission::Wait(place) = cooldown.redeem(&KEY, place, now) else { panic!() };
    let now = now + SECOND;
    let Admission::Go(pass) = cooldown.redeem(&KEY, place, now) else { panic!() };
    cooldown.throttled(&"key", &pass, Some(5 * SECOND), now, &mut random);
    // The second comes at its time and is sent to the end of the new wait.
    let now = now + SECOND;
    let Admission::Wait(second) = cooldown.redeem(&KEY, second, now) else { panic!() };
    assert_eq!(second.at(), now + 4 * SECOND);
    // Proof that the limit is gone: come back at once.
    let pass = cooldown.force();
    assert!(cooldown.succeeded(&KEY, &pass, now));
    assert!(matches!(cooldown.redeem(&KEY, second, now), Admission::Go(_)));
}

#[test]
fn a_call_goes_when_all_of_its_gates_let_it() {
    let (now, mut random) = (start(), Seeded(1));
    let mut cooldown = Cooldown::new(config()).unwrap();
    let both = ["tokens", "requests"];
    let pass = cooldown.force();
    cooldown.throttled(&"tokens", &pass, Some(4 * SECOND), now, &mut random);
    cooldown.throttled(&"requests", &pass, Some(6 * SECOND), now, &mut random);
    assert_eq!(cooldown.when(&both, now), now + 6 * SECOND);
    assert_eq!(cooldown.when(&both[..1], now), now + 4 * SECOND);
    assert_eq!(cooldown.when(&["other"], now), now);
    let Admission::Wait(place) = cooldown.ask(&both, now) else { panic!() };
    let snapshot = |cooldown: &Cooldown<_>, key| cooldown.snapshot(&key, now).unwrap().booked;
    assert_eq!((snapshot(&cooldown, "tokens"), snapshot(&cooldown, "requests")), (0, 1));
    let now = place.at();
    // Meanwhile the other was shut for longer.
    cooldown.throttled(&"tokens", &cooldown.force(), Some(4 * SECOND), now, &mut random);
    let Admission::Wait(place) = cooldown.redeem(&both, place, now) else { panic!() };
    assert_eq!(place.at(), now + 4 * SECOND);
    assert!(matches!(cooldown.redeem(&both, place, now + 4 * SECOND), Admission::Go(_)));
}

#[test]
fn hints_are_believed_within_bounds_and_spread_upwards() {
    let now = start();
    let check = |hint: u64, low: f64, high: f64| {
        let drawn: Vec<f64> = (0..50)
            .map(|seed| {
                let mut cooldown = Cooldown::new(Config::default()).unwrap();
                let hint = Some(Duration::from_secs(hint));
                let pass = cooldown.force();
                let until = cooldown.throttled(&1, &pass, hint, now, &mut Seeded(seed));
                (until - now).as_secs_f64()
            })
            .collect();
        assert!(drawn.iter().all(|wait| (low..=high).contains(wait)), "{drawn:?}");
        let width = high - low;
        assert!(drawn.iter().any(|wait| *wait < low + width / 4.0));
        assert!(drawn.iter().any(|wait| *wait > high - width / 4.0));
    };
    check(20, 20.0, 22.0);
    check(90, 90.0, 99.0);
    check(600, 600.0, 610.0);
    check(u64::MAX, 3600.0, 3610.0);
}

#[test]
fn a_flood_of_keys_takes_no_more_than_its_room() {
    let (mut now, mut random) = (start(), Seeded(1));
    let limits = Config { keys: NonZeroU32::new(100).unwrap(), ..config() };
    let mut cooldown: Cooldown<u32> = Cooldown::new(limits).unwrap();
    let pass = cooldown.force();
    cooldown.throttled(&u32::MAX, &pass, Some(3000 * SECOND), now, &mut random);
    for key in 0..1000 {
        cooldown.throttled(&key, &pass, Some(60 * SECOND), now, &mut random);
        assert!(cooldown.len() <= 100);
        assert!(cooldown.snapshot(&key, now).is_some());
    }
    assert!(cooldown.snapshot(&u32::MAX, now).is_some(), "the longest is forgotten last");
    // What is over leaves when it is asked for, or when room is needed.
    now += 1000 * SECOND;
    let known: Vec<u32> = (900..1000)
        .filter(|key| cooldown.gates.contains_key(&cooldown.hasher.hash_one(key)))
        .collect();
    let before = cooldown.len();
    assert!(matches!(cooldown.ask(&known[..1], now), Admission::Go(_)));
    assert_eq!(cooldown.len(), before - 1);
    for key in 2000..2100 {
        cooldown.throttled(&key, &pass, Some(60 * SECOND), now, &mut random);
    }
    assert!(cooldown.snapshot(&2099, now).is_some());
}

#[test]
fn room_is_made_by_those_who_open_first() {
    let (now, mut random) = (start(), Seeded(1));
    let limits = Config { keys: NonZeroU32::new(100).unwrap(), ..config() };
    // The waits of a hundred keys in seconds, and who is left when another one comes.
    let mut check = |hint: fn(u32) -> u32, is_left: fn(u32) -> bool| {
        let mut cooldown: Cooldown<u32> = Cooldown::new(limits).unwrap();
        assert!(cooldown.is_empty());
        let pass = cooldown.force();
        for key in 0..100 {
            cooldown.throttled(&key, &pass, Some(hint(key) * SECOND), now, &mut random);
        }
        // Who is known needs no room.
        cooldown.throttled(&99, &cooldown.force(), Some(hint(99) * SECOND), now, &mut random);
        assert_eq!((cooldown.len(), cooldown.is_empty()), (100, false));
        cooldown.throttled(&100, &pass, Some(SECOND), now, &mut random);
        assert_eq!(cooldown.len(), 75);
        let is_kept = |key: u32| cooldown.snapshot(&key, now).is_some();
        assert!((0..=100).filter(|key| is_left(*key)).all(is_kept));
    };
    check(|key| 60 + key, |key| key >= 26);
    check(|_| 60, |key| key == 100);
}

#[test]
fn settings_are_checked() {
    let check = |config: Config, expected: &str| {
        let error = Cooldown::<u8>::new(config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(Config { spread: 1.5, ..config() }, "spread 1.5 is not from 0 to 1");
    check(Config { spread: f64::NAN, ..config() }, "spread NaN is not from 0 to 1");
    check(Config { ramp: Duration::ZERO, ..config() }, "ramp of 0ns is not from 1 ms to 30 days");
    check(
        Config { unhinted: 31 * SECOND, ..config() },
        "longest wait 30s without a hint is shorter than the first, 31s",
    );
    let month = Duration::from_secs(30 * 86_400);
    check(
        Config { longest: month + SECOND, ..config() },
        "longest of 2592001s is not from 1 ms to 30 days",
    );
    let accept = |config: Config| assert!(Cooldown::<u8>::new(config).is_ok(), "{config:?}");
    accept(Config { longest: month, ..config() });
    accept(Config { unhinted: 30 * SECOND, ..config() });
}

#[test]
fn a_queue_knows_every_turn_and_loses_no_place() {
    let (now, mut random) = (start(), Seeded(1));
    let mut cooldown = Cooldown::new(config()).unwrap();
    cooldown.throttled(&KEY[0], &cooldown.force(), Some(4 * SECOND), now, &mut random);
    let turns: Vec<_> = (0..8).map(|ahead| cooldown.when_after(&KEY, ahead, now)).collect();
    assert_eq!(turns[0], now + 4 * SECOND);
    assert_eq!(turns[1], now + 5 * SECOND);
    assert_eq!(turns[7], now + 7 * SECOND);
    let place = |cooldown: &mut Cooldown<_>| match cooldown.ask(&KEY, now) {
        Admission::Wait(place) => place,
        Admission::Go(_) => panic!("it is shut"),
    };

    // The places come as foretold, and the last can be given back.
    let first = place(&mut cooldown);
    let second = place(&mut cooldown);
    assert_eq!([first.at(), second.at()], turns[..2]);
    cooldown.give_back(&KEY, second);
    let second = place(&mut cooldown);
    assert_eq!(second.at(), turns[1]);

    // One in the middle cannot: nobody moves up.
    cooldown.give_back(&KEY, first);
    assert_eq!(cooldown.snapshot(&KEY[0], now).unwrap().booked, 2);
    // Nor one from before another throttle.
    let pass = cooldown.force();
    cooldown.throttled(&KEY[0], &pass, Some(9 * SECOND), now, &mut random);
    let _third = place(&mut cooldown);
    cooldown.give_back(&KEY, second);
    assert_eq!(cooldown.snapshot(&KEY[0], now).unwrap().booked, 1);

    // Whatever is ahead, nobody waits for a gate that is over.
    let later = now + 60 * SECOND;
    assert_eq!(cooldown.when_after(&KEY, 1_000_000, later), later);
}
