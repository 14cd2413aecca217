//! What becomes of one call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::cursor::LONGEST;
use crate::answer::{Ending, Fault};

/// What becomes of one call: what is answered, how slowly, and what breaks on the way.
///
/// Steps compose, so each method changes one thing and leaves the rest. Of two that say how the answer breaks
/// the later one holds. Times are a year at most.
///
/// ```
/// use std::time::Duration;
///
/// use battlement_sim::script::Step;
///
/// let step = Step::ok().head_after(Duration::from_secs(2)).cut_after(3);
/// assert_eq!(step.to_string(), "head after 2s cut after 3 events");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub(crate) what: What,
    pub(crate) early: bool,
    pub(crate) wrong_length: bool,
    pub(crate) head_after: Duration,
    pub(crate) first_after: Duration,
    pub(crate) every: Duration,
    pub(crate) breaks: Option<Break>,
    pub(crate) text: Option<Arc<str>>,
    pub(crate) tokens: Option<u64>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A reply of the model that ends so.
    Reply(Ending),
    /// An error, with this status instead of the usual one of the provider, and a time to wait.
    Fault { fault: Fault, status: Option<StatusCode>, hint: Option<Duration> },
    /// An error page of a proxy.
    Page(StatusCode),
    /// Something else altogether.
    Custom(Arc<Custom>),
    /// A reset instead of a head.
    Reset,
    /// No connection.
    Unreachable,
    /// Nothing.
    Never,
}

/// An answer as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Custom {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Where an answer breaks, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Break {
    pub(crate) how: How,
    /// After so many events.
    pub(crate) after: u32,
}

/// How an answer breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// The connection is closed.
    Cut,
    /// The same, with half of an event sent.
    Torn,
    /// The body ends in good order.
    End,
    /// Nothing more comes.
    Stall,
    /// The connection is reset.
    Reset,
    /// The provider says so, and ends.
    Error(Fault),
    /// An event that is none, and then the rest.
    Malformed,
    /// Bytes that are no chunk.
    BadChunk,
}

impl Step {
    /// A whole answer.
    pub fn ok() -> Self {
        Self::ending(Ending::Complete)
    }

    /// An answer of the model that ends so.
    pub fn ending(ending: Ending) -> Self {
        Self::new(What::Reply(ending))
    }

    /// An answer that stops at the limit of tokens.
    pub fn truncate() -> Self {
        Self::ending(Ending::Truncated)
    }

    /// An answer that a filter stopped.
    pub fn filter() -> Self {
        Self::ending(Ending::Filtered)
    }

    /// The model declines.
    pub fn refuse() -> Self {
        Self::ending(Ending::Refused)
    }

    /// The model asks for a tool.
    pub fn tool_call() -> Self {
        Self::ending(Ending::ToolCall)
    }

    /// A 200 without a word.
    pub fn empty() -> Self {
        Self::ending(Ending::Empty)
    }

    /// An answer that ends in good order, but does not say why: what is left of one whose server was stopped.
    pub fn unfinished() -> Self {
        Self::ending(Ending::Unfinished)
    }

    /// An error, with the status and body that this provider gives it.
    pub fn fault(fault: Fault) -> Self {
        Self::new(What::Fault { fault, status: None, hint: None })
    }

    /// An error with this status, and the body that the provider most likely sends with it.
    ///
    /// A status below 200 ends no answer: 500 is sent in its place, here and with the other steps that take one.
    pub fn status(status: StatusCode) -> Self {
        let status = last(status);
        let fault = super::names::fault_of(status);
        Self::new(What::Fault { fault, status: Some(status), hint: None })
    }

    /// 429: too many requests.
    pub fn rate_limited() -> Self {
        Self::status(StatusCode::TOO_MANY_REQUESTS)
    }

