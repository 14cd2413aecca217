//! The retry budget of tower 0.5.3.

use std::time::{Duration, Instant};

use battlement_core::{
    backoff::Trouble,
    budget::{Budget, Config, Purpose},
};
use tower::retry::budget::{Budget as _, TpsBudget};

/// Ours, at its own time.
struct Ours {
    budget: Budget,
    now: Instant,
}

impl Ours {
    fn new(share: f64, reserve: f64) -> Self {
        let now = Instant::now();
        let config = Config { share, reserve, ..Config::default() };
        Self { budget: Budget::new(&config, now).unwrap(), now }
    }

    fn withdraw(&self) -> bool {
        self.budget.withdraw(Purpose::Retry(Trouble::Overloaded), 0, self.now).is_ok()
    }
}

/// How many retries a hundred calls may make at these shares, with nothing to begin with.
fn check(share: f32, theirs: usize, ours: usize) {
    let budget = TpsBudget::new(Duration::from_secs(10), 0, share);
    (0..100).for_each(|_| budget.deposit());
    assert_eq!((0..200).filter(|_| budget.withdraw()).count(), theirs, "tower at {share}");

    // Ours begins with a reserve that pays for two.
    let budget = Ours::new(share.into(), 2.0);
    (0..100).for_each(|_| budget.budget.deposit(0, budget.now));
    let passed = (0..200).filter(|_| budget.withdraw()).count();
    assert!((ours + 1..=ours + 2).contains(&passed), "ours at {share}: {passed}");
}

#[tokio::test(start_paused = true)]
async fn shares_that_are_cut_to_whole_retries() {
    check(0.1, 10, 10);
    check(0.5, 50, 50);
    check(0.4, 50, 40);
    check(0.7, 100, 70);
    check(0.9, 100, 90);
    check(1.0, 100, 100);
}

#[tokio::test(start_paused = true)]
async fn a_floor_that_is_higher_than_the_traffic() {
    // A call a second, as LLM clients make them, and none succeeds: ten minutes of it.
    let theirs = TpsBudget::new(Duration::from_secs(10), 10, 0.1);
    let mut ours = Ours::new(0.1, 2.0);
    let (mut retried, mut retried_by_ours) = (0, 0);
    for _ in 0..600 {
        tokio::time::advance(Duration::from_secs(1)).await;
        ours.now += Duration::from_secs(1);
        theirs.deposit();
        ours.budget.deposit(0, ours.now);
        // Twice each, if the budget lets it.
        retried += (0..2).filter(|_| theirs.withdraw()).count();
        retried_by_ours += (0..2).filter(|_| ours.withdraw()).count();
    }
    assert_eq!(retried, 1_200, "as if there were no budget");
    // What it begins with, and a tenth.
    assert!((50..=62).contains(&retried_by_ours), "{retried_by_ours}");
}
