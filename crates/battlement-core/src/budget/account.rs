//! A balance and its time in one atomic word.
//!
//! The upper 27 bits count ticks, eight to a half-life, and wrap around; the lower 37 hold the
//! balance. At the shortest half-life they wrap after five years, and a gap is taken right up to
//! half of that.

use crate::sync::{AtomicU64, Ordering};

/// How finely time is cut. In one tick a twelfth of the excess is forgotten.
pub(super) const TICKS_PER_HALF_LIFE: u64 = 8;

const BALANCE_BITS: u32 = 37;

/// The largest balance; more is not kept, which errs on the side of fewer repetitions.
pub(super) const MOST: u64 = (1 << BALANCE_BITS) - 1;

const TICKS: u64 = u64::MAX >> BALANCE_BITS;

#[derive(Debug)]
pub(super) struct Account {
    word: AtomicU64,
    /// What is never forgotten.
    reserve: u64,
}

#[derive(Clone, Copy)]
struct State {
    ticks: u64,
    balance: u64,
}

impl Account {
    /// Starts at tick zero with its reserve.
    pub(super) fn new(reserve: u64) -> Self {
        Self { word: AtomicU64::new(State { ticks: 0, balance: reserve }.pack()), reserve }
    }

    pub(super) fn deposit(&self, amount: u64, ticks: u64) {
        let _always = self.update(ticks, |balance| Some(balance.saturating_add(amount).min(MOST)));
    }

    /// Whether there was enough; takes nothing when there was not.
    pub(super) fn withdraw(&self, amount: u64, ticks: u64) -> bool {
        self.update(ticks, |balance| balance.checked_sub(amount))
    }

    pub(super) fn balance(&self, ticks: u64) -> u64 {
        State::unpack(self.word.load(Ordering::Relaxed)).at(ticks, self.reserve).balance
    }

    fn update(&self, ticks: u64, change: impl Fn(u64) -> Option<u64>) -> bool {
        // Relaxed is enough: the word is all there is, it guards no other memory.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let state = State::unpack(word).at(ticks, self.reserve);
            let Some(balance) = change(state.balance) else { return false };
            let new = State { balance, ..state }.pack();
            match self.word.compare_exchange_weak(word, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(found) => word = found,
            }
        }
    }
}

impl State {
    const fn unpack(word: u64) -> Self {
        Self { ticks: word >> BALANCE_BITS, balance: word & MOST }
    }

    const fn pack(self) -> u64 {
        (self.ticks << BALANCE_BITS) | self.balance
    }

    /// The state at a later time.
    fn at(self, ticks: u64, reserve: u64) -> Self {
        let ticks = ticks & TICKS;
        let elapsed = ticks.wrapping_sub(self.ticks) & TICKS;
        if elapsed > TICKS / 2 {
            // Another thread read its clock later and came first; or the clock had jumped ahead and
            // is back, and then waiting for it would stop the forgetting.
            let is_jump = self.ticks.wrapping_sub(ticks) & TICKS > TICKS_PER_HALF_LIFE;
            return if is_jump { Self { ticks, ..self } } else { self };
        }
        let excess = self.balance.saturating_sub(reserve);
        if elapsed == 0 || excess == 0 {
            return Self { ticks, ..self };
        }
        let left = (-(elapsed as f64) / TICKS_PER_HALF_LIFE as f64).exp2();
        Self { ticks, balance: reserve + (excess as f64 * left) as u64 }
    }
}
