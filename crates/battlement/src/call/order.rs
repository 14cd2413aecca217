//! In which order the layers belong, and what an order breaks that is another one.
//!
//! Tower lets one stack layers in any order, and most orders run. Some of them quietly undo what a layer
//! is for: a limit outside of the retry never sees the second attempt. The types cannot tell, but a
//! call can: it knows which layers it has come through. See [`Misordered`].

use std::fmt;

/// The place of a layer, from the outside to the inside. Complete but for layers to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// [`call`](crate::call)
    Call,
    /// [`telemetry`](crate::telemetry)
    Telemetry,
    /// [`degrade`](crate::degrade)
    Degrade,
    /// `cache`, with the feature of that name
    Cache,
    /// `single_flight`, with the feature `cache`
    SingleFlight,
    /// `repair`, with the feature `json-schema`
    Repair,
    /// [`continuation`](crate::continuation)
    Continuation,
    /// [`fallback`](crate::fallback)
    Fallback,
    /// [`deadline`](crate::deadline)
    Deadline,
    /// [`preflight`](crate::preflight)
    Preflight,
    /// [`context`](crate::context)
    Context,
    /// [`retry`](crate::retry)
    Retry,
    /// [`hedge`](crate::hedge)
    Hedge,
    /// [`retry_after`](crate::retry_after)
    RetryAfter,
    /// [`rate_limit`](crate::rate_limit)
    RateLimit,
    /// [`breaker`](crate::breaker)
    Breaker,
    /// [`concurrency`](crate::concurrency)
    Concurrency,
    /// [`timeout`](crate::timeout)
    Timeout,
    /// [`finish`](crate::finish)
    Finish,
    /// [`observe`](crate::observe)
    Observe,
}

impl Place {
    /// Every place, in the order that keeps every promise.
    pub const ALL: [Self; 20] = [
        Self::Call,
        Self::Telemetry,
        Self::Degrade,
        Self::Cache,
        Self::SingleFlight,
        Self::Repair,
        Self::Continuation,
        Self::Fallback,
        Self::Deadline,
        Self::Preflight,
        Self::Context,
        Self::Retry,
        Self::Hedge,
        Self::RetryAfter,
        Self::RateLimit,
        Self::Breaker,
        Self::Concurrency,
        Self::Timeout,
        Self::Finish,
        Self::Observe,
    ];

