use std::thread;

use proptest::prelude::*;

use super::*;
use crate::backoff::Trouble;

const SECOND: Duration = Duration::from_secs(1);
const RETRY: Purpose = Purpose::Retry(Trouble::Overloaded);

/// More repetitions than any test here can earn.
const NEVER_ENDING: u32 = 100_000;

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn start() -> Instant {
    Instant::now()
}

/// All weights 1.
fn flat() -> Weights {
    Weights { rate_limit: 1.0, silent: 1.0, ..Weights::default() }
}

fn budget(share: f64, reserve: f64, start: Instant) -> Budget {
    let half_life = 60 * SECOND;
    let config = Config { share, reserve, half_life, weights: flat(), ..Config::default() };
    Budget::new(&config, start).unwrap()
}

/// How many repetitions there are when each of `calls` fails for good, so many seconds apart.
fn spent(budget: &Budget, start: Instant, calls: u32, apart: Duration) -> u32 {
    let mut count = 0;
    for call in 0..calls {
        let now = start + apart * call;
        budget.deposit(0, now);
        while budget.withdraw(RETRY, 0, now).is_ok() {
            count += 1;
            assert!(count < NEVER_ENDING, "it never refuses");
        }
    }
    count
}

#[test]
fn works_at_any_rate() {
    let check = |per_second: f64| {
        let start = start();
        let budget = budget(0.1, 2.0, start);
        let apart = Duration::from_secs_f64(1.0 / per_second);
        let count = spent(&budget, start, 1001, apart);
        assert_eq!(count, 102, "{per_second}");
    };
    check(0.01);
    check(0.1);
    check(10.0);
    check(10_000.0);
}

/// A healthy hour, then a second in which everything fails.
#[test]
fn a_burst_may_spend_what_a_minute_has_earned() {
    let check = |per_second: u32, expected: std::ops::RangeInclusive<u32>| {
        let start = start();
        let budget = budget(0.1, 2.0, start);
        let calls = per_second * 900;
        let apart = SECOND / per_second;
        for call in 0..calls {
            budget.deposit(0, start + apart * call);
        }
        let now = start + apart * calls;
        let may = |_: &u32| budget.withdraw(RETRY, 0, now).is_ok();
        let count = (0..NEVER_ENDING).take_while(may).count() as u32;
        assert!(expected.contains(&count), "{per_second}: {count}");
    };
    check(1, 10..=11);
    check(10, 82..=92);
    check(100, 820..=910);
}

#[test]
fn weights_count() {
    let now = start();
    let count = |purpose| {
        let weights = Weights { rate_limit: 0.35, silent: 2.0, ..Weights::default() };
        let config = Config { reserve: 3.5, weights, ..Config::default() };
        let budget = Budget::new(&config, now).unwrap();
        (0..NEVER_ENDING).take_while(|_| budget.withdraw(purpose, 0, now).is_ok()).count()
    };
    assert_eq!(count(Purpose::Retry(Trouble::RateLimit)), 10);
    assert_eq!(count(Purpose::Retry(Trouble::Silent)), 1);
    assert_eq!(count(RETRY), 3);
    assert_eq!(count(Purpose::Hedge), 3);
    for (position, purpose) in Purpose::ALL.into_iter().enumerate() {
        assert_eq!(purpose.index(), position);
    }
}

#[test]
fn both_ledgers_have_to_agree() {
    let now = start();
    let cost = Some(Cost { share: 0.1, reserve: 1000 });
    let config = Config { cost, reserve: 2.0, weights: flat(), ..Config::default() };
    let budget = Budget::new(&config, now).unwrap();
    assert_eq!(budget.withdraw(RETRY, 1001, now).unwrap_err(), Refused::Cost);
    let full = Balance { attempts: 2.0, cost: Some(1000.0) };
    assert_eq!(budget.balance(now), full, "a refusal takes nothing from either");
    let both = budget.withdraw(RETRY, 1000, now).unwrap();
    assert_eq!(budget.balance(now), Balance { attempts: 1.0, cost: Some(0.0) });
    assert_eq!(budget.withdraw(RETRY, 1, now).unwrap_err(), Refused::Cost);
    budget.deposit(50, now);
    assert_eq!(budget.balance(now).cost, Some(5.0 - 1.0 / 1024.0), "rounded down");
    budget.give_back(both, now);
    assert!(budget.balance(now).cost.unwrap() > 1004.9);
    assert_eq!(budget.withdraw(RETRY, u64::MAX, now).unwrap_err(), Refused::Cost);
    budget.deposit(u64::MAX, now);
    assert!(budget.balance(now).cost.unwrap() <= (MOST_COST + 1) as f64);
}

