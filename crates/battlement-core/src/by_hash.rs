//! Maps from the hashes of keys, for keys that nobody asks back.
//!
//! A hash of 64 bits is smaller than most keys, is worked out once for any number of look-ups, and is
//! never the same for two of fewer than many millions of keys. Whoever uses it says what it means if
//! it ever is.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose keys are hashes already.
pub(crate) type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// Takes a hash for what it is.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        // Only ever given a `u64`, which comes below.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_hash_is_taken_for_what_it_is() {
        let map = ByHash::<()>::default();
        assert!([0, 1, 7 << 40, u64::MAX].iter().all(|hash| map.hasher().hash_one(hash) == *hash));
    }
}
