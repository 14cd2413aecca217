//! What an outcome says about the health of the provider.

use crate::{ErrorClass, FinishClass, Outcome};

/// What became of a call, as far as a breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// The provider does its work.
    Good,
    /// The provider does not do its work.
    Bad,
    /// This says nothing about the provider's health.
    Neutral,
}

impl Health {
    /// What an outcome says.
    ///
    /// A model that ran and ended in a way nobody wanted (a refusal, the token limit) is in good
    /// health. A rate limit is not an outage: the provider is well and says so; where that leads is
    /// the business of limiter and cool-down. Neither is a request it will not take.
    ///
    /// ```
    /// use battlement_core::{ErrorClass, FinishClass, Outcome, breaker::Health};
    ///
    /// assert_eq!(Health::of(Outcome::Finished(FinishClass::Length)), Health::Good);
    /// assert_eq!(Health::of(Outcome::Failed(ErrorClass::Overloaded)), Health::Bad);
    /// assert_eq!(Health::of(Outcome::Failed(ErrorClass::RateLimitTokens)), Health::Neutral);
    /// assert_eq!(Health::of(Outcome::Abandoned), Health::Neutral);
    /// ```
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Finished(class) => Self::of_finish(class),
            Outcome::Failed(class) => Self::of_error(class),
            Outcome::Cut | Outcome::Corrupt => Self::Bad,
            Outcome::Abandoned => Self::Neutral,
        }
    }

    const fn of_finish(class: FinishClass) -> Self {
        match class {
            FinishClass::Complete
            | FinishClass::StopSequence
            | FinishClass::ToolCall
            | FinishClass::NoGeneration
            | FinishClass::Pause
            | FinishClass::Length
            | FinishClass::ContextWindow
            | FinishClass::Recitation
            | FinishClass::Refusal
            | FinishClass::ContentFilter
            | FinishClass::MalformedToolCall => Self::Good,
            FinishClass::InsufficientResource | FinishClass::Timeout => Self::Bad,
            // As likely the request's doing as the provider's.
            FinishClass::Unknown | FinishClass::Aborted | FinishClass::GenerationError => {
                Self::Neutral
            }
        }
    }

    const fn of_error(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Overloaded
            | ErrorClass::ServerError
            | ErrorClass::Timeout
            | ErrorClass::Unreachable
            | ErrorClass::Disconnected
            | ErrorClass::Overdue => Self::Bad,
            _ => Self::Neutral,
        }
    }
}
