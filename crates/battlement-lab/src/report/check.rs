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
    /// A tenth more is paid for nothing than without any retry, by callers as patient.
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

/// A figure that is known not to hold somewhere.
struct Known {
    goal: Goal,
    world: World,
    trigger: Trigger,
    load: f64,
    /// The worst that is accepted, with some room over the worst of the seeds 1 to 5.
    worst: f64,
    reason: &'static str,
}

const fn known(
    goal: Goal,
    world: World,
    trigger: Trigger,
    load: f64,
    worst: f64,
    reason: &'static str,
) -> Known {
    Known { goal, world, trigger, load, worst, reason }
}

/// Figures that are known not to hold, how bad they may be, and why, as far as that was found out by looking at the runs
/// and by taking parts away. What is missed elsewhere, or by more, fails the lab. Those that matter most come first.
const KNOWN: [Known; 22] = [
    known(Goal::Recovery, World::SlotsBounded, Trigger::Slow, 0.9, 140.0, CROWDED),
    known(Goal::Recovery, World::Batcher, Trigger::Slow, 0.9, 100.0, CROWDED),
    known(Goal::Waste, World::SlotsBounded, Trigger::Slow, 0.9, 1.3, CROWDED_WASTE),
    known(Goal::Waste, World::Batcher, Trigger::Slow, 0.9, 1.6, CROWDED_WASTE),
    known(Goal::Waste, World::Batcher, Trigger::Burst, 0.9, 1.25, CROWDED_WASTE),
    known(Goal::Use, World::Slots, Trigger::Burst, 0.9, 0.85, SHORT),
    known(Goal::Use, World::SlotsCancelling, Trigger::Burst, 0.9, 0.85, SHORT),
    known(Goal::Use, World::SlotsBounded, Trigger::Burst, 0.5, 0.85, SHORT),
    known(Goal::Use, World::Batcher, Trigger::Burst, 0.9, 0.85, SHORT),
    known(Goal::Use, World::QuotaSilent, Trigger::Burst, 0.5, 0.85, SHORT),
    known(Goal::Use, World::Regions, Trigger::Burst, 0.5, 0.75, SHORT),
    known(Goal::Use, World::Regions, Trigger::Burst, 0.9, 0.75, SHORT),
    known(Goal::Use, World::Regions, Trigger::Quarter, 0.5, 0.85, SIX),
    known(Goal::Use, World::Regions, Trigger::Quarter, 0.9, 0.85, SIX),
    known(Goal::Use, World::QuotaSilent, Trigger::Halved, 0.5, 0.3, UNTOLD),
    known(Goal::Use, World::QuotaSilent, Trigger::Halved, 0.9, 0.5, UNTOLD),
    known(Goal::Latency, World::QuotaSilent, Trigger::Burst, 0.9, 2.1, BACKLOG),
    known(Goal::Latency, World::SlotsBounded, Trigger::Outage, 0.9, 1.4, BACKLOG),
    known(Goal::Latency, World::SlotsBounded, Trigger::Slow, 0.9, 1.3, BACKLOG),
    known(Goal::Latency, World::Regions, Trigger::Quarter, 0.9, 2.4, BACKLOG),
    known(Goal::Latency, World::Regions, Trigger::Burst, 0.9, 2.4, BACKLOG),
    known(Goal::Latency, World::Regions, Trigger::Slow, 0.9, 2.4, BACKLOG),
];

const CROWDED: &str = "480 calls and more wait when it is over, 96 s of all capacity, and a tenth of it is left over for \
                       them. It is used to the full from the first second on; answers take 70 to 100 s of the \
                       180 s, and of the 20 processes those to which more calls came by chance answer less than \
                       nine of ten for one or two minutes. In 9 of 20 seeds at the short queue, in 4 at the batcher";
const CROWDED_WASTE: &str =
    "0.9 to 1.5 % of what is paid: attempts that a limit of time or the deadline ends in the crowd";
const SHORT: &str = "150 calls can be answered in these 30 s, and one takes ten on average and up to two minutes: what ends \
                     a little later, or a few that are long, are a tenth of that";
const SIX: &str = "a quarter of 25 slots are 6 here, 96 % of what is counted, and the 130 calls that end in these two \
                   minutes are longer or shorter by a tenth";
const UNTOLD: &str =
    "refused calls use the limit up, and nothing here finds out a rate that nobody tells";
const BACKLOG: &str = "400 calls wait when it is over, and half a call a second more passes than comes, at the silent quota a \
                       quarter of one: without turning some away that takes up to half an hour";

fn reason(goal: Goal, row: &Row, value: f64) -> Option<&'static str> {
    let (_, over) = goal.border();
    let known = KNOWN.iter().find(|known| {
        (known.goal, known.world, known.trigger) == (goal, row.world, row.trigger)
            && Load::Open(known.load) == row.load
            && !row.is_hurried()
            && if over { value >= known.worst } else { value <= known.worst }
    });
    known.map(|known| known.reason)
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
                let reason = if holds { None } else { reason(goal, row, value) };
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
        if let Some(once) = self.twin(row, Policy::OncePatient, row.trigger) {
            add(Goal::Waste, figures.waste.max(NO_WASTE) / once.figures.waste.max(NO_WASTE));
        }
        if let Some(share) = figures.use_during {
            add(Goal::Use, share);
        }
        if let Some(calm) = self.twin(row, row.policy, Trigger::Calm) {
            add(Goal::Latency, figures.p99_last / calm.figures.p99_last);
        }
    }

    /// The figures that do not hold, those first whose reason is known and that are no worse than that; and the goals that
    /// no run was held to, since what is not looked at does not hold.
    pub fn misses(&self) -> Vec<Verdict> {
        let verdicts = self.verdicts();
        let is_judged = |goal: &Goal| verdicts.iter().any(|verdict| verdict.goal == *goal);
        let unseen = Goal::ALL.into_iter().filter(|goal| !is_judged(goal)).map(|goal| Verdict {
            goal,
            place: "no run".to_owned(),
            policy: "nobody",
            seed: self.seed,
            value: f64::NAN,
            holds: false,
            reason: None,
        });
        let unseen: Vec<Verdict> = unseen.collect();
        let missed = verdicts.into_iter().filter(|verdict| !verdict.holds);
        let mut misses: Vec<Verdict> = missed.chain(unseen).collect();
        misses.sort_by_key(|miss| miss.reason.is_none());
        misses
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
