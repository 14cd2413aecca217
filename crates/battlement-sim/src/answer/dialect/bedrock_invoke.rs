//! Amazon Bedrock InvokeModel, with Claude behind it: Anthropic's body, whole or in frames.

use std::fmt::Write as _;

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};

use super::{anthropic, event_stream};
use crate::answer::{Asked, head, reply::Said, write::Writer};

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let mut inner = String::new();
    anthropic::events(asked, said, |name, data| {
        inner.clear();
        // Writing to a string does not fail.
        let _ = inner.write_fmt(data);
        if name == "message_stop" {
            // Amazon's own counts go into the last event.
            inner.pop();
            let (input, cached, output) = (said.input - said.cached, said.cached, said.output);
            let _ = write!(
                inner,
                r#","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{input},"outputTokenCount":{output},"cacheReadInputTokenCount":{cached},"invocationLatency":1798,"firstByteLatency":1507}}}}"#
            );
        }
        let bytes = Base64Display::new(inner.as_bytes(), &STANDARD);
        event_stream::event(out, "chunk", format_args!(r#""bytes":"{bytes}""#));
    });
}

/// What the head of a whole answer says beside, and that of a stream.
pub(super) fn headers(asked: &Asked, said: &Said<'_>, headers: &mut HeaderMap) {
    if asked.stream {
        head::fixed(headers, "x-amzn-bedrock-content-type", "application/json");
        return;
    }
    let mut count = |name, tokens: u64| {
        head::set(headers, HeaderName::from_static(name), tokens.to_string());
    };
    count("x-amzn-bedrock-input-token-count", said.input - said.cached);
    count("x-amzn-bedrock-output-token-count", said.output);
    count("x-amzn-bedrock-invocation-latency", 1420);
}
