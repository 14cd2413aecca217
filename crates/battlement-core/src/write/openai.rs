//! OpenAI: Chat Completions, its elder, and Responses.

use std::fmt;

use super::{
    answer::{Ending, Text},
    text::{Escaped, Made, Writer},
};

const fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "stop",
        Ending::Length => "length",
        Ending::Filtered => "content_filter",
    }
}

fn usage(text: &Text<'_>) -> impl fmt::Display {
    let (input, output, total) = (text.input, text.output, text.total());
    Made(move |f: &mut fmt::Formatter<'_>| {
        write!(
            f,
            r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#
        )
    })
}

/// What documents and chunks begin with.
fn head(text: &Text<'_>, prefix: &str, object: &str) -> String {
    let (id, created, model) = (Escaped(text.id), text.created, Escaped(text.model));
    format!(
        r#""id":"{prefix}-{id}","object":"{object}","created":{created},"model":"{model}","choices":["#
    )
}

pub(super) fn chat(out: &mut Writer, text: &Text<'_>) {
    let (said, word, usage) = (Escaped(text.text), word(text.ending), usage(text));
    if text.is_document() {
        let head = head(text, "chatcmpl", "chat.completion");
        return write!(
            out,
            r#"{{{head}{{"index":0,"message":{{"role":"assistant","content":"{said}","refusal":null}},"logprobs":null,"finish_reason":"{word}"}}],{usage}}}"#
        );
    }
    let head = head(text, "chatcmpl", "chat.completion.chunk");
    out.data(format_args!(
        r#"{{{head}{{"index":0,"delta":{{"role":"assistant","content":"{said}"}},"logprobs":null,"finish_reason":null}}]}}"#
    ));
    out.data(format_args!(
        r#"{{{head}{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{word}"}}]}}"#
    ));
    if text.include_usage {
        out.data(format_args!("{{{head}],{usage}}}"));
    }
    out.data(format_args!("[DONE]"));
}

pub(super) fn completion(out: &mut Writer, text: &Text<'_>) {
    let (said, word, usage) = (Escaped(text.text), word(text.ending), usage(text));
    let head = head(text, "cmpl", "text_completion");
    if text.is_document() {
        return write!(
            out,
            r#"{{{head}{{"text":"{said}","index":0,"logprobs":null,"finish_reason":"{word}"}}],{usage}}}"#
        );
    }
    out.data(format_args!(
        r#"{{{head}{{"text":"{said}","index":0,"logprobs":null,"finish_reason":"{word}"}}]}}"#
    ));
    if text.include_usage {
        out.data(format_args!("{{{head}],{usage}}}"));
    }
    out.data(format_args!("[DONE]"));
}

/// A stream of Responses tells everything twice: in pieces, and as a whole in its last event.
pub(super) fn response(out: &mut Writer, text: &Text<'_>) {
    let whole = Response { text, is_over: true };
    if text.is_document() {
        return write!(out, "{whole}");
    }
    let begun = Response { text, is_over: false };
    let (id, said) = (Escaped(text.id), Escaped(text.text));
    let mut number = 0;
    let mut event = |name: &str, rest: fmt::Arguments<'_>| {
        out.event(name, format_args!(r#"{{"type":"{name}","sequence_number":{number},{rest}}}"#));
        number += 1;
    };
    event("response.created", format_args!(r#""response":{begun}"#));
    event("response.in_progress", format_args!(r#""response":{begun}"#));
    event(
        "response.output_item.added",
        format_args!(
            r#""output_index":0,"item":{{"type":"message","id":"msg_{id}","status":"in_progress","content":[],"role":"assistant"}}"#
        ),
    );
    let place = format!(r#""item_id":"msg_{id}","output_index":0,"content_index":0"#);
    let part = |said: &str| {
        format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":"{said}"}}"#)
    };
    event("response.content_part.added", format_args!(r#"{place},"part":{}"#, part("")));
    event("response.output_text.delta", format_args!(r#"{place},"logprobs":[],"delta":"{said}""#));
    event("response.output_text.done", format_args!(r#"{place},"logprobs":[],"text":"{said}""#));
    let part = part(&said.to_string());
    event("response.content_part.done", format_args!(r#"{place},"part":{part}"#));
    let item = Message { text };
    event("response.output_item.done", format_args!(r#""output_index":0,"item":{item}"#));
    let last = match text.ending {
        Ending::Complete => "response.completed",
        Ending::Length | Ending::Filtered => "response.incomplete",
    };
    event(last, format_args!(r#""response":{whole}"#));
}

const fn status(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "completed",
        Ending::Length | Ending::Filtered => "incomplete",
    }
}

struct Response<'a, 'b> {
    text: &'a Text<'b>,
    is_over: bool,
}

impl fmt::Display for Response<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, is_over } = *self;
        let (id, created, model) = (Escaped(text.id), text.created, Escaped(text.model));
        let status = if is_over { status(text.ending) } else { "in_progress" };
        let details = match text.ending {
            Ending::Length if is_over => r#"{"reason":"max_output_tokens"}"#,
            Ending::Filtered if is_over => r#"{"reason":"content_filter"}"#,
            _ => "null",
        };
        write!(
            f,
            r#"{{"id":"resp_{id}","object":"response","created_at":{created},"status":"{status}","background":false,"error":null,"incomplete_details":{details},"instructions":null,"max_output_tokens":null,"model":"{model}","output":["#
        )?;
        if is_over {
            write!(f, "{}", Message { text })?;
        }
        f.write_str(r#"],"parallel_tool_calls":true,"previous_response_id":null,"store":false,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":"#)?;
        if is_over {
            let (input, output, total) = (text.input, text.output, text.total());
            write!(
                f,
                r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{total}}}"#
            )?;
        } else {
            f.write_str("null")?;
        }
        f.write_str(r#","metadata":{}}"#)
    }
}

struct Message<'a, 'b> {
    text: &'a Text<'b>,
}

impl fmt::Display for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text;
        let (id, status, said) = (Escaped(text.id), status(text.ending), Escaped(text.text));
        write!(
            f,
            r#"{{"type":"message","id":"msg_{id}","status":"{status}","role":"assistant","content":[{{"type":"output_text","text":"{said}","annotations":[],"logprobs":[]}}]}}"#
        )
    }
}
