//! Steps that are drawn.

use super::{List, Script, Step, Turn, WHOLE};

/// Steps with their shares: a script in the making, see [`Script::chance`].
#[derive(Clone, Debug)]
#[must_use = "a script comes of it with `build`"]
pub struct Chance {
    seed: u64,
    choices: Vec<(f64, Step)>,
}

/// Why chances do not add up.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidChance {
    /// A share is no part of one.
    #[error("a share of {0} is not between 0 and 1")]
    Share(f64),
    /// They are not a whole.
    #[error("the shares add up to {0}, not to 1")]
    Sum(f64),
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, choices: Vec::new() }
    }

    /// A step, and the part of all calls that it happens to, such as 0.1. It is kept in millionths.
    pub fn often(mut self, share: f64, step: Step) -> Self {
        self.choices.push((share, step));
        self
    }

    /// The script.
    ///
    /// # Errors
    ///
    /// Unless the shares are parts of one and add up to it, give or take what three times a third loses.
    pub fn build(self) -> Result<Script, InvalidChance> {
        let mut choices = Vec::with_capacity(self.choices.len());
        for (share, step) in self.choices {
            if !(0.0..=1.0).contains(&share) {
                return Err(InvalidChance::Share(share));
            }
            choices.push(((share * f64::from(WHOLE)).round() as u32, step));
        }
        let sum = sum(&choices);
        if !adds_up(sum) {
            return Err(InvalidChance::Sum(sum as f64 / f64::from(WHOLE)));
        }
        let turns = vec![Turn::drawn(1, choices)];
        Ok(Script::list(List { seed: self.seed, turns, cycles: false }))
    }
}

/// All shares, in millionths.
pub(super) fn sum(choices: &[(u32, Step)]) -> u64 {
    choices.iter().map(|(share, _)| u64::from(*share)).sum()
}

/// Whether shares are a whole, up to what rounding loses.
pub(super) fn adds_up(sum: u64) -> bool {
    const LOST: u64 = 100;
    sum.abs_diff(WHOLE.into()) <= LOST
}
