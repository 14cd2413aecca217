//! Who waits, and whose turn it is.
//!
//! A limiter without a queue lets whoever asks at the right moment pass: callers that sleep and ask
//! again overtake each other, and one that asks for much never gets it (governor lets a caller that
//! wants 50 starve beside one that wants 1). A queue in which the first in line is the only one to ask
//! has neither problem, and knows on arrival when a turn will come; so a call whose turn comes after
//! its deadline is rejected at once, and costs no wait.
//!
//! Three rules, from the outside in:
//!
//! - **Classes.** The most urgent goes first, but each class that waits is sure to get its share of
//!   what passes ([`Config::shares`]): what passes earns every waiting class its share in credit, and
//!   who has enough for its first call is served. Strict priority would starve batches for ever.
//! - **Tenants.** Within a class, the tenant that was served least goes next, counted in tokens
//!   by weight: the virtual token counter of Sheng et al., *Fairness in Serving Large Language Models*
//!   (OSDI 2024). Two tenants that wait differ by no more than two of the largest calls. Who comes
//!   back is lifted to the least of those who wait, so time away is no credit; and is
//!   remembered while it was served more, so that leaving is no gain.
//! - **Calls** of a tenant in a class are first come, first served, whatever they cost.
//!
//! What is waiting is any `T`, such as a waker with an estimate. The queue does not decide whether the
//! next may pass; whoever holds the [`Ledger`](crate::ledger::Ledger) does.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::lanes::Lane;
//! use battlement_core::queue::{Config, Queue, Reason, Tenant, Waiter};
//!
//! let now = Instant::now();
//! let mut queue = Queue::new(Config::default())?;
//! let call = |class, tenant| Waiter { class, tenant: Tenant::new(tenant), cost: 100, deadline: None };
//!
//! let _batch = queue.push(call(Lane::Batch, 1), "batch", now).unwrap();
//! let first = queue.push(call(Lane::Interactive, 1), "first", now).unwrap();
//! let _second = queue.push(call(Lane::Interactive, 1), "second", now).unwrap();
//! let _other = queue.push(call(Lane::Interactive, 2), "other", now).unwrap();
//! assert_eq!(queue.line().copied().collect::<Vec<_>>(), ["first", "other", "second", "batch"]);
//!
//! // The first gives up, and somebody else is next.
//! assert!(queue.remove(first).unwrap().was_next);
//! assert_eq!(queue.next(now, |_expired| ()), Some(&"second"));
//!
//! // If a call a second passes, the fourth turn is too late for a deadline of two seconds.
//! let mut turn = now;
//! let pressed = Waiter { deadline: Some(now + Duration::from_secs(2)), ..call(Lane::Batch, 1) };
//! let rejected = queue.push_by(pressed, "late", now, |_| {
//!     turn += Duration::from_secs(1);
//!     Some(turn)
//! });
//! let turn = now + Duration::from_secs(4);
//! assert_eq!(rejected.unwrap_err().reason, Reason::TooLate { turn });
//! # Ok::<(), battlement_core::queue::InvalidQueue>(())
//! ```

mod config;
mod heap;
mod line;
mod waiting;

#[cfg(test)]
mod tests;

pub use config::{Config, InvalidQueue, Reason, Rejected};
pub use line::Line;
pub use waiting::Tenant;

use std::time::Instant;

use self::waiting::Waiting;
use crate::lanes::Lane;

/// A call that has to wait.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// How urgent it is.
    pub class: Lane,
    /// Who it is for.
    pub tenant: Tenant,
    /// What it is expected to cost, in tokens; at least 1 is counted.
    pub cost: u64,
    /// When it is no longer of use.
    pub deadline: Option<Instant>,
}

/// A place in the queue, to be left through [`Queue::remove`] by who does not want to wait any more.
#[must_use = "who does not leave its place keeps it until its deadline"]
#[derive(Debug)]
pub struct Place {
    slot: u32,
    serial: u64,
}

/// What left the queue before its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed<T> {
    /// What had waited.
    pub item: T,
    /// Whether it was next, so that somebody else is now and should be asked.
    pub was_next: bool,
}

