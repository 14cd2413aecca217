//! What an answer means as a whole.

use std::fmt;

use crate::{
    Advice, Code, End, ErrorClass, ErrorReport, Failure, Fault, Finish, FinishClass, Outcome,
    Phase, Usage,
};

/// Where the outcome was told.
///
/// Complete: there is no other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nowhere: no answer came, or it was no longer waited for. See [`NoAnswer`].
    NoAnswer,
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
            Self::NoAnswer => "no_answer",
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

/// Why there is no answer to read, as only the one who made the call can tell.
///
/// Complete: an error of the transport is one of the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoAnswer {
    /// No connection could be made, or the request was turned back unread: nothing was done.
    Unreachable,
    /// The connection was lost before there was an answer.
    Disconnected,
    /// A time limit of ours passed.
    Overdue(Clock),
}

/// A time limit of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// For the head of the answer.
    Head,
    /// For the first output of the model.
    Output,
    /// Between two events.
    Idle,
    /// For the whole attempt.
    Total,
    /// For output that trickles.
    Throughput,
}

impl Clock {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Output => "output",
            Self::Idle => "idle",
            Self::Total => "total",
            Self::Throughput => "throughput",
        }
    }

    /// The code of the failure.
    pub const fn code(self) -> Code {
        match self {
            Self::Head => Code::TimeoutHead,
            Self::Output => Code::TimeoutOutput,
            Self::Idle => Code::TimeoutIdle,
            Self::Total => Code::TimeoutTotal,
            Self::Throughput => Code::TimeoutThroughput,
        }
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
    /// The verdict on a call without an answer. What is known of an answer that had begun, such as
    /// its usage, may be filled in.
    ///
    /// ```
    /// use battlement_core::{Code, NoAnswer, Verdict, backoff::Trouble};
    ///
    /// let verdict = Verdict::no_answer(NoAnswer::Unreachable);
    /// assert_eq!(verdict.code(), Some(Code::Unreachable));
    /// assert_eq!(Trouble::of(verdict.outcome), Some(Trouble::Unsent));
    /// ```
    pub fn no_answer(why: NoAnswer) -> Self {
        let (class, code) = match why {
            NoAnswer::Unreachable => (ErrorClass::Unreachable, Code::Unreachable),
            NoAnswer::Disconnected => (ErrorClass::Disconnected, Code::Disconnected),
            NoAnswer::Overdue(clock) => (ErrorClass::Overdue, clock.code()),
        };
        Self::failed(Kind::NoAnswer, Outcome::Failed(class), code, Advice::Backoff)
    }

    /// The verdict on an answer that nobody read, such as a picture: all there is to know is whether it
    /// came to its end. Its status was a success.
    pub fn unread(end: End) -> Self {
        let (outcome, code) = match end {
            End::Eof => (Outcome::Finished(FinishClass::NoGeneration), None),
            End::Broken => (Outcome::Cut, Some(Code::StreamCut)),
            End::Dropped => (Outcome::Abandoned, Some(Code::Abandoned)),
        };
        match code {
            Some(code) => Self::failed(Kind::StreamCut, outcome, code, Advice::Backoff),
            None => Self { kind: Kind::Finish, outcome, failure: None, ..Self::abandoned() },
        }
    }

    /// The verdict on a call whose caller went away before there was an answer.
    pub fn abandoned() -> Self {
        Self::failed(Kind::NoAnswer, Outcome::Abandoned, Code::Abandoned, Advice::Never)
    }

    /// The same answer with a worse end than the provider told, found by somebody who looked closer:
    /// at its text, for one.
    #[must_use]
    pub fn worsened(self, outcome: Outcome, code: Code, advice: Advice) -> Self {
        let failure = Self::failed(self.kind, outcome, code, advice).failure;
        let failure = failure.map(|failure| Box::new(Failure { phase: Phase::After, ..*failure }));
        Self { outcome, failure, ..self }
    }

    fn failed(kind: Kind, outcome: Outcome, code: Code, advice: Advice) -> Self {
        let report = ErrorReport::default();
        let failure =
            Failure { code, phase: Phase::Before, advice, hint: None, status: None, report };
        Self {
            kind,
            outcome,
            finishes: Vec::new(),
            usage: None,
            failure: Some(Box::new(failure)),
            stream_end: None,
            has_output: false,
            request_id: None,
        }
    }

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
