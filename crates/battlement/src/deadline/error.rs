//! What a call ends with when its time is over.

use std::{fmt, time::Duration};

use battlement_core::{Code, attempts};

use crate::{call::Attempt, clock::now, error::Explanation};

/// The time for the whole call is over.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the deadline of the call passed {}", Moment(self))]
#[non_exhaustive]
pub struct Exceeded {
    /// How long the call had been under way.
    pub after: Duration,
    /// Whether the request may have been sent; if not, the time went into waiting on our side.
    pub sent: bool,
    /// Whether part of an answer had arrived.
    pub has_output: bool,
    /// What the last attempt before had failed with, if there was one.
    pub last: Option<Code>,
}

impl Exceeded {
    /// At this point. Whatever was on its way is dropped already.
    pub(crate) fn now(attempt: &Attempt) -> Self {
        let call = attempt.call();
        let ledger = call.ledger();
        // An attempt that is dropped while it waits is never settled: only the first one is known
        // not to have been sent.
        let sent = !attempt.is_unsent() || ledger.attempts() > 1;
        let last = ledger.trail().filter_map(|step| match step.ending {
            Some(attempts::Ending::Sent { code, .. }) => code,
            _ => None,
        });
        let last =
            last.filter(|code| !matches!(code, Code::DeadlineExceeded | Code::Abandoned)).last();
        let after = now().saturating_duration_since(call.started());
        Self { after, sent, has_output: attempt.has_output(), last }
    }

    /// Before anything was done.
    pub(crate) fn at_once(attempt: &Attempt) -> Self {
        let after = now().saturating_duration_since(attempt.call().started());
        Self { after, sent: false, has_output: false, last: None }
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        // The same request has no more time for its own than this one had.
        let (sent, retryable) = (self.sent, false);
        let rejected = Explanation::rejected(Code::DeadlineExceeded, None);
        Explanation { sent, retryable, ..rejected }
    }
}

/// When it passed, in words.
struct Moment<'a>(&'a Exceeded);

impl fmt::Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exceeded { after, sent, has_output, last } = self.0;
        f.write_str(match (sent, has_output) {
            (false, _) => "before it was sent",
            (true, false) => "before there was an answer",
            (true, true) => "in the middle of the answer",
        })?;
        write!(f, ", after {after:?}")?;
        match last {
            Some(code) => write!(f, "; the last attempt had failed with {code}"),
            None => Ok(()),
        }
    }
}
