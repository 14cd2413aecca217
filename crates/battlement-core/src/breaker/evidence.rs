//! What the results of calls say about the share that fails.
//!
//! Results are counted with a weight that halves every half-life: two numbers instead of a window,
//! exact in its way at any rate, and nothing to walk through after a pause. The question is then
//! not "which share failed", which one failure of one call answers with 100 %, but "how likely is it that
//! more than the threshold fails": with `Beta(1, 1)` before the first result, the answer is the
//! upper tail of `Beta(1 + bad, 1 + good)`.

use std::time::{Duration, Instant};

/// What a result says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Good,
    Bad,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    good: f64,
    bad: f64,
    /// Bad results since the last good one; these do not fade.
    streak: u32,
    /// When the counts had these values. Never goes back, even if the clock does.
    at: Instant,
}

impl Evidence {
    pub(super) fn new(now: Instant) -> Self {
        Self { good: 0.0, bad: 0.0, streak: 0, at: now }
    }

    /// Adds a result; returns the time it is booked under, to take it back later.
    pub(super) fn add(&mut self, sign: Sign, now: Instant, half_life: Duration) -> Instant {
        self.fade(now, half_life);
        match sign {
            Sign::Good => (self.good, self.streak) = (self.good + 1.0, 0),
            Sign::Bad => {
                (self.bad, self.streak) = (self.bad + 1.0, self.streak.saturating_add(1));
            }
        }
        self.at
    }

    /// Takes back what is left of a result.
    pub(super) fn take_back(&mut self, sign: Sign, booked: Instant, half_life: Duration) {
        let left = weight(self.at.saturating_duration_since(booked), half_life);
        let count = match sign {
            Sign::Good => &mut self.good,
            Sign::Bad => &mut self.bad,
        };
        *count = (*count - left).max(0.0);
    }

    pub(super) fn good(&self, now: Instant, half_life: Duration) -> f64 {
        self.good * weight(now.saturating_duration_since(self.at), half_life)
    }

    pub(super) fn bad(&self, now: Instant, half_life: Duration) -> f64 {
        self.bad * weight(now.saturating_duration_since(self.at), half_life)
    }

    pub(super) fn streak(&self) -> u32 {
        self.streak
    }

    /// Whether more than `threshold` of the calls fail, by all that is likely. The undecided count
    /// as good until they say otherwise.
    pub(super) fn convicts(&self, undecided: u32, threshold: f64, confidence: f64) -> bool {
        let good = self.good + f64::from(undecided);
        // Below the threshold the answer is no, and the tail need not be worked out.
        self.bad > threshold * (self.bad + good)
            && upper_tail(1.0 + self.bad, 1.0 + good, threshold) >= confidence
    }

    fn fade(&mut self, now: Instant, half_life: Duration) {
        if now > self.at {
            let weight = weight(now.duration_since(self.at), half_life);
            (self.good, self.bad, self.at) = (self.good * weight, self.bad * weight, now);
        }
    }
}

fn weight(age: Duration, half_life: Duration) -> f64 {
    (-age.as_secs_f64() / half_life.as_secs_f64()).exp2()
}

/// The probability that a draw from `Beta(a, b)` is above `x`, for `a, b >= 1` and `0 < x < 1`.
///
/// The continued fraction of the regularized incomplete beta function (DLMF 8.17.22), evaluated by
/// the method of Lentz. It converges in about `sqrt(max(a, b))` steps on the side of the
/// mean that is chosen here.
pub(super) fn upper_tail(a: f64, b: f64, x: f64) -> f64 {
    let scale =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        1.0 - scale * fraction(a, b, x) / a
    } else {
        scale * fraction(b, a, 1.0 - x) / b
    }
}

/// Where `upper_tail` asks for it no denominator is zero, so none is kept away from it.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    // Enough for a million results; what is left after them is below any confidence one can ask for.
    const STEPS: u32 = 2000;
    let mut c = 1.0;
    let mut d = 1.0 / (1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..=STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / (1.0 + even * d);
        c = 1.0 + even / c;
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / (1.0 + odd * d);
        c = 1.0 + odd / c;
        result *= d * c;
        if (d * c - 1.0).abs() < 1e-12 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function for `x >= 1`: Stirling's series (DLMF 5.11.1), after moving
/// up to where three terms of it are exact to ten digits.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * square)) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}
