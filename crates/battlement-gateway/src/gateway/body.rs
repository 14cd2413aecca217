//! The body of an answer on its way to a client.
//!
//! Frames pass as they come, one at a time and only when there is room for them. When an answer breaks after its head
//! was sent, the status can no longer say so. Then the client is told twice: with an error event in its dialect,
//! which SDKs raise, and with an end that is none (a chunked body without its last chunk, a stream that is reset), which
//! no client takes for a whole answer.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement::{BoxError, Error};
use battlement_core::{
    Dialect,
    write::{self, ErrorBody, Form},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Sleep, sleep};

use super::{report::Report, routes::Answer};

/// How long the error event has to get onto the wire before the connection is broken off. Both HTTP versions drop what
/// has not been written by then.
const LAST_WORD: Duration = Duration::from_millis(10);

/// What the verdict is told in, behind the body.
const VERDICT: HeaderName = HeaderName::from_static("x-battlement-verdict");

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Outgoing(Inner);

#[derive(Debug)]
enum Inner {
    /// What is said here.
    Whole(Full<Bytes>),
    /// What a provider says. In a box, as most of what moves an answer would have room for it.
    Passed(Box<Passed>),
}

#[derive(Debug)]
struct Passed {
    // Dropped first: what it means is known then.
    body: Answer,
    report: Report,
    events: Option<Events>,
    tells_verdict: bool,
    state: State,
}

/// How errors are told among events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) dialect: Dialect,
    pub(super) form: Form,
    tail: Tail,
}

#[derive(Debug)]
enum State {
    Flowing,
    /// The error was told, and is now to be seen.
    Breaking(Pin<Box<Sleep>>, Option<BoxError>),
    Over,
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(Full::new(bytes)))
    }
}

impl Outgoing {
    pub(super) fn passed(
        body: Answer,
        report: Report,
        events: Option<Events>,
        tells_verdict: bool,
    ) -> Self {
        Self(Inner::Passed(Box::new(Passed {
            body,
            report,
            events,
            tells_verdict,
            state: State::Flowing,
        })))
    }
}

impl Events {
    /// For an answer in this form; `None` where no event can be written between others.
    pub(super) fn new(dialect: Dialect, form: Form, head: &HeaderMap) -> Option<Self> {
        let content_type = head.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        let is_plain = !head.contains_key(http::header::CONTENT_ENCODING)
            && !head.contains_key(http::header::CONTENT_LENGTH);
        let is_so = form == Form::Events
            && content_type.starts_with(form.content_type(dialect))
            && is_plain;
        is_so.then_some(Self { dialect, form, tail: Tail::default() })
    }

    /// The error as an event, if there can be one now.
    fn last_word(&self, error: &Error) -> Option<Bytes> {
        if !self.tail.is_between(self.dialect) {
            return None;
        }
        let message = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let body =
            ErrorBody::new(error.code(), &message).status(error.kind().status()).form(self.form);
        Some(write::error_event(self.dialect, &body))
    }
}

/// The last bytes that have passed.
#[derive(Debug, Default)]
struct Tail(Option<[u8; 4]>);

impl Tail {
    fn pass(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut tail = self.0.unwrap_or_default();
        let new = bytes.len().min(4);
        tail.rotate_left(new);
        tail[4 - new..].copy_from_slice(&bytes[bytes.len() - new..]);
        self.0 = Some(tail);
    }

    /// Whether no event is half-way through.
    fn is_between(&self, dialect: Dialect) -> bool {
        let Some(tail) = self.0 else { return true };
        match dialect {
            Dialect::OllamaNative => tail.ends_with(b"\n"),
            _ => [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].iter().any(|end| tail.ends_with(end)),
        }
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let State::Breaking(sleep, error) = &mut self.state {
            ready!(sleep.as_mut().poll(cx));
            let error = error.take();
            self.state = State::Over;
            return Poll::Ready(error.map(Err));
        }
        if let State::Over = self.state {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let (Some(events), Some(data)) = (&mut self.events, frame.data_ref()) {
                    events.tail.pass(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let error = Error::from(error);
                self.report.code = Some(error.code());
                let last = self.events.as_ref().and_then(|events| events.last_word(&error));
                let error = error.into_source();
                match last {
                    Some(event) => {
                        self.state = State::Breaking(Box::pin(sleep(LAST_WORD)), Some(error));
                        Poll::Ready(Some(Ok(Frame::data(event))))
                    }
                    None => {
                        self.state = State::Over;
                        Poll::Ready(Some(Err(error)))
                    }
                }
            }
            None => {
                self.state = State::Over;
                Poll::Ready(self.verdict().map(|verdict| Ok(Frame::trailers(verdict))))
            }
        }
    }

    /// What the answer was, for those who want to be told.
    fn verdict(&self) -> Option<HeaderMap> {
        let attempt = self.report.attempt.as_ref().filter(|_| self.tells_verdict)?;
        let outcome = HeaderValue::from_static(attempt.verdict()?.outcome.as_str());
        Some(HeaderMap::from_iter([(VERDICT, outcome)]))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Inner::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Inner::Passed(passed) => passed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(body) => body.is_end_stream(),
            Inner::Passed(passed) => match passed.state {
                State::Flowing => passed.body.is_end_stream() && !passed.tells_verdict,
                State::Breaking(..) => false,
                State::Over => true,
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(body) => body.size_hint(),
            Inner::Passed(passed) => passed.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_over_with_its_blank_line() {
        let check = |pieces: &[&str], dialect, expected| {
            let mut tail = Tail::default();
            pieces.iter().for_each(|piece| tail.pass(piece.as_bytes()));
            assert_eq!(tail.is_between(dialect), expected, "{pieces:?}");
        };
        check(&[], Dialect::OpenAiChat, true);
        check(&["data: 1\n\n"], Dialect::OpenAiChat, true);
        check(&["data: 1\r\n", "\r", "\n"], Dialect::OpenAiChat, true);
        check(&["data: 1\n", "", "\n"], Dialect::OpenAiChat, true);
        check(&["data: 1\n"], Dialect::OpenAiChat, false);
        check(&["data: 1"], Dialect::OpenAiChat, false);
        check(&["{}\n"], Dialect::OllamaNative, true);
        check(&["{}"], Dialect::OllamaNative, false);
    }
}
