//! Calls that wait for what is scarce, and whose turn it is.
//!
//! Callers that sleep and ask again overtake each other, wake up for nothing, and do not know for how
//! long. Here a call stands in a [`Queue`] and does nothing until somebody lets it pass. Whenever
//! something may have changed (a call ended, a header came, a limit was raised, a waiting call left)
//! whoever changed it lets pass all who can, in their order, and wakes only those. If the first in line
//! waits for time to pass, it alone has a timer for that.
//!
//! There is one lock, and no waker is called, cloned or dropped under it. A call that is let through
//! holds what it was given from that moment: if it is dropped before it looks, that goes to the
//! next. As with every fair lock, a task that is let through and not polled holds up the others.

mod keyed;
#[cfg(all(test, loom))]
mod model;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod waiting;

#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::{mem, sync::PoisonError, task::Waker, time::Instant};

use battlement_core::queue::{self, Queue, Waiter};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use self::state::{State, Taken, Woken};
pub(crate) use self::{keyed::Lines, waiting::Waiting};

/// What is scarce.
pub(crate) trait Supply: Sized {
    /// How it is made.
    type Config: Clone;
    /// Why it is not.
    type Invalid;
    /// What a call asks for.
    type Ask;
    /// What it gets, and has to give back.
    type Grant;
    /// Why it never will.
    type Never;

    fn new(config: &Self::Config, now: Instant) -> Result<Self, Self::Invalid>;

    /// Gives to a call what it asks for, if it is there.
    fn take(&mut self, ask: &Self::Ask, now: Instant) -> Result<Self::Grant, NotNow<Self::Never>>;

    /// Takes back what was not used.
    fn put_back(&mut self, grant: Self::Grant, now: Instant);

    /// Why a call never gets what it asks for, if that is so.
    fn never(&mut self, ask: &Self::Ask, now: Instant) -> Option<Self::Never>;

    /// When so many calls will have passed at the latest, that cost so much together by what their
    /// waiters say; `None` if that is not known at once.
    fn cleared(&self, _calls: usize, _cost: u64, _now: Instant) -> Option<Instant> {
        None
    }

    /// Says when each of those in line will pass, asked in their order; `None` if nobody knows.
    fn forecast(&mut self, now: Instant) -> Option<impl FnMut(&Self::Ask) -> Option<Instant>>;
}

/// Why a call does not pass now.
#[derive(Debug)]
pub(crate) enum NotNow<E> {
    /// It will then, if nothing else changes.
    Until(Instant),
    /// It will when something is given back.
    Busy,
    /// It never will.
    Never(E),
}

/// Why a call does not pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed<E> {
    /// Its turn comes too late; when, if anybody knows.
    TooLate { turn: Option<Instant> },
    /// As many wait as may.
    Full { waiting: usize },
    /// Its turn never comes.
    Never(E),
}

/// How a wait ended.
type End<S> = Result<<S as Supply>::Grant, Missed<<S as Supply>::Never>>;

/// What is scarce, and those who wait for it.
pub(crate) struct Line<S: Supply> {
    state: Mutex<State<S>>,
    /// Whether anybody may wait.
    waits: bool,
}

/// A place in a line, to be left through [`Line::leave`].
#[derive(Debug)]
pub(crate) struct Seat(u32);

/// How a line was entered.
pub(crate) enum Entered<S: Supply> {
    /// The call passes.
    Now(S::Grant),
    /// It waits; until when, as far as can be told.
    Waits(Seat, Option<Instant>),
}

/// What is seen from a seat.
pub(crate) enum Seen<S: Supply> {
    /// The wait is over, and so is the seat.
    Over(End<S>),
    /// It goes on. It is time to look again then, even if nobody calls.
    Until(Seat, Option<Instant>),
}

impl<S: Supply> Line<S> {
    /// An empty line; one in which nobody may wait, without a configuration of the queue.
    pub(crate) fn new(
        supply: S,
        queue: Option<queue::Config>,
    ) -> Result<Self, queue::InvalidQueue> {
        let waits = queue.is_some();
        let queue = Queue::new(queue.unwrap_or_default())?;
        let state = State { supply, queue, seats: Vec::new(), free: Vec::new() };
        Ok(Self { state: Mutex::new(state), waits })
    }

    /// Passes, or waits.
    pub(crate) fn enter(
        &self,
        now: Instant,
        ask: impl FnOnce(&mut S) -> (S::Ask, Waiter),
    ) -> Result<Entered<S>, Missed<S::Never>> {
        self.act(|state, woken| {
            let (ask, waiter) = ask(&mut state.supply);
            let mut turn = None;
            state.serve(now, woken);
            if state.queue.is_empty() {
                match state.supply.take(&ask, now) {
                    Ok(grant) => return Ok(Entered::Now(grant)),
                    Err(NotNow::Never(why)) => return Err(Missed::Never(why)),
                    Err(NotNow::Until(at)) => turn = Some(at),
                    Err(NotNow::Busy) => {}
                }
            }
            if let Some(why) = state.supply.never(&ask, now) {
                return Err(Missed::Never(why));
            }
            if !self.waits {
                return Err(Missed::TooLate { turn });
            }
            state.join(ask, waiter, now, woken)
        })
    }

    /// What is to be seen from a seat now. From here on this waker is called, and no other.
    pub(crate) fn look(&self, seat: Seat, waker: Waker, now: Instant) -> Seen<S> {
        let mut waker = Some(waker);
        // The waker from before is dropped after the lock is released.
        let (seen, _before) = self.act(|state, woken| state.look(seat, &mut waker, now, woken));
        seen
    }

    /// Leaves a seat.
    pub(crate) fn leave(&self, seat: Seat, now: Instant) {
        // Its waker is dropped after the lock is released.
        let _left = self.act(|state, woken| {
            let mut left = state.vacate(seat.0);
            match &mut left {
                Taken::Nobody => return left,
                Taken::Waits(waits) => {
                    let removed = waits.place.take().and_then(|place| state.queue.remove(place));
                    if removed.is_some_and(|removed| removed.was_next) {
                        state.serve(now, woken);
                    }
                }
                Taken::Over(_) => {
                    if let Taken::Over(Ok(grant)) = mem::replace(&mut left, Taken::Nobody) {
                        state.supply.put_back(grant, now);
                        state.serve(now, woken);
                    }
                }
            }
            left
        });
    }

    /// Changes what there is, and lets pass who can.
    pub(crate) fn change<T>(
        &self,
        now: Instant,
        change: impl FnOnce(&mut S, &mut Queue<u32>) -> T,
    ) -> T {
        self.act(|state, woken| {
            let result = change(&mut state.supply, &mut state.queue);
            state.serve(now, woken);
            result
        })
    }

    /// Looks at what there is, and how many wait.
    pub(crate) fn inspect<T>(&self, inspect: impl FnOnce(&S, usize) -> T) -> T {
        let state = self.lock();
        inspect(&state.supply, state.queue.len())
    }

    /// Does something under the lock, and after that calls who has to be woken.
    fn act<T>(&self, act: impl FnOnce(&mut State<S>, &mut Woken) -> T) -> T {
        let mut woken = Woken::new();
        let result = act(&mut self.lock(), &mut woken);
        for waker in woken {
            waker.wake();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
