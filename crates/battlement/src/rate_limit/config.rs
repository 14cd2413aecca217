//! What a rate limit is told when it is built.

use battlement_core::{
    Provider,
    estimator::{self, InvalidEstimator},
    ledger::{self, InvalidLedger, Limit, Meter, Output},
    queue::{self, InvalidQueue},
};

/// Ten billion in a minute.
const BEYOND_ANY: u64 = 10_000_000_000;

/// The limits, and what happens to calls that reach them.
#[derive(Clone, Debug)]
#[must_use]
pub struct Config {
    /// The limits, and how the provider charges a call.
    pub ledger: ledger::Config,
    /// How many calls may wait, and who goes first; `None` if none may.
    pub queue: Option<queue::Config>,
    /// How the length of answers is learned.
    pub estimator: estimator::Config,
}

impl Config {
    /// Charges calls in the way of that provider, by limits that are yet to be named.
    pub fn new(provider: Provider) -> Self {
        ledger::Config::new(provider, Vec::new()).into()
    }

    /// Takes the limits that the provider tells in its headers, and until then knows none.
    ///
    /// Headers lower a limit and never raise it over what was set, so what is set here is more than
    /// anybody has.
    pub fn told_by(provider: Provider) -> Self {
        let config = Self::new(provider).requests_per_minute(BEYOND_ANY);
        match config.ledger.charging.output {
            // Input and output are limited apart.
            Output::AsProduced => {
                config.input_tokens_per_minute(BEYOND_ANY).output_tokens_per_minute(BEYOND_ANY)
            }
            Output::Free => config.input_tokens_per_minute(BEYOND_ANY),
            Output::Maximum | Output::Expected => config.tokens_per_minute(BEYOND_ANY),
        }
    }

    /// Limits requests.
    pub fn requests_per_minute(self, amount: u64) -> Self {
        self.limit(Limit::per_minute(Meter::Requests, amount))
    }

    /// Limits tokens of input and output together.
    pub fn tokens_per_minute(self, amount: u64) -> Self {
        self.limit(Limit::per_minute(Meter::Tokens, amount))
    }

    /// Limits tokens of input.
    pub fn input_tokens_per_minute(self, amount: u64) -> Self {
        self.limit(Limit::per_minute(Meter::Input, amount))
    }

    /// Limits tokens of output.
    pub fn output_tokens_per_minute(self, amount: u64) -> Self {
        self.limit(Limit::per_minute(Meter::Output, amount))
    }

    /// Adds a limit. All of them hold at once.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.ledger.limits.push(limit);
        self
    }

    /// Lets calls wait in this queue, as long as their deadline allows. With the usual queue, this
    /// is what happens unless told otherwise.
    pub fn wait(mut self, queue: queue::Config) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Lets no call wait: what does not pass at once is rejected.
    pub fn reject(mut self) -> Self {
        self.queue = None;
        self
    }
}

impl From<ledger::Config> for Config {
    fn from(ledger: ledger::Config) -> Self {
        let (queue, estimator) = (Some(queue::Config::default()), estimator::Config::default());
        Self { ledger, queue, estimator }
    }
}

/// A setting with which no call could be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The limits are out of range, contradict each other, or there are none.
    #[error("the limits are not valid")]
    Ledger(#[from] InvalidLedger),
    /// The queue is not valid.
    #[error("the queue is not valid")]
    Queue(#[from] InvalidQueue),
    /// The estimator is not valid.
    #[error("the estimator is not valid")]
    Estimator(#[from] InvalidEstimator),
}
