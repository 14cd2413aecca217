//! Randomness as an argument.
//!
//! Waits are drawn, so that clients which failed together do not come back together. A decision
//! that fetched its own randomness could not be tested, and a run could not be repeated; so every
//! decision that draws takes a [`Random`], and a seed reproduces a run.

use std::time::Duration;

/// A source of draws.
pub trait Random {
    /// The next draw, uniform in `0.0..1.0`.
    ///
    /// What is outside is taken for the nearest value inside, so that a bad source makes a bad
    /// spread and never a panic.
    fn unit(&mut self) -> f64;
}

/// A generator with a seed. The number is its state; every number is a good seed.
///
/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one addition and three multiplications, no bad
/// seeds, passes BigCrush. Not for secrets.
#[derive(Debug)]
pub struct Seeded(pub u64);

impl Random for Seeded {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(GAMMA);
        // The upper 53 bits: as many as the fraction of an `f64` holds.
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A time between the two, both included; `low` when they are not in order.
pub(crate) fn between(
    low: Duration,
    high: Duration,
    random: &mut (impl Random + ?Sized),
) -> Duration {
    let draw = random.unit();
    // Written so that a draw which is no number counts as zero.
    let draw = if draw > 0.0 { draw.min(1.0) } else { 0.0 };
    // Nanoseconds as a fraction: scaling seconds and nanoseconds apart loses the fraction of a
    // second, as tower's jitter does. The clamp takes back what rounding may add.
    let width = high.saturating_sub(low).as_secs_f64() * draw;
    let width = Duration::try_from_secs_f64(width).unwrap_or(Duration::MAX);
    low.saturating_add(width).min(high.max(low))
}

/// The odd number nearest to 2⁶⁴ divided by the golden ratio.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
