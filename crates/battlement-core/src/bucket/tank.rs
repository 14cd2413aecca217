//! A bucket that is told how much time has passed: what it holds, and what may still change of it.
//!
//! Several of them can share one clock, as the limits of a ledger do.

use super::{
    InvalidRate, Rate, Reservation,
    history::{History, Step},
};

/// What is at hand of one rate, with debt and retroactive settlement. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Tank {
    rate: Rate,
    level: i128,
    /// While reservations are open.
    history: Option<Box<History>>,
}

impl Tank {
    /// A full one.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, level: rate.worth(rate.burst()), history: None }
    }

    /// The same without its open reservations: what is charged stays charged.
    pub(crate) fn bare(&self) -> Self {
        Self { history: None, ..*self }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// How many reservations are open.
    pub(crate) fn open(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.open())
    }

    /// Credits at hand after some time.
    pub(crate) fn credits(&self, passed: u64) -> i128 {
        self.level.saturating_add(self.rate.refill(passed)).min(self.capacity())
    }

    /// Whole tokens at hand after some time, negative when in debt.
    pub(crate) fn tokens(&self, passed: u64) -> i64 {
        let tokens = self.rate.tokens(self.credits(passed));
        tokens.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// How long after that time a cost may pass; `None` if it may then. One of zero always may; one of
    /// more than the burst, which is returned, never.
    pub(crate) fn check(&self, cost: u64, passed: u64) -> Result<Option<u64>, u64> {
        if cost > self.rate.burst() {
            return Err(self.rate.burst());
        }
        let missing = self.rate.worth(cost).saturating_sub(self.credits(passed));
        Ok((missing > 0 && cost > 0).then(|| self.rate.time(missing)))
    }

    /// How long it takes until so many tokens come back.
    pub(crate) fn time_for(&self, tokens: u64) -> u64 {
        self.rate.time(self.rate.worth(tokens))
    }

    /// How long after that time so many tokens will have come back that are not at hand, whether or not
    /// they would fit.
    pub(crate) fn wait(&self, tokens: u64, passed: u64) -> u64 {
        self.rate.time(self.rate.worth(tokens).saturating_sub(self.credits(passed)).max(0))
    }

    /// Some time passes.
    pub(crate) fn refill(&mut self, passed: u64) {
        if passed > 0 {
            self.apply(Step { cap: self.capacity(), add: self.rate.refill(passed) });
        }
    }

    /// Spends what will be settled later, into debt if need be.
    pub(crate) fn reserve(&mut self, cost: u64) -> Reservation {
        let cost = self.rate.worth(cost);
        let history = self.history.get_or_insert_with(|| Box::new(History::new(self.level)));
        let slot = history.push(cost);
        self.level = self.level.saturating_sub(cost);
        Reservation { slot }
    }

    /// Spends for good, into debt if need be.
    pub(crate) fn charge(&mut self, cost: u64) {
        self.apply(Step::charge(self.rate.worth(cost)));
    }

    /// Says what a reservation cost in truth; `None` keeps what was reserved.
    pub(crate) fn settle(&mut self, reservation: Reservation, cost: Option<u64>) {
        let Some(history) = &mut self.history else { return };
        let cost = cost.map(|cost| self.rate.worth(cost));
        if let Some(level) = history.close(reservation.slot, cost) {
            self.level = level;
        }
        if history.open() == 0 {
            self.history = None;
        }
    }

    /// Takes in another amount and burst.
    pub(crate) fn change(&mut self, amount: u64, burst: u64) -> Result<(), InvalidRate> {
        self.rate = self.rate.with_amount(amount)?.with_burst(burst)?;
        self.apply(Step { cap: self.capacity(), add: 0 });
        Ok(())
    }

    /// Lowers the level to so many tokens, if it is above.
    pub(crate) fn lower(&mut self, level: i64) {
        let worth = self.rate.worth(level.unsigned_abs());
        self.apply(Step { cap: if level < 0 { -worth } else { worth }, add: 0 });
    }

    /// Raises the level by so many tokens, at most to the burst.
    pub(crate) fn raise(&mut self, tokens: u64) {
        self.apply(Step { cap: self.capacity(), add: self.rate.worth(tokens) });
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.size())
    }

    fn capacity(&self) -> i128 {
        self.rate.worth(self.rate.burst())
    }

    fn apply(&mut self, step: Step) {
        self.level = step.apply(self.level);
        if let Some(history) = &mut self.history {
            history.advance(step);
        }
    }
}
