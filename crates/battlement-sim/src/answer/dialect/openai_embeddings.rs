//! OpenAI embeddings.

use std::fmt;

use crate::answer::{
    Asked,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let (input, model) = (said.input, Escaped(&asked.model));
    let data = list(asked, |f, index, vector| {
        write!(f, r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
    });
    write!(
        out,
        r#"{{"object":"list","data":{data},"model":"{model}","usage":{{"prompt_tokens":{input},"total_tokens":{input}}}}}"#
    );
}

/// A vector for each input, each written by the function.
pub(super) fn list(
    asked: &Asked,
    write: impl Fn(&mut fmt::Formatter<'_>, u64, &dyn fmt::Display) -> fmt::Result,
) -> impl fmt::Display {
    made(move |f| {
        f.write_str("[")?;
        for index in 0..asked.inputs.unwrap_or(1) {
            f.write_str(if index == 0 { "" } else { "," })?;
            write(f, index, &vector(asked, index))?;
        }
        f.write_str("]")
    })
}

/// A vector of few dimensions, another one for each request and input.
pub(super) fn vector(asked: &Asked, index: u64) -> impl fmt::Display {
    let id = asked.id().wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let [a, b, c, d, ..] = id.to_be_bytes();
    made(move |f| write!(f, "[0.{a:04},-0.{b:04},0.{c:04},-0.{d:04}]"))
}
