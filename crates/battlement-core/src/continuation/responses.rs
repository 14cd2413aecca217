//! OpenAI Responses.

use super::{
    form::{Form, Kind, Known, Parts, Seen},
    places::{Edits, count, find, get, has, inside_of_string, string},
    text::quoted,
};
use crate::request::members;

pub(super) static FORM: Form = Form {
    read,
    is_part,
    whole,
    text: "delta",
    names: &["response/id", "response/created_at", "response/model"],
    // No event has both.
    finish: "finish",
    beginning: "role",
    usage: &["response/usage", "usage"],
    ending: &["status", "incomplete_details", "output/*/status"],
    adapt,
    list: "input",
};

fn read(data: &[u8]) -> Seen {
    let kind = match string(data, "type").unwrap_or_default() {
        b"response.created" | b"response.queued" | b"response.in_progress" | b"keepalive" => {
            Kind::Aside
        }
        b"response.output_item.added" => match string(data, "item/type") {
            Some(b"message") if !has(data, "item/content") => Kind::Item,
            _ => Kind::Foreign,
        },
        b"response.content_part.added" => match string(data, "part/type") {
            Some(b"output_text") if !has(data, "part/text") => Kind::Item,
            _ => Kind::Foreign,
        },
        b"response.output_text.delta" if !has(data, "logprobs") => Kind::Text,
        b"response.output_text.done" => Kind::Closing,
        b"response.content_part.done" => match string(data, "part/type") {
            Some(b"output_text") => Kind::Closing,
            _ => Kind::Foreign,
        },
        b"response.output_item.done" => match string(data, "item/type") {
            Some(b"message") => Kind::Closing,
            _ => Kind::Foreign,
        },
        b"response.completed" | b"response.incomplete" => Kind::End,
        b"response.failed" | b"error" => Kind::Error,
        _ => Kind::Foreign,
    };
    let number = get(data, "sequence_number");
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
    let seen = if kind == Kind::End {
        let response = get(data, "response").unwrap_or_default();
        Seen::end(reason(response).unwrap_or_default())
    } else {
        Seen::of(kind)
    };
    Seen { number, ..seen }
}

/// Why a response has ended.
fn reason(response: &[u8]) -> Option<&[u8]> {
    string(response, "incomplete_details/reason").or_else(|| string(response, "status"))
}

fn is_part(data: &[u8]) -> bool {
    match string(data, "type").unwrap_or_default() {
        b"response.output_text.delta" | b"response.refusal.delta" | b"response.refusal.done" => {
            true
        }
        b"response.content_part.added" => {
            string(data, "part/type") == Some(b"output_text") && has(data, "part/text")
        }
        _ => false,
    }
}

fn whole(body: &[u8]) -> Option<Parts> {
    const TEXT: &str = "output/*/content/*/text";
    let one = |list: &str| count(body, list) == 1;
    let is = |place: &str, name: &[u8]| string(body, place) == Some(name);
    let is_message = one("output") && is("output/*/type", b"message");
    let is_text = one("output/*/content") && is("output/*/content/*/type", b"output_text");
    let is_bare = ["annotations", "logprobs"]
        .iter()
        .all(|member| !has(body, &format!("output/*/content/*/{member}")));
    let finish = reason(body).filter(|_| is_message && is_text && is_bare)?;
    string(body, TEXT).map(|_| Parts::new(TEXT, finish))
}

/// Names and places of the item are those of the first answer, and all of the text is in it.
fn adapt(event: &[u8], known: &Known<'_>) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    edits.set(event, "sequence_number", known.number.to_string().as_bytes());
    for member in ["item_id", "output_index", "content_index"] {
        if let Some(value) = get(known.template, member) {
            edits.set(event, member, value);
        }
    }
    let text = quoted(known.text);
    for place in ["text", "part/text"] {
        edits.set(event, place, &text);
    }
    let item = get(known.template, "item_id");
    for range in find(event, "item") {
        edits.put(range.clone(), of_item(&event[range], item, &text));
    }
    // What is not the message, such as thoughts of a further round, was not passed on either.
    for range in find(event, "response/output") {
        let output = &event[range.clone()];
        let is_message = |item: &[u8]| string(item, "type") == Some(b"message");
        let mut messages = find(output, "*").into_iter().map(|item| &output[item]);
        let message = messages.rfind(|item| is_message(item));
        let list = message.map(|message| of_item(message, item, &text)).unwrap_or_default();
        edits.put(range, [b"[", &*list, b"]"].concat());
    }
    Some(edits.apply(event))
}

/// An item with the name of the first, and all of the text.
fn of_item(item: &[u8], name: Option<&[u8]>, text: &[u8]) -> Vec<u8> {
    let mut edits = Edits::default();
    if let Some(name) = name.filter(|name| inside_of_string(name).is_some()) {
        edits.set(item, "id", name);
    }
    // Of several parts the first has it all.
    let texts = find(item, "content/*/text");
    for (index, range) in texts.into_iter().enumerate() {
        edits.put(range, if index == 0 { text } else { b"\"\"" });
    }
    let is_object = members(item, |_, _| {}).is_ok_and(|shape| shape.is_some());
    if is_object { edits.apply(item) } else { item.to_vec() }
}
