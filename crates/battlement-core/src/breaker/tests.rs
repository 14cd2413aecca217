mod properties;
mod registry;

use std::{num::NonZeroU32, time::Duration};

use super::{evidence::upper_tail, *};
use crate::{Code, ErrorClass, FinishClass, Outcome, random::Seeded};

const SECOND: Duration = Duration::from_secs(1);

/// More failures than any breaker here puts up with.
const ENOUGH: usize = 100;

/// Opens for 2, 4, 8, 8, … seconds; one good probe within 5 seconds closes; nothing is held back.
fn config() -> Config {
    Config {
        open: OpenTime { first: 2 * SECOND, growth: 2.0, longest: 8 * SECOND, jitter: 0.0 },
        good_probes: NonZeroU32::MIN,
        half_open_max_age: 5 * SECOND,
        ramp: Duration::ZERO,
        ..Config::default()
    }
}

/// Some moment; core has no clock, and its tests need only one reading of it.
#[expect(clippy::disallowed_methods, reason = "any moment will do, and this is how to get one")]
fn start() -> Instant {
    Instant::now()
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Plays a script and compares what is answered to each call and each question.
///
/// ```text
/// + - x   a call that turns out well, badly, or is given up; answered by A admitted or r rejected
/// <       a call that goes on; answered likewise
/// c s     the oldest that goes on shows its first content, or is overdue
/// g b n   it ends well, badly, or is given up
/// .       a second passes
/// O C R   opened, closed, reset by hand
/// m       the state? answered by C closed, O open, H half-open
/// ```
fn check_with(config: Config, script: &str, expected: &str) {
    let (mut now, mut random) = (start(), Seeded(1));
    let mut breaker = Breaker::new(config, now).unwrap();
    let (mut running, mut answers) = (Vec::new(), String::new());
    for step in script.chars() {
        match step {
            '+' | '-' | 'x' | '<' => match breaker.admit(now, &mut random) {
                Err(_) => answers.push('r'),
                Ok(ticket) => {
                    answers.push('A');
                    match step {
                        '+' => breaker.settle(ticket, Health::Good, now, &mut random),
                        '-' => breaker.settle(ticket, Health::Bad, now, &mut random),
                        'x' => breaker.settle(ticket, Health::Neutral, now, &mut random),
                        _ => running.push(ticket),
                    }
                }
            },
            'c' => breaker.first_content(&mut running[0], now, &mut random),
            's' => breaker.slow(&mut running[0], now, &mut random),
            'g' => breaker.settle(running.remove(0), Health::Good, now, &mut random),
            'b' => breaker.settle(running.remove(0), Health::Bad, now, &mut random),
            'n' => breaker.settle(running.remove(0), Health::Neutral, now, &mut random),
            '.' => now += SECOND,
            'O' => breaker.open(None),
            'C' => breaker.close(now),
            'R' => breaker.reset(now),
            'm' => answers.push(match breaker.mode() {
                Mode::Closed => 'C',
                Mode::Open => 'O',
                Mode::HalfOpen => 'H',
            }),
            ' ' => {}
            _ => panic!("no such step: {step}"),
        }
    }
    assert_eq!(answers, expected.replace(' ', ""), "{script}");
}

fn check(script: &str, expected: &str) {
    check_with(config(), script, expected);
}

#[test]
fn trips_on_evidence_not_on_one_failure() {
    check("-m", "AC");
    check("---m", "AAAC");
    check("----m +", "AAAAO r");
    check("+----m", "AAAAAC");
    check("+-----m", "AAAAAAO");
    // Two of three fail: the more is seen, the surer it is.
    check("+--+--+--m", "AAAAAAAAAC");
    check("+--+--+--+--+--+--+--+--+--m", &("A".repeat(27) + "O"));
    // Half of them fail, which is not more than half.
    check(&"+-".repeat(200), &"A".repeat(400));
    // A tenth is not more than a tenth, however little it takes to be sure.
    let one_in_ten = Config { threshold: 0.1, confidence: 0.5, ..config() };
    check_with(one_in_ten, "++++++++++ -m", "AAAAAAAAAA AC");
    check_with(one_in_ten, "+++++++++ -m", "AAAAAAAAA AC");
    check_with(one_in_ten, "++++++++ -m", "AAAAAAAA AO");
}

#[test]
fn a_row_of_failures_trips_whatever_came_before() {
    check(&("+".repeat(1000) + "-----m"), &("A".repeat(1005) + "O"));
    check(&("+".repeat(1000) + "----+----m"), &("A".repeat(1009) + "C"));
    let off = Config { streak: None, ..config() };
    check_with(off, &("+".repeat(1000) + "-----m"), &("A".repeat(1005) + "C"));
}

#[test]
fn works_at_one_call_in_a_minute() {
    let minute = ".".repeat(60);
    let script = ["+", "+", "+", "-", "-", "-", "-", "-", "m"].join(&minute);
    check(&script, "AAAAAAAAO");
}

#[test]
fn old_successes_fade() {
    let off = Config { streak: None, ..config() };
    let pause = ".".repeat(300);
    check_with(off, &("+".repeat(100) + &pause + "----m"), &("A".repeat(104) + "O"));
    check_with(off, &("+".repeat(100) + "----m"), &("A".repeat(104) + "C"));
}

#[test]
fn the_start_of_a_burst_convicts_nobody() {
    // Of a hundred calls at once, ten fail at once; the others take their time.
    let burst = "<".repeat(100) + &"b".repeat(10) + "m";
    check(&burst, &("A".repeat(100) + "C"));
    // Unless the others fail as well.
    check(&("<".repeat(20) + &"b".repeat(17) + "m"), &("A".repeat(20) + "O"));
}

#[test]
fn a_call_speaks_before_it_ends() {
    check("<<<< snsnsnsn m", "AAAA O");
    check("<<<< sgsgsgsg m", "AAAA C");
    check("<<<< snsnscgs m", "AAAA C");
    check("<<<< cbcbcbcb m", "AAAA O");
    // What it has shown before it was given up stays true.
    check("<<<< cncncncn ---- m", "AAAA AAAA C");
}

#[test]
fn one_probe_at_a_time_and_longer_each_time() {
    check("---- .+", "AAAA r");
    check("---- .. <+ g m", "AAAA Ar C");
    check("---- .. - .... - ........ - ........ + m", "AAAA A A A A C");
    check("---- .. - ...+ .+ m", "AAAA A r A C");
    // In good health again, it begins anew.
    check("---- .. - .... + ---- .. + m", "AAAA A A AAAA A C");
}

#[test]
fn a_probe_is_decided_by_its_first_content() {
    check("---- .. <c m + b m", "AAAA A C A C");
    check("---- .. <s m", "AAAA A O");
    let three = Config { good_probes: number(3), ..config() };
    check_with(three, "---- .. <cn +m+m", "AAAA A AHAC");
    check_with(three, "---- .. <+ c+ g<g m", "AAAA Ar A A C");
    check_with(three, "---- .. <c b m", "AAAA A O");
    let two_at_once = Config { probes: number(2), ..three };
    check_with(two_at_once, "---- .. <<< c<< m", "AAAA AAr Ar H");
}

#[test]
fn a_probe_that_is_given_up_says_nothing() {
    check("---- .. xxx m + m", "AAAA AAA H A C");
}

#[test]
fn a_probe_that_never_ends_does_not_wedge_it() {
    check("---- .. < ....+ .+m .... +m", "AAAA A r rO AC");
    // Its late result is ignored.
    check("---- .. < ....+ .+m g m", "AAAA A r rO O");
    // When nobody is waited for, age does no harm.
    check("---- .. x ........ +m", "AAAA A AC");
}

#[test]
fn results_from_before_the_trip_are_ignored() {
    // Neither closes a half-open circuit, nor opens a closed one.
    check("<< ----- m .. < g m b m g m", "AA AAAAA O A H H C");
}

#[test]
fn traffic_comes_back_slowly() {
    let ramp = Config { ramp: 10 * SECOND, good_probes: number(2), ..config() };
    check_with(ramp, "----....++m", "AAAAAAC");
    // Three may be undecided, and one more with every good answer.
    check_with(ramp, "----..++ <<<< cc <<<", "AAAAAA AAAr AAr");
    check_with(ramp, "----..++ <<<< .......... <<<<<", "AAAAAA AAAr AAAAA");
    // A failure on the way back counts as the same outage: it opens for 4 s.
    check_with(ramp, "----..++ ----m ..+ ..+", "AAAAAA AAAAO r A");
    check_with(ramp, "----..++ .......... ----m ..+", "AAAAAA AAAAO A");
}

#[test]
fn by_hand() {
    check("O m+ .......... +m C +m", "O r r O A C");
    check("O R +m", "AC");
    check("---- m R m +", "AAAA O C A");
    // Resetting a closed one forgets what was counted, and whose calls are out.
    check("--- R - m", "AAA A C");
    check("<<< -- R bbb - m", "AAA AA A C");
    check("---- C +---", "AAAA AAAA");
}

#[test]
fn settings_are_checked() {
    let check = |config: Config, expected: &str| {
        let error = Breaker::new(config, start()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let default = Config::default;
    check(Config { threshold: 0.0, ..default() }, "threshold 0 is not between 0 and 1");
    check(Config { threshold: 1.0, ..default() }, "threshold 1 is not between 0 and 1");
    check(Config { threshold: f64::NAN, ..default() }, "threshold NaN is not between 0 and 1");
    check(Config { confidence: 1.0, ..default() }, "confidence 1 is not from 0.5 to below 1");
    check(Config { confidence: 0.4, ..default() }, "confidence 0.4 is not from 0.5 to below 1");
    check(
        Config { half_life: Duration::ZERO, ..default() },
        "half_life of 0ns is not from 1 ms to 30 days",
    );
    check(
        Config { ramp: Duration::MAX, ..default() },
        "ramp of 18446744073709551615.999999999s is not from 1 ms to 30 days",
    );
    let open = |open: OpenTime| Config { open, ..default() };
    let times = OpenTime::default();
    check(
        open(OpenTime { growth: 0.9, ..times }),
        "growth 0.9 of the open time is not from 1 to 1000",
    );
    check(
        open(OpenTime { jitter: 1.1, ..times }),
        "jitter 1.1 of the open time is not from 0 to 1",
    );
    check(
        open(OpenTime { first: 61 * SECOND, ..times }),
        "longest open time 60s is shorter than the first, 61s",
    );
    let month = Duration::from_secs(30 * 86_400);
    check(
        Config { half_open_max_age: month + SECOND, ..default() },
        "half_open_max_age of 2592001s is not from 1 ms to 30 days",
    );
    let accept = |config: Config| assert!(Breaker::new(config, start()).is_ok(), "{config:?}");
    accept(Config { half_open_max_age: month, ..default() });
    accept(Config { ramp: Duration::ZERO, ..default() });
    accept(open(OpenTime { first: 60 * SECOND, ..times }));
}

#[test]
fn open_times_are_drawn_and_bounded() {
    let began = start();
    let mut drawn = Vec::new();
    for seed in 0..100 {
        let (mut now, mut random) = (began, Seeded(seed));
        let mut breaker = Breaker::new(Config::default(), now).unwrap();
        for expected in [5, 10, 20, 40, 60, 60, 60] {
            for _ in 0..ENOUGH {
                let Ok(ticket) = breaker.admit(now, &mut random) else { break };
                breaker.settle(ticket, Health::Bad, now, &mut random);
            }
            assert_eq!(breaker.mode(), Mode::Open);
            let until = breaker.snapshot(now).until.unwrap();
            let time = until - now;
            assert!(time >= expected * SECOND / 2 && time <= expected * SECOND, "{time:?}");
            drawn.push(time);
            now = until;
        }
    }
    let count = drawn.len();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), count, "no two alike");
}

#[test]
fn a_snapshot_tells_it_all() {
    let (mut now, mut random) = (start(), Seeded(1));
    let began = now;
    let mut breaker = Breaker::new(Config { ramp: 9 * SECOND, ..config() }, now).unwrap();
    let first = breaker.admit(now, &mut random).unwrap();
    breaker.settle(first, Health::Good, now, &mut random);
    for _ in 0..2 {
        let ticket = breaker.admit(now, &mut random).unwrap();
        breaker.settle(ticket, Health::Bad, now, &mut random);
    }
    let _running = breaker.admit(now, &mut random).unwrap();
    now += 30 * SECOND;
    let closed = breaker.snapshot(now);
    assert_eq!(closed.mode.as_str(), "closed");
    assert_eq!((closed.good, closed.bad), (0.5, 1.0));
    assert_eq!((closed.streak, closed.undecided, closed.trips), (2, 1, 0));
    assert_eq!((closed.mode, closed.until, closed.allowed), (Mode::Closed, None, None));
    breaker.open(Some(now + SECOND));
    let open = breaker.snapshot(now);
    assert_eq!(open.mode.as_str(), "open");
    assert_eq!((open.mode, open.generation, breaker.generation()), (Mode::Open, 1, 1));
    assert_eq!(open.until, Some(began + 31 * SECOND));
    now += SECOND;
    let mut probe = breaker.admit(now, &mut random).unwrap();
    assert_eq!(breaker.generation(), 2);
    let half_open = breaker.snapshot(now);
    assert_eq!(half_open.mode.as_str(), "half_open");
    assert_eq!((half_open.mode, half_open.undecided), (Mode::HalfOpen, 1));
    assert_eq!(half_open.until, Some(now + 5 * SECOND));
    breaker.first_content(&mut probe, now, &mut random);
    let back = breaker.snapshot(now);
    assert_eq!((back.mode, back.good, back.bad), (Mode::Closed, 0.0, 0.0));
    assert_eq!((back.allowed, back.until), (Some(2), Some(now + 9 * SECOND)));
    assert_eq!(breaker.snapshot(now + 9 * SECOND).allowed, None);
}

#[test]
fn a_rejection_says_why_and_until_when() {
    let (now, mut random) = (start(), Seeded(1));
    let ramp = Config { ramp: 9 * SECOND, ..config() };
    let mut breaker = Breaker::new(ramp, now).unwrap();
    breaker.open(Some(now + SECOND));
    let open = breaker.admit(now, &mut random).unwrap_err();
    assert_eq!((open.reason, open.until), (Reason::Open, Some(now + SECOND)));
    assert_eq!(open.to_string(), "circuit breaker: open");
    let now = now + SECOND;
    let mut probe = breaker.admit(now, &mut random).unwrap();
    let probing = breaker.admit(now, &mut random).unwrap_err();
    assert_eq!((probing.reason, probing.until), (Reason::Probing, Some(now + 5 * SECOND)));
    breaker.first_content(&mut probe, now, &mut random);
    let _running = [breaker.admit(now, &mut random), breaker.admit(now, &mut random)];
    let returning = breaker.admit(now, &mut random).unwrap_err();
    assert_eq!((returning.reason, returning.until), (Reason::Returning, Some(now + 9 * SECOND)));
    breaker.open(None);
    assert_eq!(breaker.admit(now, &mut random).unwrap_err().until, None);
}

#[test]
fn health_agrees_with_the_failure_atlas() {
    let check = |outcome: Outcome, code: Code| {
        let expected = code.layer().split(", ").any(|layer| layer == "breaker");
        assert_eq!(Health::of(outcome) == Health::Bad, expected, "{outcome}");
    };
    check(Outcome::Failed(ErrorClass::RateLimitRequests), Code::RateLimitRequests);
    check(Outcome::Failed(ErrorClass::RateLimitTokens), Code::RateLimitTokens);
    check(Outcome::Failed(ErrorClass::RateLimitOther), Code::RateLimitOther);
    check(Outcome::Failed(ErrorClass::QuotaExhausted), Code::QuotaExhausted);
    check(Outcome::Failed(ErrorClass::ContextLength), Code::ContextLength);
    check(Outcome::Failed(ErrorClass::Auth), Code::InvalidKey);
    check(Outcome::Failed(ErrorClass::InvalidRequest), Code::InvalidRequest);
    check(Outcome::Failed(ErrorClass::ModelNotReady), Code::ModelNotReady);
    check(Outcome::Failed(ErrorClass::Overloaded), Code::Overloaded);
    check(Outcome::Failed(ErrorClass::ServerError), Code::ServerError);
    check(Outcome::Failed(ErrorClass::Timeout), Code::ProviderTimeout);
    check(Outcome::Failed(ErrorClass::Conflict), Code::Conflict);
    check(Outcome::Finished(FinishClass::InsufficientResource), Code::InsufficientResource);
    check(Outcome::Finished(FinishClass::Aborted), Code::Aborted);
    check(Outcome::Finished(FinishClass::Refusal), Code::Refusal);
    check(Outcome::Finished(FinishClass::GenerationError), Code::GenerationError);
    check(Outcome::Cut, Code::StreamCut);
    check(Outcome::Corrupt, Code::StreamCorrupt);
    check(Outcome::Abandoned, Code::Abandoned);
}

#[test]
fn the_tail_of_beta() {
    #[track_caller]
    fn check(a: f64, b: f64, x: f64, expected: f64) {
        let tail = upper_tail(a, b, x);
        assert!((tail - expected).abs() < 1e-9, "{tail} instead of {expected}");
    }
    // Closed forms: 1 - x^a, (1 - x)^b, and symmetry.
    check(5.0, 1.0, 0.5, 1.0 - 0.5_f64.powi(5));
    check(1.0, 5.0, 0.3, 0.7_f64.powi(5));
    check(2.5, 2.5, 0.5, 0.5);
    check(3000.0, 3000.0, 0.5, 0.5);
    // 1 - 10 x^3 + 15 x^4 - 6 x^5
    check(3.0, 3.0, 0.2, 0.94208);
    check(1e6, 1.0, 0.5, 1.0);
    check(1.0, 1e6, 0.5, 0.0);
    // For whole numbers: the chance of fewer than `a` successes in `a + b - 1` trials.
    let shares: [f64; 11] = [0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999];
    for (a, b) in (1..=30).flat_map(|a| (1..=30).map(move |b| (a, b))) {
        for x in shares {
            let trials = a + b - 1;
            let mut chance = (1.0 - x).powi(trials);
            let mut sum = chance;
            for successes in 1..a {
                let others = f64::from(trials - successes + 1);
                chance *= others / f64::from(successes) * x / (1.0 - x);
                sum += chance;
            }
            check(f64::from(a), f64::from(b), x, sum);
        }
    }
}
