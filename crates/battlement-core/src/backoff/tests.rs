use proptest::prelude::*;

use super::*;
use crate::{ErrorClass, FinishClass, Outcome, random::Seeded};

const SECOND: Duration = Duration::from_secs(1);
const JITTERS: [Jitter; 4] =
    [Jitter::Full, Jitter::Decorrelated, Jitter::Equal, Jitter::Proportional(0.25)];

/// Always the same draw.
struct Fixed(f64);

impl Random for Fixed {
    fn unit(&mut self) -> f64 {
        self.0
    }
}

fn with(jitter: Jitter) -> Backoff {
    Backoff::new(Config { jitter, ..Config::default() }).unwrap()
}

/// The waits in milliseconds when every draw is the same.
fn waits(jitter: Jitter, draw: f64, trouble: Trouble) -> Vec<u128> {
    let backoff = with(jitter);
    let mut series = Series::default();
    let next = |_| match backoff.wait(&mut series, trouble, None, &mut Fixed(draw)) {
        Wait::For(wait) => wait.as_millis(),
        Wait::TooLong(_) => unreachable!(),
    };
    (0..7).map(next).collect()
}

#[test]
fn waits_grow_to_the_cap() {
    let check = |jitter, draw, expected: [u128; 7]| {
        assert_eq!(waits(jitter, draw, Trouble::Overloaded), expected, "{jitter:?} {draw}");
    };
    check(Jitter::Full, 1.0, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    check(Jitter::Full, 0.25, [250, 500, 1000, 2000, 4000, 7500, 7500]);
    check(Jitter::Full, 0.0, [0; 7]);
    check(Jitter::Equal, 0.0, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    check(Jitter::Equal, 1.0, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    check(Jitter::Decorrelated, 0.0, [1000; 7]);
    check(Jitter::Decorrelated, 1.0, [3000, 9000, 27_000, 30_000, 30_000, 30_000, 30_000]);
    check(Jitter::Decorrelated, 0.5, [2000, 3500, 5750, 9125, 14_187, 15_500, 15_500]);
    check(Jitter::Proportional(0.5), 0.0, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    check(Jitter::Proportional(0.5), 1.0, [1500, 3000, 6000, 12_000, 24_000, 30_000, 30_000]);
}

#[test]
fn each_trouble_has_its_pace() {
    let check = |trouble, first, last| {
        let waits = waits(Jitter::Full, 1.0, trouble);
        assert_eq!((waits[0], waits[6]), (first, last), "{trouble}");
    };
    check(Trouble::Unsent, 50, 2000);
    check(Trouble::RateLimit, 1000, 60_000);
    check(Trouble::Overloaded, 1000, 30_000);
    check(Trouble::Broken, 250, 10_000);
    check(Trouble::Silent, 0, 0);
}

#[test]
fn a_hint_is_a_floor_with_jitter_upwards() {
    let check = |hint, draw, expected| {
        let mut series = Series::default();
        let wait =
            with(Jitter::Full).wait(&mut series, Trouble::Overloaded, Some(hint), &mut Fixed(draw));
        assert_eq!(wait, expected, "{hint:?} {draw}");
    };
    check(4 * SECOND, 0.0, Wait::For(4 * SECOND));
    check(4 * SECOND, 0.5, Wait::For(6 * SECOND));
    check(100 * SECOND, 1.0, Wait::For(130 * SECOND)); // Spread over the cap at most.
    check(120 * SECOND, 0.0, Wait::For(120 * SECOND));
    check(121 * SECOND, 0.0, Wait::TooLong(121 * SECOND));
    check(Duration::MAX, 1.0, Wait::TooLong(Duration::MAX));
    check(Duration::from_millis(1), 1.0, Wait::For(SECOND)); // Not shorter than our own.
}

#[test]
fn a_hint_does_not_stretch_our_own_waits() {
    let (backoff, mut series) = (with(Jitter::Decorrelated), Series::default());
    let mut wait = |hint| backoff.wait(&mut series, Trouble::Overloaded, hint, &mut Fixed(1.0));
    assert_eq!(wait(Some(20 * SECOND)), Wait::For(40 * SECOND));
    assert_eq!(wait(None), Wait::For(9 * SECOND));
}

#[test]
fn a_series_counts_what_was_waited() {
    let (backoff, mut series) = (with(Jitter::Full), Series::default());
    let mut count = |hint| {
        let _wait = backoff.wait(&mut series, Trouble::Overloaded, hint, &mut Fixed(1.0));
        series.count()
    };
    assert_eq!([count(None), count(Some(SECOND)), count(None)], [1, 2, 3]);
    assert_eq!(count(Some(121 * SECOND)), 3, "nobody waits for what is too long");
}

#[test]
fn a_whole_second_keeps_its_fractions() {
    let mut random = Seeded(5);
    let backoff = with(Jitter::Full);
    let mut wait = || backoff.wait(&mut Series::default(), Trouble::Overloaded, None, &mut random);
    let in_whole_seconds = |wait| matches!(wait, Wait::For(wait) if wait.subsec_nanos() == 0);
    assert!(!(0..1000).any(|_| in_whole_seconds(wait())));
}

#[test]
fn every_outcome_has_its_trouble() {
    let failed = |class| Trouble::of(Outcome::Failed(class));
    let finished = |class| Trouble::of(Outcome::Finished(class));
    for class in ErrorClass::ALL {
        assert_eq!(failed(class).is_some(), class.is_transient(), "{class}");
    }
    assert_eq!(failed(ErrorClass::RateLimitRequests), Some(Trouble::RateLimit));
    assert_eq!(failed(ErrorClass::RateLimitOther), Some(Trouble::RateLimit));
    assert_eq!(failed(ErrorClass::ModelNotReady), Some(Trouble::Overloaded));
    assert_eq!(failed(ErrorClass::Timeout), Some(Trouble::Broken));
    for class in FinishClass::ALL.into_iter().filter(|class| class.is_success()) {
        assert_eq!(finished(class), None, "{class}");
    }
    assert_eq!(finished(FinishClass::Length), None);
    assert_eq!(finished(FinishClass::ContentFilter), None);
    assert_eq!(finished(FinishClass::InsufficientResource), Some(Trouble::Overloaded));
    assert_eq!(finished(FinishClass::Aborted), Some(Trouble::Broken));
    assert_eq!(Trouble::of(Outcome::Cut), Some(Trouble::Broken));
    assert_eq!(Trouble::of(Outcome::Corrupt), Some(Trouble::Broken));
    assert_eq!(Trouble::of(Outcome::Abandoned), None);
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |change: fn(&mut Config), expected: &str| {
        let mut config = Config::default();
        change(&mut config);
        let found = Backoff::new(config).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected);
    };
    check(|_| (), "");
    check(|config| config.jitter = Jitter::Proportional(1.0), "");
    let share = "a jitter of 0 is not over 0 and at most 1";
    check(|config| config.jitter = Jitter::Proportional(0.0), share);
    let share = "a jitter of 1.5 is not over 0 and at most 1";
    check(|config| config.jitter = Jitter::Proportional(1.5), share);
    let share = "a jitter of NaN is not over 0 and at most 1";
    check(|config| config.jitter = Jitter::Proportional(f64::NAN), share);
    let pace = "a wait from 2s to 1s after `broken` is out of order or out of range";
    check(|config| config.paces.broken = Pace::millis(2000, 1000), pace);
    let pace = "a wait from 0ns to 1s after `unsent` is out of order or out of range";
    check(|config| config.paces.unsent = Pace::millis(0, 1000), pace);
    let pace = "a wait from 1s to 3601s after `unsent` is out of order or out of range";
    check(|config| config.paces.unsent = Pace { base: SECOND, cap: LONGEST + SECOND }, pace);
    check(|config| config.paces.unsent = Pace { base: SECOND, cap: LONGEST }, "");
    let patience = "a patience of 3601s is longer than an hour";
    check(|config| config.patience = LONGEST + SECOND, patience);
    check(|config| config.patience = LONGEST, "");
}

/// χ² over twenty bins: 43.8 is exceeded by one in a thousand uniform sources.
#[test]
fn r3_full_jitter_is_uniform() {
    let mut random = Seeded(42);
    let backoff = with(Jitter::Full);
    let mut bins = [0_u32; 20];
    for _ in 0..10_000 {
        let wait = backoff.wait(&mut Series::default(), Trouble::Overloaded, None, &mut random);
        let Wait::For(wait) = wait else { unreachable!() };
        bins[((wait.as_secs_f64() * 20.0) as usize).min(19)] += 1;
    }
    let square = |count: u32| (f64::from(count) - 500.0).powi(2) / 500.0;
    let chi_squared: f64 = bins.into_iter().map(square).sum();
    assert!(chi_squared < 43.8, "{chi_squared}: {bins:?}");
}

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::Full),
        Just(Jitter::Decorrelated),
        Just(Jitter::Equal),
        (0.001..=1.0).prop_map(Jitter::Proportional),
    ]
}

