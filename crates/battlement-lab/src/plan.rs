//! Which runs are made, and doing them on a few threads.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    experiment::{Experiment, HURRIED, Timing},
    load::Load,
    policy::{Part, Policy},
    report::{Report, Row},
    trigger::Trigger,
    world::World,
};

/// The experiments of a report, to be run.
#[derive(Clone, Debug)]
#[must_use]
pub struct Lab {
    seed: u64,
    is_full: bool,
    experiments: Vec<Experiment>,
    threads: NonZeroUsize,
}

/// There are no three seeds from this one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the full set takes three seeds, and there are no two after {seed}")]
#[non_exhaustive]
pub struct LastSeed {
    /// The first of them.
    pub seed: u64,
}

/// How far a lab has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs that are done.
    pub done: usize,
    /// Runs in all.
    pub all: usize,
    /// Calls that were made in those that are done.
    pub calls: usize,
}

/// The loads of the quick set.
const QUICK: [f64; 2] = [0.5, 0.9];
/// The loads of the full set for this project. Those who are compared with it have the loads of the quick set, or it
/// would take an hour.
const FULL: [f64; 4] = [0.25, 0.5, 0.75, 0.9];

impl Lab {
    /// Enough to see every acceptance figure and every collapse, in less than a minute on two cores.
    pub fn quick(seed: u64) -> Self {
        let mut experiments = Vec::new();
        for world in World::ALL {
            for trigger in Trigger::ALL.into_iter().filter(|trigger| world.knows(*trigger)) {
                for load in QUICK {
                    for policy in ours(world).into_iter().chain([Policy::OncePatient]) {
                        experiments.push(Experiment::new(world, load, trigger, policy, seed));
                    }
                }
            }
        }
        for (world, load, trigger) in SHOWN {
            for policy in Policy::BASELINES {
                experiments.push(Experiment::new(world, load, trigger, policy, seed));
            }
            for part in Part::ALL {
                let policy = Policy::Without(part);
                experiments.push(Experiment::new(world, load, trigger, policy, seed));
            }
            experiments.push(Experiment::new(world, load, trigger, Policy::OursHasty, seed));
        }
        experiments.extend(boundary(&[0.25, 0.35, 0.75], seed));
        Self::of(seed, false, experiments).with_others(&[seed])
    }

    /// Every provider, trigger and policy, and more loads, each with this seed and the two after it.
    ///
    /// # Errors
    ///
    /// When there are no two after it.
    pub fn full(seed: u64) -> Result<Self, LastSeed> {
        let last = seed.checked_add(2).ok_or(LastSeed { seed })?;
        let seeds: Vec<u64> = (seed..=last).collect();
        let mut experiments = Vec::new();
        for seed in seeds.iter().copied() {
            for world in World::ALL {
                for trigger in Trigger::ALL.into_iter().filter(|trigger| world.knows(*trigger)) {
                    for load in FULL {
                        let others = if QUICK.contains(&load) {
                            &Policy::BASELINES[..]
                        } else {
                            &[Policy::OncePatient]
                        };
                        let all = ours(world).into_iter().chain([Policy::OursHasty]);
                        for policy in all.chain(others.iter().copied()) {
                            experiments.push(Experiment::new(world, load, trigger, policy, seed));
                        }
                    }
                }
            }
            for (world, load, trigger) in SHOWN {
                for part in Part::ALL {
                    let policy = Policy::Without(part);
                    experiments.push(Experiment::new(world, load, trigger, policy, seed));
                }
            }
            experiments.extend(boundary(&[0.35, 0.6, 0.8], seed));
        }
        Ok(Self::of(seed, true, experiments).with_others(&seeds))
    }

