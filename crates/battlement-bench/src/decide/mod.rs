//! What a decision of each machine costs: alone, with two threads at one machine, and in memory.
//!
//! The machines are given the time and read no clock; peers that read one for themselves stand next
//! to a row of ours that reads it too. What is given back counts as a decision of its own: a
//! reservation that is made and settled is two.

mod calls;
mod contended;
mod limits;
mod memory;
mod outages;

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use crate::{
    Bench,
    harness::{Role, Scenario, Unit, Work},
    report::Goal,
};

pub(crate) fn run(bench: &mut Bench) {
    calls::run(bench);
    limits::run(bench);
    outages::run(bench);
    contended::run(bench);
    memory::run(bench);
}

/// What a decision may take, in nanoseconds.
const GOAL: Goal = Goal::Nanos(100.0);

/// One machine and everybody who does the same.
struct Row<'a> {
    scenario: Scenario<'a, ()>,
}

impl<'a> Row<'a> {
    fn new(machine: &str, title: &str) -> Self {
        let work = Work { bytes: 0, unit: Unit::Decision, units: 1 };
        let scenario = Scenario::new(format!("decide/{machine}"), title, work, &());
        Self { scenario: scenario.goals([GOAL]) }
    }

    /// One of ours; each run is one decision, and tells whether it went as it should.
    fn ours(self, name: &'static str, decide: impl FnMut() -> bool + 'a) -> Self {
        self.with(name, Role::Ours, decide)
    }

    fn peer(self, name: &'static str, decide: impl FnMut() -> bool + 'a) -> Self {
        self.with(name, Role::Peer, decide)
    }

    fn with(self, name: &'static str, role: Role, decide: impl FnMut() -> bool + 'a) -> Self {
        let decide = RefCell::new(decide);
        let run = move |_: &()| (*decide.borrow_mut())();
        Self { scenario: self.scenario.contender(name, role, &true, run) }
    }

    fn measure(self, bench: &mut Bench) {
        if bench.wants(self.scenario.id()) {
            bench.measure(self.scenario);
        }
    }
}

/// A clock that is a number, and goes on by a fixed step.
struct Ticks {
    now: Instant,
    step: Duration,
}

impl Ticks {
    fn new(step: Duration) -> Self {
        Self { now: Instant::now(), step }
    }

    fn next(&mut self) -> Instant {
        self.now += self.step;
        self.now
    }
}

impl Default for Ticks {
    fn default() -> Self {
        Self::new(Duration::from_micros(10))
    }
}
