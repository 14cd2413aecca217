//! What has limits of its own.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Arc, LazyLock},
};

use battlement_core::Provider;

use super::{Call, Credential};

/// What has limits, a gate or a circuit of its own: by default, each model of each provider on each
/// account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who answers.
    pub provider: Provider,
    /// The model, or whatever else is called apart from the others.
    pub name: Option<Arc<str>>,
    /// The region, the tenant, or whatever else is told apart. Nothing by default.
    pub account: Option<Arc<str>>,
    /// The API key that calls are made with.
    pub credential: Option<Credential>,
}

/// How a layer tells what has limits of its own.
pub(crate) type KeyOf = dyn Fn(&Call) -> Key + Send + Sync;

impl Key {
    /// Of this provider, and nothing else known.
    pub const fn new(provider: Provider) -> Self {
        Self { provider, name: None, account: None, credential: None }
    }

    /// The provider and the model of a call, and the account that it is made on.
    pub fn of(call: &Call) -> Self {
        let facts = call.facts();
        Self {
            provider: facts.provider,
            name: facts.model.clone(),
            account: None,
            credential: call.credential(),
        }
    }
}

/// A key with its hash, which is worked out once for all layers that a call comes through.
#[derive(Clone, Debug)]
pub(crate) struct Hashed {
    pub(crate) key: Key,
    hash: u64,
}

/// What belongs to keys.
pub(crate) type ByKey<V> = HashMap<Hashed, V, BuildHasherDefault<AsItIs>>;

impl Hashed {
    pub(crate) fn new(key: Key) -> Self {
        // Models are named by callers, so nobody may know how they are hashed.
        static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = SECRET.hash_one(&key);
        Self { key, hash }
    }

    /// As this function says, if it is not the one that the call [has](Call::key) anyway.
    pub(crate) fn own(key: Option<&KeyOf>, call: &Call) -> Option<Box<Self>> {
        key.map(|key| Box::new(Self::new(key(call))))
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for Hashed {}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.provider)?;
        for part in [&self.name, &self.account].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        match self.credential {
            Some(credential) => write!(f, "/{credential}"),
            None => Ok(()),
        }
    }
}
