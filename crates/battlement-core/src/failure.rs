//! What went wrong, whose fault it is, and whether trying again can help.

use std::{fmt, time::Duration};

use crate::{Code, ErrorReport, Fault, hint::Hint};

/// When a call failed, seen from the model's work. It decides what a repetition costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Before any output: nothing was delivered, a repetition repeats nothing.
    Before,
    /// After output began to flow.
    During,
    /// The generation ended by itself, with an end nobody wanted.
    After,
}

impl Phase {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the identical request may succeed later, and when to ask.
///
/// Advice about the world, not a policy: a wait of hours is advised as it is told. Complete: there
/// is nothing else to advise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same request fails again.
    Never,
    /// It may pass; the provider did not say when.
    Backoff,
    /// It may pass after this long, says the provider.
    After(Duration),
}

impl Advice {
    /// Whether the identical request may succeed later.
    pub const fn is_retryable(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// What went wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The stable code for logs, metrics and the failure atlas.
    pub code: Code,
    /// When it failed.
    pub phase: Phase,
    /// Whether and when to try again.
    pub advice: Advice,
    /// The wait that the answer carries, whether or not a repetition makes sense.
    pub hint: Option<Hint>,
    /// The HTTP status, when it is an error.
    pub status: Option<u16>,
    /// What the provider said.
    pub report: ErrorReport,
}

impl Failure {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.code.fault()
    }
}
