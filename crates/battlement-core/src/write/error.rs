//! Errors, by status or in the middle of a stream.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    Form, Written,
    class::{Words, class},
    frame,
    text::{Escaped, Writer, nullable},
};
use crate::{Code, Dialect};

/// An error that a client is to be told.
#[derive(Clone, Debug)]
#[must_use]
pub struct ErrorBody<'a> {
    code: Code,
    message: &'a str,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    should_retry: Option<bool>,
    request_id: Option<&'a str>,
    form: Form,
}

impl<'a> ErrorBody<'a> {
    /// An error by its code, with a sentence for people.
    ///
    /// The sentence is written as it is: it should hold nothing that the client must not see.
    pub const fn new(code: Code, message: &'a str) -> Self {
        Self {
            code,
            message,
            status: None,
            retry_after: None,
            should_retry: None,
            request_id: None,
            form: Form::Document,
        }
    }

    /// The status, if not the one that the provider of this dialect has for it.
    pub const fn status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// When it makes sense to try again, told in the place that the dialect has for it.
    pub const fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Whether the client should try again. The SDKs of OpenAI and Anthropic obey this word whatever the
    /// status says: `false` where whoever answers has tried often enough itself.
    pub const fn should_retry(self, retry: bool) -> Self {
        Self { should_retry: Some(retry), ..self }
    }

    /// The id of the request, for whoever looks for it in the logs.
    pub const fn request_id(self, id: &'a str) -> Self {
        Self { request_id: Some(id), ..self }
    }

    /// The form of the answer that was asked for: a client that waits for an array gets one, with the
    /// error in it.
    pub const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The status that it comes with in this dialect.
    pub fn status_in(&self, dialect: Dialect) -> StatusCode {
        let words = Words::of(dialect, class(self.code));
        // All of the table are statuses.
        let usual = StatusCode::from_u16(words.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.status.unwrap_or(usual)
    }
}

/// An error in the form of this dialect, as an answer with its status.
///
/// The type, the code and the status are the provider's own for a failure of this kind, so that a client
/// treats it as one; our code is in there where the dialect has room for it.
pub fn error(dialect: Dialect, error: &ErrorBody<'_>) -> Written {
    let words = Words::of(dialect, class(error.code));
    let mut out = Writer::default();
    let array = dialect == Dialect::Gemini && error.form == Form::Array;
    write_body(&mut out, dialect, error, words);
    if array {
        out.bytes.insert(0, b'[');
        out.bytes.push(b']');
    }
    let status = error.status_in(dialect);
    let mut written = Written::new(status, "application/json", out.into_frames());
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            written.headers.insert(HeaderName::from_static(name), value);
        }
    };
    let amazon = matches!(dialect, Dialect::BedrockConverse | Dialect::BedrockInvoke);
    if amazon {
        set("x-amzn-errortype", words.kind.to_owned());
    }
    if let Some(wait) = error.retry_after {
        set("retry-after", seconds(wait));
        match dialect {
            Dialect::BedrockConverse | Dialect::BedrockInvoke => {
                set("x-amz-retry-after", milliseconds(wait));
            }
            Dialect::AnthropicMessages
            | Dialect::OpenAiChat
            | Dialect::OpenAiCompletions
            | Dialect::OpenAiEmbeddings
            | Dialect::OpenAiResponses => set("retry-after-ms", milliseconds(wait)),
            _ => {}
        }
    }
    if let Some(retry) = error.should_retry {
        set("x-should-retry", retry.to_string());
    }
    if let Some(id) = error.request_id {
        let name = match dialect {
            Dialect::AnthropicMessages => "request-id",
            Dialect::BedrockConverse | Dialect::BedrockInvoke => "x-amzn-requestid",
            _ => "x-request-id",
        };
        set(name, id.to_owned());
    }
    written
}

