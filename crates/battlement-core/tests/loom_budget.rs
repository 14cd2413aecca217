//! A model of the budget's one word: every interleaving of two threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p battlement-core --test loom_budget`
#![cfg(loom)]

use std::time::{Duration, Instant};

use battlement_core::{
    backoff::Trouble,
    budget::{Budget, Config, Cost, Purpose, Weights},
};
use loom::{sync::Arc, thread};

const RETRY: Purpose = Purpose::Retry(Trouble::Overloaded);

/// One side's part; says how many repetitions it kept.
type Side = fn(&Budget, Instant) -> u32;

/// Runs both sides at once; the right one has read its clock a half-life later.
///
/// With a reserve of 1 and half a repetition per first attempt, there is one repetition at least,
/// and what was kept and what is left are never more than `earned`.
fn check(left: Side, right: Side, earned: f64) {
    let start = start();
    loom::model(move || {
        let weights = Weights { silent: 1.0, ..Weights::default() };
        let config = Config { share: 0.5, reserve: 1.0, weights, ..Config::default() };
        let budget = Arc::new(Budget::new(&config, start).unwrap());
        let other = budget.clone();
        let other = thread::spawn(move || right(&other, start + Duration::from_secs(60)));
        let kept = left(&budget, start) + other.join().unwrap();
        let balance = budget.balance(start).attempts;
        assert!(f64::from(kept) + balance <= earned, "{kept} {balance}");
        assert!(kept >= 1);
    });
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn start() -> Instant {
    Instant::now()
}

fn earn_and_spend(budget: &Budget, now: Instant) -> u32 {
    budget.deposit(100, now);
    spend(budget, now)
}

fn spend(budget: &Budget, now: Instant) -> u32 {
    u32::from(budget.withdraw(RETRY, 1, now).is_ok())
}

fn spend_twice(budget: &Budget, now: Instant) -> u32 {
    spend(budget, now) + spend(budget, now)
}

fn give_back_and_spend(budget: &Budget, now: Instant) -> u32 {
    if let Ok(withdrawal) = budget.withdraw(RETRY, 1, now) {
        budget.give_back(withdrawal, now);
    }
    spend(budget, now)
}

#[test]
fn two_that_earn_and_spend() {
    check(earn_and_spend, earn_and_spend, 2.0);
}

#[test]
fn one_that_only_spends() {
    check(spend_twice, earn_and_spend, 1.5);
}

#[test]
fn one_that_gives_back() {
    check(give_back_and_spend, earn_and_spend, 1.5);
}

/// There is enough for one: the other takes from the first ledger and puts it back.
#[test]
fn a_second_ledger_lets_one_through() {
    let start = start();
    loom::model(move || {
        let cost = Some(Cost { share: 0.001, reserve: 1 });
        let budget = Arc::new(
            Budget::new(&Config { cost, reserve: 2.0, ..Config::default() }, start).unwrap(),
        );
        let other = budget.clone();
        let other = thread::spawn(move || spend(&other, start));
        assert_eq!(spend(&budget, start) + other.join().unwrap(), 1);
        assert_eq!(budget.balance(start).attempts, 1.0);
    });
}
