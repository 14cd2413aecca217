//! OpenAI Responses.
//!
//! A stream tells everything twice: in pieces, and as a whole in its last event.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

/// Of a response that is incomplete, the reason; of any other, its status.
pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete
        | Ending::StopSequence
        | Ending::ToolCall
        | Ending::Refused
        | Ending::Empty => COMPLETED,
        Ending::Truncated => "max_output_tokens",
        Ending::Filtered => "content_filter",
        _ => return None,
    })
}

const COMPLETED: &str = "completed";

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    write!(out, "{}", response(asked, said, true));
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let mut stream = Stream { out, asked, said, number: 0 };
    for name in ["response.created", "response.in_progress"] {
        stream.with_response(name, false);
    }
    let mut index = 0;
    if has_message(said) {
        stream.message(index);
        index += 1;
    }
    if said.ending == Ending::ToolCall {
        stream.call(index);
    }
    let last = if status(said) == COMPLETED { "response.completed" } else { "response.incomplete" };
    stream.with_response(last, true);
}

/// A stream on its way; its events are numbered.
struct Stream<'a, 'b> {
    out: &'a mut Writer,
    asked: &'a Asked,
    said: &'a Said<'b>,
    number: u32,
}

impl Stream<'_, '_> {
    fn event(&mut self, name: &str, rest: fmt::Arguments<'_>) {
        let number = self.number;
        self.number += 1;
        self.out
            .event(name, format_args!(r#"{{"type":"{name}","sequence_number":{number},{rest}}}"#));
    }

    fn with_response(&mut self, name: &str, ended: bool) {
        let response = response(self.asked, self.said, ended);
        self.event(name, format_args!(r#""response":{response}"#));
    }

    fn with_item(&mut self, index: u32, item: impl fmt::Display) {
        let name = "response.output_item.done";
        self.event(name, format_args!(r#""output_index":{index},"item":{item}"#));
    }

    fn message(&mut self, index: u32) {
        let id = self.asked.id();
        let (kind, field, prefix) = match self.said.ending {
            Ending::Refused => ("refusal", "refusal", "response.refusal"),
            _ => ("output_text", "text", "response.output_text"),
        };
        let extra = if kind == "refusal" { "" } else { r#""annotations":[],"logprobs":[],"# };
        let place =
            format!(r#""item_id":"msg_{id:016x}","output_index":{index},"content_index":0,"#);
        self.event(
            "response.output_item.added",
            format_args!(
                r#""output_index":{index},"item":{{"id":"msg_{id:016x}","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#
            ),
        );
        self.event(
            "response.content_part.added",
            format_args!(r#"{place}"part":{{"type":"{kind}",{extra}"{field}":""}}"#),
        );
        let delta = format!("{prefix}.delta");
        for piece in self.said.pieces() {
            self.event(&delta, format_args!(r#"{place}"delta":"{}""#, Escaped(piece)));
        }
        let text = Escaped(&self.said.text);
        self.event(&format!("{prefix}.done"), format_args!(r#"{place}"{field}":"{text}""#));
        self.event(
            "response.content_part.done",
            format_args!(r#"{place}"part":{{"type":"{kind}",{extra}"{field}":"{text}"}}"#),
        );
        self.with_item(index, message(self.asked, self.said));
    }

    fn call(&mut self, index: u32) {
        let (id, name) = (self.asked.id(), Escaped(&self.said.tool.name));
        self.event(
            "response.output_item.added",
            format_args!(
                r#""output_index":{index},"item":{{"type":"function_call","id":"fc_{id:016x}","call_id":"call_{id:016x}","name":"{name}","arguments":"","status":"in_progress"}}"#
            ),
        );
        let place = format!(r#""item_id":"fc_{id:016x}","output_index":{index},"#);
        for piece in self.said.argument_pieces() {
            let piece = Escaped(piece);
            self.event(
                "response.function_call_arguments.delta",
                format_args!(r#"{place}"delta":"{piece}""#),
            );
        }
        let arguments = Escaped(&self.said.tool.arguments);
        self.event(
            "response.function_call_arguments.done",
            format_args!(r#"{place}"arguments":"{arguments}""#),
        );
        self.with_item(index, call(self.asked, self.said));
    }
}

/// A model that asks for a tool may say something before; any other says something, if only nothing.
fn has_message(said: &Said<'_>) -> bool {
    said.ending != Ending::ToolCall || !said.text.is_empty()
}

fn status(said: &Said<'_>) -> &'static str {
    if said.word == Some(COMPLETED) { COMPLETED } else { "incomplete" }
}

/// The response, as it is at its beginning or at its end.
fn response(asked: &Asked, said: &Said<'_>, ended: bool) -> impl fmt::Display {
    made(move |f| {
        let (id, created, model) = (asked.id(), asked.seconds(), Escaped(&asked.model));
        let status = if ended { status(said) } else { "in_progress" };
        write!(
            f,
            r#"{{"id":"resp_{id:016x}","object":"response","created_at":{created},"status":"{status}","background":false,"error":null,"incomplete_details":"#
        )?;
        match said.word {
            Some(reason) if status == "incomplete" => write!(f, r#"{{"reason":"{reason}"}}"#)?,
            _ => f.write_str("null")?,
        }
        write!(f, r#","instructions":null,"max_output_tokens":null,"model":"{model}","output":["#)?;
        let calls = said.ending == Ending::ToolCall;
        if ended && has_message(said) {
            let comma = if calls { "," } else { "" };
            write!(f, "{}{comma}", message(asked, said))?;
        }
        if ended && calls {
            write!(f, "{}", call(asked, said))?;
        }
        f.write_str(
            r#"],"parallel_tool_calls":true,"previous_response_id":null,"store":true,"temperature":1.0,"tool_choice":"auto","tools":[],"truncation":"disabled","usage":"#,
        )?;
        if ended {
            let Said { input, cached, output, reasoning, .. } = said;
            let total = said.total();
            write!(
                f,
                r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{reasoning}}},"total_tokens":{total}}}"#
            )?;
        } else {
            f.write_str("null")?;
        }
        f.write_str(r#","metadata":{}}"#)
    })
}

fn message(asked: &Asked, said: &Said<'_>) -> impl fmt::Display {
    made(move |f| {
        let (id, status, text) = (asked.id(), status(said), Escaped(&said.text));
        write!(
            f,
            r#"{{"type":"message","id":"msg_{id:016x}","status":"{status}","role":"assistant","content":["#
        )?;
        match said.ending {
            Ending::Refused => write!(f, r#"{{"type":"refusal","refusal":"{text}"}}]}}"#),
            _ => write!(
                f,
                r#"{{"type":"output_text","text":"{text}","annotations":[],"logprobs":[]}}]}}"#
            ),
        }
    })
}

fn call(asked: &Asked, said: &Said<'_>) -> impl fmt::Display {
    made(move |f| {
        let (id, name) = (asked.id(), Escaped(&said.tool.name));
        let arguments = Escaped(&said.tool.arguments);
        write!(
            f,
            r#"{{"type":"function_call","id":"fc_{id:016x}","call_id":"call_{id:016x}","name":"{name}","arguments":"{arguments}","status":"completed"}}"#
        )
    })
}
