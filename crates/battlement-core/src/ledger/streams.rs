//! How much answers that are still being produced can take, before what comes back catches up.
//!
//! Stream `i` can still bring `rᵢ` tokens, at most `g` a second. Within time `h` all of them bring at
//! most `Σ min(rᵢ, g·h)`, and `rate·h` comes back; the limit holds at every moment if the level is at
//! least the largest difference of the two. That difference is concave in `h`: it grows while more
//! streams flow than the rate can feed, `k = ⌊rate / g⌋`, and shrinks after. So it is largest when the
//! stream with the `k + 1`-th most to bring runs dry, and no other moment has to be looked at.

use std::num::NonZeroU64;

use crate::bucket::Rate;

/// The level that keeps the limit at every moment, whatever the streams do. Reorders `remaining`.
pub(super) fn demand(remaining: &mut [u64], speed: NonZeroU64, rate: Rate) -> u64 {
    let amount = u128::from(rate.amount()) * 1_000_000_000;
    let stream = rate.period().as_nanos().saturating_mul(speed.get().into());
    let fed = usize::try_from(amount / stream).unwrap_or(usize::MAX);
    if remaining.len() <= fed {
        return 0;
    }
    let (longer, turn, shorter) = remaining.select_nth_unstable_by(fed, |a, b| b.cmp(a));
    let turn = u128::from(*turn);
    let shorter: u128 = shorter.iter().map(|rest| u128::from(*rest)).sum();
    let brought = turn.saturating_mul(longer.len() as u128 + 1).saturating_add(shorter);
    let back = turn.saturating_mul(amount) / stream;
    u64::try_from(brought.saturating_sub(back)).unwrap_or(u64::MAX)
}
