//! What a limit of concurrent calls is told when it is built.

use std::num::NonZeroU32;

use battlement_core::{
    adaptive,
    queue::{self, InvalidQueue},
};

/// How many calls may run, and what happens to the others.
///
/// [`ConcurrencyLayer::new`](super::ConcurrencyLayer::new) takes a number or the settings of an
/// adaptive limit in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Config {
    /// How many calls may run at once.
    pub limit: Limit,
    /// How many calls may wait, and who goes first; `None` if none may.
    pub queue: Option<queue::Config>,
}

/// How many calls may run at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// So many.
    Fixed(u32),
    /// As many as the provider turns out to have room for.
    Adaptive(adaptive::Config),
}

impl Config {
    /// With the usual queue.
    pub fn new(limit: Limit) -> Self {
        Self { limit, queue: Some(queue::Config::default()) }
    }

    /// Lets calls wait in this queue, as long as their deadline allows.
    pub fn wait(mut self, queue: queue::Config) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Lets no call wait: where no place is free, it is rejected.
    pub fn reject(mut self) -> Self {
        self.queue = None;
        self
    }

    /// A limit that stays as it is is one that has no room to adapt.
    pub(super) fn bounds(&self) -> Result<adaptive::Config, InvalidConfig> {
        match self.limit {
            Limit::Adaptive(config) => Ok(config),
            Limit::Fixed(limit) => {
                let limit = NonZeroU32::new(limit).ok_or(InvalidConfig::Zero)?;
                let usual = adaptive::Config::default();
                Ok(adaptive::Config { min: limit, max: limit, initial: limit, ..usual })
            }
        }
    }
}

impl From<u32> for Config {
    fn from(limit: u32) -> Self {
        Self::new(Limit::Fixed(limit))
    }
}

impl From<adaptive::Config> for Config {
    fn from(limit: adaptive::Config) -> Self {
        Self::new(Limit::Adaptive(limit))
    }
}

/// A setting with which no call could run.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// No call may run.
    #[error("a limit of no calls lets nothing through")]
    Zero,
    /// The adaptive limit is not valid.
    #[error("the adaptive limit is not valid")]
    Adaptive(#[from] adaptive::InvalidConfig),
    /// The queue is not valid.
    #[error("the queue is not valid")]
    Queue(#[from] InvalidQueue),
}
