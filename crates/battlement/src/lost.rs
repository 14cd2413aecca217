//! What a call ends with that had joined another one, and lost it. Here, since `error` knows all errors, with every feature or
//! none.

use battlement_core::Code;

use crate::error::Explanation;

/// The call had joined one that was on its way for another caller, and could not follow it to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call that this one has joined was lost: {}", if *.panicked { "it has panicked" } else { "it was read too slowly" })]
#[non_exhaustive]
pub struct Lost {
    /// The service below has panicked. If not, this answer was read too slowly, and the others were further ahead of it than may
    /// be held.
    pub panicked: bool,
}

impl Lost {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation { sent: true, ..Explanation::rejected(Code::JoinLost, None) }
    }
}
