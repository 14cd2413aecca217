//! A token bucket whose charges can be changed afterwards.
//!
//! What a call costs is known when it ends, and by then a minute has passed. A bucket that charges an
//! estimate and pays back the difference later lets through what it must not: eight long calls that
//! end together pay back eight differences at once, and the bucket emits several times its burst.
//! One that forgets debt lets through whatever was underestimated. This bucket settles
//! *retroactively*: its level becomes what it would be, had the true cost been charged at admission.
//! So if no call costs more than was reserved, the true costs of any window of time `T` are at most
//! `burst + rate · T`; and if one does, its debt is worked off before anything else passes.
//!
//! # Arithmetic
//!
//! Rounding the time per token to whole nanoseconds lets 0.25 % too much through at 450 million a
//! minute. Here a token is worth as many credits as its period has nanoseconds, and a nanosecond
//! brings as many credits as the amount has tokens: all whole numbers, nothing is ever rounded, and
//! the amount may change under way. Credits are `i128` and saturate; at the largest
//! [`Rate`] that takes 10⁷ years.
//!
//! # Retroactive settlement
//!
//! Steps of a bucket are maps `level ↦ min(cap, level + add)`, closed under composition (the
//! service curves of network calculus: Le Boudec and Thiran, *Network Calculus*, 2001). A segment tree
//! over the open admissions holds their composition; settling updates one leaf, in O(log n) of the
//! reservations that are open.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::bucket::{Bucket, Rate};
//!
//! let start = Instant::now();
//! let rate = Rate::new(60, Duration::from_secs(60))?;
//! let mut bucket = Bucket::new(rate, start);
//! let reservation = bucket.reserve(50, start)?;
//! assert_eq!(bucket.level(start), 10);
//!
//! // Half a minute later it is clear that the call cost 20. Had that been known, the bucket had
//! // been full ten seconds ago; a refund of 30 on top of 40 would have passed its capacity.
//! let later = start + Duration::from_secs(30);
//! assert_eq!(bucket.level(later), 40);
//! bucket.settle(reservation, 20, later);
//! assert_eq!(bucket.level(later), 60);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod history;
mod rate;

#[cfg(test)]
mod tests;

pub use rate::{InvalidRate, MAX_AMOUNT, MAX_PERIOD, Rate};

use std::time::{Duration, Instant};

use self::history::{History, Step};

/// The right to have spent something, to be given back through [`Bucket::settle`].
///
/// One that is dropped stays charged with what was reserved, and the bucket keeps its place.
#[must_use = "a reservation that is not settled takes memory for good"]
#[derive(Debug)]
pub struct Reservation {
    slot: u32,
}

/// Why a bucket lets a cost not pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It will pass then, if nothing else is charged before.
    #[error("the bucket holds too little")]
    Until(Instant),
    /// It is more than the bucket ever holds.
    #[error("the cost is more than the burst of {burst}")]
    TooLarge {
        /// What may be spent at once.
        burst: u64,
    },
}

