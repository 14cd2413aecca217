//! Which route is next.

use std::cmp::Ordering;

use super::Then;
use crate::random::Random;

/// How many routes one call may choose from.
pub const MOST_ROUTES: usize = 64;

/// Which of the routes that are left is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// The first by order.
    #[default]
    Ordered,
    /// One that is drawn, as often as its weight is of the sum of all.
    Weighted,
    /// The one with the fewest calls on their way, for its weight; the first by order of several.
    LeastLoaded,
}

/// How a route stands at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Standing {
    /// Its place in the order, from zero.
    pub rank: u32,
    /// Its share; a route without is asked when no other is left.
    pub weight: u32,
    /// How many calls are on their way.
    pub in_flight: u32,
    /// Whether it is asked at all.
    pub is_on: bool,
    /// How many tokens its window has, if that is known.
    pub context: Option<u64>,
}

impl Standing {
    /// A route with nothing to do, of weight 1.
    pub const fn new(rank: u32) -> Self {
        Self { rank, weight: 1, in_flight: 0, is_on: true, context: None }
    }

    /// Whether less of it is taken than of the other.
    fn by_load(&self, other: &Self) -> Ordering {
        let without = (self.weight == 0).cmp(&(other.weight == 0));
        let load = |one: &Self, other: &Self| u64::from(one.in_flight) * u64::from(other.weight);
        without.then(load(self, other).cmp(&load(other, self))).then(self.rank.cmp(&other.rank))
    }
}

/// Where one call has been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Journey {
    /// One bit for each route that was asked, or is not to be.
    seen: u64,
    /// Only a larger window than this will do.
    larger_than: Option<u64>,
}

impl Journey {
    /// The next route, which counts as asked from now on. `None` if there is none left.
    pub fn next(
        &mut self,
        choice: Choice,
        routes: &[Standing],
        random: &mut (impl Random + ?Sized),
    ) -> Option<usize> {
        let open = || (0..routes.len()).filter(|&route| self.is_open(route, routes));
        let by_rank = || open().min_by_key(|&route| routes[route].rank);
        let next = match choice {
            Choice::Ordered => by_rank(),
            Choice::LeastLoaded => open().min_by(|&a, &b| routes[a].by_load(&routes[b])),
            Choice::Weighted => {
                let sum: u64 = open().map(|route| u64::from(routes[route].weight)).sum();
                // A draw is below one, so that the last route with a weight is found at the latest.
                let mut drawn = (random.unit().clamp(0.0, 1.0) * sum as f64) as u64;
                let drawn = open().filter(|&route| routes[route].weight > 0).find(|&route| {
                    let weight = u64::from(routes[route].weight);
                    let found = drawn < weight;
                    drawn = drawn.saturating_sub(weight);
                    found
                });
                drawn.or_else(by_rank)
            }
        }?;
        self.pass_by(next);
        Some(next)
    }

    /// A route is not to be asked: it cannot do what is asked for.
    pub fn pass_by(&mut self, route: usize) {
        self.seen |= 1 << route.min(MOST_ROUTES - 1);
    }

    /// The route that was asked has failed, and this is to be done; its window, if that is known, and
    /// otherwise the size of the prompt, tell what is larger.
    pub fn failed(&mut self, then: Then, context: Option<u64>, asked: u64) -> Then {
        if then == Then::Larger {
            self.larger_than = self.larger_than.max(context.or(Some(asked)));
        }
        then
    }

    /// Whether a route may still be asked.
    pub fn is_open(&self, route: usize, routes: &[Standing]) -> bool {
        let is_seen = route >= MOST_ROUTES || self.seen & (1 << route) != 0;
        let is_larger = || match self.larger_than {
            None => true,
            Some(least) => routes[route].context.is_some_and(|context| context > least),
        };
        !is_seen && routes[route].is_on && is_larger()
    }
}
