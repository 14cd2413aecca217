//! Who calls, and how often.

use std::time::Duration;

use battlement_core::random::{Random, Seeded};
use battlement_sim::capacity::{Job, work::until_next};

use crate::{
    experiment::{PROCESSES, Timing},
    policy::derived,
    trigger::Trigger,
    world::{MEAN, Sizes, World},
};

/// Who calls, and how often. A load of 1 is all that the provider can do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Load {
    /// Calls come by themselves, whatever becomes of those before (a Poisson process).
    Open(f64),
    /// People who read an answer for ten seconds and then ask the next; as many as make this load.
    Closed(f64),
    /// Agents that do chains of ten steps, try a step three times, and begin the next chain at once.
    Agents(f64),
    /// A backlog of ten thousand items that 400 workers take one by one; what failed is taken up again, later
    /// each time.
    Backlog,
    /// Open, and the load goes up in steps from 0.3 to 1.1 and down again.
    UpAndDown,
}

impl Load {
    /// Its name in tables and files.
    pub fn name(self) -> String {
        match self {
            Self::Open(load) => format!("{load:.2}"),
            Self::Closed(load) => format!("people {load:.2}"),
            Self::Agents(load) => format!("agents {load:.2}"),
            Self::Backlog => "backlog".into(),
            Self::UpAndDown => "up and down".into(),
        }
    }

    /// How much it is, of what the provider can do; as far as that can be said.
    pub const fn amount(self) -> f64 {
        match self {
            Self::Open(load) | Self::Closed(load) | Self::Agents(load) => load,
            Self::Backlog | Self::UpAndDown => 1.0,
        }
    }

    /// What those who are there all the time do.
    pub(crate) fn people(self, world: World) -> Option<People> {
        let rate = world.capacity() * self.amount();
        match self {
            Self::Open(_) | Self::UpAndDown => None,
            Self::Closed(_) => Some(People {
                count: (rate * (MEAN + 10.0)).round() as usize,
                pause: Duration::from_secs(10),
                kind: Kind::Person,
            }),
            Self::Agents(_) => Some(People {
                count: (rate * (MEAN + 1.0)).round() as usize,
                pause: Duration::from_secs(1),
                kind: Kind::Agent,
            }),
            Self::Backlog => Some(People { count: 400, pause: Duration::ZERO, kind: Kind::Batch }),
        }
    }
}

/// The steps of [`Load::UpAndDown`], and how long each lasts.
pub const STEPS: [f64; 11] = [0.3, 0.5, 0.7, 0.8, 0.9, 1.1, 0.9, 0.8, 0.7, 0.5, 0.3];
/// How long each of the [`STEPS`] lasts.
pub const STEP: Duration = Duration::from_secs(240);

/// How many items are in a backlog.
pub(crate) const ITEMS: usize = 10_000;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Person,
    Agent,
    Batch,
}

/// Those who are there all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct People {
    pub(crate) count: usize,
    pub(crate) pause: Duration,
    pub(crate) kind: Kind,
}

/// A call that comes by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Duration,
    pub(crate) process: usize,
    pub(crate) job: Job,
}

/// All calls that come by themselves: the same for every policy.
pub(crate) fn arrivals(
    load: Load,
    world: World,
    trigger: Trigger,
    timing: Timing,
    sizes: &Sizes,
    seed: u64,
) -> Vec<Arrival> {
    let amount = |at: Duration| match load {
        Load::UpAndDown => {
            let step = at.as_secs() / STEP.as_secs();
            STEPS.get(step as usize).copied().unwrap_or(STEPS[0])
        }
        Load::Open(load) if trigger == Trigger::Burst && timing.is_wrong(trigger, at) => load * 4.0,
        other => other.amount(),
    };
    if load.people(world).is_some() {
        return Vec::new();
    }
    let mut random = Seeded(derived(seed, 11));
    let mut jobs = Seeded(derived(seed, 12));
    // Drawn at the highest rate and thinned, so that the rate may change at any time.
    let most = 4.4 * world.capacity();
    let mut at = Duration::ZERO;
    let mut arrivals = Vec::new();
    loop {
        at += until_next(most, &mut random);
        let (chance, process) = (random.unit(), random.unit());
        if at >= timing.horizon {
            return arrivals;
        }
        if chance * most < amount(at) * world.capacity() {
            let process = (process * PROCESSES as f64) as usize;
            arrivals.push(Arrival { at, process, job: world.draw(sizes, &mut jobs) });
        }
    }
}
