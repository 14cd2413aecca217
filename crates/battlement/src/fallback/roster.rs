//! The routes there are, how they stand, and the handle that changes it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use battlement_core::{
    budget::Budget,
    fallback::{Choice, Journey, Policy, Standing},
    random,
};
use smallvec::SmallVec;

use super::{Route, Visit};
use crate::{
    call::{Call, Errand},
    events::Event,
};

/// What all calls share.
pub(super) struct Roster {
    pub(super) entries: Vec<Entry>,
    pub(super) choice: Choice,
    pub(super) policy: Policy,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) random: random::Shared,
}

/// A route, and how it stands. What changes does so at any time: calls look once for each choice, and whoever
/// sees half of a change has seen a state that is as good as the others.
pub(super) struct Entry {
    pub(super) route: Route,
    rank: AtomicU32,
    weight: AtomicU32,
    is_on: AtomicBool,
    pub(super) in_flight: AtomicU32,
    /// What attempts are told that could go on to another route, and those that could not.
    passing: Arc<Errand>,
    last: Arc<Errand>,
}

pub(super) type Standings = SmallVec<[Standing; 4]>;

impl Entry {
    pub(super) fn new(route: Route, rank: u32, policy: &Policy) -> Self {
        let errand = |in_place| Arc::new(Errand { route: route.name.clone(), in_place });
        Self {
            rank: AtomicU32::new(rank),
            weight: AtomicU32::new(route.weight),
            is_on: AtomicBool::new(route.is_on),
            in_flight: AtomicU32::new(0),
            passing: errand(Some(policy.stay())),
            last: errand(None),
            route,
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            rank: self.rank.load(Relaxed),
            weight: self.weight.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            is_on: self.is_on.load(Relaxed),
            context: self.route.can.context,
        }
    }

    /// What an attempt is told that goes here.
    pub(super) fn errand(&self, has_next: bool) -> Arc<Errand> {
        if has_next { self.passing.clone() } else { self.last.clone() }
    }
}

impl Roster {
    pub(super) fn standings(&self) -> Standings {
        self.entries.iter().map(Entry::standing).collect()
    }

    /// The next route that can serve a call; notes those that cannot.
    pub(super) fn choose(
        &self,
        call: &Call,
        journey: &mut Journey,
        standings: &Standings,
        trail: &mut Vec<Visit>,
    ) -> Option<usize> {
        loop {
            let next = journey.next(self.choice, standings, &mut &self.random)?;
            let route = &self.entries[next].route;
            let Some(why) = route.unfit(call) else { return Some(next) };
            call.report(&Event::PassedBy { route: &route.name, why: &why });
            trail.push(Visit { route: route.name.clone(), why });
        }
    }

    /// Whether there is another route that could serve a call.
    pub(super) fn has_next(&self, call: &Call, journey: &Journey, standings: &Standings) -> bool {
        let could = |route: usize| {
            journey.is_open(route, standings) && self.entries[route].route.unfit(call).is_none()
        };
        (0..self.entries.len()).any(could)
    }

    fn entry(&self, name: &str) -> Result<&Entry, UnknownRoute> {
        let found = self.entries.iter().find(|entry| *entry.route.name == *name);
        found.ok_or_else(|| UnknownRoute { name: name.into() })
    }
}

/// Changes order, weights and what is on, while calls are made. A clone is another handle for the same.
///
/// Calls that are on their way stay where they are; the next choice of each sees the change.
#[derive(Clone)]
pub struct Handle {
    pub(super) roster: Arc<Roster>,
}

impl Handle {
    /// These first, in this order; then the others, as they were.
    ///
    /// # Errors
    ///
    /// When there is no route of a name; nothing is changed then.
    pub fn order(&self, names: &[impl AsRef<str>]) -> Result<(), UnknownRoute> {
        for name in names {
            self.roster.entry(name.as_ref())?;
        }
        let place = |entry: &Entry| {
            names.iter().position(|name| *name.as_ref() == *entry.route.name).unwrap_or(names.len())
        };
        let mut entries: Vec<&Entry> = self.roster.entries.iter().collect();
        entries.sort_by_key(|entry| (place(entry), entry.rank.load(Relaxed)));
        for (rank, entry) in (0..).zip(entries) {
            entry.rank.store(rank, Relaxed);
        }
        Ok(())
    }

    /// Another share; see [`Route::weight`].
    ///
    /// # Errors
    ///
    /// When there is no route of this name.
    pub fn weight(&self, name: &str, weight: u32) -> Result<(), UnknownRoute> {
        self.roster.entry(name)?.weight.store(weight, Relaxed);
        Ok(())
    }

    /// Is asked from now on, or no longer.
    ///
    /// # Errors
    ///
    /// When there is no route of this name.
    pub fn switch(&self, name: &str, on: bool) -> Result<(), UnknownRoute> {
        self.roster.entry(name)?.is_on.store(on, Relaxed);
        Ok(())
    }

    /// How all routes stand, by order.
    pub fn snapshot(&self) -> Vec<Snapshot> {
        let look = |entry: &Entry| {
            let Standing { rank, weight, in_flight, is_on, .. } = entry.standing();
            let route = entry.route.name.clone();
            (rank, Snapshot { route, weight, in_flight, is_on })
        };
        let mut all: Vec<_> = self.roster.entries.iter().map(look).collect();
        all.sort_by_key(|(rank, _)| *rank);
        all.into_iter().map(|(_, snapshot)| snapshot).collect()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.snapshot()).finish()
    }
}

/// How a route stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    pub route: Arc<str>,
    /// Its share.
    pub weight: u32,
    /// How many calls are on their way, up to the end of their answers.
    pub in_flight: u32,
    /// Whether it is asked.
    pub is_on: bool,
}

/// There is no route of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no route named {name:?}")]
pub struct UnknownRoute {
    /// What was asked for.
    pub name: Box<str>,
}
