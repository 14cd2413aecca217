//! Quantiles of recent times, in half a kilobyte.
//!
//! A histogram with eight buckets to each doubling, from ten milliseconds to eleven minutes. A
//! quantile is told as the upper edge of its bucket, so it is at most 9 % too late and never too
//! early. Old observations fade: each new one weighs a little more than the one before it
//! (Cormode et al., "Forward Decay", ICDE 2009), so nothing has to be aged.

use std::time::Duration;

const PER_DOUBLING: f64 = 8.0;
const BUCKETS: usize = 128;

/// The upper edge of the first bucket.
const SHORTEST: f64 = 0.010;

/// How much heavier an observation is than the one before: the latest thousand count most.
const GROWTH: f32 = 1.001;

/// When to scale all weights down; far from where `f32` loses counts.
const HEAVIEST: f32 = 1e6;

#[derive(Debug)]
pub(super) struct Times {
    weights: [f32; BUCKETS],
    /// The sum of all weights.
    total: f64,
    next: f32,
    count: u32,
    /// The last bucket that was ever used.
    top: usize,
}

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        let bucket = bucket(time);
        self.top = self.top.max(bucket);
        let weight = &mut self.weights[bucket];
        let before = *weight;
        *weight += self.next;
        // What was really added, after rounding.
        self.total += f64::from(*weight) - f64::from(before);
        self.next *= GROWTH;
        if self.next > HEAVIEST {
            self.weights.iter_mut().for_each(|weight| *weight /= HEAVIEST);
            self.next /= HEAVIEST;
            self.total = self.weights.iter().copied().map(f64::from).sum();
        }
        self.count = self.count.saturating_add(1);
    }

    /// How many were observed in all.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// What these shares of the times are not above, the largest share first; zero when there are none.
    pub(super) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Duration; N] {
        let most = shares.map(|share| self.total * (1.0 - share));
        let mut found = [Duration::ZERO; N];
        let (mut next, mut above) = (0, 0.0);
        // From the top, where there is less to add up.
        for (bucket, weight) in self.weights[..=self.top].iter().enumerate().rev() {
            above += f64::from(*weight);
            while most.get(next).is_some_and(|most| above > *most) {
                found[next] = edge(bucket);
                next += 1;
            }
            if next == N {
                break;
            }
        }
        found
    }
}

impl Default for Times {
    fn default() -> Self {
        Self { weights: [0.0; BUCKETS], total: 0.0, next: 1.0, count: 0, top: 0 }
    }
}

fn bucket(time: Duration) -> usize {
    let doublings = (time.as_secs_f64() / SHORTEST).log2();
    // Times of up to the first edge, and zero above all, are negative; the cast takes them for zero.
    ((doublings * PER_DOUBLING).ceil() as usize).min(BUCKETS - 1)
}

fn edge(bucket: usize) -> Duration {
    Duration::from_secs_f64(SHORTEST * (bucket as f64 / PER_DOUBLING).exp2())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_hold_their_buckets() {
        for bucket_at in 0..BUCKETS {
            let time = edge(bucket_at);
            assert!(bucket(time).abs_diff(bucket_at) <= 1, "{bucket_at}");
            assert_eq!(bucket(time.mul_f64(0.99)), bucket_at);
        }
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
        assert!(edge(BUCKETS - 1) > Duration::from_secs(590));
    }

    #[test]
    fn the_old_fades() {
        let mut times = Times::default();
        assert_eq!(times.quantiles([0.5])[0], Duration::ZERO);
        (0..100_000).for_each(|_| times.add(Duration::from_secs(1)));
        (0..3000).for_each(|_| times.add(Duration::from_secs(10)));
        assert!(times.quantiles([0.1])[0] > Duration::from_secs(9));
        (0..100_000).for_each(|_| times.add(Duration::from_secs(1)));
        assert!(times.quantiles([0.999])[0] < Duration::from_secs(2));
        assert_eq!(times.count(), 203_000);
    }

    /// Weights that only grow have to be scaled down now and then, here after some 13,800 times.
    #[test]
    fn no_single_observation_weighs_much() {
        let mut times = Times::default();
        (0..2_000).for_each(|_| times.add(Duration::from_secs(1)));
        for _ in 0..2_500 {
            (0..9).for_each(|_| times.add(Duration::from_secs(1)));
            times.add(Duration::from_secs(10));
            assert!(times.quantiles([0.8])[0] < Duration::from_secs(2));
        }
        assert!(times.quantiles([0.95])[0] > Duration::from_secs(9));
    }

    proptest! {
        /// Against a list in which each time counts as often as it came; few enough not to fade.
        #[test]
        fn never_early_and_hardly_late(
            mut times in prop::collection::vec(10_u64..500_000, 1..40),
            share in 0.5..0.99,
        ) {
            let mut learned = Times::default();
            times.iter().for_each(|&time| learned.add(Duration::from_millis(time)));
            times.sort_unstable();
            let found = learned.quantiles([share])[0].as_secs_f64() * 1000.0;
            // Fading moves the rank by one at most.
            let rank = share * times.len() as f64;
            let low = times[(rank - 1.0).max(0.0) as usize] as f64;
            let high = times[((rank + 1.0) as usize).min(times.len() - 1)] as f64;
            prop_assert!(found >= low * 0.999, "{found} {low}");
            prop_assert!(found <= high * 1.092, "{found} {high}");
        }
    }
}
