//! Who sits where, and who is served.

use std::{mem, task::Waker, time::Instant};

use battlement_core::queue::{Place, Queue, Reason, Waiter};
use smallvec::SmallVec;

use super::{End, Entered, Missed, NotNow, Seat, Seen, Supply};

/// What is behind the lock of a line.
pub(super) struct State<S: Supply> {
    pub(super) supply: S,
    /// Indices of seats.
    pub(super) queue: Queue<u32>,
    pub(super) seats: Vec<Taken<S>>,
    pub(super) free: Vec<u32>,
}

/// Who is on a seat.
pub(super) enum Taken<S: Supply> {
    Nobody,
    Waits(Waits<S::Ask>),
    Over(End<S>),
}

pub(super) struct Waits<A> {
    ask: A,
    /// There until the turn comes, or the deadline.
    pub(super) place: Option<Place>,
    waker: Option<Waker>,
    deadline: Option<Instant>,
    /// When the first in line has to ask again.
    alarm: Option<Instant>,
}

/// Those to wake once the lock is released.
pub(super) type Woken = SmallVec<[Waker; 4]>;

impl<S: Supply> State<S> {
    pub(super) fn join(
        &mut self,
        ask: S::Ask,
        waiter: Waiter,
        now: Instant,
        woken: &mut Woken,
    ) -> Result<Entered<S>, Missed<S::Never>> {
        let deadline = waiter.deadline;
        let seat = self.sit(Waits { ask, place: None, waker: None, deadline, alarm: None });
        let turn = match self.line_up(seat, waiter, now) {
            Ok(turn) => turn,
            Err(reason) => {
                self.vacate(seat);
                return Err(match reason {
                    Reason::Full { waiting } | Reason::TenantFull { waiting } => {
                        Missed::Full { waiting }
                    }
                    // It may have been too late on arrival, which says nothing about its turn.
                    Reason::TooLate { turn } => {
                        Missed::TooLate { turn: Some(turn).filter(|turn| *turn > now) }
                    }
                    _ => Missed::TooLate { turn: None },
                });
            }
        };
        // It may be more urgent than those before, and need less.
        self.serve(now, woken);
        if matches!(self.seats[seat as usize], Taken::Waits(_)) {
            return Ok(Entered::Waits(Seat(seat), turn));
        }
        match self.vacate(seat) {
            Taken::Over(result) => result.map(Entered::Now),
            _ => Err(Missed::TooLate { turn: None }),
        }
    }

