//! What is told of a continuation: to the caller, and to the account of the call.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use battlement_core::{Code, attempts::Role, continuation};

use crate::{
    call::Attempt,
    error::Explanation,
    observe::Guard,
    retry::ticket::{ending, tokens},
};

/// How often an answer was continued. Among the extensions of the response, and to be asked when the body has ended: before
/// that, nobody knows.
#[derive(Clone, Debug, Default)]
pub struct Continued(Arc<AtomicU32>);

impl Continued {
    /// How many further rounds the answer has taken so far; none, if it is as it came.
    pub fn rounds(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// An answer that broke off was begun again, and differs from what the caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off, and could not be finished")]
#[non_exhaustive]
pub struct Diverged {
    /// Where it differs.
    #[source]
    pub from: continuation::Diverged,
}

impl Diverged {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        let code = Code::StreamCut;
        Explanation { code, retry_after: None, retryable: true, sent: true, verdict: None }
    }
}

/// What the account of a call is owed for a round, where no retry below keeps it.
pub struct Entry {
    /// When it began; with the call, if it is not said.
    pub(super) started: Option<Instant>,
}

impl Guard for Entry {
    fn settle(self, attempt: &Attempt) {
        if attempt.is_unsent() || !attempt.count() {
            return;
        }
        let call = attempt.call();
        let mut ledger = call.ledger();
        let role = if ledger.attempts() == 0 { Role::First } else { Role::Continuation };
        let started = self.started.unwrap_or_else(|| call.started());
        let entered = ledger.enter(role, None, tokens(call.facts()), started);
        if let Some(verdict) = attempt.verdict() {
            ledger.settle(entered, ending(verdict), attempt.ended());
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}
