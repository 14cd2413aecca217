//! Reading an answer as it passes.
//!
//! Peers judge an answer by its HTTP status. A 200 whose stream was cut, which stopped at the token
//! limit, or which was filtered, is a failure all the same, and only the answer itself tells. A
//! [`Reader`] is shown the bytes on their way to the caller; it changes nothing, keeps no copy of
//! what passes, and says at the end what the answer means.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use battlement_core::{Dialect, End, Outcome, Provider, Reader, Signals};
//! use http::{HeaderMap, StatusCode, header};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
//!
//! let mut reader =
//!     Reader::new(Dialect::OpenAiChat, Provider::OpenAi, StatusCode::OK, &headers);
//! let signals = reader.feed(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Par\"}}]}\n\n");
//! assert!(signals.contains(Signals::OUTPUT));
//!
//! // The connection closes here. The official SDKs report no error; the verdict does.
//! let verdict = reader.finish(End::Eof, SystemTime::UNIX_EPOCH);
//! assert_eq!(verdict.outcome, Outcome::Cut);
//! assert!(verdict.has_output && verdict.is_retryable());
//! ```
//!
//! # What a reader has to be shown
//!
//! The bytes of the body without any `content-encoding`: a reader does not decompress. Show it what
//! comes out behind the decoder, or ask the provider for `identity`.
//!
//! # Memory
//!
//! A reader remembers its place in the document, the token or short line (1 KiB) that a slice border
//! cut in two, and one short event (1 KiB) to compare later ones with. Kept
//! strings (reasons, codes, messages) are cut at 4 KiB of the wire, choices are told apart up to 1,024, frame
//! headers of an event stream up to 128 KiB and payloads up to 24 MiB, as in Amazon's own decoders.
//! Beyond these: a longer string is cut, further choices share one place of class
//! [`Unknown`](crate::FinishClass::Unknown), and a larger frame makes the stream
//! [`Corrupt`](crate::Outcome::Corrupt). Nothing else grows with the answer.

mod answer;
mod body;
mod embedded;
mod event;
mod fields;
mod judge;
mod signals;
mod tokens;

pub use signals::Signals;

use std::{fmt, time::SystemTime};

use http::{HeaderMap, StatusCode, header};

use crate::{
    Dialect, Provider, Usage, Verdict,
    dialect::{ERROR_BODY, Head, OTHER_ANSWER, Spec},
    request::Operation,
    scan::{event_stream, sse},
};
use body::{Body, Framing, Sniff};

/// How the bytes of an answer came to their end.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The body ended.
    Eof,
    /// The connection broke: a reset, a wrong length, a transport error.
    Broken,
    /// The caller went away and no longer wants the answer.
    Dropped,
}

/// Reads one answer.
pub struct Reader {
    provider: Provider,
    status: StatusCode,
    framing: Framing,
    body: Body,
    /// The request asked for a stream.
    asked: bool,
    /// The answer is a stream, by its framing or its own word.
    streamed: bool,
    /// Something other than blanks has been read.
    anything: bool,
    head: Head,
}

impl Reader {
    /// A reader for the answer with this head.
    ///
    /// The framing follows from `content-type`, and from the first bytes where that does not tell.
    pub fn new(
        dialect: Dialect,
        provider: Provider,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is = |name: &str| {
            content_type.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let lines = is("application/x-ndjson") || is("application/ndjson");
        let (framing, streamed) = if is("text/event-stream") {
            (Framing::Sse(sse::Reader::new()), true)
        } else if is("application/vnd.amazon.eventstream") {
            (Framing::EventStream(event_stream::Reader::new()), true)
        } else if lines {
            (Framing::Json, true)
        } else {
            (Framing::Unknown(Sniff::default()), false)
        };
        let spec = if is_error(status) { &ERROR_SPEC } else { dialect.spec() };
        let mut body = Body::new(spec, lines || spec.many_documents);
        if matches!(framing, Framing::Json) {
            body.collector.documents_are_events();
        }
        let head = Head::read(dialect, provider, status, headers);
        Self { provider, status, framing, body, asked: false, streamed, anything: false, head }
    }

    /// Says that the request asked for a stream. It matters for a body without a byte: an empty
    /// stream was cut, an empty document never was an answer. What the body is, it says itself.
    #[must_use]
    pub fn streamed(mut self, streamed: bool) -> Self {
        self.asked = streamed;
        self
    }

    /// Says what the request asked for, where that is no generation: of counts, vectors and lists
    /// no more is expected than that they are whole and no error.
    ///
    /// To be said before the first byte is shown.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        let vectors = self.body.collector.spec.is_not_generated();
        if !operation.generates() && !vectors && !is_error(self.status) {
            self.body = Body::new(&OTHER_SPEC, false);
            if matches!(self.framing, Framing::Json) {
                self.body.collector.documents_are_events();
            }
        }
        self
    }

