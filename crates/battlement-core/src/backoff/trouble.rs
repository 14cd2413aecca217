//! Failures, grouped by how to come back from them.

use std::fmt;

use crate::{ErrorClass, FinishClass, Outcome};

/// What kind of failure a repetition would follow.
///
/// Decides how long to wait ([`Paces`](super::Paces)) and what the repetition costs
/// ([`Weights`](crate::budget::Weights)).
///
/// Complete: every failure that may pass is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The request was not sent: no connection, no handshake.
    Unsent,
    /// The account's rate limit.
    RateLimit,
    /// The provider has no capacity, or loads the model.
    Overloaded,
    /// A failure inside the provider, an answer that broke off, or one that cannot be used.
    Broken,
    /// Nothing came within our own time limit. The provider may still be at work, and bill it.
    Silent,
}

impl Trouble {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Unsent, Self::RateLimit, Self::Overloaded, Self::Broken, Self::Silent];

    /// The kind of trouble an answer is, or `None` when the identical request would end the same,
    /// or has nothing wrong with it.
    ///
    /// Whether a repetition is *allowed* is another question: never after output went down.
    ///
    /// ```
    /// use battlement_core::{ErrorClass, Outcome, backoff::Trouble};
    ///
    /// let trouble = |class| Trouble::of(Outcome::Failed(class));
    /// assert_eq!(trouble(ErrorClass::RateLimitTokens), Some(Trouble::RateLimit));
    /// assert_eq!(trouble(ErrorClass::QuotaExhausted), None);
    /// ```
    pub const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Failed(class) if !class.is_transient() => None,
            Outcome::Failed(class) => Some(match class {
                ErrorClass::RateLimitRequests
                | ErrorClass::RateLimitTokens
                | ErrorClass::RateLimitOther => Self::RateLimit,
                ErrorClass::Overloaded | ErrorClass::ModelNotReady => Self::Overloaded,
                ErrorClass::Unreachable => Self::Unsent,
                ErrorClass::Overdue => Self::Silent,
                _ => Self::Broken,
            }),
            Outcome::Finished(FinishClass::InsufficientResource) => Some(Self::Overloaded),
            Outcome::Finished(
                FinishClass::MalformedToolCall
                | FinishClass::Aborted
                | FinishClass::Timeout
                | FinishClass::GenerationError,
            )
            | Outcome::Cut
            | Outcome::Corrupt => Some(Self::Broken),
            Outcome::Finished(_) | Outcome::Abandoned => None,
        }
    }

    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::Broken => "broken",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
