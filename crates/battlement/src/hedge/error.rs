//! Why a second attempt was not sent.

use battlement_core::Code;

use crate::error::Explanation;

/// There was no room for a second attempt: it would have had to wait in line, there is trouble, or what is
/// left of a limit is for first attempts.
///
/// The caller does not see it, since the first attempt goes on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there is no room for a second attempt")]
#[non_exhaustive]
pub struct NoRoom;

impl NoRoom {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation::rejected(Code::LimitReached, None)
    }
}
