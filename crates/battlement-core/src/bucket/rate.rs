//! How much fits in how much time.

use std::time::Duration;

/// The largest amount and burst: a million times any quota that is sold.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000_000;
/// The longest period: a leap year.
pub const MAX_PERIOD: Duration = Duration::from_secs(366 * 86_400);

/// An amount that comes back evenly over a period, and how much of it may be spent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u64,
    /// In nanoseconds, of which [`MAX_PERIOD`] has fewer than 2⁵⁵.
    period: u64,
    burst: u64,
}

impl Rate {
    /// A rate whose whole amount may be spent at once, as most providers let it.
    ///
    /// # Errors
    ///
    /// Nothing can be spent at a rate of zero, and numbers beyond [`MAX_AMOUNT`] and [`MAX_PERIOD`]
    /// are mistakes.
    pub fn new(amount: u64, period: Duration) -> Result<Self, InvalidRate> {
        if period.is_zero() || period > MAX_PERIOD {
            return Err(InvalidRate::Period(period));
        }
        Self { amount, period: period.as_nanos() as u64, burst: amount }.checked()
    }

    /// The same rate with another burst.
    ///
    /// # Errors
    ///
    /// A burst of zero would never let anything through.
    pub fn with_burst(self, burst: u64) -> Result<Self, InvalidRate> {
        Self { burst, ..self }.checked()
    }

    /// The same rate with another amount.
    ///
    /// # Errors
    ///
    /// As for [`Rate::new`].
    pub fn with_amount(self, amount: u64) -> Result<Self, InvalidRate> {
        Self { amount, ..self }.checked()
    }

    /// What comes back in one period.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The time in which the amount comes back.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// What may be spent at once.
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// Credits in so many tokens: a token is worth as many as its period has nanoseconds.
    pub(super) fn worth(self, tokens: u64) -> i128 {
        product(self.period, tokens)
    }

    /// Tokens in so many credits, rounded down.
    pub(super) fn tokens(self, credits: i128) -> i128 {
        credits.div_euclid(self.period.into())
    }

    /// Credits that come back in so many nanoseconds.
    pub(super) fn refill(self, nanoseconds: u64) -> i128 {
        product(self.amount, nanoseconds)
    }

    /// In how many nanoseconds so many credits come back, rounded up; at most 584 years.
    pub(super) fn time(self, credits: i128) -> u64 {
        let nanoseconds = credits.unsigned_abs().div_ceil(self.amount.into());
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    fn checked(self) -> Result<Self, InvalidRate> {
        if self.amount == 0 || self.amount > MAX_AMOUNT {
            Err(InvalidRate::Amount(self.amount))
        } else if self.burst == 0 || self.burst > MAX_AMOUNT {
            Err(InvalidRate::Burst(self.burst))
        } else {
            Ok(self)
        }
    }
}

/// Below 2¹²⁰, as one of the two is always below 2⁵⁶.
fn product(small: u64, any: u64) -> i128 {
    (u128::from(small) * u128::from(any)) as i128
}

/// Why a rate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRate {
    /// The amount is zero or beyond [`MAX_AMOUNT`].
    #[error("an amount of {0} is not between 1 and {MAX_AMOUNT}")]
    Amount(u64),
    /// The burst is zero or beyond [`MAX_AMOUNT`].
    #[error("a burst of {0} is not between 1 and {MAX_AMOUNT}")]
    Burst(u64),
    /// The period is zero or beyond [`MAX_PERIOD`].
    #[error("a period of {0:?} is not between 1 ns and {MAX_PERIOD:?}")]
    Period(Duration),
}
