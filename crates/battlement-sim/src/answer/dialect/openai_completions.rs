//! OpenAI's legacy text completions.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made, nullable},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete | Ending::StopSequence | Ending::Empty => "stop",
        Ending::Truncated => "length",
        Ending::Filtered => "content_filter",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (head, choice, usage) = (head(asked), choice(&said.text, said.word), usage(said));
    write!(out, r#"{{{head},"choices":[{choice}],{usage}}}"#);
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let head = head(asked).to_string();
    for piece in said.pieces() {
        out.data(format_args!(r#"{{{head},"choices":[{}]}}"#, choice(piece, None)));
    }
    if said.word.is_some() {
        out.data(format_args!(r#"{{{head},"choices":[{}]}}"#, choice("", said.word)));
    }
    if asked.include_usage {
        out.data(format_args!(r#"{{{head},"choices":[],{}}}"#, usage(said)));
    }
    out.data(format_args!("[DONE]"));
}

fn head(asked: &Asked) -> impl fmt::Display {
    made(|f| {
        let (id, created, model) = (asked.id(), asked.seconds(), Escaped(&asked.model));
        write!(
            f,
            r#""id":"cmpl-{id:016x}","object":"text_completion","created":{created},"model":"{model}""#
        )
    })
}

fn choice(text: &str, word: Option<&str>) -> impl fmt::Display {
    let (text, reason) = (Escaped(text), nullable(word));
    made(move |f| {
        write!(f, r#"{{"text":"{text}","index":0,"logprobs":null,"finish_reason":{reason}}}"#)
    })
}

/// Without the details that chat has.
fn usage(said: &Said<'_>) -> impl fmt::Display {
    let (input, output, total) = (said.input, said.output, said.total());
    made(move |f| {
        write!(
            f,
            r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#
        )
    })
}