#[test]
fn half_of_the_excess_is_forgotten_in_a_half_life() {
    let start = start();
    let budget = budget(1.0, 2.0, start);
    (0..32).for_each(|_| budget.deposit(0, start));
    let check = |seconds: u32, expected: f64| {
        let found = budget.balance(start + seconds * SECOND).attempts;
        assert!((found - expected).abs() < 1e-5, "{seconds}: {found}");
    };
    check(0, 34.0);
    check(60, 18.0);
    check(120, 10.0);
    check(600, 2.031_25);
    check(u32::MAX, 2.0);
}

#[test]
fn what_is_above_the_most_is_not_kept() {
    let now = start();
    let cost = Some(Cost { share: 1.0, reserve: MOST_COST });
    let budget = Budget::new(&Config { cost, ..Config::default() }, now).unwrap();
    for _ in 0..3 {
        budget.deposit(MOST_COST, now);
        let most = budget.balance(now).cost.unwrap();
        assert!(most >= MOST_COST as f64 && most < (MOST_COST + 1) as f64, "{most}");
    }
    assert_eq!(budget.balance(now + 3600 * SECOND).cost, Some(MOST_COST as f64));
}

/// Two threads read their clocks, and the later one comes first.
#[test]
fn an_earlier_clock_forgets_nothing() {
    let start = start();
    let budget = budget(1.0, 2.0, start);
    (0..32).for_each(|_| budget.deposit(0, start + 60 * SECOND));
    assert_eq!(budget.balance(start).attempts, 34.0);
    budget.deposit(0, start);
    assert_eq!(budget.balance(start + 60 * SECOND).attempts, 35.0);
}

#[test]
fn a_clock_that_jumps_and_returns_stops_nothing() {
    let start = start();
    let budget = budget(1.0, 2.0, start);
    let year = 365 * 24 * 3600 * SECOND;
    budget.deposit(0, start + year);
    (0..100).for_each(|_| budget.deposit(0, start));
    assert!(budget.balance(start).attempts <= 103.0);
    assert!(budget.balance(start + 6000 * SECOND).attempts < 2.1);
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |change: fn(&mut Config), expected: &str| {
        let mut config = Config::default();
        change(&mut config);
        let found = Budget::new(&config, start());
        let found = found.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected);
    };
    check(|_| (), "");
    check(|config| config.share = 10.0, "");
    check(|config| config.share = 0.0, "a share of 0 is not between 0.001 and 10");
    check(|config| config.share = 20.0, "a share of 20 is not between 0.001 and 10");
    check(|config| config.share = f64::NAN, "a share of NaN is not between 0.001 and 10");
    let cost = "a share of 11 is not between 0.001 and 10";
    check(|config| config.cost = Some(Cost { share: 11.0, reserve: 1 }), cost);
    let cost = "a cost reserve of 0 is not between 1 and 134217727";
    check(|config| config.cost = Some(Cost { share: 0.1, reserve: 0 }), cost);
    let cost = "a cost reserve of 134217728 is not between 1 and 134217727";
    check(|config| config.cost = Some(Cost { share: 0.1, reserve: MOST_COST + 1 }), cost);
    check(|config| config.cost = Some(Cost { share: 0.1, reserve: MOST_COST }), "");
    check(|config| config.reserve = 101.0, "a reserve of 101 is not between 0.01 and 100");
    let weight = "a weight of 2 for Retry(Silent) is not between 0.01 and the reserve of 1";
    check(|config| config.weights.silent = 2.0, weight);
    let weight = "a weight of 0 for Hedge is not between 0.01 and the reserve of 1";
    check(|config| config.weights.hedge = 0.0, weight);
    let half_life = "a half-life of 9s is not between ten seconds and an hour";
    check(|config| config.half_life = 9 * SECOND, half_life);
    check(|config| config.half_life = 10 * SECOND, "");
}

/// tower's budget makes 100 % of 60 % and 50 % of 40 %.
#[test]
fn b4_the_share_is_kept_to_a_thousandth() {
    let check = |share: f64, calls: u32| {
        let start = start();
        let count = spent(&budget(share, 1.0, start), start, calls, Duration::ZERO) - 1;
        let expected = share * f64::from(calls);
        let wrong = (f64::from(count) - expected).abs() / expected;
        assert!(wrong <= 0.001, "{share}: {count} of {calls}");
    };
    check(0.001, 2_000_000);
    check(0.003, 700_000);
    check(0.01, 200_000);
    for share in [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.9] {
        check(share, 20_000);
    }
    check(1.0, 2000);
    check(3.3, 2000);
    check(10.0, 2000);
}

/// Loops over the slots of a gap would take years here.
#[test]
fn b5_a_gap_takes_no_longer_than_none() {
    let start = start();
    let budget = budget(10.0, 1.0, start);
    let mut now = start;
    for gap in 0..100_000_u64 {
        budget.deposit(0, now);
        now += Duration::from_secs(gap * 3600);
        assert!(budget.balance(now).attempts >= 1.0);
    }
}

