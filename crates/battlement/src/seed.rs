//! Seeds for those who were given none.

use std::hash::{BuildHasher, RandomState};

/// A number that no other call of this function has returned, as far as anybody can tell.
pub(crate) fn fresh() -> u64 {
    RandomState::new().hash_one(crate::clock::date())
}
