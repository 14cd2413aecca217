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
//! use http::{HeaderMap, HeaderName, StatusCode, header};
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
//! # Memory
//!
//! A reader remembers its place in the document and the token that a slice border cut in two. Kept
//! strings (reasons, codes, messages) are cut at 4 KiB, choices are told apart up to 1,024, frame
//! headers of an event stream up to 128 KiB and payloads up to 24 MiB, as in Amazon's own decoders.
//! Beyond these: a longer string is cut, further choices share one place of class
//! [`Unknown`](crate::FinishClass::Unknown), and a larger frame makes the stream
//! [`Corrupt`](crate::Outcome::Corrupt). Nothing else grows with the answer.

mod body;
mod embedded;
mod event;
mod judge;
mod signals;
mod tokens;

pub use signals::Signals;

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::{
    Dialect, ErrorReport, Provider, Verdict,
    dialect::{ERROR_BODY, Spec},
    scan::{event_stream, sse},
};
use body::{Body, Framing, Sniff};

/// How the bytes of an answer came to their end.
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
#[derive(Debug)]
pub struct Reader {
    provider: Provider,
    status: StatusCode,
    framing: Framing,
    body: Body,
    /// The answer was to be a stream.
    streamed: bool,
    /// Something other than blanks has been read.
    anything: bool,
    head: Head,
}

/// What the head of the answer says that the verdict needs.
#[derive(Debug, Default)]
struct Head {
    request_id: Option<Box<str>>,
    should_retry: Option<bool>,
    /// The error's name, where the header tells it (Amazon).
    error_type: Option<Box<str>>,
    /// Token counts in headers (Bedrock Invoke).
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    /// The whole head, kept for errors only: an answer in good order needs no wait.
    headers: Option<Box<HeaderMap>>,
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
        let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
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
        let many = lines || dialect == Dialect::OllamaNative;
        let mut body = Body::new(spec, many);
        if matches!(framing, Framing::Json) {
            body.collector.documents_are_events();
        }
        let head = Head::read(dialect, provider, status, headers);
        Self { provider, status, framing, body, streamed, anything: false, head }
    }

    /// Says that the request asked for a stream. It matters for a body without a byte: an empty
    /// stream was cut, an empty document never was an answer.
    #[must_use]
    pub fn streamed(mut self, streamed: bool) -> Self {
        self.streamed |= streamed;
        self
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

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

static SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
static ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
static INPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");
static OUTPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-output-token-count");

impl Head {
    fn read(dialect: Dialect, provider: Provider, status: StatusCode, headers: &HeaderMap) -> Self {
        let id = provider.request_id_headers().iter().find_map(|name| text(headers, name));
        let count = |name| text(headers, name)?.parse().ok();
        let invoke = dialect == Dialect::BedrockInvoke;
        let error = is_error(status);
        Self {
            request_id: id.map(Into::into),
            // It speaks of an error status; an error inside a 200 has none to speak of.
            should_retry: match if error { text(headers, &SHOULD_RETRY) } else { None } {
                Some("true") => Some(true),
                Some("false") => Some(false),
                _ => None,
            },
            error_type: if error { text(headers, &ERROR_TYPE).map(Into::into) } else { None },
            input_tokens: if invoke { count(&INPUT_TOKENS) } else { None },
            output_tokens: if invoke { count(&OUTPUT_TOKENS) } else { None },
            headers: error.then(|| Box::new(headers.clone())),
        }
    }

    /// An error told by the head alone.
    fn report(&self) -> ErrorReport {
        ErrorReport::new(self.error_type.clone(), None, None)
    }
}
