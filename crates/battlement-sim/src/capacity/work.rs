//! How much work calls are: drawn, with a mean and a spread.

use std::{f64::consts::TAU, time::Duration};

use battlement_core::random::Random;

/// A lognormal distribution: most calls are short, and a few are many times as long as the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lognormal {
    mu: f64,
    sigma: f64,
}

impl Lognormal {
    /// With this mean, and this spread as a part of the mean (the coefficient of variation, 0 for none).
    pub fn new(mean: f64, spread: f64) -> Self {
        let variance = (spread * spread).ln_1p();
        Self { mu: mean.max(f64::MIN_POSITIVE).ln() - variance / 2.0, sigma: variance.sqrt() }
    }

    /// One of them.
    pub fn draw(&self, random: &mut (impl Random + ?Sized)) -> f64 {
        (self.mu + self.sigma * normal(random)).exp()
    }

    /// One of them, in seconds.
    pub fn draw_time(&self, random: &mut (impl Random + ?Sized)) -> Duration {
        Duration::try_from_secs_f64(self.draw(random)).unwrap_or(Duration::MAX)
    }
}

/// A draw of the normal distribution, by Box and Muller.
fn normal(random: &mut (impl Random + ?Sized)) -> f64 {
    // The logarithm of zero is not wanted.
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (TAU * random.unit()).cos()
}

/// The time to the next of calls that come by themselves, so many in a second (a Poisson process).
pub fn until_next(per_second: f64, random: &mut (impl Random + ?Sized)) -> Duration {
    let seconds = -(1.0 - random.unit()).ln() / per_second;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
