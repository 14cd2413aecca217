//! Why a call was not made.

use std::time::{Duration, Instant};

use battlement_core::{
    Code,
    ledger::{Meter, Refused},
};

use crate::{error::Explanation, line::Missed};

/// The call was not made: a limit set here is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It cannot wait, or not for as long as it would have to.
    #[error("the rate limit would let the call pass too late")]
    TooLate {
        /// After how long it would pass, if nothing else changes; `None` if nobody can tell.
        retry_after: Option<Duration>,
    },
    /// It is larger than the limit ever lets pass at once.
    #[error(
        "the call needs {cost} of {meter:?}, and the rate limit never lets more than {burst} pass"
    )]
    TooLarge {
        /// The limit.
        meter: Meter,
        /// What the call would be charged.
        cost: u64,
        /// What may pass at once.
        burst: u64,
    },
    /// As many calls wait as may.
    #[error("{waiting} calls wait for the rate limit, and no more may")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
}

impl Rejected {
    pub(super) fn new(missed: Missed<Refused>, now: Instant) -> Self {
        let late = |turn: Option<Instant>| Self::TooLate {
            retry_after: turn.map(|turn| turn.saturating_duration_since(now)),
        };
        match missed {
            Missed::TooLate { turn } => late(turn),
            Missed::Full { waiting } => Self::QueueFull { waiting },
            Missed::Never(Refused::TooLarge { meter, cost, burst }) => {
                Self::TooLarge { meter, cost, burst }
            }
            Missed::Never(Refused::Wait { until, .. }) => late(Some(until)),
            Missed::Never(_) => late(None),
        }
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        match *self {
            Self::TooLate { retry_after } => Explanation::rejected(Code::LimitReached, retry_after),
            Self::TooLarge { .. } => {
                let never = Explanation::rejected(Code::RateLimitNeverFits, None);
                Explanation { retryable: false, ..never }
            }
            Self::QueueFull { .. } => Explanation::rejected(Code::QueueFull, None),
        }
    }
}
