//! Anthropic Messages.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made, nullable},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete | Ending::Empty => "end_turn",
        Ending::StopSequence => "stop_sequence",
        Ending::ToolCall => "tool_use",
        Ending::Paused => "pause_turn",
        Ending::Truncated => "max_tokens",
        Ending::ContextWindow => "model_context_window_exceeded",
        Ending::Refused => "refusal",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (id, model) = (asked.id(), Escaped(&asked.model));
    write!(
        out,
        r#"{{"id":"msg_{id:024x}","type":"message","role":"assistant","model":"{model}","content":["#
    );
    let has_text = !said.text.is_empty();
    if has_text {
        write!(out, r#"{{"type":"text","text":"{}"}}"#, Escaped(&said.text));
    }
    if said.ending == Ending::ToolCall {
        let (name, arguments) = (Escaped(&said.tool.name), &said.tool.arguments);
        let comma = if has_text { "," } else { "" };
        write!(
            out,
            r#"{comma}{{"type":"tool_use","id":"toolu_{id:024x}","name":"{name}","input":{arguments}}}"#
        );
    }
    let (stop, usage) = (stop(said), usage(said, said.output, said.reasoning));
    write!(out, r#"],{stop},"usage":{usage}}}"#);
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    events(asked, said, |name, data| out.event(name, data));
}

/// The events of a stream, by name, before they are framed.
pub(super) fn events(
    asked: &Asked,
    said: &Said<'_>,
    mut event: impl FnMut(&'static str, fmt::Arguments<'_>),
) {
    let (id, model) = (asked.id(), Escaped(&asked.model));
    let counts = usage(said, 1, 0);
    event(
        "message_start",
        format_args!(
            r#"{{"type":"message_start","message":{{"id":"msg_{id:024x}","type":"message","role":"assistant","model":"{model}","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{counts}}}}}"#
        ),
    );
    let mut index = 0;
    if !said.text.is_empty() {
        event(
            "content_block_start",
            format_args!(
                r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"text","text":""}}}}"#
            ),
        );
        event("ping", format_args!(r#"{{"type":"ping"}}"#));
        for piece in said.pieces() {
            let piece = Escaped(piece);
            event(
                "content_block_delta",
                format_args!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{piece}"}}}}"#
                ),
            );
        }
        event("content_block_stop", format_args!(r#"{{"type":"content_block_stop","index":0}}"#));
        index += 1;
    }
    if said.ending == Ending::ToolCall {
        let name = Escaped(&said.tool.name);
        event(
            "content_block_start",
            format_args!(
                r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"toolu_{id:024x}","name":"{name}","input":{{}}}}}}"#
            ),
        );
        for piece in said.argument_pieces() {
            let piece = Escaped(piece);
            event(
                "content_block_delta",
                format_args!(
                    r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{piece}"}}}}"#
                ),
            );
        }
        event(
            "content_block_stop",
            format_args!(r#"{{"type":"content_block_stop","index":{index}}}"#),
        );
    }
    let (stopped, output, thought) = (stop(said), said.output, thought(said.reasoning));
    event(
        "message_delta",
        format_args!(
            r#"{{"type":"message_delta","delta":{{{stopped}}},"usage":{{"output_tokens":{output}{thought}}}}}"#
        ),
    );
    event("message_stop", format_args!(r#"{{"type":"message_stop"}}"#));
}

fn stop(said: &Said<'_>) -> impl fmt::Display {
    let reason = nullable(said.word);
    let sequence = nullable((said.ending == Ending::StopSequence).then_some("END"));
    let details = match said.ending {
        Ending::Refused => r#"{"type":"refusal","category":"general_harms","explanation":null}"#,
        _ => "null",
    };
    made(move |f| {
        write!(f, r#""stop_reason":{reason},"stop_sequence":{sequence},"stop_details":{details}"#)
    })
}

/// The counts at some moment; the input leaves out what came from the cache.
fn usage(said: &Said<'_>, output: u64, thinking: u64) -> impl fmt::Display {
    let (input, cached) = (said.input - said.cached, said.cached);
    made(move |f| {
        write!(
            f,
            r#"{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":{cached},"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"output_tokens":{output},"service_tier":"standard""#
        )?;
        write!(f, "{}}}", thought(thinking))
    })
}

/// The tokens of thought, where there were any.
fn thought(tokens: u64) -> impl fmt::Display {
    made(move |f| match tokens {
        0 => Ok(()),
        _ => write!(f, r#","output_tokens_details":{{"thinking_tokens":{tokens}}}"#),
    })
}
