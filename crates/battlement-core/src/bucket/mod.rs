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
mod tank;

#[cfg(test)]
mod tests;

pub use rate::{InvalidRate, MAX_AMOUNT, MAX_PERIOD, Rate};

pub(crate) use tank::Tank;

use std::time::{Duration, Instant};

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
    /// It is more than the bucket ever holds. Whoever wants to let it pass all the same checks for
    /// the burst, and charges the whole: it leaves debt behind.
    #[error("the cost is more than the burst of {burst}")]
    TooLarge {
        /// What may be spent at once.
        burst: u64,
    },
}

/// A token bucket with debt, exact arithmetic and retroactive settlement. With nothing open it takes
/// 64 bytes.
#[derive(Clone, Debug)]
pub struct Bucket {
    tank: Tank,
    /// Until when it is refilled. Never moves back.
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { tank: Tank::new(rate), at: now }
    }

    /// The rate in force.
    pub fn rate(&self) -> Rate {
        self.tank.rate()
    }

    /// Whole tokens at hand, negative when in debt.
    pub fn level(&self, now: Instant) -> i64 {
        self.tank.tokens(passed(self.at, now))
    }

    /// How many reservations are open.
    pub fn open(&self) -> usize {
        self.tank.open()
    }

    /// Whether a cost would pass now. One of zero always does.
    ///
    /// # Errors
    ///
    /// When it would pass, or that it never will.
    pub fn check(&self, cost: u64, now: Instant) -> Result<(), Refused> {
        match self.tank.check(cost, passed(self.at, now)) {
            Ok(None) => Ok(()),
            Ok(Some(wait)) => Err(Refused::Until(later(now.max(self.at), wait))),
            Err(burst) => Err(Refused::TooLarge { burst }),
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
        self.refilled(now).reserve(cost)
    }

    /// Spends for good, into debt if need be: what is spent already is charged in any case.
    pub fn charge(&mut self, cost: u64, now: Instant) {
        self.refilled(now).charge(cost);
    }

    /// Says what a reservation cost in truth: less, or more.
    pub fn settle(&mut self, reservation: Reservation, cost: u64, now: Instant) {
        self.refilled(now).settle(reservation, Some(cost));
    }

    /// Keeps what was reserved as the cost.
    pub fn keep(&mut self, reservation: Reservation, now: Instant) {
        self.refilled(now).settle(reservation, None);
    }

    /// Takes in another amount and burst. Debt stays; what is above a lower burst is lost; a higher one
    /// fills at the new rate.
    ///
    /// # Errors
    ///
    /// As for [`Rate::new`]. The bucket is unchanged then.
    pub fn change(&mut self, amount: u64, burst: u64, now: Instant) -> Result<(), InvalidRate> {
        self.refilled(now).change(amount, burst)
    }

    /// Lowers the level to so many tokens, if it is above: somebody knows better.
    pub fn lower(&mut self, level: i64, now: Instant) {
        self.refilled(now).lower(level);
    }

    /// Raises the level by so many tokens, at most to the burst.
    pub fn raise(&mut self, tokens: u64, now: Instant) {
        self.refilled(now).raise(tokens);
    }

    fn refilled(&mut self, now: Instant) -> &mut Tank {
        self.tank.refill(passed(self.at, now));
        self.at = self.at.max(now);
        &mut self.tank
    }
}

/// The nanoseconds between two moments. A clock that goes back brings nothing, and takes nothing; a gap
/// of more than 584 years counts as one of them.
pub(crate) fn passed(from: Instant, to: Instant) -> u64 {
    let time = to.saturating_duration_since(from);
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.subsec_nanos().into())
}

/// The moment so many nanoseconds later.
pub(crate) fn later(from: Instant, nanoseconds: u64) -> Instant {
    // Beyond the end of the clock, a year stands for ever.
    from.checked_add(Duration::from_nanos(nanoseconds))
        .or_else(|| from.checked_add(MAX_PERIOD))
        .unwrap_or(from)
}
