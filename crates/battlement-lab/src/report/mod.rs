//! What a lab has found: rows of figures, and what they come to.

mod check;
mod json;
mod plot;
mod table;

pub use check::{Goal, Verdict};

use std::time::Duration;

use crate::{
    experiment::{PATIENT, Run},
    load::Load,
    measure::{Figures, Series},
    plan::SHOWN,
    policy::Policy,
    trigger::Trigger,
    world::World,
};

/// What a lab has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What all chance was drawn from.
    pub seed: u64,
    /// Whether it is the full set.
    pub is_full: bool,
    /// One for each run.
    pub rows: Vec<Row>,
}

/// What one run has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Who was called.
    pub world: World,
    /// How often.
    pub load: Load,
    /// What went wrong.
    pub trigger: Trigger,
    /// What the callers did.
    pub policy: Policy,
    /// What its chance was drawn from.
    pub seed: u64,
    /// For how long an answer was of use.
    pub deadline: Duration,
    /// The figures.
    pub figures: Figures,
    /// What it was like over time, where every policy is shown.
    pub series: Option<Series>,
    /// Goodput in each of the [`STEPS`](crate::STEPS), if the load went up and down.
    pub steps: Vec<f64>,
    /// The same for runs that are the same.
    pub fingerprint: u64,
}

impl Row {
    pub(crate) fn of(run: &Run) -> Self {
        let experiment = run.experiment;
        let is_shown = experiment.deadline == PATIENT
            && SHOWN.into_iter().any(|(world, load, trigger)| {
                (world, Load::Open(load), trigger)
                    == (experiment.world, experiment.load, experiment.trigger)
            });
        Self {
            world: experiment.world,
            load: experiment.load,
            trigger: experiment.trigger,
            policy: experiment.policy,
            seed: experiment.seed,
            deadline: experiment.deadline,
            figures: run.figures(),
            series: is_shown.then(|| run.series()),
            steps: run.steps(),
            fingerprint: run.fingerprint(),
        }
    }

    /// Whether callers had less time than usual.
    pub fn is_hurried(&self) -> bool {
        self.deadline < PATIENT
    }

    /// In words: who was called, how often, and what went wrong.
    pub fn place(&self) -> String {
        let (world, trigger) = (self.world.as_str(), self.trigger.as_str());
        let hurry = if self.is_hurried() { ", in a hurry" } else { "" };
        format!("{world}, {trigger}, load {}{hurry}", self.load.name())
    }
}

impl Report {
    /// The run of this policy under the same conditions, and in this weather.
    fn twin(&self, row: &Row, policy: Policy, trigger: Trigger) -> Option<&Row> {
        self.rows.iter().find(|other| {
            (other.world, other.load, other.trigger, other.policy, other.seed, other.deadline)
                == (row.world, row.load, trigger, policy, row.seed, row.deadline)
        })
    }

    /// How many calls were made in all runs.
    pub fn calls(&self) -> usize {
        self.rows.iter().map(|row| row.figures.calls).sum()
    }
}
