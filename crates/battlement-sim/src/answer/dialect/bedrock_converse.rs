//! Amazon Bedrock Converse and ConverseStream.

use std::fmt;

use super::event_stream::event;
use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete | Ending::Empty => "end_turn",
        Ending::StopSequence => "stop_sequence",
        Ending::ToolCall => "tool_use",
        Ending::Truncated => "max_tokens",
        Ending::ContextWindow => "model_context_window_exceeded",
        Ending::Filtered => "content_filtered",
        Ending::MalformedToolCall => "malformed_tool_use",
        Ending::Failed => "malformed_model_output",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    write!(out, r#"{{"metrics":{{"latencyMs":1275}},"output":{{"message":{{"content":["#);
    let calls = said.ending == Ending::ToolCall;
    let has_text = !said.text.is_empty() || !calls;
    if has_text {
        write!(out, r#"{{"text":"{}"}}"#, Escaped(&said.text));
    }
    if calls {
        let (comma, id) = (if has_text { "," } else { "" }, asked.id());
        let (name, arguments) = (Escaped(&said.tool.name), &said.tool.arguments);
        write!(
            out,
            r#"{comma}{{"toolUse":{{"toolUseId":"tooluse_{id:016x}","name":"{name}","input":{arguments}}}}}"#
        );
    }
    write!(out, r#"],"role":"assistant"}}}},"#);
    if let Some(word) = said.word {
        write!(out, r#""stopReason":"{word}","#);
    }
    write!(out, "{}}}", usage(said));
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    event(out, "messageStart", format_args!(r#""role":"assistant""#));
    let mut index = 0;
    // A block of text has no start of its own.
    for piece in said.pieces() {
        let piece = Escaped(piece);
        event(
            out,
            "contentBlockDelta",
            format_args!(r#""contentBlockIndex":0,"delta":{{"text":"{piece}"}}"#),
        );
    }
    if !said.text.is_empty() {
        event(out, "contentBlockStop", format_args!(r#""contentBlockIndex":0"#));
        index += 1;
    }
    if said.ending == Ending::ToolCall {
        let (id, name) = (asked.id(), Escaped(&said.tool.name));
        event(
            out,
            "contentBlockStart",
            format_args!(
                r#""contentBlockIndex":{index},"start":{{"toolUse":{{"name":"{name}","toolUseId":"tooluse_{id:016x}"}}}}"#
            ),
        );
        for piece in said.argument_pieces() {
            let piece = Escaped(piece);
            event(
                out,
                "contentBlockDelta",
                format_args!(
                    r#""contentBlockIndex":{index},"delta":{{"toolUse":{{"input":"{piece}"}}}}"#
                ),
            );
        }
        event(out, "contentBlockStop", format_args!(r#""contentBlockIndex":{index}"#));
    }
    if let Some(word) = said.word {
        event(out, "messageStop", format_args!(r#""stopReason":"{word}""#));
    }
    event(out, "metadata", format_args!(r#""metrics":{{"latencyMs":1275}},{}"#, usage(said)));
}

/// Input leaves out what came from the cache; the total does not.
fn usage(said: &Said<'_>) -> impl fmt::Display {
    let (input, cached, output) = (said.input - said.cached, said.cached, said.output);
    let total = said.total();
    made(move |f| {
        write!(
            f,
            r#""usage":{{"inputTokens":{input},"outputTokens":{output},"totalTokens":{total},"cacheReadInputTokens":{cached},"cacheWriteInputTokens":0}}"#
        )
    })
}
