//! OpenAI Chat Completions.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made, nullable},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        // A stop string and a refusal are told by the same word.
        Ending::Complete | Ending::StopSequence | Ending::Refused | Ending::Empty => "stop",
        Ending::ToolCall => "tool_calls",
        Ending::Truncated => "length",
        Ending::Filtered => "content_filter",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (id, created, model) = (asked.id(), asked.seconds(), Escaped(&asked.model));
    write!(
        out,
        r#"{{"id":"chatcmpl-{id:016x}","object":"chat.completion","created":{created},"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","#
    );
    let text = Escaped(&said.text);
    match said.ending {
        Ending::Refused => write!(out, r#""content":null,"refusal":"{text}","annotations":[]"#),
        Ending::ToolCall => {
            if said.text.is_empty() {
                write!(out, r#""content":null"#);
            } else {
                write!(out, r#""content":"{text}""#);
            }
            let (name, arguments) = (Escaped(&said.tool.name), Escaped(&said.tool.arguments));
            write!(
                out,
                r#","refusal":null,"annotations":[],"tool_calls":[{{"id":"call_{id:016x}","type":"function","function":{{"name":"{name}","arguments":"{arguments}"}}}}]"#
            );
        }
        _ => write!(out, r#""content":"{text}","refusal":null,"annotations":[]"#),
    }
    let (reason, usage) = (nullable(said.word), usage(said));
    write!(
        out,
        r#"}},"logprobs":null,"finish_reason":{reason}}}],{usage},"service_tier":"default","system_fingerprint":"fp_a1b2c3"}}"#
    );
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (id, created, model) = (asked.id(), asked.seconds(), Escaped(&asked.model));
    // What every chunk begins with.
    let head = format!(
        r#"{{"id":"chatcmpl-{id:016x}","object":"chat.completion.chunk","created":{created},"model":"{model}","service_tier":"default","system_fingerprint":"fp_a1b2c3","#
    );
    let tail = if asked.include_usage { r#"],"usage":null}"# } else { "]}" };
    let mut chunk = |delta: fmt::Arguments<'_>| {
        out.data(format_args!(
            r#"{head}"choices":[{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":null}}{tail}"#
        ));
    };
    // What there will be none of is null from the beginning.
    let (field, first) = match said.ending {
        Ending::Refused => ("refusal", r#""content":null,"refusal":"""#),
        Ending::ToolCall if said.text.is_empty() => ("content", r#""content":null,"refusal":null"#),
        _ => ("content", r#""content":"","refusal":null"#),
    };
    chunk(format_args!(r#""role":"assistant",{first}"#));
    for piece in said.pieces() {
        chunk(format_args!(r#""{field}":"{}""#, Escaped(piece)));
    }
    if said.ending == Ending::ToolCall {
        let name = Escaped(&said.tool.name);
        chunk(format_args!(
            r#""tool_calls":[{{"index":0,"id":"call_{id:016x}","type":"function","function":{{"name":"{name}","arguments":""}}}}]"#
        ));
        for piece in said.argument_pieces() {
            let piece = Escaped(piece);
            chunk(format_args!(
                r#""tool_calls":[{{"index":0,"function":{{"arguments":"{piece}"}}}}]"#
            ));
        }
    }
    if let Some(word) = said.word {
        out.data(format_args!(
            r#"{head}"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{word}"}}{tail}"#
        ));
    }
    if asked.include_usage {
        out.data(format_args!(r#"{head}"choices":[],{}}}"#, usage(said)));
    }
    out.data(format_args!("[DONE]"));
}

fn usage(said: &Said<'_>) -> impl fmt::Display {
    made(|f| {
        let Said { input, cached, output, reasoning, .. } = said;
        let total = said.total();
        write!(
            f,
            r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
        )
    })
}
