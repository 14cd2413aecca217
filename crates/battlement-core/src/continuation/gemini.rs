//! Gemini and Vertex `generateContent`.

use super::{
    form::{Form, Kind, Parts, Seen, as_it_is},
    places::{count, find, get, has, inside_of_string, is_nothing, string},
};
use crate::request::{elements, members};

pub(super) static FORM: Form = Form {
    read,
    is_part,
    whole,
    text: TEXT,
    names: &["responseId", "modelVersion", "createTime"],
    finish: "candidates/*/finishReason",
    beginning: "role",
    usage: &["usageMetadata"],
    ending: &["candidates/*/finishReason", "candidates/*/finishMessage"],
    adapt: as_it_is,
    list: "contents",
};

const TEXT: &str = "candidates/*/content/parts/*/text";
const PARTS: &str = "candidates/*/content/parts";

fn read(data: &[u8]) -> Seen {
    let is_object = members(data, |_, _| {}).is_ok_and(|shape| shape.is_some());
    if !is_object || has(data, "promptFeedback/blockReason") {
        return Seen::of(Kind::Foreign);
    }
    if has(data, "error") {
        return Seen::of(Kind::Error);
    }
    match count(data, "candidates") {
        0 => return Seen::of(Kind::Aside),
        1 if is_plain(data) => {}
        _ => return Seen::of(Kind::Foreign),
    }
    match string(data, FORM.finish).unwrap_or_default() {
        b"" if find(data, TEXT).is_empty() => Seen::of(Kind::Aside),
        b"" => Seen::of(Kind::Text),
        finish => Seen::end(finish),
    }
}

/// Whether the only candidate has text and nothing else.
fn is_plain(document: &[u8]) -> bool {
    let is_first = get(document, "candidates/*/index").is_none_or(|index| index == b"0");
    let mut is_plain = is_first && !has(document, "candidates/*/logprobsResult");
    if let Some(parts) = get(document, PARTS) {
        is_plain &= elements(parts, |part| is_plain &= is_text(&parts[part])).is_ok();
    }
    is_plain
}

/// Whether a part is text, and no thought. A signature stands with text, too, and is not needed to go on.
fn is_text(part: &[u8]) -> bool {
    let mut is_text = true;
    let _shape = members(part, |key, range| {
        let value = &part[range];
        is_text &= match &*key.decode() {
            "text" => inside_of_string(value).is_some(),
            "thoughtSignature" => true,
            _ => is_nothing(value),
        };
    });
    is_text
}

fn is_part(data: &[u8]) -> bool {
    let mut has_text = false;
    let _is_array = get(data, PARTS).map(|parts| {
        elements(parts, |part| {
            let part = &parts[part];
            has_text |= has(part, "text") && !has(part, "thought");
        })
    });
    has_text || has(data, FORM.finish) || has(data, "promptFeedback/blockReason")
}

fn whole(body: &[u8]) -> Option<Parts> {
    let is_one = count(body, "candidates") == 1 && is_plain(body);
    let finish = string(body, FORM.finish).filter(|_| is_one)?;
    // A model that has thought up to its limit says nothing, and can be asked again with a higher one.
    Some(Parts::new(TEXT, finish))
}