    /// The name of the module.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Telemetry => "telemetry",
            Self::Degrade => "degrade",
            Self::Cache => "cache",
            Self::SingleFlight => "single_flight",
            Self::Repair => "repair",
            Self::Continuation => "continuation",
            Self::Fallback => "fallback",
            Self::Deadline => "deadline",
            Self::Preflight => "preflight",
            Self::Context => "context",
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::RetryAfter => "retry_after",
            Self::RateLimit => "rate_limit",
            Self::Breaker => "breaker",
            Self::Concurrency => "concurrency",
            Self::Timeout => "timeout",
            Self::Finish => "finish",
            Self::Observe => "observe",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Two layers whose order breaks a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{outer}` is outside of `{inner}`: {why}")]
#[non_exhaustive]
pub struct Misordered {
    /// The layer that is outside.
    pub outer: Place,
    /// The layer that is inside.
    pub inner: Place,
    /// What does not work.
    pub why: &'static str,
}

/// Outer, inner, and why not.
const WRONG: &[(Place, Place, &str)] = &[
    (
        Place::Fallback,
        Place::Telemetry,
        "each route is a call of its own, and nobody sees that they are one",
    ),
    (
        Place::Deadline,
        Place::Telemetry,
        "calls that ran out of time look as if their caller had gone away",
    ),
    (Place::Retry, Place::Telemetry, "only the first attempt is told of"),
    (Place::Hedge, Place::Telemetry, "only one of two attempts is told of"),
    (Place::Deadline, Place::Repair, "the deadline ends an attempt, and not the call"),
    (Place::Preflight, Place::Repair, "what is asked again is not looked through"),
    (Place::Context, Place::Repair, "what is asked again is not shortened"),
    (Place::Retry, Place::Repair, "each attempt is repaired by itself"),
    (Place::Hedge, Place::Repair, "each of two attempts is repaired by itself"),
    (Place::RateLimit, Place::Repair, "what is asked again is not counted against the limits"),
    (Place::Breaker, Place::Repair, "what is asked again goes out while it is open"),
    (Place::Concurrency, Place::Repair, "two attempts run in one place, one after the other"),
    (Place::Timeout, Place::Repair, "the limits of one attempt run over all of them"),
    (Place::Finish, Place::Repair, "what is asked again is passed on however it ends"),
    (
        Place::Cache,
        Place::Degrade,
        "an answer of last resort is stored, and given again when all is well",
    ),
    (
        Place::SingleFlight,
        Place::Degrade,
        "an answer of last resort is shared by all who ask the same",
    ),
    (
        Place::Repair,
        Place::Degrade,
        "an answer of last resort is taken for one that is to be repaired",
    ),
    (Place::Fallback, Place::Degrade, "the first route gives less than the next one would"),
    (Place::Deadline, Place::Degrade, "nothing is given when the time of a call is over"),
    (
        Place::Retry,
        Place::Degrade,
        "an answer of last resort comes before the call was tried again",
    ),
    (Place::Hedge, Place::Degrade, "an answer of last resort wins over one that is only late"),
    (Place::Finish, Place::Degrade, "nothing is given instead of an answer that is not passed on"),
    (Place::Retry, Place::Fallback, "each attempt goes through all routes again"),
    (Place::RetryAfter, Place::Fallback, "the wait that one route asks for holds up the others"),
    (Place::RateLimit, Place::Fallback, "the limits of one route hold for all of them"),
    (Place::Breaker, Place::Fallback, "a route that fails turns calls away from the others"),
    (Place::Concurrency, Place::Fallback, "the places of one route are taken by all of them"),
    (
        Place::Hedge,
        Place::Fallback,
        "second attempts go over all routes, and the first keeps its own",
    ),
    (Place::Timeout, Place::Fallback, "a silent route uses up the time of the next one"),
    (
        Place::Finish,
        Place::Fallback,
        "an answer that is not passed on does not go to the next route",
    ),
    (Place::Preflight, Place::Fallback, "a request is refused that a route would have changed"),
    (
        Place::Fallback,
        Place::Continuation,
        "what breaks off on one route is not finished by another",
    ),
    (Place::Context, Place::Continuation, "what a further round adds is not made to fit"),
    (Place::Retry, Place::Continuation, "what is tried again is all rounds, and not one of them"),
    (Place::Hedge, Place::Continuation, "each of two attempts is continued by itself"),
    (
        Place::RetryAfter,
        Place::Continuation,
        "further rounds go out before the provider's wait is over",
    ),
    (Place::RateLimit, Place::Continuation, "further rounds are not counted against the limits"),
    (
        Place::Breaker,
        Place::Continuation,
        "further rounds go out while it is open, and do not count",
    ),
    (Place::Timeout, Place::Continuation, "the limits of one attempt run over all rounds"),
    (
        Place::Finish,
        Place::Continuation,
        "an answer that is not passed on has been continued in vain",
    ),
    (
        Place::SingleFlight,
        Place::Cache,
        "what a call joins may be an answer that is kept, and each looks for it",
    ),
    (
        Place::Deadline,
        Place::SingleFlight,
        "a call that others have joined ends with the time of the first",
    ),
    (
        Place::Fallback,
        Place::Cache,
        "an answer is kept by the route that gave it, and not found by another",
    ),
    (
        Place::Fallback,
        Place::SingleFlight,
        "calls are joined on each route, and not on the way over them",
    ),
    (Place::Retry, Place::Cache, "an answer that is kept is looked for in each attempt"),
    (
        Place::Retry,
        Place::SingleFlight,
        "calls that have joined one are each tried again by themselves",
    ),
    (Place::Hedge, Place::Cache, "an answer from memory teaches the hedge what is late"),
    (Place::Hedge, Place::SingleFlight, "the second attempt joins the first"),
    (
        Place::RetryAfter,
        Place::Cache,
        "an answer that is kept waits for a provider that is not called",
    ),
    (
        Place::RetryAfter,
        Place::SingleFlight,
        "calls wait for a provider that only one of them calls",
    ),
    (Place::RateLimit, Place::Cache, "an answer that is kept is charged to the limits"),
    (
        Place::RateLimit,
        Place::SingleFlight,
        "each call that joins another is charged to the limits",
    ),
    (Place::Breaker, Place::Cache, "an open circuit turns calls away whose answers are kept"),
    (Place::Breaker, Place::SingleFlight, "one failure counts once for each call that has joined"),
    (Place::Concurrency, Place::Cache, "an answer that is kept waits for a place"),
    (
        Place::Concurrency,
        Place::SingleFlight,
        "each call that joins another takes a place of its own",
    ),
    (Place::RateLimit, Place::Preflight, "what is refused has waited for its turn"),
    (Place::Concurrency, Place::Preflight, "what is refused has waited for its turn"),
    (Place::RetryAfter, Place::Preflight, "what is refused has waited for its turn"),
    (Place::Retry, Place::Context, "a shorter conversation is sent again in each attempt"),
    (Place::RateLimit, Place::Context, "what is left out is charged to the limits"),
    (Place::Finish, Place::Context, "an answer that says that it is too long is not passed on"),
    (Place::RetryAfter, Place::Retry, "second attempts go out before the provider's wait is over"),
    (Place::RateLimit, Place::Retry, "second attempts are not counted against the limits"),
    (Place::Breaker, Place::Retry, "only last attempts count, and retries go on while it is open"),
    (Place::Concurrency, Place::Retry, "a call holds its permit while it waits to be tried again"),
    (Place::Timeout, Place::Retry, "the limits of one attempt run over all of them and the waits"),
    (Place::Finish, Place::Retry, "an answer that is not passed on is not tried again"),
    (Place::Hedge, Place::Retry, "each of two attempts is tried again by itself"),
    (Place::Hedge, Place::Deadline, "the deadline ends an attempt, and not the call"),
    (Place::RetryAfter, Place::Hedge, "second attempts go out before the provider's wait is over"),
    (Place::RateLimit, Place::Hedge, "second attempts are not counted against the limits"),
    (Place::Breaker, Place::Hedge, "second attempts go out while it is open, and do not count"),
    (Place::Concurrency, Place::Hedge, "two attempts run in one place"),
    (Place::Timeout, Place::Hedge, "the limits of one attempt run over both of them"),
    (Place::Finish, Place::Hedge, "an answer that is of no use wins, and is not passed on"),
    (Place::Retry, Place::Deadline, "the deadline ends an attempt, and not the call"),
    (Place::Breaker, Place::RetryAfter, "a call holds the place of a probe while it waits"),
    (Place::Breaker, Place::RateLimit, "a call holds the place of a probe while it waits"),
    (Place::Concurrency, Place::RetryAfter, "a call holds its permit while it waits"),
    (Place::Concurrency, Place::RateLimit, "a call holds its permit while it waits"),
    (Place::Timeout, Place::RetryAfter, "waiting in line counts as silence of the provider"),
    (Place::Timeout, Place::RateLimit, "waiting in line counts as silence of the provider"),
    (Place::Timeout, Place::Concurrency, "waiting in line counts as silence of the provider"),
    (Place::Timeout, Place::Breaker, "the breaker does not learn of the silence"),
];

/// The layers that a call has come through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed(pub(super) u32);

impl Passed {
    /// With one more; and what is wrong about its coming now.
    pub(super) fn with(self, place: Place) -> (Self, Option<Misordered>) {
        // Whoever comes through for the second time is in a stack within a stack, in the same order.
        let wrong = WRONG_OUTSIDE[place as usize] & self.0 != 0 && !self.has(place);
        let misordered = if wrong { self.wrong(place) } else { None };
        (Self(self.0 | place.bit()), misordered)
    }

    #[cold]
    fn wrong(self, place: Place) -> Option<Misordered> {
        let row = WRONG.iter().find(|(outer, inner, _)| *inner == place && self.has(*outer))?;
        Some(Misordered { outer: row.0, inner: row.1, why: row.2 })
    }

    pub(super) fn has(self, place: Place) -> bool {
        self.0 & place.bit() != 0
    }
}

/// For each place, those that must not be outside of it: one look on the way of a call.
const WRONG_OUTSIDE: [u32; Place::ALL.len()] = {
    let mut outside = [0; Place::ALL.len()];
    let mut row = 0;
    while row < WRONG.len() {
        outside[WRONG[row].1 as usize] |= WRONG[row].0.bit();
        row += 1;
    }
    outside
};

/// What an order of layers breaks, from the outside to the inside. Nothing, if it is empty.
///
/// ```
/// use battlement::call::{Place, misordered};
///
/// assert!(misordered(&Place::ALL).is_empty());
/// let found = misordered(&[Place::RateLimit, Place::Retry]);
/// assert_eq!(
///     found[0].to_string(),
///     "`rate_limit` is outside of `retry`: second attempts are not counted against the limits",
/// );
/// ```
pub fn misordered(order: &[Place]) -> Vec<Misordered> {
    let position = |place: Place| order.iter().position(|known| *known == place);
    let is_wrong = |row: &&(Place, Place, &str)| matches!((position(row.0), position(row.1)), (Some(outer), Some(inner)) if outer < inner);
    let found = WRONG.iter().filter(is_wrong);
    found.map(|&(outer, inner, why)| Misordered { outer, inner, why }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_house_breaks_nothing() {
        assert_eq!(misordered(&Place::ALL), []);
        let mut passed = Passed::default();
        for (index, place) in Place::ALL.into_iter().enumerate() {
            assert_eq!(place as usize, index);
            let (more, misordered) = passed.with(place);
            assert_eq!(misordered, None);
            passed = more;
        }
    }

    #[test]
    fn each_wrong_pair_is_noticed_by_list_and_by_call() {
        for &(outer, inner, why) in WRONG {
            let expected = Misordered { outer, inner, why };
            assert_eq!(misordered(&[outer, inner]), [expected]);
            assert_eq!(misordered(&[inner, outer]), []);
            let (passed, _) = Passed::default().with(outer);
            assert_eq!(passed.with(inner).1, Some(expected));
            assert!(outer > inner, "the order of the house would be wrong");
        }
    }
}
