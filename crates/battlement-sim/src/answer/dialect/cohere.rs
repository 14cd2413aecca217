//! Cohere v2 chat.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    head::uuid,
    reply::Said,
    text::Escaped,
    write::{Writer, made, nullable},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete | Ending::Empty => "COMPLETE",
        Ending::StopSequence => "STOP_SEQUENCE",
        Ending::ToolCall => "TOOL_CALL",
        Ending::Truncated => "MAX_TOKENS",
        Ending::Failed => "ERROR",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (id, reason) = (uuid(asked.id()), nullable(said.word));
    write!(
        out,
        r#"{{"id":"{id}","finish_reason":{reason},"message":{{"role":"assistant","content":"#
    );
    let text = Escaped(&said.text);
    if said.ending == Ending::ToolCall {
        let (name, arguments) = (Escaped(&said.tool.name), Escaped(&said.tool.arguments));
        write!(
            out,
            r#"null,"tool_plan":"{text}","tool_calls":[{{"id":"{name}_5t","type":"function","function":{{"name":"{name}","arguments":"{arguments}"}}}}]"#
        );
    } else {
        write!(out, r#"[{{"type":"text","text":"{text}"}}]"#);
    }
    write!(out, "}},{}}}", usage(said));
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let id = uuid(asked.id());
    out.event(
        "message-start",
        format_args!(
            r#"{{"type":"message-start","id":"{id}","delta":{{"message":{{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}}}}"#
        ),
    );
    if said.ending == Ending::ToolCall {
        call(out, said);
    } else {
        out.event(
            "content-start",
            format_args!(
                r#"{{"type":"content-start","index":0,"delta":{{"message":{{"content":{{"type":"text","text":""}}}}}}}}"#
            ),
        );
        for piece in said.pieces() {
            let piece = Escaped(piece);
            out.event(
                "content-delta",
                format_args!(
                    r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":"{piece}"}}}}}}}}"#
                ),
            );
        }
        out.event("content-end", format_args!(r#"{{"type":"content-end","index":0}}"#));
    }
    let (usage, reason) = (usage(said), nullable(said.word));
    out.event(
        "message-end",
        format_args!(r#"{{"type":"message-end","delta":{{"finish_reason":{reason},{usage}}}}}"#),
    );
    out.data(format_args!("[DONE]"));
}

fn call(out: &mut Writer, said: &Said<'_>) {
    for piece in said.pieces() {
        let piece = Escaped(piece);
        out.event(
            "tool-plan-delta",
            format_args!(
                r#"{{"type":"tool-plan-delta","delta":{{"message":{{"tool_plan":"{piece}"}}}}}}"#
            ),
        );
    }
    let name = Escaped(&said.tool.name);
    out.event(
        "tool-call-start",
        format_args!(
            r#"{{"type":"tool-call-start","index":0,"delta":{{"message":{{"tool_calls":{{"id":"{name}_5t","type":"function","function":{{"name":"{name}","arguments":""}}}}}}}}}}"#
        ),
    );
    for piece in said.argument_pieces() {
        let piece = Escaped(piece);
        out.event(
            "tool-call-delta",
            format_args!(
                r#"{{"type":"tool-call-delta","index":0,"delta":{{"message":{{"tool_calls":{{"function":{{"arguments":"{piece}"}}}}}}}}}}"#
            ),
        );
    }
    out.event("tool-call-end", format_args!(r#"{{"type":"tool-call-end","index":0}}"#));
}

/// Counts are written as doubles. What is billed leaves out what Cohere puts around the prompt.
fn usage(said: &Said<'_>) -> impl fmt::Display {
    let Said { input, cached, output, .. } = *said;
    made(move |f| {
        write!(
            f,
            r#""usage":{{"billed_units":{{"input_tokens":{input}.0,"output_tokens":{output}.0}},"tokens":{{"input_tokens":{input}.0,"output_tokens":{output}.0}},"cached_tokens":{cached}.0}}"#
        )
    })
}
