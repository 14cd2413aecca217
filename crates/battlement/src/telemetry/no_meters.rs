//! Without the feature `metrics` there are no meters.

use super::finished::Finished;
use crate::{call::Call, events::Event};

/// There is none.
#[derive(Debug)]
pub(super) enum Meters {}

impl Meters {
    pub(super) fn begun(&self, _call: &Call) {
        match *self {}
    }

    pub(super) fn event(&self, _call: &Call, _event: &Event<'_>) {
        match *self {}
    }

    pub(super) fn finished(&self, _finished: &Finished<'_>) {
        match *self {}
    }
}