/// An error as an event in the middle of a stream of this dialect. It can only follow a whole event, and
/// in Gemini's array at least one, whose array it closes.
///
/// The client fails instead of taking what it has for the whole answer.
pub fn error_event(dialect: Dialect, error: &ErrorBody<'_>) -> Bytes {
    let words = Words::of(dialect, class(error.code));
    let mut out = Writer::default();
    let mut body = Writer::default();
    write_body(&mut body, dialect, error, words);
    // Written by us, from text.
    let body = String::from_utf8_lossy(&body.bytes);
    match dialect {
        Dialect::OpenAiResponses => {
            let code = if words.code.is_empty() { error.code.as_str() } else { words.code };
            let (message, kind) = (Escaped(error.message), words.kind);
            // Flat as documented, and nested as it is seen: clients look for one or the other.
            out.event(
                "error",
                format_args!(
                    r#"{{"type":"error","sequence_number":0,"code":"{code}","message":"{message}","param":null,"error":{{"type":"{kind}","code":"{code}","message":"{message}","param":null}}}}"#
                ),
            );
        }
        Dialect::AnthropicMessages => out.event("error", format_args!("{body}")),
        Dialect::Gemini if error.form == Form::Array => write!(out, "\n,\r\n{body}\n]"),
        Dialect::Gemini => write!(out, "data: {body}\r\n\r\n"),
        Dialect::BedrockConverse | Dialect::BedrockInvoke => {
            // In a stream the names of exceptions begin with a small letter.
            let (first, rest) = words.kind.split_at(1);
            let name = first.to_ascii_lowercase() + rest;
            frame::exception(&mut out, &name, format_args!("{body}"));
        }
        Dialect::CohereV2 => {
            let (lead, message) = (words.lead, Escaped(error.message));
            out.event(
                "message-end",
                format_args!(
                    r#"{{"type":"message-end","delta":{{"error":"{lead}{message}","finish_reason":"ERROR"}}}}"#
                ),
            );
        }
        Dialect::OllamaNative => writeln!(out, "{body}"),
        Dialect::OpenAiChat | Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => {
            out.data(format_args!("{body}"));
        }
    }
    out.bytes.into()
}

/// The body, which is also what most events say.
fn write_body(out: &mut Writer, dialect: Dialect, error: &ErrorBody<'_>, words: Words) {
    let Words { kind, lead, .. } = words;
    let (message, ours) = (Escaped(error.message), error.code);
    let code = if words.code.is_empty() { ours.as_str() } else { words.code };
    match dialect {
        Dialect::AnthropicMessages => {
            let id = nullable(error.request_id);
            write!(
                out,
                r#"{{"type":"error","error":{{"type":"{kind}","message":"{lead}{message}","details":{{"error_code":"{ours}"}}}},"request_id":{id}}}"#
            );
        }
        Dialect::Gemini => {
            let status = error.status_in(dialect).as_u16();
            write!(
                out,
                r#"{{"error":{{"code":{status},"message":"{lead}{message}","status":"{kind}","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{code}","domain":"battlement","metadata":{{"code":"{ours}"}}}}"#
            );
            if let Some(wait) = error.retry_after {
                let (seconds, rest) = (wait.as_secs(), wait.subsec_millis());
                write!(
                    out,
                    r#",{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{seconds}.{rest:03}s"}}"#
                );
            }
            write!(out, "]}}}}");
        }
        Dialect::BedrockConverse | Dialect::BedrockInvoke => {
            write!(out, r#"{{"message":"{lead}{message}"}}"#);
        }
        Dialect::CohereV2 => {
            write!(out, r#"{{"message":"{lead}{message}""#);
            if let Some(id) = error.request_id {
                write!(out, r#","id":"{}""#, Escaped(id));
            }
            write!(out, "}}");
        }
        Dialect::OllamaNative => write!(out, r#"{{"error":"{lead}{message}"}}"#),
        Dialect::OpenAiChat
        | Dialect::OpenAiCompletions
        | Dialect::OpenAiEmbeddings
        | Dialect::OpenAiResponses => write!(
            out,
            r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#
        ),
    }
}

/// Whole seconds, rounded up: nobody is asked back too early.
fn seconds(wait: Duration) -> String {
    wait.as_nanos().div_ceil(1_000_000_000).to_string()
}

/// Whole milliseconds, rounded up likewise.
fn milliseconds(wait: Duration) -> String {
    wait.as_nanos().div_ceil(1_000_000).to_string()
}
