//! Which route has served a call and why, or why none has.

use std::{fmt, sync::Arc};

use battlement_core::{Code, Dialect, attempts::Step, fallback::Lack};

use crate::{
    error::{BoxError, Explanation},
    source::Source,
};

/// Which route has served a call, and why; among the extensions of the response. [`Source::of`] asks for no more than where an answer is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub(super) route: Arc<str>,
    pub(super) trail: Vec<Visit>,
}

impl Served {
    /// The name of the route.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Whether it was the first choice.
    pub fn source(&self) -> Source<'_> {
        if self.trail.is_empty() { Source::Primary } else { Source::Fallback(&self.route) }
    }

    /// The routes that have failed before, or could not serve the call. What happened to each attempt is
    /// told by [`Call::trail`](crate::call::Call::trail).
    pub fn trail(&self) -> &[Visit] {
        &self.trail
    }
}

/// A route that has not served a call. Shown as `openai: llm.provider.overloaded`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// The name of the route.
    pub route: Arc<str>,
    /// Why it has not.
    pub why: Why,
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.route, self.why)
    }
}

/// Why a route has not served a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// It has failed with this.
    Failed(Code),
    /// It has turned the call away before anything was sent.
    TurnedAway(Code),
    /// It cannot do what is asked for.
    Lacks(Lack),
    /// It does not speak this dialect, which is that of the call.
    Dialect(Dialect),
    /// The request is to be changed for it, and its body is not in memory.
    Unread,
    /// The request could not be changed for it.
    Unchangeable,
}

impl Why {
    /// What it has failed with.
    pub const fn code(self) -> Option<Code> {
        match self {
            Self::Failed(code) | Self::TurnedAway(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(code) => write!(f, "{code}"),
            Self::TurnedAway(code) => write!(f, "{code}, not sent"),
            Self::Lacks(lack) => write!(f, "lacks {lack}"),
            Self::Dialect(dialect) => write!(f, "does not speak {dialect}"),
            Self::Unread => f.write_str("would change a body that is not in memory"),
            Self::Unchangeable => f.write_str("would change a request that cannot be"),
        }
    }
}

/// More than one route was to serve the call, and none has.
///
/// [`Error`](crate::Error) takes it apart: the cause is its source, and the routes are its
/// [`routes`](crate::Error::routes).
#[derive(Debug, thiserror::Error)]
#[error("no route has served the call: {}", Trail(.routes))]
#[non_exhaustive]
pub struct Exhausted {
    /// The routes, in the order in which they were asked or left out.
    pub routes: Vec<Visit>,
    /// What was tried, from the first attempt on.
    pub trail: Vec<Step>,
    /// What the last one has failed with to which something was sent.
    pub source: BoxError,
}

/// There is no route that could serve the call: each is switched off, or lacks something.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no route takes the call{}{}", if .routes.is_empty() { "" } else { ": " }, Trail(.routes))]
#[non_exhaustive]
pub struct NoRoute {
    /// Those that are on, and what they lack.
    pub routes: Vec<Visit>,
}

impl NoRoute {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        // Routes that are off may be on again; what one lacks it lacks the next time, too.
        let retryable = self.routes.is_empty();
        Explanation { retryable, ..Explanation::rejected(Code::NoRoute, None) }
    }
}

struct Trail<'a>(&'a [Visit]);

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, visit) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{visit}")?;
        }
        Ok(())
    }
}
