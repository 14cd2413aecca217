//! Where an answer is from.

use std::{fmt, time::Duration};

use http::Response;

use crate::{degrade::Degraded, fallback::Served};

/// Where an answer is from: what to count answers by. Shown as `primary`, `fallback:NAME`, `cache`, `simplified` or `static`.
///
/// ```
/// use battlement::Source;
///
/// let response = http::Response::new("as it comes");
/// assert_eq!(Source::of(&response).to_string(), "primary");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source<'a> {
    /// The route of first choice.
    Primary,
    /// This route, since others have failed before it or could not serve the call.
    Fallback(&'a str),
    /// An answer that was kept. How old it is says a [`Hit`] among the extensions.
    Cache,
    /// A simpler request, since the one that came has failed; see [`degrade`](crate::degrade).
    Simplified,
    /// Nobody: a static answer, since everything else has failed.
    Static,
}

/// An answer that was kept; among the extensions of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit {
    /// How long ago the provider gave it.
    pub age: Duration,
    /// Whether it is older than answers are kept for, and served since there was no newer one to be had.
    pub stale: bool,
}

impl Hit {
    #[cfg(feature = "cache")]
    pub(crate) fn new(age: Duration, stale: bool) -> Self {
        Self { age, stale }
    }
}

impl<'a> Source<'a> {
    /// Where this answer is from, as the layers that it came through have noted among its extensions.
    pub fn of<R>(response: &'a Response<R>) -> Self {
        let extensions = response.extensions();
        if let Some(degraded) = extensions.get::<Degraded>() {
            return degraded.source();
        }
        if extensions.get::<Hit>().is_some() {
            return Self::Cache;
        }
        extensions.get::<Served>().map_or(Self::Primary, Served::source)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.pad("primary"),
            Self::Cache => f.pad("cache"),
            Self::Fallback(route) => write!(f, "fallback:{route}"),
            Self::Simplified => f.pad("simplified"),
            Self::Static => f.pad("static"),
        }
    }
}
