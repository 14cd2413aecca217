//! Without the feature `telemetry` there are no spans.

use http::Uri;

use super::finished::{Finished, Tried};
use crate::call::Call;

#[derive(Clone, Debug)]
pub(super) struct CallSpan;

#[derive(Debug, Default)]
pub(super) struct AttemptSpan;

impl CallSpan {
    pub(super) fn none() -> Self {
        Self
    }

    pub(super) fn open(_call: &Call, _uri: &Uri) -> Self {
        Self
    }

    pub(super) fn is_none(&self) -> bool {
        true
    }

    pub(super) fn identify(&self, _id: u64) {}

    pub(super) fn enter(&self) {}

    pub(super) fn close(&self, _finished: &Finished<'_>) {}
}

impl AttemptSpan {
    pub(super) fn open(_parent: &CallSpan, _tried: &Tried) -> Self {
        Self
    }

    pub(super) fn is_none(&self) -> bool {
        true
    }

    pub(super) fn close(self, _tried: &Tried) {}
}
