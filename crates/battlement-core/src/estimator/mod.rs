//! How long an answer will be, learnt from those before.
//!
//! A limiter must reserve what an answer will cost before there is one. The maximum that a request
//! allows is four to fifty times too much, and a reservation eight times too large halves what can be
//! used of a quota. So what the same model answered to the same kind of call is remembered, and
//! a reservation is the length that 95 of 100 answers do not exceed. A wrong estimate costs
//! little: the [`ledger`](crate::ledger) settles the truth.
//!
//! Per key, such as (model, class) or (model, route, tenant), a sketch of some hundred bytes counts
//! lengths in buckets an eighth apart and forgets by halving; keys are bounded, and of too many the
//! least recently used go (by the CLOCK of Corbató, 1968). Keys are kept as 64-bit hashes: should two
//! ever collide, they share an estimate.
//!
//! ```
//! use battlement_core::estimator::{Config, Estimator};
//!
//! let mut estimator = Estimator::new(Config::default())?;
//! let key = ("some-model", "summaries");
//! // Nothing is known: the request's own maximum is all there is.
//! assert_eq!(estimator.expected(&key, Some(8_000)), 8_000);
//!
//! for length in 200..300 {
//!     estimator.learn(&key, length);
//! }
//! let expected = estimator.expected(&key, Some(8_000));
//! assert!((295..=331).contains(&expected));
//! assert_eq!(estimator.expected(&key, Some(100)), 100);
//! # Ok::<(), battlement_core::estimator::InvalidEstimator>(())
//! ```

mod sketch;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hash};

use self::sketch::Sketch;
use crate::by_hash::ByHash;

/// How an estimator estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many keys are remembered. 1,024 by default: a quarter of a megabyte.
    pub most_keys: usize,
    /// The share of answers, in thousandths, that shall not be longer than expected. 950 by default;
    /// it takes 19 answers to tell.
    pub coverage: u16,
    /// What is expected of an answer that nothing is known of, not even a maximum. 4,096 by default,
    /// a maximum that many models had or have.
    pub unknown: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { most_keys: 1_024, coverage: 950, unknown: 4_096 }
    }
}

/// Why an estimator is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEstimator {
    /// No keys, or too many.
    #[error("{0} keys are not between 1 and {MOST_KEYS}")]
    Keys(usize),
    /// The coverage takes more answers to tell than are remembered.
    #[error("a coverage of {0} thousandths is not between 1 and {MOST_COVERAGE}")]
    Coverage(u16),
}

const MOST_KEYS: usize = 1 << 24;
/// 100 answers tell; 127 are remembered for sure.
const MOST_COVERAGE: u16 = 990;

/// How long answers were, by key.
#[derive(Debug)]
pub struct Estimator {
    config: Config,
    index: ByHash<u32>,
    entries: Vec<Entry>,
    /// Whose turn it is to be forgotten, unless used since the last time.
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    key: u64,
    sketch: Sketch,
    used: bool,
}

impl Estimator {
    /// An estimator that knows nothing.
    ///
    /// # Errors
    ///
    /// A coverage or a number of keys out of range.
    pub fn new(config: Config) -> Result<Self, InvalidEstimator> {
        if !(1..=MOST_KEYS).contains(&config.most_keys) {
            return Err(InvalidEstimator::Keys(config.most_keys));
        }
        if !(1..=MOST_COVERAGE).contains(&config.coverage) {
            return Err(InvalidEstimator::Coverage(config.coverage));
        }
        Ok(Self { config, index: ByHash::default(), entries: Vec::new(), hand: 0 })
    }

    /// The tokens to reserve for an answer; at most the maximum that its request allows.
    pub fn expected(&mut self, key: &impl Hash, maximum: Option<u64>) -> u64 {
        let known = self.index.get(&fingerprint(key)).and_then(|index| {
            let entry = &mut self.entries[*index as usize];
            entry.used = true;
            entry.sketch.quantile(self.config.coverage)
        });
        match (known, maximum) {
            (Some(known), Some(maximum)) => known.min(maximum),
            (Some(known), None) => known,
            (None, maximum) => maximum.unwrap_or(self.config.unknown),
        }
    }

    /// Takes note of how long an answer was. Leave out those that broke off.
    pub fn learn(&mut self, key: &impl Hash, output: u64) {
        let key = fingerprint(key);
        let known = self.index.get(&key).copied();
        let index = known.unwrap_or_else(|| self.enter(key));
        let entry = &mut self.entries[index as usize];
        // Who comes but once goes before who comes again.
        entry.used = known.is_some();
        entry.sketch.add(output);
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn enter(&mut self, key: u64) -> u32 {
        let new = Entry { key, sketch: Sketch::default(), used: false };
        let index = if self.entries.len() < self.config.most_keys {
            self.grow();
            self.entries.push(new);
            self.entries.len() - 1
        } else {
            while std::mem::take(&mut self.entries[self.hand].used) {
                self.advance();
            }
            let index = self.hand;
            self.index.remove(&self.entries[index].key);
            self.entries[index] = new;
            self.advance();
            index
        };
        self.index.insert(key, index as u32);
        index as u32
    }

    /// Doubling would leave up to half of the room unused; a sixteenth is enough.
    fn grow(&mut self) {
        if self.entries.len() == self.entries.capacity() {
            let more = (self.entries.len() / 16).max(4);
            self.entries.reserve_exact(more.min(self.config.most_keys - self.entries.len()));
        }
    }

    fn advance(&mut self) {
        self.hand = (self.hand + 1) % self.entries.len();
    }
}

/// The same in every process, so that a run can be repeated.
fn fingerprint(key: &impl Hash) -> u64 {
    foldhash::quality::FixedState::default().hash_one(key)
}
