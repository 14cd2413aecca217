//! What has limits of its own.

use std::{fmt, sync::Arc};

use battlement_core::Provider;

use super::Call;

/// What has limits, a gate or a circuit of its own: by default, each model of each provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who answers.
    pub provider: Provider,
    /// The model, or whatever else is called apart from the others.
    pub name: Option<Arc<str>>,
    /// Which key or region, if that is told. Whoever uses several over one stack should tell them apart.
    pub account: Option<Arc<str>>,
}

impl Key {
    /// The provider and the model of a call.
    pub fn of(call: &Call) -> Self {
        let facts = call.facts();
        Self { provider: facts.provider, name: facts.model.clone(), account: None }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.provider)?;
        for part in [&self.name, &self.account].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}
