//! How much answers that are still being produced can take, before what comes back catches up.
//!
//! Stream `i` can still bring `rᵢ` tokens, at most `g` a second. Within time `h` all of them bring at
//! most `Σ min(rᵢ, g·h)`, and `rate·h` comes back; the limit holds at every moment if the level is at
//! least the largest difference of the two. That difference is concave in `h`: it grows while more
//! streams flow than the rate can feed, `k = ⌊rate / g⌋`, and shrinks after. So it is largest when the
//! stream with the `k + 1`-th most to bring runs dry, and no other moment has to be looked at.
//!
//! What the streams may still bring is kept in order, so that this is looked up and not searched for.

use std::num::NonZeroU64;

use smallvec::SmallVec;

use crate::bucket::Rate;

/// What each open stream can still bring.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The longest first; those that can bring nothing any more are left out.
    rests: SmallVec<[u64; 4]>,
    total: u128,
}

impl Streams {
    /// A stream can bring something else than before; nothing is none.
    pub(super) fn change(&mut self, before: u64, after: u64) {
        if before == after {
            return;
        }
        self.total = self.total - u128::from(before) + u128::from(after);
        // Of equal ones, the last leaves and the new one comes first, so that little has to move.
        let from = if before == 0 { 0 } else { self.rests.partition_point(|rest| *rest >= before) };
        let to = if after == 0 { 0 } else { self.rests.partition_point(|rest| *rest > after) };
        match (before, after) {
            (0, _) => self.rests.insert(to, after),
            (_, 0) => {
                self.rests.remove(from - 1);
            }
            _ if after < before => {
                self.rests[from - 1..to].rotate_left(1);
                self.rests[to - 1] = after;
            }
            _ => {
                self.rests[to..from].rotate_right(1);
                self.rests[to] = after;
            }
        }
    }

    /// The level that keeps the limit at every moment, whatever the streams and another one do.
    pub(super) fn demand(&self, another: u64, speed: NonZeroU64, rate: Rate) -> u64 {
        let amount = u128::from(rate.amount()) * 1_000_000_000;
        let stream = rate.period().as_nanos().saturating_mul(speed.get().into());
        let count = self.rests.len() + usize::from(another > 0);
        if stream.saturating_mul(count as u128) <= amount {
            return 0;
        }
        // Less than the count, as that many streams would outrun the rate.
        let fed = (amount / stream) as usize;
        let place = self.rests.partition_point(|rest| *rest > another);
        let (turn, shorter) = match fed.cmp(&place) {
            std::cmp::Ordering::Less => {
                (self.rests[fed], self.sum_from(fed + 1) + u128::from(another))
            }
            std::cmp::Ordering::Equal => (another, self.sum_from(fed)),
            std::cmp::Ordering::Greater => (self.rests[fed - 1], self.sum_from(fed)),
        };
        let turn = u128::from(turn);
        let brought = turn.saturating_mul(fed as u128 + 1).saturating_add(shorter);
        let back = turn.saturating_mul(amount) / stream;
        u64::try_from(brought.saturating_sub(back)).unwrap_or(u64::MAX)
    }

    /// What all but the longest so many can bring.
    fn sum_from(&self, index: usize) -> u128 {
        let (longer, shorter) = self.rests.split_at(index);
        let sum = |rests: &[u64]| rests.iter().map(|rest| u128::from(*rest)).sum::<u128>();
        if longer.len() < shorter.len() { self.total - sum(longer) } else { sum(shorter) }
    }
}
