//! What an error body says, in one form for every dialect.

use std::fmt;

use super::{Field, Provider};
use crate::scan::json::Value;

/// An error code: most are words, some are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A word, which may consist of digits.
    Word(Box<str>),
    /// A number, mostly the HTTP status.
    Number(i64),
}

/// What the provider said about an error, as it said it.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReport {
    /// The provider's type of error.
    pub kind: Option<Box<str>>,
    /// The provider's code, the most exact one it gave.
    pub code: Option<ErrorCode>,
    /// The message, cut to 1,024 bytes. It may quote the request: do not log it unasked.
    pub message: Option<Box<str>>,
}

/// Shows how long the message is, not what it says: it may quote the prompt.
impl fmt::Debug for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.as_ref().map(|message| format!("{} bytes", message.len()));
        f.debug_struct("ErrorReport")
            .field("kind", &self.kind)
            .field("code", &self.code)
            .field("message", &message)
            .finish()
    }
}

impl ErrorReport {
    /// An error told by type, code and message, as frames and headers do.
    pub(crate) fn new(
        kind: Option<Box<str>>,
        code: Option<Box<str>>,
        message: Option<Box<str>>,
    ) -> Self {
        let message = message.map(|message| shortened(&message));
        Self { kind, code: code.map(ErrorCode::Word), message }
    }
}

/// How much of a message is kept.
const MESSAGE: usize = 1024;

/// Everything an error body said that helps to judge it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) said: ErrorReport,
    pub(crate) detail_code: Option<Box<str>>,
    pub(crate) kind: Option<Box<str>>,
    pub(crate) limit_source: Option<Box<str>>,
    pub(crate) flagged: bool,
    /// The HTTP status that the error would have had.
    pub(crate) status: Option<u16>,
    pub(crate) quota_ids: Box<str>,
    pub(crate) retry_delay: Option<Box<str>>,
    pub(crate) headers: Vec<(&'static str, Box<str>)>,
    title: Option<Box<str>>,
}

impl Report {
    /// An error that came with a code and a message, and no body.
    pub(crate) fn of_frame(said: ErrorReport) -> Self {
        Self { said, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.said == ErrorReport::default()
            && self.title.is_none()
            && self.detail_code.is_none()
            && self.kind.is_none()
    }

    /// Takes in one field. A field inside the error object counts more than one beside it.
    pub(crate) fn take(&mut self, field: Field, value: Value<'_>, inside: bool) {
        match (field, value) {
            (Field::ErrorCode, Value::Number(number)) if inside || self.said.code.is_none() => {
                self.said.code = ascii(number).parse().ok().map(ErrorCode::Number);
            }
            (Field::ErrorStatus, Value::Number(number)) => {
                self.status = ascii(number).parse().ok();
            }
            (Field::Flagged, Value::Passed { empty: false }) => self.flagged = true,
            (Field::HeaderReset, Value::Number(number)) => {
                self.header("x-ratelimit-reset", ascii(number));
            }
            (Field::HeaderRemaining, Value::Number(number)) => {
                self.header("x-ratelimit-remaining", ascii(number));
            }
            (Field::HeaderRetryAfter, Value::Number(number)) => {
                self.header("retry-after", ascii(number));
            }
            (_, Value::Text(text)) if !text.is_empty() => {
                self.take_text(field, &String::from_utf8_lossy(text), inside);
            }
            _ => {}
        }
    }

    fn take_text(&mut self, field: Field, text: &str, inside: bool) {
        let set = |slot: &mut Option<Box<str>>| {
            if inside || slot.is_none() {
                *slot = Some(text.into());
            }
        };
        match field {
            // The envelope's own `"type": "error"` says nothing.
            Field::ErrorType if text != "error" => set(&mut self.said.kind),
            Field::ErrorCode if inside || self.said.code.is_none() => {
                self.said.code = Some(ErrorCode::Word(text.into()));
            }
            Field::ErrorMessage | Field::Error if inside || self.said.message.is_none() => {
                self.said.message = Some(shortened(text));
            }
            Field::ErrorTitle | Field::ErrorNote => set(&mut self.title),
            Field::DetailCode => set(&mut self.detail_code),
            Field::ErrorKind => set(&mut self.kind),
            Field::LimitSource => set(&mut self.limit_source),
            Field::RetryDelay => set(&mut self.retry_delay),
            Field::QuotaId if self.quota_ids.len() < MESSAGE => {
                self.quota_ids = format!("{} {text}", self.quota_ids).into();
            }
            Field::HeaderRetryAfter => self.header("retry-after", text),
            Field::HeaderRetryAfterMs => self.header("retry-after-ms", text),
            Field::HeaderLimit => self.header("x-ratelimit-limit", text),
            Field::HeaderRemaining => self.header("x-ratelimit-remaining", text),
            Field::HeaderReset => self.header("x-ratelimit-reset", text),
            _ => {}
        }
    }

    fn header(&mut self, name: &'static str, value: &str) {
        if !self.headers.iter().any(|(known, _)| *known == name) {
            self.headers.push((name, value.into()));
        }
    }

    /// Amazon writes its names as `namespace#Name:details`; only the name counts.
    pub(crate) fn settle_names(&mut self, provider: Provider) {
        // It has types only, and sometimes calls them codes.
        if provider == Provider::Bedrock && self.said.kind.is_none() {
            self.said.kind = match self.said.code.take() {
                Some(ErrorCode::Word(word)) => Some(word),
                other => {
                    self.said.code = other;
                    None
                }
            };
        }
        if let Some(kind) = &mut self.said.kind {
            // A URL is the type of an RFC 9457 problem, and whole as it is.
            if !kind.starts_with("http") {
                let name = kind.split(':').next().unwrap_or_default();
                let name = name.rsplit('#').next().unwrap_or_default();
                *kind = name.into();
            }
        }
    }

    /// Settles what was said best: the message if there is one, else the title; the exact code if
    /// there is no other.
    pub(crate) fn settle(&mut self) {
        if self.said.message.is_none() {
            self.said.message = self.title.take().map(|title| shortened(&title));
        }
        if self.said.code.is_none() {
            self.said.code = self.detail_code.clone().map(ErrorCode::Word);
        }
    }
}

/// A number as text; the reader lets nothing but ASCII through.
fn ascii(number: &[u8]) -> &str {
    std::str::from_utf8(number).unwrap_or_default()
}

fn shortened(text: &str) -> Box<str> {
    let mut end = text.len().min(MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}
