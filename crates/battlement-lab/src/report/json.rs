//! The report for programs.

use serde::Serialize;

use super::{Report, Row, check::Verdict};
use crate::measure::{Figures, Series};

/// Changes when something is renamed or taken away, not when something is added.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    seed: u64,
    set: &'static str,
    calls: usize,
    goals: Vec<Border>,
    verdicts: Vec<Verdict>,
    rows: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Border {
    goal: super::Goal,
    means: &'static str,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

#[derive(Serialize)]
struct Line<'a> {
    provider: &'static str,
    load: String,
    trigger: &'static str,
    policy: &'static str,
    seed: u64,
    deadline_seconds: u64,
    fingerprint: String,
    #[serde(flatten)]
    figures: &'a Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<&'a Series>,
    #[serde(skip_serializing_if = "<[f64]>::is_empty")]
    steps: &'a [f64],
}

impl<'a> Line<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            provider: row.world.as_str(),
            load: row.load.name(),
            trigger: row.trigger.as_str(),
            policy: row.policy.as_str(),
            seed: row.seed,
            deadline_seconds: row.deadline.as_secs(),
            fingerprint: format!("{:016x}", row.fingerprint),
            figures: &row.figures,
            series: row.series.as_ref(),
            steps: &row.steps,
        }
    }
}

impl Report {
    /// The report as JSON. Its fields are told in `docs/lab.md`; `version` is 1.
    pub fn to_json(&self) -> String {
        let border = |goal: super::Goal| {
            let (border, over) = goal.border();
            let (at_least, at_most) = (over.then_some(border), (!over).then_some(border));
            Border { goal, means: goal.as_str(), at_least, at_most }
        };
        let document = Document {
            version: VERSION,
            seed: self.seed,
            set: if self.is_full { "full" } else { "quick" },
            calls: self.calls(),
            goals: super::Goal::ALL.map(border).into(),
            verdicts: self.verdicts(),
            rows: self.rows.iter().map(Line::of).collect(),
        };
        // Plain structs with names for keys cannot fail to be written.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}