/// Calls that wait.
#[derive(Debug)]
pub struct Queue<T> {
    config: Config,
    lanes: [Waiting; 3],
    waiters: Vec<Slot<T>>,
    free: Vec<u32>,
    serial: u64,
    /// What all that wait cost.
    cost: u128,
}

/// A waiting call, linked with those of the same tenant and class.
#[derive(Debug)]
struct Slot<T> {
    /// `None` if the slot is free.
    item: Option<T>,
    serial: u64,
    cost: u64,
    deadline: Option<Instant>,
    class: Lane,
    account: u32,
    previous: Option<u32>,
    next: Option<u32>,
}

impl<T> Queue<T> {
    /// An empty queue.
    ///
    /// # Errors
    ///
    /// Sizes out of range, or shares of more than there is.
    pub fn new(config: Config) -> Result<Self, InvalidQueue> {
        config.check()?;
        let lanes = [Waiting::default(), Waiting::default(), Waiting::default()];
        Ok(Self { config, lanes, waiters: Vec::new(), free: Vec::new(), serial: 0, cost: 0 })
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiters.len() - self.free.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all calls that wait are expected to cost; with [`Queue::len`] it is what
    /// [`Ledger::cleared`](crate::ledger::Ledger::cleared) asks for.
    pub fn cost(&self) -> u64 {
        u64::try_from(self.cost).unwrap_or(u64::MAX)
    }

    /// Lets a call wait.
    ///
    /// # Errors
    ///
    /// If too many wait, or its deadline is past.
    pub fn push(&mut self, waiter: Waiter, item: T, now: Instant) -> Result<Place, Rejected<T>> {
        let reject = |reason, item| Err(Rejected { reason, item });
        if waiter.deadline.is_some_and(|deadline| deadline <= now) {
            return reject(Reason::TooLate { turn: now }, item);
        }
        if self.len() >= self.config.most_waiting {
            return reject(Reason::Full { waiting: self.len() }, item);
        }
        let lane = &mut self.lanes[waiter.class as usize];
        let account = match lane.enter(waiter.tenant, self.config.most_of_tenant) {
            Ok(account) => account,
            Err(waiting) => return reject(Reason::TenantFull { waiting }, item),
        };
        let entry = &mut lane.accounts[account as usize];
        self.serial += 1;
        let new = Slot {
            item: Some(item),
            serial: self.serial,
            cost: waiter.cost.max(1),
            deadline: waiter.deadline,
            class: waiter.class,
            account,
            previous: entry.last,
            next: None,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.waiters[slot as usize] = new;
            slot
        } else {
            self.waiters.push(new);
            (self.waiters.len() - 1) as u32
        };
        match entry.last {
            Some(last) => self.waiters[last as usize].next = Some(slot),
            None => entry.first = Some(slot),
        }
        entry.last = Some(slot);
        entry.waiting += 1;
        self.cost += u128::from(waiter.cost.max(1));
        Ok(Place { slot, serial: self.serial })
    }

    /// Lets a call wait if its turn comes before its deadline, and says when that is.
    ///
    /// `turn` is asked for every call in line, in order, when its turn will be, up to the new one;
    /// [`Forecast::next`](crate::ledger::Forecast::next) knows. The answer is exact if nobody else
    /// comes; an urgent call that does may delay it. It takes a walk along the line, tens of nanoseconds for
    /// each who waits, so ask only for a deadline that [`Ledger::cleared`] does not already show to be met.
    ///
    /// [`Ledger::cleared`]: crate::ledger::Ledger::cleared
    ///
    /// # Errors
    ///
    /// As [`Queue::push`], and if its turn comes too late or never.
    pub fn push_by(
        &mut self,
        waiter: Waiter,
        item: T,
        now: Instant,
        mut turn: impl FnMut(&T) -> Option<Instant>,
    ) -> Result<(Place, Instant), Rejected<T>> {
        let place = self.push(waiter, item, now)?;
        let mut line = self.line();
        let mut own = None;
        while let Some(slot) = line.next_slot() {
            let at = self.waiters[slot as usize].item.as_ref().and_then(&mut turn);
            if slot == place.slot {
                own = at;
                break;
            }
        }
        let reason = match own {
            Some(turn) if waiter.deadline.is_none_or(|deadline| turn <= deadline) => {
                return Ok((place, turn));
            }
            Some(turn) => Reason::TooLate { turn },
            None => Reason::Never,
        };
        match self.take(place.slot) {
            Some(item) => Err(Rejected { reason, item }),
            // It was pushed a moment ago.
            None => Ok((place, now)),
        }
    }

    /// Leaves a place; `None` if its turn has come, or its deadline.
    pub fn remove(&mut self, place: Place) -> Option<Removed<T>> {
        let slot = self.waiters.get(place.slot as usize)?;
        if slot.serial != place.serial || slot.item.is_none() {
            return None;
        }
        let was_next = self.first() == Some(place.slot);
        Some(Removed { item: self.take(place.slot)?, was_next })
    }

    /// Who is next. Those whose deadline has come leave the queue through `expired`.
    pub fn next(&mut self, now: Instant, expired: impl FnMut(T)) -> Option<&T> {
        let slot = self.first_in_time(now, expired)?;
        self.waiters[slot as usize].item.as_ref()
    }

    /// Lets the next pass, and charges its class and tenant. Those whose deadline has come leave the
    /// queue through `expired`.
    pub fn pop(&mut self, now: Instant, expired: impl FnMut(T)) -> Option<T> {
        let slot = self.first_in_time(now, expired)?;
        let heads = self.heads();
        let Slot { cost, class, account, .. } = self.waiters[slot as usize];
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let (waits, share) = (heads[index].is_some(), self.config.shares[index]);
            lane.credit = line::credit(lane.credit, waits, share, cost, index == class as usize);
        }
        self.lanes[class as usize].serve(account, cost);
        self.take(slot)
    }

