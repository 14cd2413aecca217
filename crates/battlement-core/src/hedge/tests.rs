use proptest::prelude::*;

use super::*;
use crate::budget::Refused;

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn start() -> Instant {
    Instant::now()
}

fn good() -> Situation {
    Situation { repeatable: true, running: 1, ..Situation::default() }
}

fn generous(start: Instant) -> Budget {
    let config = budget::Config { share: 10.0, reserve: 100.0, ..budget::Config::default() };
    Budget::new(&config, start).unwrap()
}

/// One that has seen a hundred prompts of a thousand tokens, from one second to two.
fn learned(config: Config, start: Instant) -> Hedge {
    let mut hedge = Hedge::new(config, start).unwrap();
    for time in 1..=100 {
        hedge.observe(1000, SECOND + SECOND * time / 100);
    }
    hedge
}

#[test]
fn late_is_later_than_almost_all() {
    let now = start();
    let mut hedge = learned(Config::default(), now);
    let delay = hedge.delay(1000).unwrap();
    assert!(delay >= SECOND * 197 / 100 && delay <= SECOND * 218 / 100, "{delay:?}");
    assert_eq!(hedge.plan(1000, &good(), now), Plan::At(now + delay));
    // Prompts of another size are another matter.
    assert_eq!(hedge.plan(50_000, &good(), now), Plan::Never(Reason::Unlearned));
    (0..49).for_each(|_| hedge.observe(50_000, SECOND / 100));
    assert_eq!(hedge.delay(50_000), None);
    hedge.observe(50_000, SECOND / 100);
    assert_eq!(hedge.delay(50_000), Some(SECOND / 2), "not before the earliest");
    assert!(hedge.delay(1000) == Some(delay) && hedge.delay(u32::MAX).is_none());
    assert!(hedge.delay(2000) == Some(delay) && hedge.delay(2001).is_none());
}

#[test]
fn when_not_to_hedge() {
    let now = start();
    let check = |change: fn(&mut Situation), expected: Option<Reason>| {
        let mut hedge = learned(Config::default(), now);
        let mut situation = good();
        change(&mut situation);
        let planned = match hedge.plan(1000, &situation, now) {
            Plan::At(_) => None,
            Plan::Never(reason) => Some(reason),
        };
        assert_eq!(planned, expected, "{situation:?}");
        let fired = hedge.fire(&situation, &generous(now), 0, now);
        assert_eq!(fired.err(), expected, "{situation:?}");
    };
    check(|_| (), None);
    check(|situation| situation.repeatable = false, Some(Reason::NotRepeatable));
    check(|situation| situation.has_output = true, Some(Reason::HasOutput));
    check(|situation| situation.overloaded = true, Some(Reason::Overloaded));
    check(|situation| situation.headroom = Some(0.19), Some(Reason::Headroom));
    check(|situation| situation.headroom = Some(f64::NAN), Some(Reason::Headroom));
    check(|situation| situation.headroom = Some(0.2), None);
    check(|situation| situation.running = 0, Some(Reason::Running));
    check(|situation| situation.running = 2, Some(Reason::Running));
}

#[test]
fn a_hedge_needs_time_to_be_of_use() {
    let now = start();
    let mut hedge = learned(Config::default(), now);
    let until = |time| Situation { deadline: Deadline::after(time, now), ..good() };
    assert_eq!(hedge.plan(1000, &until(3 * SECOND), now), Plan::Never(Reason::Deadline));
    assert!(matches!(hedge.plan(1000, &until(4 * SECOND), now), Plan::At(_)));
    let late = hedge.fire(&until(SECOND), &generous(now), 0, now + SECOND);
    assert_eq!(late.unwrap_err(), Reason::Deadline);
}

#[test]
fn both_budgets_have_to_agree() {
    let now = start();
    let mut hedge = learned(Config::default(), now);
    let config = budget::Config { reserve: 2.0, ..budget::Config::default() };
    let budget = Budget::new(&config, now).unwrap();
    let before = budget.balance(now);
    let permit = hedge.fire(&good(), &budget, 0, now).unwrap();
    assert_eq!(hedge.fire(&good(), &budget, 0, now).unwrap_err(), Reason::Share);
    hedge.give_back(permit, &budget, now);
    assert_eq!(budget.balance(now), before);
    for _ in 0..2 {
        let _spent = budget.withdraw(Purpose::Hedge, 0, now).unwrap();
    }
    let refused = Reason::Budget(Refused::Attempts);
    assert_eq!(hedge.fire(&good(), &budget, 0, now).unwrap_err(), refused);
    assert!(hedge.fire(&good(), &generous(now), 0, now).is_ok(), "its own share was given back");
    assert_eq!(hedge.fire(&good(), &generous(now), 0, now).unwrap_err(), Reason::Share);
    // Twenty calls earn one, even those that are not hedged themselves.
    for _ in 0..21 {
        let _never = hedge.plan(1000, &Situation::default(), now);
    }
    assert!(hedge.fire(&good(), &generous(now), 0, now).is_ok());
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |change: fn(&mut Config), expected: &str| {
        let mut config = Config::default();
        change(&mut config);
        let found = Hedge::new(config, start());
        let found = found.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected);
    };
    check(|_| (), "");
    let quantile = "a quantile of 1 is not between 0.5 and 0.999";
    check(|config| config.quantile = 1.0, quantile);
    let quantile = "a quantile of NaN is not between 0.5 and 0.999";
    check(|config| config.quantile = f64::NAN, quantile);
    let samples = "49 samples are too few to know the quantile, which takes 50";
    check(|config| config.samples = 49, samples);
    let samples = "50 samples are too few to know the quantile, which takes 1000";
    check(|config| config.quantile = 0.999, samples);
    check(|config| (config.quantile, config.samples) = (0.5, 2), "");
    check(|config| config.attempts = 1, "1 attempts at once are not between 2 and 5");
    check(|config| config.attempts = 6, "6 attempts at once are not between 2 and 5");
    check(|config| config.headroom = 1.5, "a headroom of 1.5 is not between 0 and 1");
    check(|config| config.share = 0.6, "a share of 0.6 is not between 0.001 and 0.5");
}

