//! The machines of one call and of what all calls may spend on repetitions.

use std::time::{Duration, Instant};

use battlement_core::{
    Code, ErrorClass, Outcome,
    attempts::{Ending, Ledger, Limits, Role},
    backoff::{Backoff, Series, Trouble, Wait},
    budget::{Budget, Config, Purpose},
    deadline::Deadline,
    hedge::{self, Hedge, Plan, Situation},
    lanes::{Lane, Lanes},
    random::{Random, Seeded, Shared},
};
use tower::retry::budget::{Budget as _, TpsBudget};

use super::{Row, Ticks};
use crate::Bench;

pub(super) fn run(bench: &mut Bench) {
    Row::new("random", "a draw").ours("seeded", seeded()).ours("shared", shared()).measure(bench);
    Row::new("backoff", "how long to wait")
        .ours("battlement", backoff(None))
        .ours("battlement, with a hint", backoff(Some(Duration::from_secs(2))))
        .measure(bench);
    Row::new("deadline", "whether there is room for another attempt")
        .ours("battlement", deadline())
        .measure(bench);
    Row::new("attempts", "an attempt begins, or ends")
        .ours("battlement", attempts())
        .measure(bench);
    Row::new("lanes", "until when a call of a lane is of use")
        .ours("battlement", lanes())
        .measure(bench);
    // Theirs reads the clock for itself, so the like of it is a row of ours that does.
    Row::new("budget", "a deposit, or a withdrawal")
        .ours("battlement", budget(Ticks::default()))
        .ours("battlement, reading the clock", budget_by_the_clock())
        .peer("tower TpsBudget", tower_budget())
        .measure(bench);
    Row::new("hedge", "when to send a second attempt")
        .ours("battlement, plan", hedge_plan())
        .ours("battlement, observe", hedge_observe())
        .measure(bench);
}

fn seeded() -> impl FnMut() -> bool + Send {
    let mut random = Seeded(7);
    move || random.unit() < 1.0
}

fn shared() -> impl FnMut() -> bool + Send {
    let random = Shared::new(7);
    move || (&random).unit() < 1.0
}

fn backoff(hint: Option<Duration>) -> impl FnMut() -> bool + Send {
    let (backoff, mut random) = (Backoff::default(), Seeded(7));
    let (mut series, mut trouble) = (Series::default(), Trouble::ALL.into_iter().cycle());
    move || {
        if series.count() == 5 {
            series = Series::default();
        }
        let trouble = trouble.next().unwrap_or(Trouble::Overloaded);
        matches!(backoff.wait(&mut series, trouble, hint, &mut random), Wait::For(_))
    }
}

fn deadline() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let second = Duration::from_secs(1);
    let deadline = Deadline::after(1_000_000 * second, ticks.next());
    move || deadline.within(60 * second, ticks.next()).room(second, second, ticks.now).is_ok()
}

/// Calls of two attempts each.
fn attempts() -> impl FnMut() -> bool + Send {
    let mut ticks = Ticks::default();
    let new = || Ledger::new(Limits::default().tokens(100_000));
    let (mut ledger, mut running) = (new(), None);
    let ending = Ending::Sent {
        outcome: Outcome::Failed(ErrorClass::Overloaded),
        code: Some(Code::Overloaded),
        tokens: Some(10),
    };
    move || match running.take() {
        Some(attempt) => {
            ledger.settle(attempt, ending, ticks.next());
            true
        }
        None => {
            if ledger.attempts() == 2 {
                ledger = new();
            }
            let role = if ledger.attempts() == 0 { Role::First } else { Role::Retry };
            running = ledger.begin(role, None, 4_000, ticks.next()).ok();
            running.is_some()
        }
    }
}

fn lanes() -> impl FnMut() -> bool + Send {
    let (lanes, mut ticks) = (Lanes::default(), Ticks::default());
    let mut lane = Lane::ALL.into_iter().cycle();
    move || {
        let lane = lane.next().unwrap_or_default();
        lanes.deadline(lane, ticks.next()).instant().is_some() && lanes.limits(lane).attempts() > 0
    }
}

/// Deposits in turn with withdrawals that pass.
fn budget(mut ticks: Ticks) -> impl FnMut() -> bool + Send {
    let budget = plenty(ticks.now);
    let mut deposits = false;
    move || {
        deposits = !deposits;
        spend(&budget, deposits, ticks.next())
    }
}

fn budget_by_the_clock() -> impl FnMut() -> bool + Send {
    let budget = plenty(Instant::now());
    let mut deposits = false;
    move || {
        deposits = !deposits;
        spend(&budget, deposits, Instant::now())
    }
}

pub(super) fn plenty(now: Instant) -> Budget {
    Budget::new(&Config { share: 2.0, reserve: 10.0, ..Config::default() }, now)
        .expect("it is in range")
}

pub(super) fn spend(budget: &Budget, deposits: bool, now: Instant) -> bool {
    if deposits {
        budget.deposit(0, now);
        return true;
    }
    budget.withdraw(Purpose::Retry(Trouble::Overloaded), 0, now).is_ok()
}

fn tower_budget() -> impl FnMut() -> bool + Send {
    let budget = TpsBudget::new(Duration::from_secs(10), 10, 2.0);
    let mut deposits = false;
    move || {
        deposits = !deposits;
        spend_of_tower(&budget, deposits)
    }
}

pub(super) fn spend_of_tower(budget: &TpsBudget, deposits: bool) -> bool {
    if deposits {
        budget.deposit();
        return true;
    }
    budget.withdraw()
}

fn learned() -> (Hedge, Ticks) {
    let mut ticks = Ticks::default();
    let mut hedge = Hedge::new(hedge::Config::default(), ticks.next()).expect("it is in range");
    let mut random = Seeded(7);
    for _ in 0..1000 {
        hedge.observe(800, Duration::from_secs_f64(0.3 + 3.0 * random.unit().powi(4)));
    }
    (hedge, ticks)
}

pub(super) fn hedge_plan() -> impl FnMut() -> bool + Send {
    let (mut hedge, mut ticks) = learned();
    let situation = Situation { repeatable: true, running: 1, ..Situation::default() };
    move || matches!(hedge.plan(800, &situation, ticks.next()), Plan::At(_))
}

fn hedge_observe() -> impl FnMut() -> bool + Send {
    let ((mut hedge, _), mut random) = (learned(), Seeded(9));
    move || {
        hedge.observe(800, Duration::from_secs_f64(0.3 + 3.0 * random.unit()));
        true
    }
}
