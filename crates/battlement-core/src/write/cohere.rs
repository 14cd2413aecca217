//! Cohere v2 chat.

use std::fmt;

use super::{
    answer::{Ending, Text},
    text::{Escaped, Made, Writer},
};

pub(super) fn chat(out: &mut Writer, text: &Text<'_>) {
    let word = match text.ending {
        Ending::Complete => "COMPLETE",
        Ending::Length => "MAX_TOKENS",
        // There is no word for a filter.
        Ending::Filtered => "ERROR",
    };
    let (id, said) = (Escaped(text.id), Escaped(text.text));
    let (input, output) = (text.input, text.output);
    let usage = Made(move |f: &mut fmt::Formatter<'_>| {
        write!(
            f,
            r#""usage":{{"billed_units":{{"input_tokens":{input},"output_tokens":{output}}},"tokens":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
        )
    });
    if text.is_document() {
        return write!(
            out,
            r#"{{"id":"{id}","finish_reason":"{word}","message":{{"role":"assistant","content":[{{"type":"text","text":"{said}"}}]}},{usage}}}"#
        );
    }
    let mut event = |name: &str, rest: fmt::Arguments<'_>| {
        out.event(name, format_args!(r#"{{"type":"{name}",{rest}}}"#));
    };
    event(
        "message-start",
        format_args!(
            r#""id":"{id}","delta":{{"message":{{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}}"#
        ),
    );
    event(
        "content-start",
        format_args!(
            r#""index":0,"delta":{{"message":{{"content":{{"type":"text","text":""}}}}}}"#
        ),
    );
    event(
        "content-delta",
        format_args!(r#""index":0,"delta":{{"message":{{"content":{{"text":"{said}"}}}}}}"#),
    );
    event("content-end", format_args!(r#""index":0"#));
    event("message-end", format_args!(r#""delta":{{"finish_reason":"{word}",{usage}}}"#));
    out.data(format_args!("[DONE]"));
}