    /// Adds to what a tenant was served: what passed without waiting, or what a call has cost beyond
    /// what was expected; negative if it was less.
    pub fn charge(&mut self, class: Lane, tenant: Tenant, tokens: i64) {
        self.lanes[class as usize].charge(tenant, tokens, self.config.most_idle);
    }

    /// The waiting calls in the order of their turns, if nobody else comes.
    pub fn line(&self) -> Line<'_, T> {
        Line::new(self)
    }

    fn first_in_time(&mut self, now: Instant, mut expired: impl FnMut(T)) -> Option<u32> {
        loop {
            let slot = self.first()?;
            if self.waiters[slot as usize].deadline.is_none_or(|deadline| deadline > now) {
                return Some(slot);
            }
            expired(self.take(slot)?);
        }
    }

    /// The slot whose turn it is.
    fn first(&self) -> Option<u32> {
        let credits = self.lanes.each_ref().map(|lane| lane.credit);
        let lane = &self.lanes[line::choose(self.heads(), credits)?];
        lane.accounts[lane.active.first()?.1 as usize].first
    }

    /// What the first of each class costs.
    fn heads(&self) -> [Option<u64>; 3] {
        self.lanes.each_ref().map(|lane| {
            let (_, account) = lane.active.first()?;
            Some(self.waiters[lane.accounts[account as usize].first? as usize].cost)
        })
    }

    /// Takes a call out of the list of its tenant.
    fn take(&mut self, slot: u32) -> Option<T> {
        let entry = &mut self.waiters[slot as usize];
        let item = entry.item.take()?;
        let Slot { class, account, previous, next, cost, .. } = *entry;
        self.cost -= u128::from(cost);
        let lane = &mut self.lanes[class as usize];
        let owner = &mut lane.accounts[account as usize];
        match previous {
            Some(previous) => self.waiters[previous as usize].next = next,
            None => owner.first = next,
        }
        match next {
            Some(next) => self.waiters[next as usize].previous = previous,
            None => owner.last = previous,
        }
        owner.waiting -= 1;
        if owner.waiting == 0 {
            lane.leave(account, self.config.most_idle);
        }
        self.free.push(slot);
        Some(item)
    }
}
