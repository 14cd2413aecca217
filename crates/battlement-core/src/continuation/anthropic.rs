//! Anthropic Messages.

use super::{
    form::{Form, Kind, Known, Parts, Seen},
    places::{Edits, count, get, has, string},
};

pub(super) static FORM: Form = Form {
    read,
    is_part,
    whole,
    text: "delta/text",
    names: &[],
    finish: "delta/stop_reason",
    beginning: "delta/role",
    usage: &["usage", "message/usage"],
    ending: &["stop_reason", "stop_sequence", "stop_details"],
    adapt,
    list: "messages",
};

fn read(data: &[u8]) -> Seen {
    let kind = match string(data, "type").unwrap_or_default() {
        b"message_start" if !has(data, "message/content") => Kind::Aside,
        b"content_block_start" => match string(data, "content_block/type") {
            Some(b"text") if !has(data, "content_block/text") => Kind::Item,
            _ => Kind::Foreign,
        },
        b"content_block_delta" => match string(data, "delta/type") {
            Some(b"text_delta") => Kind::Text,
            _ => Kind::Foreign,
        },
        b"ping" => Kind::Aside,
        b"content_block_stop" | b"message_stop" => Kind::Closing,
        b"message_delta" => match string(data, FORM.finish) {
            Some(finish) => return Seen::end(finish),
            None => Kind::Aside,
        },
        b"error" => Kind::Error,
        _ => Kind::Foreign,
    };
    Seen::of(kind)
}

fn is_part(data: &[u8]) -> bool {
    has(data, "content_block/text")
}

fn whole(body: &[u8]) -> Option<Parts> {
    const TEXT: &str = "content/*/text";
    let is_text = string(body, "content/*/type") == Some(b"text");
    let is_plain = is_text && count(body, "content") == 1 && !has(body, "content/*/citations");
    let finish = string(body, "stop_reason").filter(|_| is_plain)?;
    string(body, TEXT).map(|_| Parts::new(TEXT, finish))
}

/// The block that is closed is that of the first answer.
fn adapt(event: &[u8], known: &Known<'_>) -> Option<Vec<u8>> {
    let index = get(known.template, "index")?;
    let mut edits = Edits::default();
    edits.set(event, "index", index);
    Some(edits.apply(event))
}
