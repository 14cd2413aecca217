//! What a client reads in an answer: one that was written without our crates, and believes what it is told.

use battlement::stack::Stack;
use battlement_core::Provider;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

/// Who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spoken {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
}

use Spoken::{Anthropic, Gemini, OpenAi, Responses};

impl Spoken {
    pub(crate) const ALL: [Self; 4] = [OpenAi, Responses, Anthropic, Gemini];
}

impl Spoken {
    pub(crate) fn provider(self) -> Provider {
        match self {
            OpenAi | Responses => Provider::OpenAi,
            Anthropic => Provider::Anthropic,
            Gemini => Provider::Gemini,
        }
    }

    pub(crate) fn stack(self) -> Stack {
        Stack::of(self.provider())
    }

    pub(crate) fn request(self, stream: bool) -> Request<Full<Bytes>> {
        let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
        let (path, body) = match self {
            OpenAi => (
                "/v1/chat/completions",
                format!(r#"{{"model":"gpt-5-mini","stream":{stream},{messages}}}"#),
            ),
            Responses => (
                "/v1/responses",
                format!(r#"{{"model":"gpt-5-mini","stream":{stream},"store":false,"input":"Hi"}}"#),
            ),
            Anthropic => (
                "/v1/messages",
                format!(
                    r#"{{"model":"claude-sonnet-5","stream":{stream},"max_tokens":99,{messages}}}"#
                ),
            ),
            Gemini => (
                if stream {
                    "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse"
                } else {
                    "/v1beta/models/gemini-3-flash:generateContent"
                },
                r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#.into(),
            ),
        };
        let request = Request::post(path).header("content-type", "application/json");
        request.body(body.into()).unwrap()
    }

    /// What the model has said in an answer, and whether the client takes it for a whole one.
    pub(crate) fn read(self, answer: &[u8]) -> (String, bool) {
        let answer = String::from_utf8_lossy(answer);
        let documents: Vec<&str> = if answer.starts_with('{') {
            vec![&answer]
        } else {
            answer.lines().filter_map(|line| line.strip_prefix("data:")).collect()
        };
        let (mut text, mut is_whole) = (String::new(), false);
        for document in documents {
            let Ok(document) = serde_json::from_str::<Value>(document) else {
                is_whole |= self == OpenAi && document.trim() == "[DONE]";
                continue;
            };
            let word = |name: &str| document[name].as_str().unwrap_or_default();
            let (pieces, end) = match self {
                OpenAi => (
                    ["/choices/0/delta/content", "/choices/0/message/content"].as_slice(),
                    // A stream has its own mark.
                    document.pointer("/choices/0/message").is_some(),
                ),
                Responses => (
                    if word("type") == "response.output_text.delta" {
                        ["/delta"].as_slice()
                    } else {
                        ["/output/0/content/0/text"].as_slice()
                    },
                    // Most clients take both for the end.
                    ["response.completed", "response.incomplete"].contains(&word("type"))
                        || ["completed", "incomplete"].contains(&word("status")),
                ),
                Anthropic => (
                    ["/delta/text", "/content/0/text"].as_slice(),
                    document["type"] == "message_stop" || document["type"] == "message",
                ),
                Gemini => (
                    ["/candidates/0/content/parts/0/text"].as_slice(),
                    document.pointer("/candidates/0/finishReason").is_some(),
                ),
            };
            for piece in pieces {
                text += document.pointer(piece).and_then(Value::as_str).unwrap_or_default();
            }
            is_whole |= end;
        }
        (text, is_whole)
    }
}
