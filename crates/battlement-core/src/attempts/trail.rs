//! What happened to a call, step by step, in bounded memory.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::Ending;

/// How many steps a trail keeps: the first, and the latest others.
pub const TRAIL: usize = 16;

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// What the caller asked for.
    First,
    /// The same again, after a failure.
    Retry,
    /// The same again, beside one that is slow.
    Hedge,
    /// Somewhere else.
    Fallback,
    /// The rest of an answer that broke off.
    Continuation,
    /// The same again, with what was wrong with the answer.
    Repair,
    /// Less, when everything else has failed.
    Simplified,
}

impl Role {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::Fallback => "fallback",
            Self::Continuation => "continuation",
            Self::Repair => "repair",
            Self::Simplified => "simplified",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One attempt, as it is remembered. Holds nothing of prompt or answer.
///
/// Shown as `2 retry to openai, waited 700ms: overloaded after 2s`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which attempt of the call, from one.
    pub number: u32,
    /// What it was for.
    pub role: Role,
    /// Where it went.
    pub route: Option<Arc<str>>,
    /// How long the call waited before it.
    pub waited: Duration,
    /// When it began.
    pub started: Instant,
    /// How long it took; `None` while it runs.
    pub took: Option<Duration>,
    /// How it ended; `None` while it runs.
    pub ending: Option<Ending>,
    /// What it cost, or may cost while it runs.
    pub tokens: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.role)?;
        if let Some(route) = &self.route {
            write!(f, " to {route}")?;
        }
        if !self.waited.is_zero() {
            write!(f, ", waited {:?}", self.waited)?;
        }
        match self.ending {
            None => f.write_str(": running")?,
            Some(Ending::Unsent) => f.write_str(": not sent")?,
            Some(Ending::Sent { outcome, .. }) => write!(f, ": {outcome}")?,
        }
        match self.took {
            Some(took) => write!(f, " after {took:?}"),
            None => Ok(()),
        }
    }
}

/// The steps of a call. The first, which mostly is the only one, lives in the ledger itself: every answer on
/// its way holds one.
#[derive(Debug, Default)]
pub(super) struct Trail {
    steps: SmallVec<[Step; 1]>,
    /// What was waited since the latest step.
    waited: Duration,
}

impl Trail {
    pub(super) fn begin(
        &mut self,
        number: u32,
        role: Role,
        route: Option<Arc<str>>,
        tokens: u64,
        started: Instant,
    ) {
        if self.steps.len() == TRAIL {
            self.steps.remove(1);
        }
        let waited = std::mem::take(&mut self.waited);
        let (took, ending) = (None, None);
        self.steps.push(Step { number, role, route, waited, started, took, ending, tokens });
    }

    pub(super) fn end(&mut self, number: u32, ending: Ending, tokens: u64, now: Instant) {
        // A step that was left out has nothing to write to; the ledger's sums hold all the same.
        if let Some(step) = self.steps.iter_mut().find(|step| step.number == number) {
            step.took = Some(now.saturating_duration_since(step.started));
            step.ending = Some(ending);
            step.tokens = tokens;
        }
    }

    pub(super) fn wait(&mut self, wait: Duration) {
        self.waited = self.waited.saturating_add(wait);
    }

    pub(super) fn steps(&self) -> impl ExactSizeIterator<Item = &Step> {
        self.steps.iter()
    }
}
