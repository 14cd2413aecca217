//! The event that tells of an error inside a stream, in each dialect's own form.
//!
//! For whoever finds out in the middle of a stream that it is of no use: a client of that dialect
//! knows this event, and fails instead of taking what it has for the whole answer.

use std::fmt::Write as _;

use super::Dialect;
use crate::Code;

impl Dialect {
    /// The event, with its framing, for a stream of this content type. `None` where there is none that
    /// could be written: in Amazon's event streams, JSON arrays and documents.
    ///
    /// It can only follow a whole event.
    ///
    /// ```
    /// use battlement_core::{Code, Dialect};
    ///
    /// let event = Dialect::AnthropicMessages
    ///     .error_event("text/event-stream", Code::StreamCut, "the stream was cut")
    ///     .unwrap();
    /// assert!(event.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{"));
    /// assert_eq!(Dialect::OpenAiChat.error_event("application/json", Code::StreamCut, ""), None);
    /// ```
    pub fn error_event(self, content_type: &str, code: Code, message: &str) -> Option<String> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        let lines = is("application/x-ndjson") || is("application/ndjson");
        if !lines && !is("text/event-stream") {
            return None;
        }
        let message = escaped(message);
        let (name, data) = match self {
            Self::OpenAiChat | Self::OpenAiCompletions | Self::OpenAiEmbeddings => (
                None,
                format!(
                    r#"{{"error":{{"message":"{message}","type":"server_error","param":null,"code":"{code}"}}}}"#
                ),
            ),
            // Flat as documented, and nested as it is seen: clients look for one or the other.
            Self::OpenAiResponses => (
                Some("error"),
                format!(
                    r#"{{"type":"error","code":"{code}","message":"{message}","param":null,"sequence_number":0,"error":{{"type":"server_error","code":"{code}","message":"{message}","param":null}}}}"#
                ),
            ),
            Self::AnthropicMessages => (
                Some("error"),
                format!(
                    r#"{{"type":"error","error":{{"type":"api_error","message":"{message}","details":{{"error_code":"{code}"}}}}}}"#
                ),
            ),
            Self::Gemini => (
                None,
                format!(
                    r#"{{"error":{{"code":500,"message":"{message}","status":"INTERNAL","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{code}"}}]}}}}"#
                ),
            ),
            Self::CohereV2 => (
                Some("message-end"),
                format!(
                    r#"{{"type":"message-end","delta":{{"finish_reason":"ERROR","error":"{message}"}}}}"#
                ),
            ),
            Self::OllamaNative => (None, format!(r#"{{"error":"{message}"}}"#)),
            Self::BedrockConverse | Self::BedrockInvoke => return None,
        };
        Some(match name {
            _ if lines => format!("{data}\n"),
            Some(name) => format!("event: {name}\ndata: {data}\n\n"),
            None => format!("data: {data}\n\n"),
        })
    }
}

/// A text as the inside of a JSON string.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            character if character < ' ' => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderMap, StatusCode, header};

    use super::*;
    use crate::{End, Kind, Outcome, Provider, Reader};

    #[test]
    fn every_event_is_read_as_an_error_by_its_own_dialect() {
        let message = "\"quoted\\\" and\nbroken \u{1}";
        for dialect in Dialect::ALL {
            for kind in ["text/event-stream; charset=utf-8", "application/x-ndjson"] {
                let Some(event) = dialect.error_event(kind, Code::StreamCut, message) else {
                    assert!(dialect.as_str().starts_with("bedrock"), "{dialect}");
                    continue;
                };
                let json = event.rsplit("data: ").next().unwrap().trim();
                let json: serde_json::Value = serde_json::from_str(json).unwrap();
                assert!(json.to_string().contains("broken"), "{json}");
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
                let mut reader = Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers)
                    .streamed(true);
                let _ = reader.feed(event.as_bytes());
                let verdict = reader.finish(End::Eof, SystemTime::UNIX_EPOCH);
                // Cohere tells an error as a reason for stopping.
                let told = matches!(verdict.kind, Kind::StreamError | Kind::BodyError)
                    || matches!(verdict.outcome, Outcome::Finished(class) if !class.is_success());
                assert!(told && !verdict.is_success(), "{dialect}, {kind}: {verdict:?}");
            }
        }
    }

    #[test]
    fn there_is_none_for_what_is_no_stream_of_text() {
        for kind in ["", "application/json", "application/vnd.amazon.eventstream", "text/html"] {
            assert_eq!(Dialect::OpenAiChat.error_event(kind, Code::StreamCut, "cut"), None);
        }
    }
}