    /// The token counts told so far; a later event may restate them.
    pub fn usage(&self) -> Option<Usage> {
        self.body.collector.answer.tokens.usage(self.body.collector.spec, self.provider)
    }

    /// The choices that have ended so far, by index.
    pub fn finished(&self) -> impl Iterator<Item = u32> {
        let choices = &self.body.collector.answer.choices;
        choices.iter().filter(|choice| choice.finished).map(|choice| choice.index)
    }

    /// Shows the reader the next bytes; what they brought.
    pub fn feed(&mut self, bytes: &[u8]) -> Signals {
        if self.anything {
            self.pass(bytes);
        } else {
            self.begin(bytes);
        }
        self.body.collector.take_signals()
    }

    /// Ends the answer and says what it means. `now` is only used to read dates in hints.
    pub fn finish(mut self, end: End, now: SystemTime) -> Verdict {
        if let Framing::Unknown(sniff) = &mut self.framing {
            // Too short to tell: a short document, then.
            let start = std::mem::take(sniff);
            self.settle(Framing::Json, start.bytes());
        }
        match &mut self.framing {
            Framing::Sse(sse) => {
                sse.finish(&mut self.body);
                if self.body.is_done_marker() {
                    self.body.collector.discard();
                    self.body.collector.mark_ended();
                }
            }
            Framing::Json => {
                let Body { json, collector, .. } = &mut self.body;
                json.finish(collector);
            }
            Framing::Unknown(_) | Framing::EventStream(_) => {}
        }
        self.judge(end, now)
    }

    #[inline]
    fn pass(&mut self, bytes: &[u8]) {
        match &mut self.framing {
            Framing::Json => self.body.feed_json(bytes),
            Framing::Sse(sse) => sse.feed(bytes, &mut self.body),
            Framing::EventStream(stream) => {
                stream.feed(bytes, &mut self.body);
                if stream.is_broken() {
                    self.body.collector.broken();
                }
            }
            Framing::Unknown(_) => self.sniff(bytes),
        }
    }

    /// Steps over what may stand before the first byte that means something.
    fn begin(&mut self, bytes: &[u8]) {
        let bytes = match &self.framing {
            // An event stream has no blanks, and an SSE reader knows its own.
            Framing::EventStream(_) | Framing::Sse(_) => bytes,
            Framing::Json | Framing::Unknown(_) => skip_blanks(bytes),
        };
        if !bytes.is_empty() {
            self.anything = true;
            self.pass(bytes);
        }
    }

    fn sniff(&mut self, bytes: &[u8]) {
        let Framing::Unknown(sniff) = &mut self.framing else { return };
        let before = sniff.bytes().len();
        let Some(framing) = sniff.take(bytes) else { return };
        let start = std::mem::take(sniff);
        self.settle(framing, &start.bytes()[..before]);
        self.pass(bytes);
    }

    /// Takes a framing, and reads what was held back until it was known.
    fn settle(&mut self, framing: Framing, start: &[u8]) {
        match &framing {
            Framing::Json => self.body.collector.documents_are_events(),
            _ => self.streamed = true,
        }
        self.framing = framing;
        self.pass(start);
    }
}

/// Shows nothing of what has passed: it may be anybody's secret.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("provider", &self.provider)
            .field("status", &self.status)
            .field("streamed", &self.streamed)
            .finish_non_exhaustive()
    }
}

/// Blanks and a byte order mark before the first byte of a document.
fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0xEF | 0xBB | 0xBF);
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Anything but a 2xx answers for itself, whatever its body looks like.
fn is_error(status: StatusCode) -> bool {
    !status.is_success()
}

/// The form of an error answer, the same in every dialect.
static ERROR_SPEC: Spec = Spec::for_errors(&ERROR_BODY);
/// The form of an answer that is not generated, whatever it is.
static OTHER_SPEC: Spec = Spec::for_anything(&OTHER_ANSWER);
