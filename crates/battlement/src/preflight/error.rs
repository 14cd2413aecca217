//! What is said of a request that is refused.

use std::fmt;

use battlement_core::{
    Code,
    preflight::{Check, Finding},
};

use crate::error::Explanation;

/// The call was not made: the request cannot succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the request cannot succeed: {}", All(.findings))]
#[non_exhaustive]
pub struct Refused {
    /// What is wrong with it, and where: at least one thing.
    pub findings: Vec<Finding>,
}

impl Refused {
    pub(super) fn code(&self) -> Code {
        // What is wrong with the request is wrong everywhere; a key may be better elsewhere.
        match self.findings.iter().all(|found| found.check == Check::Key) {
            true => Code::MissingKey,
            false => Code::InvalidRequest,
        }
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation { retryable: false, ..Explanation::rejected(self.code(), None) }
    }
}

struct All<'a>(&'a [Finding]);

impl fmt::Display for All<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, found) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            found.fmt(f)?;
        }
        Ok(())
    }
}
