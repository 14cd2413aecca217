//! What those fail with who share a call.

use std::{error::Error, fmt, sync::Arc};

use battlement_core::Code;

use crate::error::{BoxError, Explanation};

/// The call has failed that several callers share, and each of them gets this. What it has failed with is its source.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(super) source: Arc<BoxError>,
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call has failed that several callers share")
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.source)
    }
}

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
