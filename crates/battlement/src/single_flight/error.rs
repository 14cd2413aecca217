//! What all of those fail with who share a call that has failed.

use std::{error::Error, fmt, sync::Arc};

use crate::error::BoxError;

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
