//! The acceptance figures: what has to hold, and where it does not.

use serde::Serialize;

use super::{Report, Row};
use crate::{load::Load, policy::Policy, trigger::Trigger, world::World};

/// Something that has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Goal {
    /// From half a minute after the trouble on, 97 of 100 calls are answered.
    After,
    /// Nine of ten are, half a minute after it at the latest.
    Recovery,
    /// A tenth more attempts than calls at most, over the whole run.
    Amplification,
    /// A fifth more in the worst minute.
    Peak,
    /// A tenth more is paid for nothing than without any retry.
    Waste,
    /// During the trouble nine tenths of what is left of the provider are of use.
    Use,
    /// Answers are as quick as they would be without the trouble, by a fifth.
    Latency,
    /// A load that went up and came down is served as on its way up.
    Hysteresis,
    /// At 95 % of a limit that is told, one of a hundred attempts is refused at most.
    Refused,
    /// What should collapse does, so that a collapse would be seen.
    Collapse,
}

impl Goal {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::After,
        Self::Recovery,
        Self::Amplification,
        Self::Peak,
        Self::Waste,
        Self::Use,
        Self::Latency,
        Self::Hysteresis,
        Self::Refused,
        Self::Collapse,
    ];

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::After => "goodput after the trouble",
            Self::Recovery => "recovery, in seconds",
            Self::Amplification => "attempts for each call",
            Self::Peak => "the same in the worst minute",
            Self::Waste => "waste, of that without retries",
            Self::Use => "use of what is left in trouble",
            Self::Latency => "p99, of that without trouble",
            Self::Hysteresis => "goodput lost on the way down",
            Self::Refused => "refused at 95 % of a limit",
            Self::Collapse => "goodput of what should collapse",
        }
    }

    /// The border, and whether a value has to be over it.
    pub const fn border(self) -> (f64, bool) {
        match self {
            Self::After => (0.97, true),
            Self::Recovery => (30.0, false),
            Self::Amplification => (1.10, false),
            Self::Peak => (1.20, false),
            Self::Waste => (1.10, false),
            Self::Use => (0.90, true),
            Self::Latency => (1.20, false),
            Self::Hysteresis => (0.03, false),
            Self::Refused => (0.01, false),
            Self::Collapse => (0.50, false),
        }
    }

    fn holds(self, value: f64) -> bool {
        let (border, over) = self.border();
        if over { value >= border } else { value <= border }
    }
}

/// One figure of one run, next to its border.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What has to hold.
    pub goal: Goal,
    /// Who was called, how often, what went wrong.
    pub place: String,
    /// What the callers did.
    pub policy: &'static str,
    /// The seed of the run.
    pub seed: u64,
    /// What was found; infinite for what never happens.
    #[serde(serialize_with = "finite")]
    pub value: f64,
    /// Whether it holds.
    pub holds: bool,
    /// Why not, if it is known and written down.
    pub reason: Option<&'static str>,
}

/// Figures that are known not to hold, and why, as far as that was found out by taking parts away. One that is
/// missed elsewhere is news.
const KNOWN: [(Goal, &[World], &[Trigger], &str); 7] = [
    (
        Goal::Recovery,
        &[World::Slots, World::SlotsCancelling, World::QuotaSilent],
        &[Trigger::Slow],
        "the adaptive limit takes answers that are ten times as slow for a crowd, and begins anew; without it \
         recovery is 0 s here, and 110 s instead of 10 s where calls are in a hurry and there is one",
    ),
    (
        Goal::Recovery,
        &[World::SlotsBounded],
        &[Trigger::Slow, Trigger::Burst],
        "20 to 60 s, by seed; without the adaptive limit, which is cut at each 529, 20 to 40 s",
    ),
    (
        Goal::Use,
        &[World::QuotaSilent],
        &[Trigger::Halved],
        "refused calls use the limit up, and nothing here finds out a rate that nobody tells",
    ),
    (
        Goal::Use,
        &[World::QuotaSilent],
        &[Trigger::Burst],
        "157 calls may begin in these 30 s, and one takes ten on average: some end after it",
    ),
    (
        Goal::Latency,
        &[World::QuotaSilent],
        &[Trigger::Burst],
        "400 calls wait when it is over, and the limit lets a quarter of a call a second more pass than come: \
         without turning some away that takes longer than the run",
    ),
    (
        Goal::Latency,
        &[World::Regions],
        &[Trigger::Burst, Trigger::Quarter, Trigger::Slow],
        "not looked into; calls that go to the other region find no cache there and are half as long again",
    ),
    (
        Goal::Use,
        &[World::Regions],
        &[Trigger::Quarter],
        "not looked into; calls that go to the other region find no cache there and are half as long again",
    ),
];