#[test]
fn b1_threads_never_overdraw_and_lose_nothing() {
    let start = start();
    let budget = budget(0.25, 2.0, start);
    let work = || {
        let count = |_| {
            budget.deposit(0, start);
            u32::from(budget.withdraw(RETRY, 0, start).is_ok())
        };
        (0..20_000).map(count).sum::<u32>()
    };
    let withdrawn: u32 = thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(work));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let earned = 2.0 + 60_000.0 * 0.25;
    assert_eq!(f64::from(withdrawn) + budget.balance(start).attempts, earned);
}

#[derive(Clone, Debug)]
enum Op {
    First,
    Repeat(usize),
    GiveBack,
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::First),
        4 => (0..Purpose::COUNT).prop_map(Op::Repeat),
        1 => Just(Op::GiveBack),
        2 => (0..200_000_u64).prop_map(Op::Wait),
    ]
}

/// One thing that happened, in repetitions: earned is positive, spent negative.
struct Event {
    tick: u64,
    change: f64,
}

/// The most that can be in the ledger before the event at `at`: the reserve, and every earlier
/// deposit as far as it is not forgotten.
fn most_before(events: &[Event], at: usize, reserve: f64) -> f64 {
    let kept = |event: &Event| {
        let ticks = (events[at].tick - event.tick) as f64;
        event.change * (-ticks / TICKS_PER_HALF_LIFE as f64).exp2()
    };
    reserve + events[..at].iter().filter(|event| event.change > 0.0).map(kept).sum::<f64>()
}

proptest! {
    #[test]
    fn b1_no_interval_spends_more_than_balance_and_share(
        share in 0.001..=10.0_f64,
        reserve in 2.0..10.0_f64,
        ops in prop::collection::vec(op(), 0..80),
    ) {
        let start = start();
        let config = Config { share, reserve, ..Config::default() };
        let budget = Budget::new(&config, start).unwrap();
        let (mut now, mut events, mut unused) = (start, Vec::<Event>::new(), Vec::new());
        for op in ops {
            let change = match op {
                Op::First => {
                    budget.deposit(0, now);
                    share
                }
                Op::Repeat(purpose) => match budget.withdraw(Purpose::ALL[purpose], 0, now) {
                    Ok(withdrawal) => {
                        let weight = config.weights.get(Purpose::ALL[purpose]);
                        unused.push((weight, withdrawal));
                        -weight
                    }
                    Err(_) => continue,
                },
                Op::GiveBack => match unused.pop() {
                    Some((weight, withdrawal)) => {
                        budget.give_back(withdrawal, now);
                        weight
                    }
                    None => continue,
                },
                Op::Wait(millis) => {
                    now += Duration::from_millis(millis);
                    continue;
                }
            };
            events.push(Event { tick: budget.ticks(now), change });
        }
        for from in 0..events.len() {
            let most = most_before(&events, from, reserve);
            let mut net = 0.0;
            for event in &events[from..] {
                net += event.change;
                prop_assert!(-net <= most + 1e-3, "{net} {most}");
            }
        }
    }

    /// Every call fails, and is repeated as long as the budget lets it.
    #[test]
    fn b2_amplification_is_bounded_at_any_rate(
        share in 0.001..=2.0_f64,
        reserve in 1.0..5.0_f64,
        calls in 1..2000_u32,
        nanos in prop_oneof![0..1_000_000_u64, 0..100_000_000_000_u64],
    ) {
        let start = start();
        let budget = budget(share, reserve, start);
        let repetitions = spent(&budget, start, calls, Duration::from_nanos(nanos));
        let calls = f64::from(calls);
        let amplification = 1.0 + f64::from(repetitions) / calls;
        prop_assert!(amplification <= 1.0 + share + reserve / calls + 1e-9);
        // And it is a share, not a ban.
        prop_assert!(f64::from(repetitions) >= (share * calls * 0.999 + reserve).floor() - 1.0);
    }

    #[test]
    fn b3_idle_time_earns_nothing(
        share in 0.001..=10.0_f64,
        deposits in 0..200_u32,
        withdrawals in 0..200_u32,
        gap in 0..10_000_000_000_000_u64,
    ) {
        let start = start();
        let budget = budget(share, 2.0, start);
        (0..deposits).for_each(|_| budget.deposit(0, start));
        for _ in 0..withdrawals {
            let _refused_too = budget.withdraw(RETRY, 0, start);
        }
        let before = budget.balance(start).attempts;
        let later = start + Duration::from_millis(gap);
        prop_assert!(budget.balance(later).attempts <= before);
        // Not by being used afterwards either.
        budget.deposit(0, later);
        prop_assert!(budget.balance(later).attempts <= before + share);
    }
}
