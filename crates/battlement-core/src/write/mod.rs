//! Answers and errors in the form that the client of a dialect expects.
//!
//! Whoever answers in place of a provider (a gateway that could not reach it, a layer with an answer of
//! last resort) is read by a client that speaks one dialect and knows nothing of ours. Told in another
//! form, an error becomes a crash in that client's parser, or worse, an empty answer. So what is said here
//! is said as the provider would: its words for the type, its status, its place for a wait, its events.
//!
//! * [`error`]: an error with a status, and [`error_event`] one in the middle of a stream.
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_core::{Code, Dialect, write::{self, ErrorBody}};
//!
//! let limited = ErrorBody::new(Code::LimitReached, "all places are taken")
//!     .retry_after(Duration::from_millis(1_500));
//! let written = write::error(Dialect::AnthropicMessages, &limited);
//! assert_eq!(written.status, 429);
//! assert_eq!(written.headers["retry-after"], "2");
//! assert_eq!(
//!     written.body(),
//!     r#"{"type":"error","error":{"type":"rate_limit_error","message":"all places are taken","details":{"error_code":"llm.local.rate_limit"}},"request_id":null}"#
//! );
//! ```

mod class;
mod error;
mod frame;
#[cfg(test)]
mod tests;
mod text;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Dialect;

pub use error::{ErrorBody, error, error_event};

/// Whether an answer comes as a document or in pieces.
///
/// Complete: the framing of the pieces follows from the dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// One JSON document.
    #[default]
    Document,
    /// The events of the dialect: server-sent events, lines of JSON, or Amazon's frames.
    Events,
    /// One JSON array that grows, which is how Gemini streams without `alt=sse`. Of the others,
    /// their events.
    Array,
}

impl Form {
    /// The form that a request asks for, by whether it asks for a stream and by its address.
    ///
    /// ```
    /// use battlement_core::{Dialect, write::Form};
    /// use http::Uri;
    ///
    /// let uri = Uri::from_static("https://host/v1beta/models/gemini-2.5-pro:streamGenerateContent");
    /// assert_eq!(Form::asked(Dialect::Gemini, true, &uri), Form::Array);
    /// let uri = Uri::from_static("https://host/v1beta/models/x:streamGenerateContent?alt=sse");
    /// assert_eq!(Form::asked(Dialect::Gemini, true, &uri), Form::Events);
    /// ```
    pub fn asked(dialect: Dialect, stream: bool, uri: &http::Uri) -> Self {
        let is_sse = || uri.query().is_some_and(|query| query.split('&').any(|it| it == "alt=sse"));
        match (stream, dialect) {
            (false, _) => Self::Document,
            (true, Dialect::Gemini) if !is_sse() => Self::Array,
            (true, _) => Self::Events,
        }
    }

    /// The content type of an answer of this form.
    pub fn content_type(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Document, _) | (Self::Array, Dialect::Gemini) => "application/json",
            (_, Dialect::BedrockConverse | Dialect::BedrockInvoke) => {
                "application/vnd.amazon.eventstream"
            }
            (_, Dialect::OllamaNative) => "application/x-ndjson",
            _ => "text/event-stream",
        }
    }
}

/// What is to be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Written {
    /// The status.
    pub status: StatusCode,
    /// The headers that the dialect has for it, `content-type` among them.
    pub headers: HeaderMap,
    /// The body: a document, or an event each.
    pub frames: Vec<Bytes>,
}

impl Written {
    fn new(status: StatusCode, content_type: &'static str, frames: Vec<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, frames }
    }

    /// The content type.
    pub fn content_type(&self) -> &str {
        let value = self.headers.get(header::CONTENT_TYPE);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body in one piece.
    pub fn body(&self) -> Bytes {
        match &self.frames[..] {
            [] => Bytes::new(),
            [one] => one.clone(),
            many => {
                let mut body = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
                many.iter().for_each(|frame| body.extend_from_slice(frame));
                body.freeze()
            }
        }
    }

    /// The whole answer, in any type of body that is made of bytes.
    pub fn into_response<B: From<Bytes>>(self) -> http::Response<B> {
        let mut response = http::Response::new(B::from(self.body()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
