//! Why a call was not made.

use battlement_core::Code;

use crate::{error::Explanation, line::Missed};

/// The call was not made: as many as may are running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// No place became free in time; or there was none, and it may not wait.
    #[error("as many calls are running as may, and no place became free in time")]
    Busy,
    /// As many calls wait as may.
    #[error("{waiting} calls wait for a place to run, and no more may")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
}

impl Rejected {
    pub(super) fn new(missed: Missed<std::convert::Infallible>) -> Self {
        match missed {
            Missed::TooLate { .. } => Self::Busy,
            Missed::Full { waiting } => Self::QueueFull { waiting },
            Missed::Never(never) => match never {},
        }
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        let code = match self {
            Self::Busy => Code::ConcurrencyReached,
            Self::QueueFull { .. } => Code::QueueFull,
        };
        Explanation::rejected(code, None)
    }
}
