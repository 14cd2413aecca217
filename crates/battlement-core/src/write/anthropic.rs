//! Anthropic Messages.

use std::fmt;

use super::{
    answer::{Ending, Text},
    text::{Escaped, Writer},
};

const fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "end_turn",
        Ending::Length => "max_tokens",
        Ending::Filtered => "refusal",
    }
}

pub(super) fn message(out: &mut Writer, text: &Text<'_>) {
    if !text.is_document() {
        return events(text, |name, data| out.event(name, data));
    }
    let (id, model, said) = (Escaped(text.id), Escaped(text.model), Escaped(text.text));
    let (word, input, output) = (word(text.ending), text.input, text.output);
    write!(
        out,
        r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":"{model}","content":[{{"type":"text","text":"{said}"}}],"stop_reason":"{word}","stop_sequence":null,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output}}}}}"#
    );
}

/// The events of a stream, by name, before they are framed.
pub(super) fn events(text: &Text<'_>, mut event: impl FnMut(&'static str, fmt::Arguments<'_>)) {
    let (id, model, said) = (Escaped(text.id), Escaped(text.model), Escaped(text.text));
    let (word, input, output) = (word(text.ending), text.input, text.output);
    event(
        "message_start",
        format_args!(
            r#"{{"type":"message_start","message":{{"id":"msg_{id}","type":"message","role":"assistant","model":"{model}","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}}}}"#
        ),
    );
    event(
        "content_block_start",
        format_args!(
            r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"text","text":""}}}}"#
        ),
    );
    event(
        "content_block_delta",
        format_args!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{said}"}}}}"#
        ),
    );
    event("content_block_stop", format_args!(r#"{{"type":"content_block_stop","index":0}}"#));
    event(
        "message_delta",
        format_args!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{word}","stop_sequence":null}},"usage":{{"output_tokens":{output}}}}}"#
        ),
    );
    event("message_stop", format_args!(r#"{{"type":"message_stop"}}"#));
}
