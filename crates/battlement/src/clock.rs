//! The one place that reads a clock: tokio's, so that paused time works.

use std::time::{Instant, SystemTime};

/// The present.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The present by the calendar. Only dates in headers need it.
pub(crate) fn date() -> SystemTime {
    SystemTime::now()
}
