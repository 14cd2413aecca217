//! What is asked for in a further round.

use super::{
    Prefill,
    form::form,
    places::{Edits, find, get, has, string},
    text::quoted,
};
use crate::{Dialect, request::members};

/// Why a request cannot be made one for the rest of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Answers in this dialect are not continued, or the body has no list of messages.
    #[error("there is no conversation in it")]
    NoConversation,
    /// The last message is of the model already.
    #[error("the last message is the model's own")]
    Begun,
    /// The model thinks first, and cannot when its answer has begun.
    #[error("the model is asked to think before it answers")]
    Thinks,
    /// There is no text but blanks.
    #[error("there is nothing to go on with")]
    NoText,
}

/// The request with the text so far as the last message, the model's own, that it is to go on with.
///
/// # Errors
///
/// When that cannot be said in this request.
pub fn prefilled(
    dialect: Dialect,
    body: &[u8],
    prefill: Prefill,
    text: &str,
) -> Result<Vec<u8>, Unfit> {
    if dialect == Dialect::AnthropicMessages
        && has(body, "thinking")
        && string(body, "thinking/type") != Some(b"disabled")
    {
        return Err(Unfit::Thinks);
    }
    // Anthropic refuses blanks at the end, and to most models they are an odd place to begin a token.
    let text = text.trim_end();
    if text.is_empty() {
        return Err(Unfit::NoText);
    }
    let mark = match prefill {
        Prefill::Bare | Prefill::FinalMessage => "",
        Prefill::Prefix => ",\"prefix\":true",
        Prefill::Partial => ",\"partial\":true",
    };
    let message = by_model(dialect, text, mark);
    let mut members: &[(&str, &str)] = &[];
    if prefill == Prefill::FinalMessage {
        members = &[("continue_final_message", "true"), ("add_generation_prompt", "false")];
    }
    with(dialect, body, &[message], members)
}

/// The request with the text so far as the model's answer, and after it the wish to go on.
///
/// # Errors
///
/// When that cannot be said in this request.
pub fn followed_up(
    dialect: Dialect,
    body: &[u8],
    text: &str,
    wish: &str,
) -> Result<Vec<u8>, Unfit> {
    if text.trim().is_empty() {
        return Err(Unfit::NoText);
    }
    let messages = [by_model(dialect, text, ""), by_user(dialect, wish)];
    with(dialect, body, &messages, &[])
}

fn by_model(dialect: Dialect, text: &str, mark: &str) -> Vec<u8> {
    match dialect {
        Dialect::Gemini => in_parts("model", text),
        _ => message("assistant", text, mark),
    }
}

fn by_user(dialect: Dialect, text: &str) -> Vec<u8> {
    match dialect {
        Dialect::Gemini => in_parts("user", text),
        _ => message("user", text, ""),
    }
}

fn message(role: &str, text: &str, mark: &str) -> Vec<u8> {
    let head = format!("{{\"role\":\"{role}\",\"content\":");
    [head.as_bytes(), &*quoted(text), mark.as_bytes(), b"}"].concat()
}

fn in_parts(role: &str, text: &str) -> Vec<u8> {
    let head = format!("{{\"role\":\"{role}\",\"parts\":[{{\"text\":");
    [head.as_bytes(), &*quoted(text), b"}]}"].concat()
}

/// The request with more messages at the end, and with these members.
fn with(
    dialect: Dialect,
    body: &[u8],
    messages: &[Vec<u8>],
    more: &[(&str, &str)],
) -> Result<Vec<u8>, Unfit> {
    let list = form(dialect).ok_or(Unfit::NoConversation)?.list;
    let range = find(body, list).pop().ok_or(Unfit::NoConversation)?;
    let messages = messages.join(&b","[..]);
    let mut edits = Edits::default();
    match &body[range.clone()] {
        // The Responses API takes a text for a message of the user.
        text @ [b'"', ..] => {
            let list = [b"[{\"role\":\"user\",\"content\":", text, b"},", &*messages, b"]"];
            edits.put(range, list.concat());
        }
        value @ [b'[', ..] => {
            let last = find(value, "*").pop().ok_or(Unfit::NoConversation)?;
            if matches!(string(&value[last.clone()], "role"), Some(b"assistant" | b"model")) {
                return Err(Unfit::Begun);
            }
            let end = range.start + last.end;
            edits.put(end..end, [b",", &*messages].concat());
        }
        _ => return Err(Unfit::NoConversation),
    }
    let shape = members(body, |_, _| {}).ok().flatten().ok_or(Unfit::NoConversation)?;
    let mut added = String::new();
    for (name, value) in more {
        match get(body, name) {
            Some(_) => edits.set(body, name, value.as_bytes()),
            None => added.push_str(&format!("\"{name}\":{value},")),
        }
    }
    if !added.is_empty() {
        edits.put(shape.open..shape.open, added);
    }
    Ok(edits.apply(body))
}