fn pace() -> impl Strategy<Value = Pace> {
    (1..100_000_u64, 0..100_000_u64).prop_map(|(base, more)| Pace::millis(base, base + more))
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop::sample::select(&Trouble::ALL[..])
}

proptest! {
    /// Whatever failed before, and however often.
    #[test]
    fn r3_a_wait_of_our_own_stays_within_the_cap(
        jitter in jitter(),
        pace in pace(),
        seed: u64,
        troubles in prop::collection::vec(trouble(), 1..60),
    ) {
        let paces = Paces { broken: pace, ..Paces::default() };
        let backoff =
            Backoff::new(Config { jitter, paces: paces.clone(), ..Config::default() }).unwrap();
        let (mut series, mut random) = (Series::default(), Seeded(seed));
        for trouble in troubles {
            let Wait::For(wait) = backoff.wait(&mut series, trouble, None, &mut random) else {
                panic!("nobody asked");
            };
            prop_assert!(wait <= paces.get(trouble).cap);
            if jitter == Jitter::Decorrelated {
                prop_assert!(wait >= paces.get(trouble).base);
            }
        }
    }

    #[test]
    fn r2_never_earlier_than_the_provider_asks(
        jitter in jitter(),
        seed: u64,
        steps in prop::collection::vec((trouble(), prop::option::of(0..200_000_u64)), 1..40),
    ) {
        let backoff = with(jitter);
        let (mut series, mut random) = (Series::default(), Seeded(seed));
        for (trouble, hint) in steps {
            let hint = hint.map(Duration::from_millis);
            match (backoff.wait(&mut series, trouble, hint, &mut random), hint) {
                (Wait::For(wait), Some(hint)) => {
                    prop_assert!(wait >= hint);
                    prop_assert!(hint <= 120 * SECOND);
                }
                (Wait::For(_), None) => {}
                (Wait::TooLong(asked), hint) => {
                    prop_assert_eq!(Some(asked), hint);
                    prop_assert!(asked > 120 * SECOND);
                }
            }
        }
    }

    /// tower's requests all wait for exactly the same times.
    #[test]
    fn two_calls_never_share_a_sequence(seed: u64, which in 0..JITTERS.len()) {
        let backoff = with(JITTERS[which]);
        let mut random = Seeded(seed);
        let mut sequence = || {
            let mut series = Series::default();
            [(); 3].map(|()| backoff.wait(&mut series, Trouble::Broken, None, &mut random))
        };
        prop_assert_ne!(sequence(), sequence());
    }
}