    /// Puts a seat into the queue, and says when its turn will be, if anybody knows.
    fn line_up(
        &mut self,
        seat: u32,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Option<Instant>, Reason> {
        let Self { supply, queue, seats, .. } = self;
        // Nobody walks along the line for a call that is in time however it goes.
        let (calls, cost) = (queue.len() + 1, queue.cost().saturating_add(waiter.cost));
        let bound = supply.cleared(calls, cost, now);
        let is_pressed =
            waiter.deadline.is_some_and(|deadline| bound.is_none_or(|latest| latest > deadline));
        let forecast = if is_pressed { supply.forecast(now) } else { None };
        let told = forecast.map(|mut forecast| {
            queue.push_by(waiter, seat, now, |seat| match &seats[*seat as usize] {
                Taken::Waits(waits) => forecast(&waits.ask),
                _ => None,
            })
        });
        let (place, turn) = match told {
            Some(Ok((place, turn))) => (place, Some(turn)),
            Some(Err(rejected)) if rejected.reason != Reason::Never => return Err(rejected.reason),
            // What can pass, but nobody knows when, waits.
            _ => match queue.push(waiter, seat, now) {
                Ok(place) => (place, bound.filter(|_| !is_pressed)),
                Err(rejected) => return Err(rejected.reason),
            },
        };
        if let Taken::Waits(waits) = &mut self.seats[seat as usize] {
            waits.place = Some(place);
        }
        Ok(turn)
    }

    /// Lets pass who can.
    pub(super) fn serve(&mut self, now: Instant, woken: &mut Woken) {
        let Self { supply, queue, seats, .. } = self;
        if queue.is_empty() {
            return;
        }
        let mut late = SmallVec::<[u32; 4]>::new();
        while let Some(&first) = queue.next(now, |seat| late.push(seat)) {
            let Taken::Waits(waits) = &mut seats[first as usize] else { break };
            match supply.take(&waits.ask, now) {
                Ok(grant) => {
                    queue.pop(now, |seat| late.push(seat));
                    end(&mut seats[first as usize], Ok(grant), woken);
                }
                Err(NotNow::Never(why)) => {
                    waits.place.take().and_then(|place| queue.remove(place));
                    end(&mut seats[first as usize], Err(Missed::Never(why)), woken);
                }
                Err(NotNow::Until(at)) => {
                    // An alarm that is too early only makes it ask once more.
                    if waits.alarm.is_none_or(|alarm| at < alarm) {
                        waits.alarm = Some(at);
                        woken.extend(waits.waker.take());
                    }
                    break;
                }
                Err(NotNow::Busy) => break,
            }
        }
        for late in late {
            // It was the first.
            let turn = match &seats[late as usize] {
                Taken::Waits(waits) => supply.forecast(now).and_then(|mut next| next(&waits.ask)),
                _ => None,
            };
            end(&mut seats[late as usize], Err(Missed::TooLate { turn }), woken);
        }
    }

    /// What is seen, and the waker from before.
    pub(super) fn look(
        &mut self,
        Seat(seat): Seat,
        waker: &mut Option<Waker>,
        now: Instant,
        woken: &mut Woken,
    ) -> (Seen<S>, Option<Waker>) {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut before = None;
        if let Taken::Waits(waits) = &mut self.seats[seat as usize] {
            // Who looks need not be woken.
            before = waits.waker.take();
            if is_past(waits.alarm) || is_past(waits.deadline) {
                waits.alarm = None;
                self.serve(now, woken);
            }
        }
        if let Taken::Waits(waits) = &mut self.seats[seat as usize] {
            if !is_past(waits.deadline) {
                waits.waker = waker.take();
                let until = waits.alarm.into_iter().chain(waits.deadline).min();
                return (Seen::Until(Seat(seat), until), before);
            }
            // It is not the first, or it had been thrown out.
            let place = waits.place.take();
            let turn = self.turn(seat, now);
            place.and_then(|place| self.queue.remove(place));
            self.vacate(seat);
            return (Seen::Over(Err(Missed::TooLate { turn })), before);
        }
        let seen = match self.vacate(seat) {
            Taken::Over(end) => Seen::Over(end),
            _ => Seen::Over(Err(Missed::TooLate { turn: None })),
        };
        (seen, before)
    }

    /// When the turn of somebody in the queue would be.
    fn turn(&mut self, seat: u32, now: Instant) -> Option<Instant> {
        let Self { supply, queue, seats, .. } = self;
        let mut forecast = supply.forecast(now)?;
        let mut turns = queue.line().map(|&ahead| match &seats[ahead as usize] {
            Taken::Waits(waits) => (ahead, forecast(&waits.ask)),
            _ => (ahead, None),
        });
        turns.find(|(ahead, _)| *ahead == seat)?.1
    }

    fn sit(&mut self, waits: Waits<S::Ask>) -> u32 {
        if let Some(seat) = self.free.pop() {
            self.seats[seat as usize] = Taken::Waits(waits);
            return seat;
        }
        self.seats.push(Taken::Waits(waits));
        // The queue has at most a million places.
        (self.seats.len() - 1) as u32
    }

    pub(super) fn vacate(&mut self, seat: u32) -> Taken<S> {
        self.free.push(seat);
        mem::replace(&mut self.seats[seat as usize], Taken::Nobody)
    }
}

/// Somebody's wait is over.
fn end<S: Supply>(seat: &mut Taken<S>, result: End<S>, woken: &mut Woken) {
    if let Taken::Waits(waits) = mem::replace(seat, Taken::Over(result)) {
        woken.extend(waits.waker);
    }
}
