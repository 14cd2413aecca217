//! Conversations: whatever is taken out, the rest is as it was, and what is wrong with a request is found without a panic.

use battlement_core::{Dialect, Provider, context, preflight::Inspection, request::Facts};
use http::{HeaderMap, Method, Uri};

use super::{
    entropy::Entropy,
    json::{self, Json, Writer},
    mutate::mutate,
};

const ROLES: [&str; 6] = ["user", "assistant", "tool", "system", "model", "developer"];

/// Runs one input: a dialect, how much room there is, and a body that is made, damaged, or what is left.
///
/// # Panics
///
/// When something does not hold.
pub fn check(input: &[u8]) {
    let mut entropy = Entropy::new(input);
    let dialect = entropy.pick(&Dialect::ALL);
    let provider = entropy.pick(&Provider::ALL);
    let share = entropy.below(100) as u64;
    let body = match entropy.below(3) {
        0 => talk(&mut entropy),
        1 => {
            let mut body = talk(&mut entropy);
            mutate(&mut body, &mut entropy);
            body
        }
        _ => entropy.rest().to_vec(),
    };
    let uri = Uri::from_static("/v1/chat/completions");
    let read = |body: &[u8]| Facts::read_as(dialect, &Method::POST, &uri, &HeaderMap::new(), body);
    let mut facts = read(&body);
    facts.provider = provider;
    for found in Inspection::of(&facts).findings(&facts, &body) {
        assert!(found.at.is_empty() || found.at.starts_with('/') || found.at == "path", "{found}");
    }

    let shown = || format!("{dialect} {share} {}", body.escape_ascii());
    let room = facts.input_tokens.saturating_mul(share) / 100;
    let Ok(Some(trimmed)) = context::trim(dialect, &body, room) else { return };
    assert!(read(&trimmed.body).input_tokens <= room, "{}", shown());
    assert_eq!(context::trim(dialect, &trimmed.body, room), Ok(None), "{}", shown());
    let mut rest = body.iter();
    let is_part = trimmed.body.iter().all(|byte| rest.any(|other| other == byte));
    assert!(is_part, "not what is left: {}: {}", shown(), trimmed.body.escape_ascii());
    if json::parse(&body).is_some_and(|document| document.strict) {
        let is_strict = json::parse(&trimmed.body).is_some_and(|document| document.strict);
        assert!(is_strict, "{}: {}", shown(), trimmed.body.escape_ascii());
    }
}

/// A body with a conversation in some dialect's own words, or in those of several.
fn talk(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut messages = Vec::new();
    for _ in 0..entropy.below(9) {
        let name = Json::text(entropy.pick(&["a", "b", "c"]));
        let role = ("role", Json::text(entropy.pick(&ROLES)));
        let text = Json::text("some words that are said");
        let list = |member: Json| Json::List(vec![member]);
        let message = match entropy.below(9) {
            0 => Json::object([role, ("content", text)]),
            1 => Json::object([role, ("tool_calls", list(Json::object([("id", name)])))]),
            2 => Json::object([role, ("tool_call_id", name), ("content", text)]),
            3 => Json::object([role, ("content", list(Json::object([("tool_use_id", name)])))]),
            4 => Json::object([role, ("content", list(Json::object([("id", name)])))]),
            5 => Json::object([("type", Json::text("function_call")), ("call_id", name)]),
            6 => Json::object([("type", Json::text("function_call_output")), ("call_id", name)]),
            7 => {
                let response = Json::object([("functionResponse", Json::object([("id", name)]))]);
                Json::object([role, ("parts", list(response))])
            }
            _ => text,
        };
        messages.push(message);
    }
    let list = entropy.pick(&["messages", "input", "contents"]);
    let members = [("model", Json::text("m")), (list, Json::List(messages))];
    let mut writer = Writer { entropy, lines: true, out: Vec::new() };
    writer.value(&Json::object(members));
    writer.out
}
