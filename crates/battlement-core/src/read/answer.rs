//! What an answer has said so far.

use smallvec::SmallVec;

use crate::{
    dialect::{Report, finish_class},
    read::tokens::Tokens,
};

/// How many choices are told apart. Providers offer at most 128; the rest of a hostile answer's
/// share one place, whose class is never better than unknown.
pub(crate) const MAX_CHOICES: usize = 1024;

/// What is known of one choice.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) reason: Option<Box<str>>,
    pub(crate) native_reason: Option<Box<str>>,
    /// The choice is over, with or without a reason.
    pub(crate) finished: bool,
    pub(crate) stop_string: bool,
    pub(crate) tool_call: bool,
    pub(crate) refusal: bool,
    /// The prompt was blocked, whatever the reason is called.
    pub(crate) blocked: bool,
}

impl Choice {
    /// Adds what a later event says. A reason stands against later nulls, and against later reasons
    /// unless they are worse.
    pub(super) fn merge(&mut self, later: &mut Self) {
        if let Some(reason) = later.reason.take() {
            let worse = self.reason.as_ref().is_none_or(|known| {
                known.is_empty()
                    || (!reason.is_empty() && finish_class(&reason) > finish_class(known))
            });
            if worse {
                self.reason = Some(reason);
            }
        }
        if later.native_reason.is_some() {
            self.native_reason = later.native_reason.take();
        }
        self.finished |= later.finished;
        self.stop_string |= later.stop_string;
        self.tool_call |= later.tool_call;
        self.refusal |= later.refusal;
        self.blocked |= later.blocked;
    }

    /// Whether a later event says something about the choice that is not known.
    pub(super) fn would_change(&self, later: &Self) -> bool {
        later.reason.is_some()
            || later.native_reason.is_some()
            || (later.finished && !self.finished)
            || (later.stop_string && !self.stop_string)
            || (later.tool_call && !self.tool_call)
            || (later.refusal && !self.refusal)
            || (later.blocked && !self.blocked)
    }
}

/// What the answer has said so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// By index. Nearly always one, which then needs no allocation.
    pub(crate) choices: SmallVec<[Choice; 1]>,
    /// There are more choices than are told apart.
    pub(crate) overflow: bool,
    pub(crate) tokens: Tokens,
    /// An error was told.
    pub(crate) failed: bool,
    /// What was said about it, or what a bare body said that may be one.
    pub(crate) report: Option<Box<Report>>,
    /// The stream said that it is over.
    pub(crate) ended: bool,
    /// The body has the form of an answer of its dialect.
    pub(crate) known: bool,
    /// An event could not be read.
    pub(crate) malformed: bool,
    /// Output was delivered.
    pub(crate) output: bool,
    /// The document shows that it is a stream: it is a list of events.
    pub(crate) stream: bool,
    /// How many documents or events were complete.
    pub(crate) events: u64,
    pub(crate) request_id: Option<Box<str>>,
}
