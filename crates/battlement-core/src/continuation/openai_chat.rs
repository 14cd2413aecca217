//! OpenAI Chat Completions, and every server that speaks it.

use super::{
    form::{Form, Kind, Parts, Seen, as_it_is},
    places::{count, get, has, inside_of_string, is_nothing, string},
};
use crate::request::members;

pub(super) static FORM: Form = Form {
    read,
    is_part,
    whole,
    text: "choices/*/delta/content",
    names: &["id", "created", "model", "system_fingerprint", "provider"],
    finish: "choices/*/finish_reason",
    beginning: "choices/*/delta/role",
    usage: &["usage", "x_groq/usage"],
    ending: &["choices/*/finish_reason", "choices/*/native_finish_reason"],
    adapt: as_it_is,
    list: "messages",
};

fn read(data: &[u8]) -> Seen {
    let is_object = members(data, |_, _| {}).is_ok_and(|shape| shape.is_some());
    if !is_object {
        return Seen::of(Kind::Foreign);
    }
    if has(data, "error") || has(data, "choices/*/error") {
        return Seen::of(Kind::Error);
    }
    match count(data, "choices") {
        // Usage alone, or Azure's word on the prompt.
        0 => return Seen::of(Kind::Aside),
        1 => {}
        _ => return Seen::of(Kind::Foreign),
    }
    let is_first = get(data, "choices/*/index").is_none_or(|index| index == b"0");
    if !is_first || has(data, "choices/*/logprobs") {
        return Seen::of(Kind::Foreign);
    }
    if get(data, "choices/*/delta").is_some_and(|delta| !is_text(delta)) {
        return Seen::of(Kind::Foreign);
    }
    match string(data, "choices/*/finish_reason").unwrap_or_default() {
        b"" if has(data, FORM.text) => Seen::of(Kind::Text),
        b"" => Seen::of(Kind::Aside),
        finish => Seen::end(finish),
    }
}

fn is_part(data: &[u8]) -> bool {
    [FORM.text, FORM.finish, "choices/*/delta/refusal"].iter().any(|place| has(data, place))
}

/// Whether a message or a piece of one has text and nothing else that says anything.
fn is_text(message: &[u8]) -> bool {
    let mut is_text = true;
    let shape = members(message, |key, range| {
        let value = &message[range];
        is_text &= match &*key.decode() {
            "role" => true,
            "content" => inside_of_string(value).is_some() || is_nothing(value),
            _ => is_nothing(value),
        };
    });
    is_text && shape.is_ok_and(|shape| shape.is_some())
}

fn whole(body: &[u8]) -> Option<Parts> {
    const TEXT: &str = "choices/*/message/content";
    let is_one = count(body, "choices") == 1 && !has(body, "choices/*/logprobs");
    let is_plain = is_one && get(body, "choices/*/message").is_some_and(is_text);
    let finish = string(body, "choices/*/finish_reason").filter(|_| is_plain)?;
    string(body, TEXT).map(|_| Parts::new(TEXT, finish))
}