    /// 500: something went wrong inside the provider.
    pub fn internal() -> Self {
        Self::status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The provider has too much to do, with the status it has for that: 503 for most, 529 for Anthropic.
    pub fn overloaded() -> Self {
        Self::fault(Fault::Overloaded)
    }

    /// An error page in HTML: a proxy in front of the provider answers.
    pub fn page(status: StatusCode) -> Self {
        Self::new(What::Page(last(status)))
    }

    /// This answer as it is, extensions and version apart.
    ///
    /// A `content-length` of its own is kept to: of a longer body so much is sent, and behind a shorter one the
    /// connection is closed, as with [`wrong_length`](Self::wrong_length). One that is no number is left out.
    pub fn answer(response: Response<impl Into<Bytes>>) -> Self {
        let (head, body) = response.into_parts();
        let custom = Custom { status: last(head.status), headers: head.headers, body: body.into() };
        Self::new(What::Custom(Arc::new(custom)))
    }

    /// The request is read, and then the connection is reset.
    pub fn reset() -> Self {
        Self::new(What::Reset)
    }

    /// There is nobody to connect to: the request is not read, unless it has to be to know that, see
    /// [`early`](Self::early).
    ///
    /// On a socket somebody has to listen, so there it is a stream refused unread in HTTP/2 and, which a client
    /// cannot tell from [`reset`](Self::reset), a reset in HTTP/1.1.
    pub fn unreachable() -> Self {
        Self::new(What::Unreachable).early()
    }

    /// The request is read, and nothing ever comes of it.
    pub fn never() -> Self {
        Self::new(What::Never)
    }

    pub(crate) fn new(what: What) -> Self {
        Self {
            what,
            early: false,
            wrong_length: false,
            head_after: Duration::ZERO,
            first_after: Duration::ZERO,
            every: Duration::ZERO,
            breaks: None,
            text: None,
            tokens: None,
        }
    }

    /// Tells when to come back, in the way of this provider; some have none. Only an error does.
    #[must_use]
    pub fn hint(mut self, after: Duration) -> Self {
        if let What::Fault { hint, .. } = &mut self.what {
            *hint = Some(after.min(LONGEST));
        }
        self
    }

    /// The model writes this. Only a model does: it changes no error.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        if let What::Reply(_) = self.what {
            self.text = Some(text.into());
        }
        self
    }

    /// The model writes so many tokens, instead of those that the provider is set to.
    #[must_use]
    pub fn tokens(self, tokens: u64) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Answers when the head of the request has come, without waiting for its body.
    ///
    /// What depends on the body (which model, whether it streams) is then guessed from the path. A script that
    /// [asks a function](super::Script::by) has to wait for the body all the same, and so has a provider that does
    /// something else [for a model](crate::Provider::for_model).
    #[must_use]
    pub fn early(self) -> Self {
        Self { early: true, ..self }
    }

    /// The head comes so long after the request.
    #[must_use]
    pub fn head_after(self, time: Duration) -> Self {
        Self { head_after: time.min(LONGEST), ..self }
    }

    /// The first event, or the body of an answer that is no stream, comes so long after the head.
    #[must_use]
    pub fn first_after(self, time: Duration) -> Self {
        Self { first_after: time.min(LONGEST), ..self }
    }

    /// Each further event comes so long after the one before. The model does not wait for a slow reader.
    #[must_use]
    pub fn every(self, time: Duration) -> Self {
        Self { every: time.min(LONGEST), ..self }
    }

    /// The head promises more bytes than there are, and the connection is closed after these.
    #[must_use]
    pub fn wrong_length(self) -> Self {
        Self { wrong_length: true, ..self }
    }

    /// The connection is closed after so many events, and always before the last: in HTTP/1.1 in the middle of
    /// the chunks, in HTTP/2 by a reset of the stream.
    #[must_use]
    pub fn cut_after(self, events: u32) -> Self {
        self.breaks(How::Cut, events)
    }

    /// As [`cut_after`](Self::cut_after), and half of the next event is sent before.
    #[must_use]
    pub fn torn_after(self, events: u32) -> Self {
        self.breaks(How::Torn, events)
    }

    /// The answer ends in good order after so many events, and always before the last. Nothing on the wire is
    /// wrong, which is why many clients take it for a whole one.
    #[must_use]
    pub fn end_after(self, events: u32) -> Self {
        self.breaks(How::End, events)
    }

    /// Nothing more comes after so many events; after all of them, the end does not come.
    #[must_use]
    pub fn stall_after(self, events: u32) -> Self {
        self.breaks(How::Stall, events)
    }

    /// The connection is reset after so many events, at the latest before the end.
    #[must_use]
    pub fn reset_after(self, events: u32) -> Self {
        self.breaks(How::Reset, events)
    }

    /// After so many events comes one with this error, in the form of the provider, and then the end.
    ///
    /// An answer that is no stream is an error whose status says 200.
    #[must_use]
    pub fn error_after(self, events: u32, fault: Fault) -> Self {
        self.breaks(How::Error(fault), events)
    }

    /// After so many events comes one whose content cannot be read, and then the rest. Of an answer that is no
    /// stream only the first half comes.
    #[must_use]
    pub fn malformed_after(self, events: u32) -> Self {
        self.breaks(How::Malformed, events)
    }

    /// After so many events come bytes that are no chunk of HTTP/1.1. HTTP/2 has no chunks: there the stream
    /// is reset.
    #[must_use]
    pub fn bad_chunk_after(self, events: u32) -> Self {
        self.breaks(How::BadChunk, events)
    }

    fn breaks(self, how: How, after: u32) -> Self {
        Self { breaks: Some(Break { how, after }), ..self }
    }

    /// Whether the call goes wrong, as a provider counts it: an error instead of an answer, or none.
    pub(crate) fn fails(&self) -> bool {
        !matches!(self.what, What::Reply(_))
    }
}

/// A status that an answer can end with.
fn last(status: StatusCode) -> StatusCode {
    if status.is_informational() { StatusCode::INTERNAL_SERVER_ERROR } else { status }
}
