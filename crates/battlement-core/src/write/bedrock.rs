//! Amazon Bedrock: Converse, and Claude behind InvokeModel.

use std::fmt::{self, Write as _};

use base64::{display::Base64Display, engine::general_purpose::STANDARD};

use super::{
    answer::{Ending, Text},
    anthropic,
    frame::event,
    text::{Escaped, Made, Writer},
};

pub(super) fn converse(out: &mut Writer, text: &Text<'_>) {
    let word = match text.ending {
        Ending::Complete => "end_turn",
        Ending::Length => "max_tokens",
        Ending::Filtered => "content_filtered",
    };
    let said = Escaped(text.text);
    let (input, output, total) = (text.input, text.output, text.total());
    let usage = Made(move |f: &mut fmt::Formatter<'_>| {
        write!(
            f,
            r#""usage":{{"inputTokens":{input},"outputTokens":{output},"totalTokens":{total}}},"metrics":{{"latencyMs":0}}"#
        )
    });
    if text.is_document() {
        return write!(
            out,
            r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{said}"}}]}}}},"stopReason":"{word}",{usage}}}"#
        );
    }
    event(out, "messageStart", format_args!(r#"{{"role":"assistant"}}"#));
    event(
        out,
        "contentBlockDelta",
        format_args!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{said}"}}}}"#),
    );
    event(out, "contentBlockStop", format_args!(r#"{{"contentBlockIndex":0}}"#));
    event(out, "messageStop", format_args!(r#"{{"stopReason":"{word}"}}"#));
    event(out, "metadata", format_args!("{{{usage}}}"));
}

/// Whether a model of this name answers in Anthropic's form.
pub(super) fn is_claude(model: &str) -> bool {
    model.contains("anthropic") || model.contains("claude")
}

/// A stream of Claude's: Anthropic's events, each in a frame.
pub(super) fn claude(out: &mut Writer, text: &Text<'_>) {
    let (input, output) = (text.input, text.output);
    anthropic::events(text, |name, data| {
        let mut inner = data.to_string();
        if name == "message_stop" {
            // Amazon's own counts go into the last event.
            inner.pop();
            let _cannot_fail = write!(
                inner,
                r#","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{input},"outputTokenCount":{output},"invocationLatency":0,"firstByteLatency":0}}}}"#
            );
        }
        let bytes = Base64Display::new(inner.as_bytes(), &STANDARD);
        event(out, "chunk", format_args!(r#"{{"bytes":"{bytes}"}}"#));
    });
}