    pub(crate) fn of(seed: u64, is_full: bool, experiments: Vec<Experiment>) -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        // Some sets name a run that another has.
        let mut distinct: Vec<Experiment> = Vec::with_capacity(experiments.len());
        for experiment in experiments {
            if is_full || !distinct.contains(&experiment) {
                distinct.push(experiment);
            }
        }
        let experiments = distinct;
        Self { seed, is_full, experiments, threads }
    }

    /// On so many threads, instead of one for each core. The results are the same.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Calm weather for comparison, a load that goes up and down, and callers of other kinds.
    fn with_others(mut self, seeds: &[u64]) -> Self {
        let mut calm = Vec::new();
        for experiment in &self.experiments {
            let is_known = calm.iter().any(|known: &Experiment| {
                (known.world, known.load, known.policy, known.seed)
                    == (experiment.world, experiment.load, experiment.policy, experiment.seed)
            });
            if (experiment.policy.is_ours() || experiment.policy == Policy::Once) && !is_known {
                calm.push(Experiment { trigger: Trigger::Calm, ..*experiment });
            }
        }
        self.experiments.extend(calm);
        seeds.iter().for_each(|seed| self.add_others(*seed));
        self
    }

    fn add_others(&mut self, seed: u64) {
        for world in World::ALL {
            for policy in ours(world).into_iter().chain([Policy::Sdk, Policy::Once]) {
                let steps = Experiment::new(world, 1.0, Trigger::Calm, policy, seed);
                let timing = Timing::STEPS;
                self.experiments.push(Experiment { load: Load::UpAndDown, timing, ..steps });
            }
        }
        for load in [Load::Closed(0.9), Load::Agents(0.9), Load::Backlog] {
            for world in [World::Slots, World::SlotsBounded, World::QuotaTold] {
                let trigger = if world.is_quota() { Trigger::Halved } else { Trigger::Quarter };
                for policy in [Policy::Ours, Policy::Sdk, Policy::Once] {
                    let other = Experiment::new(world, 0.9, trigger, policy, seed);
                    self.experiments.push(Experiment { load, ..other });
                }
            }
        }
        for trigger in [Trigger::Quarter, Trigger::Burst] {
            let hurried =
                [Policy::Ours, Policy::Once, Policy::Sdk, Policy::SdkPatient, Policy::Aws];
            for policy in hurried.into_iter().chain([Policy::Without(Part::Concurrency)]) {
                let hurried = Experiment::new(World::Slots, 0.9, trigger, policy, seed);
                self.experiments.push(Experiment { deadline: HURRIED, ..hurried });
            }
        }
        for world in [World::QuotaTold, World::QuotaSilent] {
            for policy in ours(world) {
                let brim = Experiment::new(world, 0.95, Trigger::Calm, policy, seed);
                if !self.experiments.contains(&brim) {
                    self.experiments.push(brim);
                }
            }
        }
    }

    /// How many runs it is.
    pub fn len(&self) -> usize {
        self.experiments.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.experiments.is_empty()
    }

    /// Does all runs, and says after each how far it has come.
    pub fn run(&self, progress: impl Fn(Progress) + Sync) -> Report {
        let next = AtomicUsize::new(0);
        let done = Mutex::new((0, 0, vec![None; self.experiments.len()]));
        thread::scope(|scope| {
            for _thread in 0..self.threads.get() {
                scope.spawn(|| {
                    while let Some((at, experiment)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        self.experiments.get(at).map(|experiment| (at, experiment))
                    } {
                        let row = Row::of(&experiment.run());
                        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                        done.0 += 1;
                        done.1 += row.figures.calls;
                        done.2[at] = Some(row);
                        let now =
                            Progress { done: done.0, all: self.experiments.len(), calls: done.1 };
                        drop(done);
                        progress(now);
                    }
                });
            }
        });
        let (_, _, rows) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        Report {
            seed: self.seed,
            is_full: self.is_full,
            rows: rows.into_iter().flatten().collect(),
        }
    }
}

/// What this project does at such a provider: where a limit is never told, it has to be set, and both are shown.
fn ours(world: World) -> Vec<Policy> {
    match world {
        World::QuotaSilent => vec![Policy::OursLimited, Policy::Ours],
        World::Regions => vec![Policy::OursLimited, Policy::Ours],
        _ => vec![Policy::Ours],
    }
}

/// Where every policy is shown side by side.
pub(crate) const SHOWN: [(World, f64, Trigger); 3] = [
    (World::Slots, 0.75, Trigger::Quarter),
    (World::SlotsBounded, 0.9, Trigger::Quarter),
    (World::QuotaSilent, 0.5, Trigger::Burst),
];

/// From which load on a policy does not recover.
fn boundary(loads: &[f64], seed: u64) -> Vec<Experiment> {
    let (world, trigger) = (World::Slots, Trigger::Quarter);
    let policies = [Policy::Once, Policy::Sdk, Policy::TowerBudget, Policy::Aws, Policy::Ours];
    let mut experiments = Vec::new();
    for load in loads {
        for policy in policies {
            let experiment = Experiment::new(world, *load, trigger, policy, seed);
            let is_shown = SHOWN.contains(&(world, *load, trigger)) && policy != Policy::Ours;
            if !is_shown {
                experiments.push(experiment);
            }
        }
    }
    experiments
}
