//! Answers with an error, by status or in the middle of a stream: one file for each provider's words.

mod anthropic;
mod bedrock;
mod cohere;
mod edge;
mod gemini;
mod ollama;
mod openai;

use std::{borrow::Cow, time::Duration};

use battlement_core::{Dialect, Provider};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::answer::{
    Answer, Asked, Content, Fault,
    dialect::{document, event_stream, gemini::blocked, gemini::chunk, stream_type},
    head, vendor,
    write::Writer,
};

/// An error in the words of one provider.
#[derive(Debug)]
struct Complaint {
    status: u16,
    /// The type, or the name of the exception.
    kind: &'static str,
    /// The code, where there is one.
    code: Option<&'static str>,
    message: Cow<'static, str>,
}

impl Complaint {
    fn new(status: u16, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, code: None, message: message.into() }
    }

    fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }
}

/// The provider refuses.
///
/// `after` is told in the way of this provider (a header in one unit or another, a member of the
/// body, half a sentence) and for the faults that it tells waits for; elsewhere it is not told.
///
/// ```
/// use std::time::Duration;
///
/// use battlement_core::{Dialect, hint::Dimension};
/// use battlement_sim::answer::{Asked, Fault, fault};
///
/// let limited = |dialect| {
///     let limited = Fault::RateLimited(Dimension::Requests);
///     fault(&Asked::new(dialect), limited, Some(Duration::from_millis(1500)))
/// };
/// assert_eq!(limited(Dialect::AnthropicMessages).headers["retry-after"], "2");
/// assert_eq!(limited(Dialect::BedrockConverse).headers["x-amz-retry-after"], "1500");
/// // Google tells it in the body.
/// assert!(!limited(Dialect::Gemini).headers.contains_key("retry-after"));
/// ```
pub fn fault(asked: &Asked, fault: Fault, after: Option<Duration>) -> Answer {
    let provider = vendor(asked.dialect);
    if provider == Provider::Gemini && fault == Fault::ContentPolicy {
        return blocked_prompt(asked);
    }
    let Some(complaint) = complaint(asked, fault, after) else {
        return edge::answer(asked, fault, after);
    };
    let mut headers = head::headers(asked, "application/json");
    match provider {
        Provider::Anthropic => anthropic::headers(&mut headers, fault, after),
        Provider::Bedrock => bedrock::headers(&mut headers, fault, after, &complaint),
        Provider::Cohere => cohere::headers(&mut headers, asked, fault, after),
        Provider::OpenAi => openai::headers(&mut headers, fault, after),
        // Google's waits are in the body, and Ollama knows none.
        _ => {}
    }
    let body = body(asked, fault, after, &complaint);
    // A stream that was to be an array is one with the error in it.
    let body = if asked.array { format!("[{body}\n]") } else { body };
    Answer { status: status(complaint.status), headers, content: Content::Whole(body.into()) }
}

/// An error in the middle of a stream, in the form that the dialect has for it, ready to be written.
///
/// It follows whole events; in Gemini's array, at least one. A fault that is only told by a status, such
/// as that of a gateway, becomes an internal error.
///
/// ```
/// use battlement_core::Dialect;
/// use battlement_sim::answer::{Asked, Fault, error_event};
///
/// let asked = Asked::new(Dialect::AnthropicMessages).stream(true);
/// assert!(error_event(&asked, Fault::Overloaded).starts_with(b"event: error\n"));
/// ```
pub fn error_event(asked: &Asked, fault: Fault) -> Bytes {
    let mut out = Writer::default();
    let (fault, complaint) = match complaint(asked, fault, None) {
        Some(complaint) => (fault, Some(complaint)),
        None => (Fault::Internal, complaint(asked, Fault::Internal, None)),
    };
    let Some(complaint) = complaint else { return Bytes::new() };
    let body = body(asked, fault, None, &complaint);
    match asked.dialect {
        Dialect::OpenAiResponses => openai::response_event(&mut out, &complaint),
        Dialect::AnthropicMessages => out.event("error", format_args!("{body}")),
        Dialect::Gemini => {
            chunk(&mut out, asked, false, format_args!("{body}"));
            if asked.array {
                write!(out, "\n]");
            }
        }
        Dialect::BedrockConverse | Dialect::BedrockInvoke => {
            event_stream::exception(&mut out, &bedrock::event_name(&complaint), &body);
        }
        Dialect::CohereV2 => cohere::event(&mut out, &complaint),
        Dialect::OllamaNative => writeln!(out, "{body}"),
        _ => out.data(format_args!("{body}")),
    }
    out.bytes.into()
}

/// What the provider itself says; `None` if it leaves that to a gateway in front of it.
fn complaint(asked: &Asked, fault: Fault, after: Option<Duration>) -> Option<Complaint> {
    match fault {
        Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout => None,
        _ => match vendor(asked.dialect) {
            Provider::Anthropic => Some(anthropic::complaint(asked, fault)),
            Provider::Gemini => Some(gemini::complaint(asked, fault)),
            Provider::Bedrock => Some(bedrock::complaint(asked, fault)),
            Provider::Cohere => cohere::complaint(asked, fault),
            Provider::Ollama => ollama::complaint(asked, fault),
            _ => openai::complaint(asked, fault, after),
        },
    }
}

fn body(asked: &Asked, fault: Fault, after: Option<Duration>, complaint: &Complaint) -> String {
    match vendor(asked.dialect) {
        Provider::Anthropic => anthropic::body(asked, complaint),
        Provider::Gemini => gemini::body(asked, fault, after, complaint),
        Provider::Bedrock => bedrock::body(complaint),
        Provider::Cohere => cohere::body(asked, complaint),
        Provider::Ollama => ollama::body(complaint),
        _ => openai::body(complaint),
    }
}

/// Google does not refuse a prompt by status: it answers, with nothing.
fn blocked_prompt(asked: &Asked) -> Answer {
    let mut answer = document(asked, |out| {
        if asked.stream {
            chunk(out, asked, true, format_args!("{}", blocked(asked)));
        } else {
            write!(out, "{}", blocked(asked));
        }
        if asked.array {
            write!(out, "\n]");
        }
    });
    if asked.stream {
        answer.headers = head::headers(asked, stream_type(asked));
        answer.content = Content::Events(answer.content.pieces().to_vec());
    }
    answer
}

fn status(code: u16) -> StatusCode {
    // Every code in this folder is one.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn number(headers: &mut HeaderMap, name: HeaderName, value: u128) {
    head::set(headers, name, value.to_string());
}

/// `retry-after` in whole seconds, rounded up: nobody is asked back too early.
fn retry_after(headers: &mut HeaderMap, after: Duration) {
    number(headers, header::RETRY_AFTER, after.as_nanos().div_ceil(1_000_000_000));
}

/// In whole milliseconds, rounded up likewise.
fn milliseconds(after: Duration) -> u128 {
    after.as_nanos().div_ceil(1_000_000)
}