/// A token bucket with debt, exact arithmetic and retroactive settlement.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    /// Credits in a token: the nanoseconds of the period.
    token: i128,
    level: i128,
    /// Until when `level` is refilled. Never moves back.
    at: Instant,
    /// Whether a cost above the burst may pass when the bucket is full, and leave debt.
    lends: bool,
    history: History,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        // A period has at most 2⁵⁵ nanoseconds.
        let token = rate.period().as_nanos() as i128;
        let level = token * i128::from(rate.burst());
        Self { rate, token, level, at: now, lends: false, history: History::default() }
    }

    /// Lets a cost above the burst pass when the bucket is full; it leaves debt behind.
    #[must_use]
    pub fn lending(self) -> Self {
        Self { lends: true, ..self }
    }

    /// The rate in force.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Whole tokens at hand, negative when in debt.
    pub fn level(&self, now: Instant) -> i64 {
        let tokens = self.credits(now).div_euclid(self.token);
        tokens.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// How many reservations are open.
    pub fn open(&self) -> usize {
        self.history.open()
    }

    /// Whether a cost would pass now. One of zero always does.
    ///
    /// # Errors
    ///
    /// When it would pass, or that it never will.
    pub fn check(&self, cost: u64, now: Instant) -> Result<(), Refused> {
        let missing = self.needed(cost)?.saturating_sub(self.credits(now));
        if missing <= 0 || cost == 0 {
            Ok(())
        } else {
            Err(Refused::Until(self.after(missing, now)))
        }
    }

    /// Spends for good.
    ///
    /// # Errors
    ///
    /// As [`Bucket::check`]; nothing is charged then.
    pub fn take(&mut self, cost: u64, now: Instant) -> Result<(), Refused> {
        self.check(cost, now)?;
        self.charge(cost, now);
        Ok(())
    }

    /// Spends what will be settled later.
    ///
    /// # Errors
    ///
    /// As [`Bucket::check`]; nothing is charged then.
    pub fn reserve(&mut self, cost: u64, now: Instant) -> Result<Reservation, Refused> {
        self.check(cost, now)?;
        Ok(self.reserve_anyway(cost, now))
    }

    /// As [`Bucket::reserve`], into debt if need be: what is on its way is charged in any case.
    pub fn reserve_anyway(&mut self, cost: u64, now: Instant) -> Reservation {
        self.refill(now);
        let cost = self.worth(cost);
        let slot = self.history.push(self.level, cost);
        self.level = self.level.saturating_sub(cost);
        Reservation { slot }
    }

    /// Spends for good, into debt if need be: what is spent already is charged in any case.
    pub fn charge(&mut self, cost: u64, now: Instant) {
        self.refill(now);
        self.apply(Step::charge(self.worth(cost)));
    }

    /// Says what a reservation cost in truth: less, or more.
    pub fn settle(&mut self, reservation: Reservation, cost: u64, now: Instant) {
        self.refill(now);
        if let Some(level) = self.history.close(reservation.slot, self.worth(cost)) {
            self.level = level;
        }
    }

    /// Keeps what was reserved as the cost.
    pub fn keep(&mut self, reservation: Reservation, now: Instant) {
        self.refill(now);
        if let Some(cost) = self.history.cost(reservation.slot) {
            self.history.close(reservation.slot, cost);
        }
    }

    /// Takes in another amount and burst. Debt stays; what is above a lower burst is lost; a higher one
    /// fills at the new rate.
    ///
    /// # Errors
    ///
    /// As for [`Rate::new`]. The bucket is unchanged then.
    pub fn change(&mut self, amount: u64, burst: u64, now: Instant) -> Result<(), InvalidRate> {
        let rate = self.rate.with_amount(amount)?.with_burst(burst)?;
        self.refill(now);
        self.rate = rate;
        self.apply(Step { cap: self.capacity(), add: 0 });
        Ok(())
    }

    /// Lowers the level to so many tokens, if it is above: somebody knows better.
    pub fn lower(&mut self, level: i64, now: Instant) {
        self.refill(now);
        self.apply(Step { cap: self.token.saturating_mul(level.into()), add: 0 });
    }

    /// Raises the level by so many tokens, at most to the burst.
    pub fn raise(&mut self, tokens: u64, now: Instant) {
        self.refill(now);
        self.apply(Step { cap: self.capacity(), add: self.worth(tokens) });
    }

    /// The same bucket without its open reservations: what is charged stays charged.
    pub(crate) fn bare(&self) -> Self {
        Self { history: History::default(), ..*self }
    }

    /// When so many tokens more will have come back.
    pub(crate) fn time_for(&self, tokens: u64, now: Instant) -> Instant {
        self.after(self.worth(tokens), now)
    }

    /// What must be at hand for a cost to pass.
    fn needed(&self, cost: u64) -> Result<i128, Refused> {
        let burst = self.rate.burst();
        if cost > burst && !self.lends {
            return Err(Refused::TooLarge { burst });
        }
        Ok(self.worth(cost.min(burst)))
    }

    fn capacity(&self) -> i128 {
        self.worth(self.rate.burst())
    }

    fn worth(&self, tokens: u64) -> i128 {
        self.token.saturating_mul(tokens.into())
    }

    /// What has come back since the level was refilled.
    fn refilled(&self, now: Instant) -> i128 {
        let nanoseconds = now.saturating_duration_since(self.at).as_nanos();
        i128::try_from(nanoseconds)
            .unwrap_or(i128::MAX)
            .saturating_mul(i128::from(self.rate.amount()))
    }

    fn credits(&self, now: Instant) -> i128 {
        self.level.saturating_add(self.refilled(now)).min(self.capacity())
    }

    fn refill(&mut self, now: Instant) {
        // A clock that goes back brings nothing, and takes nothing.
        if now > self.at {
            let step = Step { cap: self.capacity(), add: self.refilled(now) };
            self.at = now;
            self.apply(step);
        }
    }

    fn apply(&mut self, step: Step) {
        self.level = step.apply(self.level);
        self.history.advance(step);
    }

    /// When so many credits more will have come back.
    fn after(&self, missing: i128, now: Instant) -> Instant {
        let amount = u128::from(self.rate.amount());
        let nanoseconds = missing.unsigned_abs().div_ceil(amount);
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
        let now = now.max(self.at);
        // Beyond the end of the clock, a year stands for ever.
        now.checked_add(Duration::from_nanos(nanoseconds))
            .or_else(|| now.checked_add(MAX_PERIOD))
            .unwrap_or(now)
    }
}
