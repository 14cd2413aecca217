//! What a caller gets when a call is not tried again.

use battlement_core::{
    Code,
    attempts::{self, Step},
};

use crate::error::{BoxError, Explanation};

/// The call failed, and not for the first time.
///
/// [`Error`](crate::Error) takes it apart: the cause is its source, and the steps are its
/// [`attempts`](crate::Error::attempts).
#[derive(Debug, thiserror::Error)]
#[error("gave up after {} attempts", .trail.len())]
#[non_exhaustive]
pub struct GaveUp {
    /// What was tried, from the first attempt on.
    pub trail: Vec<Step>,
    /// What the last attempt that was really made failed with.
    pub source: BoxError,
}

/// The call has no attempt left: somebody further out has used them up, or has delivered output.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call is not made again")]
#[non_exhaustive]
pub struct Refused {
    /// Why not.
    pub source: attempts::Refused,
}

impl Refused {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation { retryable: false, ..Explanation::rejected(Code::AttemptsUsed, None) }
    }
}