fn reason(goal: Goal, row: &Row) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(known, worlds, triggers, _)| {
        *known == goal && worlds.contains(&row.world) && triggers.contains(&row.trigger)
    });
    known.map(|(.., reason)| *reason)
}

/// JSON has no infinity.
fn finite<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    value.is_finite().then_some(*value).serialize(serializer)
}

/// Up to this load figures have to hold.
const MOST: f64 = 0.9;
/// Waste below this is not compared: next to none is next to none.
const NO_WASTE: f64 = 0.01;

/// What has to collapse.
const COLLAPSES: [(World, f64, Trigger, &[Policy]); 2] = [
    (
        World::Slots,
        0.75,
        Trigger::Quarter,
        &[Policy::Sdk, Policy::SdkTwice, Policy::Tower, Policy::TowerBudget],
    ),
    (World::QuotaSilent, 0.5, Trigger::Burst, &[Policy::Sdk, Policy::SdkTwice, Policy::Tower]),
];

impl Report {
    /// Every acceptance figure of every run that it concerns.
    ///
    /// They concern this project as it comes, for callers who have time; where a provider
    /// neither tells its limit nor lets it be found out in time, with that limit set, as the documentation asks for.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for row in &self.rows {
            let mut add = |goal: Goal, value: f64| {
                let (place, policy, seed) = (row.place(), row.policy.as_str(), row.seed);
                let holds = goal.holds(value);
                let reason = reason(goal, row).filter(|_| !holds);
                verdicts.push(Verdict { goal, place, policy, seed, value, holds, reason });
            };
            if is_collapse(row) && !row.is_hurried() {
                add(Goal::Collapse, row.figures.last);
            }
            if row.policy == gated(row.world) {
                self.judge(row, add);
            }
        }
        verdicts
    }

    fn judge(&self, row: &Row, mut add: impl FnMut(Goal, f64)) {
        let figures = &row.figures;
        let lost = row.steps.iter().zip(row.steps.iter().rev()).take(row.steps.len() / 2);
        if let Some(lost) = lost.map(|(up, down)| up - down).max_by(f64::total_cmp) {
            add(Goal::Hysteresis, lost);
        }
        let Load::Open(load) = row.load else { return };
        if row.trigger == Trigger::Calm {
            if load == 0.95 && row.world.is_quota() {
                add(Goal::Refused, figures.refused);
            }
            return;
        }
        if load > MOST || row.is_hurried() {
            return;
        }
        add(Goal::After, figures.after);
        add(Goal::Recovery, figures.recovery.unwrap_or(f64::INFINITY));
        add(Goal::Amplification, figures.amplification);
        add(Goal::Peak, figures.peak);
        if let Some(once) = self.twin(row, Policy::Once, row.trigger) {
            add(Goal::Waste, figures.waste.max(NO_WASTE) / once.figures.waste.max(NO_WASTE));
        }
        if let Some(share) = figures.use_during {
            add(Goal::Use, share);
        }
        if let Some(calm) = self.twin(row, row.policy, Trigger::Calm) {
            add(Goal::Latency, figures.p99_last / calm.figures.p99_last);
        }
    }

    /// The figures that do not hold, with the reason where it is known.
    pub fn misses(&self) -> Vec<Verdict> {
        self.verdicts().into_iter().filter(|verdict| !verdict.holds).collect()
    }
}

/// The policy that has to keep the figures at a provider.
const fn gated(world: World) -> Policy {
    match world {
        World::QuotaSilent | World::Regions => Policy::OursLimited,
        _ => Policy::Ours,
    }
}

fn is_collapse(row: &Row) -> bool {
    COLLAPSES.iter().any(|(world, load, trigger, policies)| {
        (*world, Load::Open(*load), *trigger) == (row.world, row.load, row.trigger)
            && policies.contains(&row.policy)
    })
}