/// What may happen in a race.
#[derive(Clone, Debug)]
enum Op {
    Join,
    Output(prop::sample::Index),
    Fail(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Join),
        1 => any::<prop::sample::Index>().prop_map(Op::Output),
        2 => any::<prop::sample::Index>().prop_map(Op::Fail),
    ]
}

proptest! {
    /// Everybody wants to hedge all the time.
    #[test]
    fn h1_hedges_stay_within_budget_and_attempts(
        share in 0.001..=0.5_f64,
        budget_share in 0.001..=0.5_f64,
        attempts in 2..=5_u32,
        calls in prop::collection::vec((1..8_u32, 0..1000_u64), 1..200),
    ) {
        let mut now = start();
        let config = Config { share, attempts, ..Config::default() };
        let mut hedge = learned(config, now);
        let config = budget::Config { share: budget_share, ..budget::Config::default() };
        let budget = Budget::new(&config, now).unwrap();
        let (mut firsts, mut hedges) = (0.0, 0.0);
        for (wanted, gap) in calls {
            now += Duration::from_millis(gap);
            budget.deposit(0, now);
            let _at = hedge.plan(1000, &good(), now);
            firsts += 1.0;
            let mut running = 1;
            for _ in 0..wanted {
                let situation = Situation { running, ..good() };
                if hedge.fire(&situation, &budget, 0, now).is_ok() {
                    running += 1;
                    hedges += 1.0;
                }
            }
            prop_assert!(running <= attempts);
            prop_assert!(hedges <= 1.0 + share * firsts);
            prop_assert!(hedges <= 2.0 + budget_share * firsts);
        }
    }

    #[test]
    fn h2_one_winner_and_every_loser_is_named(ops in prop::collection::vec(op(), 0..30)) {
        let (mut race, first) = Race::start();
        let mut running = vec![first];
        let mut winners = 0;
        for op in ops {
            match op {
                Op::Join => {
                    let joined = race.join();
                    prop_assert!(joined.is_none() || winners == 0);
                    running.extend(joined);
                }
                Op::Output(at) if !running.is_empty() => {
                    let contender = running.remove(at.index(running.len()));
                    match race.output(contender) {
                        Output::Won { losers } => {
                            winners += 1;
                            let mut rest: Vec<_> = running.iter().map(Contender::index).collect();
                            rest.sort_unstable();
                            prop_assert_eq!(losers.collect::<Vec<_>>(), rest);
                        }
                        Output::Lost => prop_assert!(race.is_over()),
                    }
                }
                Op::Fail(at) if !running.is_empty() => {
                    let contender = running.remove(at.index(running.len()));
                    let is_last = running.is_empty() && !race.is_over();
                    let expected = if is_last { Failed::All { error: 0 } } else { Failed::Waiting };
                    prop_assert_eq!(race.failed(contender, false), expected);
                }
                Op::Output(_) | Op::Fail(_) => {}
            }
            prop_assert_eq!(race.running() as usize, running.len());
            prop_assert!(winners <= 1);
        }
    }

    #[test]
    fn h3_no_hedge_that_could_do_harm(
        repeatable: bool,
        has_output: bool,
        overloaded: bool,
        headroom in prop::option::of(0.0..1.0_f64),
        running in 0..4_u32,
        left in prop::option::of(0..10_000_u64),
    ) {
        let now = start();
        let mut hedge = learned(Config::default(), now);
        let left = left.map(Duration::from_millis);
        let deadline = left.map_or(Deadline::NEVER, |left| Deadline::after(left, now));
        let situation =
            Situation { repeatable, has_output, overloaded, headroom, running, deadline };
        let harmless = repeatable
            && !has_output
            && !overloaded
            && headroom.is_none_or(|headroom| headroom >= 0.2)
            && running == 1;
        let is_planned = matches!(hedge.plan(1000, &situation, now), Plan::At(_));
        prop_assert!(!is_planned || harmless && left.is_none_or(|left| left > 3 * SECOND));
        let is_fired = hedge.fire(&situation, &generous(now), 0, now).is_ok();
        prop_assert_eq!(is_fired, harmless && left != Some(Duration::ZERO));
    }

    #[test]
    fn h4_the_error_does_not_depend_on_the_order(
        order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
        joined in 1..=5_usize,
        sent: [bool; 5],
    ) {
        let (mut race, first) = Race::start();
        let mut contenders = vec![Some(first)];
        contenders.extend((1..joined).map(|_| race.join()));
        let mut last = Failed::Waiting;
        for index in order.into_iter().filter(|&index| index < joined) {
            prop_assert_eq!(last, Failed::Waiting);
            last = race.failed(contenders[index].take().unwrap(), sent[index]);
        }
        let error = (0..joined).rev().find(|&index| sent[index]).unwrap_or(0);
        prop_assert_eq!(last, Failed::All { error });
    }
}
