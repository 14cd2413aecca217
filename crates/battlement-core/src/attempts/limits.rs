//! How much a call may use up.

use std::time::Duration;

/// No call is tried more often than this, whatever the settings: a larger number is a mistake.
pub const MOST_ATTEMPTS: u32 = 100;

/// How much a call may use up, over all its retries, hedges and fallbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(super) attempts: u32,
    pub(super) tokens: Option<u64>,
    pub(super) waiting: Option<Duration>,
    pub(super) repeatable: bool,
}

impl Limits {
    /// So many attempts, the first included; of tokens and waits as many as it takes.
    pub const fn new(attempts: u32) -> Result<Self, InvalidLimits> {
        if attempts == 0 || attempts > MOST_ATTEMPTS {
            return Err(InvalidLimits { attempts });
        }
        Ok(Self { attempts, tokens: None, waiting: None, repeatable: true })
    }

    /// At most this many tokens, and beyond them only what a running attempt costs more than it
    /// was estimated to.
    #[must_use]
    pub const fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// At most this long between attempts, all waits together.
    #[must_use]
    pub const fn waiting(mut self, waiting: Duration) -> Self {
        self.waiting = Some(waiting);
        self
    }

    /// How many attempts there may be.
    pub const fn attempts(self) -> u32 {
        self.attempts
    }

    /// Whether the request may be sent twice. One that runs tools on the provider's side, or adds
    /// to a conversation stored there, may not, unless its author says so.
    #[must_use]
    pub const fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }
}

impl Default for Limits {
    /// Three attempts, as Google's SRE book advises; a request that may be repeated.
    fn default() -> Self {
        Self { attempts: 3, tokens: None, waiting: None, repeatable: true }
    }
}

/// The number of attempts is not between 1 and [`MOST_ATTEMPTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attempts} attempts are not between 1 and {MOST_ATTEMPTS}")]
pub struct InvalidLimits {
    /// What was asked for.
    pub attempts: u32,
}
