//! What has limits of its own.

use std::{collections::HashMap, fmt, sync::Arc};

use battlement_core::Provider;
use foldhash::fast::RandomState;

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

    /// As this function says, if it is not the one that the call [has](Call::key) anyway.
    pub(crate) fn own(key: Option<&KeyOf>, call: &Call) -> Option<Box<Self>> {
        key.map(|key| Box::new(key(call)))
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

/// What belongs to keys.
pub(crate) type ByKey<V> = HashMap<Key, V, RandomState>;

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
