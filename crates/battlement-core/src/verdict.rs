//! What an answer means as a whole.

use std::fmt;

use crate::{Code, Failure, Fault, Finish, Outcome, Usage};

/// Where the outcome was told.
///
/// Complete: there is no other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A generation ended and said how.
    Finish,
    /// The HTTP status is an error.
    HttpError,
    /// A 2xx whose body is, or holds, an error, or is no answer at all.
    BodyError,
    /// An error event inside a stream that began well.
    StreamError,
    /// The stream broke or ended early, or the caller went away.
    StreamCut,
}

impl Kind {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::HttpError => "http_error",
            Self::BodyError => "body_error",
            Self::StreamError => "stream_error",
            Self::StreamCut => "stream_cut",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a stream ended.
///
/// Complete: there is no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamEnd {
    /// With its terminal marker, or whole in a dialect that has none.
    Clean,
    /// Every choice was finished, the marker was missing. The answer is whole.
    EofAfterFinish,
    /// With a choice unfinished, or broken.
    Cut,
    /// With an error event.
    Error,
}

impl StreamEnd {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::EofAfterFinish => "eof_after_finish",
            Self::Cut => "cut",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an answer means: the one thing every layer acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Where the outcome was told.
    pub kind: Kind,
    /// What became of the call.
    pub outcome: Outcome,
    /// How each choice ended, by index. When the call failed or broke, only those that did end.
    pub finishes: Vec<Finish>,
    /// Token counts, when the answer gave any; of a stream that broke, a lower bound.
    pub usage: Option<Usage>,
    /// What went wrong; `None` exactly when the outcome is a success.
    pub failure: Option<Box<Failure>>,
    /// How the stream ended; `None` for an answer that was not streamed.
    pub stream_end: Option<StreamEnd>,
    /// Whether any output of the model was delivered.
    pub has_output: bool,
    /// The provider's name for the request, for its support desk.
    pub request_id: Option<Box<str>>,
}

impl Verdict {
    /// Whether the answer can be used as it is.
    pub fn is_success(&self) -> bool {
        self.outcome.is_success()
    }

    /// Whether the identical request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.advice.is_retryable())
    }

    /// The stable code of what went wrong.
    pub fn code(&self) -> Option<Code> {
        Some(self.failure.as_ref()?.code)
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Option<Fault> {
        Some(self.code()?.fault())
    }
}
