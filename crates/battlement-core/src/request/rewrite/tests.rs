use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn edit(edit: Edit<'_>, dialect: Dialect, body: &str) -> String {
    let provider = match dialect {
        Dialect::OpenAiChat => Provider::OpenAi,
        _ => Provider::Generic,
    };
    let edited = edit.apply(dialect, provider, body.as_bytes()).unwrap();
    String::from_utf8(edited.into_owned()).unwrap()
}

#[test]
fn sets_the_model() {
    let check = |body: &str, expected: &str| {
        let with = Edit { model: Some("new"), ..Edit::default() };
        assert_eq!(edit(with, Dialect::OpenAiChat, body), expected, "{body}");
    };
    check("{}", r#"{"model":"new"}"#);
    check("{ }", r#"{"model":"new" }"#);
    check(r#"{"a":1}"#, r#"{"model":"new","a":1}"#);
    check("\n { \"a\" : 1.50 }\n", "\n {\"model\":\"new\", \"a\" : 1.50 }\n");
    check(r#"{"model" : "old" , "b":[1, 2]}"#, r#"{"model" : "new" , "b":[1, 2]}"#);
    check(r#"{"model":null}"#, r#"{"model":"new"}"#);
    check(r#"{"model":{"model":1}}"#, r#"{"model":"new"}"#);
    // Twice: both.
    check(r#"{"model":"a","x":1,"model":"b"}"#, r#"{"model":"new","x":1,"model":"new"}"#);
    // Escaped.
    check(r#"{"mod\u0065l":"old"}"#, r#"{"mod\u0065l":"new"}"#);
    // Decoys.
    check(
        r#"{"messages":[{"model":"m","content":"\"model\":\"x\""}],"model":"old"}"#,
        r#"{"messages":[{"model":"m","content":"\"model\":\"x\""}],"model":"new"}"#,
    );
    check(r#"{"x":"{\"model\":","model":"old"}"#, r#"{"x":"{\"model\":","model":"new"}"#);
}

#[test]
fn sets_the_cap_where_the_dialect_has_it() {
    let check = |dialect, body: &str, expected: &str| {
        let with = Edit { max_output_tokens: Some(9), ..Edit::default() };
        assert_eq!(edit(with, dialect, body), expected, "{body}");
    };
    check(Dialect::OpenAiChat, "{}", r#"{"max_completion_tokens":9}"#);
    check(Dialect::OpenAiChat, r#"{"max_tokens":5}"#, r#"{"max_tokens":9}"#);
    check(
        Dialect::OpenAiChat,
        r#"{"max_tokens":null,"max_completion_tokens":1e3}"#,
        r#"{"max_tokens":null,"max_completion_tokens":9}"#,
    );
    check(
        Dialect::OpenAiChat,
        r#"{"max_tokens":null}"#,
        r#"{"max_completion_tokens":9,"max_tokens":null}"#,
    );
    check(Dialect::OpenAiCompletions, "{}", r#"{"max_tokens":9}"#);
    check(Dialect::OpenAiResponses, "{}", r#"{"max_output_tokens":9}"#);
    check(Dialect::AnthropicMessages, r#"{"max_tokens": 1024}"#, r#"{"max_tokens": 9}"#);
    check(Dialect::CohereV2, "{}", r#"{"max_tokens":9}"#);
    check(Dialect::Gemini, "{}", r#"{"generationConfig":{"maxOutputTokens":9}}"#);
    check(
        Dialect::Gemini,
        r#"{"generationConfig":{ "topK":1}}"#,
        r#"{"generationConfig":{"maxOutputTokens":9, "topK":1}}"#,
    );
    check(
        Dialect::Gemini,
        r#"{"generationConfig":null}"#,
        r#"{"generationConfig":{"maxOutputTokens":9}}"#,
    );
    check(
        Dialect::Gemini,
        r#"{"generation_config":{"max_output_tokens":1}}"#,
        r#"{"generation_config":{"max_output_tokens":9}}"#,
    );
    // Spelt both ways: both, since nothing says which counts.
    check(
        Dialect::Gemini,
        r#"{"generation_config":{"topK":1},"generationConfig":{"maxOutputTokens":1}}"#,
        r#"{"generation_config":{"maxOutputTokens":9,"topK":1},"generationConfig":{"maxOutputTokens":9}}"#,
    );
    // Thinking stays as it is.
    check(
        Dialect::AnthropicMessages,
        r#"{"max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2048}}"#,
        r#"{"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":2048}}"#,
    );
    check(
        Dialect::BedrockConverse,
        r#"{"inferenceConfig": {} }"#,
        r#"{"inferenceConfig": {"maxTokens":9} }"#,
    );
    check(
        Dialect::OllamaNative,
        r#"{"options":{"num_predict":-1}}"#,
        r#"{"options":{"num_predict":9}}"#,
    );
    check(
        Dialect::OllamaNative,
        r#"{"options":{"seed":1},"options":{"num_predict":2}}"#,
        r#"{"options":{"num_predict":9,"seed":1},"options":{"num_predict":9}}"#,
    );
    check(Dialect::BedrockInvoke, r#"{"max_gen_len":1}"#, r#"{"max_gen_len":9}"#);
    check(
        Dialect::BedrockInvoke,
        r#"{"max_completion_tokens":1}"#,
        r#"{"max_completion_tokens":9}"#,
    );
    check(
        Dialect::BedrockInvoke,
        r#"{"max_completion_tokens":1,"max_tokens":2}"#,
        r#"{"max_completion_tokens":9,"max_tokens":9}"#,
    );
    check(
        Dialect::BedrockInvoke,
        r#"{"anthropic_version":"x"}"#,
        r#"{"max_tokens":9,"anthropic_version":"x"}"#,
    );
    check(
        Dialect::BedrockInvoke,
        r#"{"inputText":"x"}"#,
        r#"{"textGenerationConfig":{"maxTokenCount":9},"inputText":"x"}"#,
    );
}

#[test]
fn prefers_the_field_the_provider_knows() {
    let check = |provider, expected: &str| {
        let with = Edit { max_output_tokens: Some(9), ..Edit::default() };
        let edited = with.apply(Dialect::OpenAiChat, provider, b"{}").unwrap();
        assert_eq!(&*edited, expected.as_bytes());
    };
    check(Provider::AzureOpenAi, r#"{"max_completion_tokens":9}"#);
    check(Provider::Vllm, r#"{"max_tokens":9}"#);
    check(Provider::Generic, r#"{"max_tokens":9}"#);
}

#[test]
fn asks_for_usage_in_streams() {
    let check = |with: Edit<'_>, body: &str, expected: &str| {
        assert_eq!(edit(with, Dialect::OpenAiChat, body), expected, "{body}");
    };
    let on = Edit { include_usage: Some(true), ..Edit::default() };
    let off = Edit { include_usage: Some(false), ..Edit::default() };
    check(on, r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#);
    check(
        on,
        r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    check(
        on,
        r#"{"stream":true,"stream_options":{"x":1}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
    );
    check(on, r#"{"stream":false}"#, r#"{"stream":false}"#);
    check(on, "{}", "{}");
    check(off, r#"{"stream":true}"#, r#"{"stream":true}"#);
    check(
        off,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
    );
    let start = Edit { stream: Some(true), ..on };
    check(start, "{}", r#"{"stream":true,"stream_options":{"include_usage":true}}"#);
    let stop = Edit { stream: Some(false), ..Edit::default() };
    check(
        stop,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":false,"stream_options":null}"#,
    );
}

#[test]
fn borrows_when_nothing_changes() {
    let check = |with: Edit<'_>, dialect, body: &str| {
        let edited = with.apply(dialect, Provider::Generic, body.as_bytes()).unwrap();
        assert!(matches!(edited, Cow::Borrowed(_)), "{body}");
    };
    check(Edit::default(), Dialect::OpenAiChat, "{}");
    let model = Edit { model: Some("a"), ..Edit::default() };
    check(model, Dialect::OpenAiChat, r#"{"model":"a"}"#);
    // In the path.
    check(model, Dialect::Gemini, "{}");
    check(model, Dialect::BedrockConverse, "{}");
    let usage = Edit { include_usage: Some(true), ..Edit::default() };
    check(usage, Dialect::AnthropicMessages, r#"{"stream":true}"#);
}

#[test]
fn leaves_the_model_to_the_path_where_that_may_hold_it() {
    let model = Edit { model: Some("new"), ..Edit::default() };
    let azure = |body: &'static [u8]| {
        model.apply(Dialect::OpenAiChat, Provider::AzureOpenAi, body).unwrap()
    };
    assert_eq!(&*azure(b"{}"), b"{}");
    assert_eq!(&*azure(br#"{"model":"old"}"#), br#"{"model":"new"}"#);
    let vertex = |dialect| model.apply(dialect, Provider::Vertex, b"{}").unwrap();
    assert_eq!(&*vertex(Dialect::AnthropicMessages), b"{}");
    assert_eq!(&*vertex(Dialect::OpenAiChat), br#"{"model":"new"}"#);
    // Claude at Azure has no deployment in its path.
    let claude = model.apply(Dialect::AnthropicMessages, Provider::AzureOpenAi, b"{}").unwrap();
    assert_eq!(&*claude, br#"{"model":"new"}"#);
}

#[test]
fn refuses_what_it_cannot_do() {
    let check = |with: Edit<'_>, dialect, body: &str, expected: &str| {
        let error = with.apply(dialect, Provider::Generic, body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let model = Edit { model: Some("new"), ..Edit::default() };
    let cap = Edit { max_output_tokens: Some(9), ..Edit::default() };
    let stream = Edit { stream: Some(true), ..Edit::default() };
    check(
        model,
        Dialect::OpenAiChat,
        r#"{"model":"old""#,
        "cannot rewrite a body that is not json",
    );
    check(
        model,
        Dialect::OpenAiChat,
        r#"{"a":1 "model":"old"}"#,
        "cannot rewrite a body that is not json",
    );
    check(model, Dialect::OpenAiChat, "[]", "body is not a json object");
    check(cap, Dialect::OllamaNative, r#"{"options":7}"#, "options is not a json object");
    check(
        cap,
        Dialect::OpenAiEmbeddings,
        "{}",
        "a openai_embeddings body has no field for max_output_tokens",
    );
    check(cap, Dialect::BedrockInvoke, "{}", "unknown vendor format in a bedrock invoke body");
    check(stream, Dialect::Gemini, "{}", "a gemini body has no field for stream");
}

#[test]
fn puts_the_model_into_the_path() {
    let check = |dialect, uri: &'static str, model: &str, expected: &str| {
        let rewritten = uri_model(dialect, &Uri::from_static(uri), model).unwrap();
        assert_eq!(rewritten, expected);
    };
    check(
        Dialect::OpenAiChat,
        "https://h/v1/chat/completions?a=b",
        "m",
        "https://h/v1/chat/completions?a=b",
    );
    check(
        Dialect::OpenAiChat,
        "https://r.openai.azure.com/openai/deployments/old/chat/completions?api-version=2024-10-21",
        "new one",
        "https://r.openai.azure.com/openai/deployments/new%20one/chat/completions?api-version=2024-10-21",
    );
    check(
        Dialect::Gemini,
        "/v1beta/models/old:generateContent",
        "models/new",
        "/v1beta/models/new:generateContent",
    );
    check(
        Dialect::AnthropicMessages,
        "/v1/projects/p/locations/l/publishers/anthropic/models/old@1:rawPredict",
        "new@2",
        "/v1/projects/p/locations/l/publishers/anthropic/models/new@2:rawPredict",
    );
    check(
        Dialect::BedrockConverse,
        "/model/a.b-v1%3A0/converse-stream",
        "c.d-v2:0",
        "/model/c.d-v2%3A0/converse-stream",
    );
    check(
        Dialect::BedrockInvoke,
        "/model/x/invoke",
        "arn:aws:b:r:1:p/q",
        "/model/arn%3Aaws%3Ab%3Ar%3A1%3Ap%2Fq/invoke",
    );

    // Somebody's fine-tuned model, not a method.
    check(Dialect::OpenAiChat, "/v1/models/ft:gpt-4o:org", "m", "/v1/models/ft:gpt-4o:org");

    for model in ["", ".", "..", "models/", "models/.."] {
        let uri = Uri::from_static("/v1beta/models/old:generateContent");
        let error = uri_model(Dialect::Gemini, &uri, model).unwrap_err();
        assert!(matches!(error, RewriteError::UnfitModel { .. }), "{model} {error}");
    }
    check(Dialect::BedrockConverse, "/model/a/converse", "...", "/model/.../converse");

    let error = uri_model(Dialect::Gemini, &Uri::from_static("/v1beta/models"), "m").unwrap_err();
    assert_eq!(error.to_string(), "no model in the path of a gemini request");
}

/// Any JSON value.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(number)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![
        Just("model".to_owned()),
        Just("stream".to_owned()),
        Just("messages".to_owned()),
        ".{0,4}",
    ];
    proptest::collection::btree_map(key, values, 0..5).prop_map(Map::from_iter)
}

/// Serialises with spaces wherever JSON allows them, as the bits of `seed` say.
fn spaced(value: &Value, seed: &mut u64) -> String {
    let mut space = || {
        *seed = seed.rotate_right(2);
        ["", "", " ", "\n\t"][(*seed & 3) as usize]
    };
    let (before, after) = (space(), space());
    let text = match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| spaced(item, seed)).collect();
            format!("[{}]", if items.is_empty() { after.to_owned() } else { items.join(",") })
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, member)| {
                    let key = spaced(&Value::from(key.as_str()), seed);
                    format!("{key}:{}", spaced(member, seed))
                })
                .collect();
            format!("{{{}}}", if members.is_empty() { after.to_owned() } else { members.join(",") })
        }
        scalar => scalar.to_string(),
    };
    format!("{before}{text}{after}")
}

proptest! {
    #[test]
    fn equals_editing_the_value(members in object(value()), model in ".{0,12}", mut seed in any::<u64>()) {
        let body = spaced(&Value::from(members.clone()), &mut seed);
        let with = Edit { model: Some(&model), ..Edit::default() };
        let edited = with.apply(Dialect::OpenAiChat, Provider::OpenAi, body.as_bytes()).unwrap();

        // Parsed, so that numbers are read the same way on both sides.
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        expected["model"] = Value::from(model.as_str());
        prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), expected);
    }

    #[test]
    fn touches_no_other_byte(mut members in object(value()), model in ".{0,12}", mut seed in any::<u64>()) {
        let old = "an old model that nothing else is called";
        let with = Edit { model: Some(&model), ..Edit::default() };
        let edit = |body: &str| {
            let edited = with.apply(Dialect::OpenAiChat, Provider::OpenAi, body.as_bytes());
            String::from_utf8(edited.unwrap().into_owned()).unwrap()
        };

        members.insert("model".to_owned(), Value::from(old));
        let body = spaced(&Value::from(members.clone()), &mut seed);
        prop_assert_eq!(edit(&body), body.replace(&quoted(old), &quoted(&model)));

        members.remove("model");
        let comma = if members.is_empty() { "" } else { "," };
        let body = spaced(&Value::from(members), &mut seed);
        let added = format!("{{\"model\":{}{comma}", quoted(&model));
        prop_assert_eq!(edit(&body), body.replacen('{', &added, 1));
    }

    #[test]
    fn applies_several_edits_at_once(members in object(value()), mut seed in any::<u64>(), cap in any::<u64>(), stream in any::<bool>()) {
        let body = spaced(&Value::from(members), &mut seed);
        let with = Edit { model: Some("m"), max_output_tokens: Some(cap), stream: Some(stream), include_usage: Some(true) };
        let edited = with.apply(Dialect::OpenAiChat, Provider::Generic, body.as_bytes()).unwrap();
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        expected["model"] = json!("m");
        expected["max_tokens"] = json!(cap);
        expected["stream"] = json!(stream);
        if stream {
            expected["stream_options"] = json!({ "include_usage": true });
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), expected);
        // A second time changes nothing.
        let again = with.apply(Dialect::OpenAiChat, Provider::Generic, &edited).unwrap();
        prop_assert!(matches!(again, Cow::Borrowed(_)));
    }

    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let with = Edit { model: Some("m"), max_output_tokens: Some(1), ..Edit::default() };
        let _ = with.apply(Dialect::Gemini, Provider::Generic, &body);
    }
}

#[test]
fn takes_members_out_with_their_commas() {
    let check = |body: &str, expected: &str| {
        let found = without(body.as_bytes(), &["a", "b"]).unwrap();
        assert_eq!(std::str::from_utf8(&found), Ok(expected), "{body}");
    };
    check("{}", "{}");
    check(r#"{"c":1}"#, r#"{"c":1}"#);
    check(r#"{ "a" : 1 }"#, "{  }");
    check(r#"{"a":1,"b":2}"#, "{}");
    check(r#"{"a":1, "c":{"a":1}, "b":[1,2] }"#, r#"{"c":{"a":1} }"#);
    check(r#"{"c":1,"a":1,"b":2,"d":3}"#, r#"{"c":1,"d":3}"#);
    check(r#"{"c":1 , "\u0061":1, "a":2}"#, r#"{"c":1}"#);
    check(r#"{"c":1,"a":1,"d":3,"a":"x,y}","b":2}"#, r#"{"c":1,"d":3}"#);
    assert!(without(b"[]", &["a"]).is_err() && without(b"{", &["a"]).is_err());
    let unchanged = without(br#"{"c":1}"#, &["a"]).unwrap();
    assert!(matches!(unchanged, Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn what_is_left_is_what_was_not_named(
        members in prop::collection::vec(("[abcd]", 0..3_u8, "[ \n]{0,2}"), 0..8),
    ) {
        let written = members.iter().map(|(name, value, blank)| {
            format!("{blank}\"{name}\"{blank}:{blank}[{value},\"}},\"]{blank}")
        });
        let body = format!("{{{}}}", written.collect::<Vec<_>>().join(","));
        let found = without(body.as_bytes(), &["a", "c"]).unwrap();
        let found: Value = serde_json::from_slice(&found).unwrap();
        let mut expected: Map<String, Value> = serde_json::from_str(&body).unwrap();
        expected.retain(|name, _| name != "a" && name != "c");
        prop_assert_eq!(found, Value::Object(expected));
    }
}
