//! Requests: facts are total, and an edit changes what it was asked to change and nothing else.

use battlement_core::{
    Dialect, Provider,
    request::{Facts, rewrite::Edit},
};
use http::{HeaderMap, Method, Uri};

use super::{
    entropy::Entropy,
    json::{self, Json, Writer},
    mutate::mutate,
};

const MEMBERS: [&str; 16] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "generationConfig",
    "generation_config",
    "inferenceConfig",
    "options",
    "textGenerationConfig",
    "anthropic_version",
    "inputText",
    "messages",
    "tools",
    "schemaVersion",
];

/// The members that an edit may touch.
const EDITED: [&str; 18] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "max_gen_len",
    "maxTokens",
    "generationConfig",
    "generation_config",
    "inferenceConfig",
    "options",
    "textGenerationConfig",
    "max_new_tokens",
    "maxOutputTokens",
    "num_predict",
    "maxTokenCount",
];

/// Runs one input: a dialect, an edit, and a request that is made, damaged, or what is left.
///
/// # Panics
///
/// When something does not hold.
pub fn check(input: &[u8]) {
    let mut entropy = Entropy::new(input);
    let dialect = entropy.pick(&Dialect::ALL);
    let provider = entropy.pick(&Provider::ALL);
    let edit = Edit {
        model: entropy.one_in(2).then_some("new\"\\\u{1}model"),
        max_output_tokens: entropy.one_in(2).then_some(12_345),
        include_usage: entropy.pick(&[None, Some(true), Some(false)]),
        stream: entropy.pick(&[None, Some(true), Some(false)]),
    };
    let body = match entropy.below(3) {
        0 => request(&mut entropy),
        1 => {
            let mut body = request(&mut entropy);
            mutate(&mut body, &mut entropy);
            body
        }
        _ => entropy.rest().to_vec(),
    };
    let uri = Uri::from_static("/v1/chat/completions");
    let read = |body: &[u8]| Facts::read_as(dialect, &Method::POST, &uri, &HeaderMap::new(), body);
    let shown = || format!("{dialect} {provider:?} {edit:?} {}", body.escape_ascii());
    let before = read(&body);
    let strict = json::parse(&body).filter(|document| document.strict);
    let object = strict.as_ref().filter(|document| matches!(document.json, Json::Object(_)));
    if object.is_some() {
        assert!(before.body_is_json, "{}", shown());
    }

    let nothing = Edit::default().apply(dialect, provider, &body);
    assert!(nothing.is_ok_and(|same| *same == *body) || object.is_none(), "{}", shown());
    let Ok(edited) = edit.apply(dialect, provider, &body) else { return };
    let again = edit.apply(dialect, provider, &edited);
    assert!(again.is_ok_and(|again| again == edited), "not the same twice: {}", shown());
    let Some(Json::Object(members)) = object.map(|document| &document.json) else { return };
    let parsed = json::parse(&edited).filter(|document| document.strict);
    let Some(Json::Object(new)) = parsed.map(|document| document.json) else {
        panic!("no object any more: {}: {}", shown(), edited.escape_ascii());
    };
    let rest = |members: &[(String, Json)]| -> Vec<(String, Json)> {
        members.iter().filter(|(name, _)| !EDITED.contains(&&**name)).cloned().collect()
    };
    assert_eq!(rest(&new), rest(members), "{}", shown());
    let after = read(&edited);
    let facts = (before.tools, before.images, before.documents, before.structured_output);
    let same = (after.tools, after.images, after.documents, after.structured_output);
    assert_eq!(facts, same, "{}", shown());
    let models = |members: &[(String, Json)]| -> Vec<Json> {
        members.iter().filter(|(name, _)| name == "model").map(|(_, model)| model.clone()).collect()
    };
    if let (Some(model), true) = (edit.model, models(&new) != models(members)) {
        assert!(models(&new).iter().all(|new| new.as_text() == Some(model)), "{}", shown());
        assert_eq!(after.model.as_deref(), Some(model), "{}", shown());
    }
    // The vendors behind Invoke each have a place of their own, and the facts take any vendor's
    // container of settings for this one's.
    let containers = members.iter().filter(|(_, value)| matches!(value, Json::Object(_))).count();
    let exact = !matches!(dialect, Dialect::BedrockInvoke | Dialect::OpenAiEmbeddings);
    if edit.max_output_tokens.is_some() && exact && containers == 0 {
        assert_eq!(after.max_output_tokens, edit.max_output_tokens, "{}", shown());
    }
}

fn request(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut members = Vec::new();
    for _ in 0..entropy.below(8) {
        let name = entropy.pick(&MEMBERS);
        let inner = [
            Json::Null,
            Json::Bool(true),
            Json::Bool(false),
            Json::number(100),
            Json::number("1.0e2"),
            Json::text("old \" model"),
            Json::object([]),
            Json::object([("include_usage", Json::Bool(true)), ("maxTokens", Json::number(1))]),
            Json::object([("maxOutputTokens", Json::number(7)), ("num_predict", Json::Null)]),
            Json::List(vec![Json::object([
                ("role", Json::text("user")),
                ("content", Json::text("hi")),
            ])]),
        ];
        members.push((name.to_owned(), inner[entropy.below(inner.len())].clone()));
    }
    let mut writer = Writer { entropy, lines: true, out: Vec::new() };
    writer.value(&Json::Object(members));
    writer.out
}
