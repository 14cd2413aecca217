//! OpenAI embeddings.

use std::fmt;

use crate::answer::{
    Asked,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (input, model, vector) = (said.input, Escaped(&asked.model), vector(asked));
    write!(
        out,
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{vector}}}],"model":"{model}","usage":{{"prompt_tokens":{input},"total_tokens":{input}}}}}"#
    );
}

/// A vector of few dimensions, another one for each request.
pub(super) fn vector(asked: &Asked) -> impl fmt::Display {
    let [a, b, c, d, ..] = asked.id().to_be_bytes();
    made(move |f| write!(f, "[0.{a:04},-0.{b:04},0.{c:04},-0.{d:04}]"))
}
