use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::*;
use crate::request::Facts;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const RESPONSES: &str = "https://api.openai.com/v1/responses";
const ANTHROPIC: &str = "https://api.anthropic.com/v1/messages";
const GEMINI: &str =
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent";
const VERTEX: &str = "https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/gemini-2.0-flash:generateContent";
const CONVERSE: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-haiku-20240307-v1:0/converse";
const COHERE: &str = "https://api.cohere.com/v2/chat";
const OLLAMA: &str = "http://localhost:11434/api/chat";
const LOCAL: &str = "http://localhost:8000/v1/chat/completions";

fn findings(uri: &str, body: &str, judge: Option<Judge>) -> Vec<Finding> {
    let facts =
        Facts::read(&Method::POST, &uri.parse().unwrap(), &HeaderMap::new(), body.as_bytes());
    let inspection = Inspection { judge, ..Inspection::of(&facts) };
    inspection.findings(&facts, body.as_bytes())
}

/// What is found, as `check at: sentence`.
fn check(uri: &str, body: &str, expected: &[&str]) {
    let found = findings(uri, body, None);
    let found: Vec<String> =
        found.iter().map(|found| format!("{} {}", found.check, found)).collect();
    assert_eq!(found, expected, "{uri} {body}");
}

#[test]
fn what_is_right_is_left_alone() {
    let asked = r#""messages":[{"role":"user","content":"Hi"}]"#;
    check(CHAT, &format!(r#"{{"model":"gpt-4o","max_tokens":16384,{asked}}}"#), &[]);
    check(ANTHROPIC, &format!(r#"{{"model":"m","max_tokens":1,{asked}}}"#), &[]);
    check(COHERE, &format!(r#"{{"model":"m",{asked}}}"#), &[]);
    check(CONVERSE, &format!(r#"{{{asked}}}"#), &[]);
    check(GEMINI, r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#, &[]);
    check(GEMINI, r#"{"contents":{"parts":[{"text":"Hi"}]}}"#, &[]);
    check(RESPONSES, r#"{"model":"m","input":"Hi"}"#, &[]);
    check(RESPONSES, r#"{"model":"m","previous_response_id":"r"}"#, &[]);
    check(RESPONSES, r#"{"prompt":{"id":"p"}}"#, &[]);
    // Loads the model.
    check(OLLAMA, r#"{"model":"m"}"#, &[]);
    check(LOCAL, r#"{"messages":[]}"#, &[]);
    // Neither the operation nor the body of these is known.
    check("https://api.openai.com/v1/files", "--boundary", &[]);
    check("https://api.openai.com/v1/images/generations", "{}", &[]);
}

#[test]
fn a_body_that_is_not_json_is_found() {
    check(CHAT, "", &["json there is no body"]);
    check(CHAT, "{\"model\":", &["json the body is not JSON, from byte 9 on"]);
    check(CHAT, "[]", &["json the body is not a JSON object"]);
    check(CONVERSE, "hello", &["json the body is not JSON, from byte 0 on"]);
    check(CHAT, r#"{"model":"m","messages":[],"temperature":NaN}"#, &[]);
    check(CHAT, r#"{"model":"m","messages":[],"temperature":-Infinity}"#, &[]);
}

#[test]
fn a_missing_model_is_found() {
    let asked = r#""messages":[{"role":"user","content":"Hi"}]"#;
    for model in ["", r#""model":"","#, r#""model":7,"#, r#""model":null,"#] {
        let body = format!(r#"{{{model}{asked}}}"#);
        for uri in [CHAT, ANTHROPIC, COHERE] {
            check(uri, &body, &["model /model: no model is named"]);
        }
        check(LOCAL, &body, &[]);
        check("https://openrouter.ai/api/v1/chat/completions", &body, &[]);
        check("https://r.openai.azure.com/openai/deployments/d/chat/completions", &body, &[]);
    }
    check(RESPONSES, r#"{"input":"Hi"}"#, &["model /model: no model is named"]);
}

#[test]
fn a_missing_prompt_is_found() {
    check(CHAT, r#"{"model":"m"}"#, &["prompt /messages: it is missing"]);
    check(CHAT, r#"{"model":"m","messages":null}"#, &["prompt /messages: it is missing"]);
    check(CHAT, r#"{"model":"m","messages":[ ]}"#, &["prompt /messages: there is no message"]);
    check(CHAT, r#"{"model":"m","messages":"Hi"}"#, &["prompt /messages: it is not a list"]);
    check(LOCAL, r#"{"model":"m"}"#, &["prompt /messages: it is missing"]);
    check(ANTHROPIC, r#"{"model":"m","system":"s"}"#, &["prompt /messages: it is missing"]);
    check(COHERE, r#"{"model":"m","messages":[]}"#, &["prompt /messages: there is no message"]);
    check(CONVERSE, "{}", &["prompt /messages: it is missing"]);
    check(GEMINI, "{}", &["prompt /contents: it is missing"]);
    check(RESPONSES, r#"{"model":"m","input":null}"#, &["prompt /input: it is missing"]);
    let embeddings = "https://api.openai.com/v1/embeddings";
    check(embeddings, r#"{"model":"m","input":[]}"#, &["prompt /input: there is nothing in it"]);
    check(embeddings, r#"{"model":"m","input":"Hi"}"#, &[]);
    // Of a member given twice the last counts.
    check(CHAT, r#"{"model":"m","messages":[],"messages":[{}]}"#, &[]);
}

#[test]
fn a_cap_over_the_models_own_is_found() {
    let asked = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let said = |at: &str, cap: u64, most: u64| {
        format!("output_cap {at}: {cap} tokens are asked for, and the model gives at most {most}")
    };
    let body = format!(r#"{{"model":"gpt-4o","max_tokens":16385,{asked}}}"#);
    check(CHAT, &body, &[&said("/max_tokens", 16385, 16384)]);
    check(LOCAL, &body, &[]);
    let body = format!(r#"{{"model":"o3","max_completion_tokens":1000000,{asked}}}"#);
    check(CHAT, &body, &[&said("/max_completion_tokens", 1_000_000, 100_000)]);
    let body = r#"{"model":"gpt-4.1","max_output_tokens":40000,"input":"Hi"}"#;
    check(RESPONSES, body, &[&said("/max_output_tokens", 40_000, 32_768)]);
    let body = format!(r#"{{"model":"claude-3-haiku-20240307","max_tokens":5000,{asked}}}"#);
    check(ANTHROPIC, &body, &[&said("/max_tokens", 5_000, 4_096)]);
    let body = format!(r#"{{"inferenceConfig":{{"maxTokens":5000}},{asked}}}"#);
    check(CONVERSE, &body, &[&said("/inferenceConfig/maxTokens", 5_000, 4_096)]);
    let body = r#"{"generationConfig":{"maxOutputTokens":9000},"contents":[{}]}"#;
    check(VERTEX, body, &[&said("/generationConfig/maxOutputTokens", 9_000, 8_192)]);
    let body = format!(r#"{{"model":"gpt-9","max_tokens":999999999,{asked}}}"#);
    check(CHAT, &body, &[]);
}

/// Finds fault with every schema that has a member `bad`.
fn judge(schema: &[u8]) -> Option<Flaw> {
    let is_bad = schema.windows(5).any(|five| five == b"\"bad\"");
    is_bad.then(|| Flaw { at: "/bad".into(), sentence: "it is bad".into() })
}

#[test]
fn schemas_are_found_wherever_they_are() {
    let check = |uri: &str, frame: &str, at: &str, is_standard: bool| {
        let found = |schema: &str| {
            let body = frame.replace("SCHEMA", schema);
            let found = findings(uri, &body, Some(judge));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(r#"{"type":"object"}"#), [""; 0], "{frame}");
        assert_eq!(found("null"), [""; 0], "{frame}");
        assert_eq!(found("[1]"), [format!("{at}: the schema is not an object")], "{frame}");
        let expected = if is_standard { vec![format!("{at}/bad: it is bad")] } else { Vec::new() };
        assert_eq!(found(r#"{"bad":1}"#), expected, "{frame}");
    };
    let at = "/tools/1/function/parameters";
    let tools =
        r#"[{"type":"function","function":{"name":"f"}},{"function":{"parameters":SCHEMA}}]"#;
    let body = format!(r#"{{"model":"m","messages":[{{}}],"tools":{tools}}}"#);
    check(CHAT, &body, at, true);
    check(COHERE, &body, at, true);
    check(OLLAMA, &body, at, true);
    let body = r#"{"model":"m","messages":[{}],"response_format":{"type":"json_schema","json_schema":{"schema":SCHEMA}}}"#;
    check(CHAT, body, "/response_format/json_schema/schema", true);
    let body = r#"{"model":"m","messages":[{}],"format":SCHEMA,"tools":[{}]}"#;
    check(OLLAMA, body, "/format", true);
    let body = r#"{"model":"m","input":"Hi","tools":[{"parameters":SCHEMA}]}"#;
    check(RESPONSES, body, "/tools/0/parameters", true);
    let body =
        r#"{"model":"m","input":"Hi","text":{"format":{"type":"json_schema","schema":SCHEMA}}}"#;
    check(RESPONSES, body, "/text/format/schema", true);
    let body = r#"{"model":"m","messages":[{}],"tools":[{"input_schema":SCHEMA}]}"#;
    check(ANTHROPIC, body, "/tools/0/input_schema", true);
    let body = r#"{"messages":[{}],"toolConfig":{"tools":[{"toolSpec":{"inputSchema":{"json":SCHEMA}}}]}}"#;
    check(CONVERSE, body, "/toolConfig/tools/0/toolSpec/inputSchema/json", true);
    let body = r#"{"contents":[{}],"tools":[{"functionDeclarations":[{"parameters":SCHEMA}]}]}"#;
    check(GEMINI, body, "/tools/0/functionDeclarations/0/parameters", false);
    let body = r#"{"contents":[{}],"tools":[{}],"generationConfig":{"responseJsonSchema":SCHEMA}}"#;
    check(GEMINI, body, "/generationConfig/responseJsonSchema", true);
}

#[test]
fn what_is_not_looked_for_is_not_found() {
    let body = br#"{"max_tokens":99999,"model":"gpt-4o","tools":[{"function":{"parameters":1}}]}"#;
    let facts = Facts::read(&Method::POST, &Uri::from_static(CHAT), &HeaderMap::new(), body);
    let all = Inspection::of(&facts);
    let checks = |checks: Checks| {
        let found = Inspection { checks, ..all }.findings(&facts, body);
        found.iter().map(|found| found.check).collect::<Vec<_>>()
    };
    assert_eq!(checks(Checks::ALL), [Check::Prompt, Check::Schema, Check::OutputCap]);
    assert_eq!(checks(Checks::NONE), []);
    assert_eq!(checks(Checks::NONE.with(Check::Schema)), [Check::Schema]);
    assert_eq!(checks(Checks::ALL.without(Check::Prompt)), [Check::Schema, Check::OutputCap]);
}

fn key_of(provider: Provider, headers: &[(&'static str, &str)], uri: &str) -> Option<String> {
    let headers = headers.iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    });
    key(provider, &headers.collect(), &uri.parse().unwrap()).map(|found| found.to_string())
}

#[test]
fn keys_that_are_none_are_found() {
    let bearer =
        |key: &str| key_of(Provider::OpenAi, &[("authorization", &format!("Bearer {key}"))], CHAT);
    for key in ["", "  "] {
        assert_eq!(bearer(key).as_deref(), Some("authorization: the key is empty"), "{key}");
    }
    let placeholders = [
        "YOUR_API_KEY",
        "your-api-key",
        "your api key",
        "<key>",
        "<YOUR KEY>",
        "sk-...",
        "sk-",
        "sk-xxxxxxxx",
        "sk-proj-XXXX",
        "${OPENAI_API_KEY}",
        "$OPENAI_API_KEY",
        "{{ key }}",
        "None",
        "null",
        "undefined",
        "changeme",
        "replace-me",
        "sk-your-key",
        "my-api-key-here",
        "sk-***",
        "api_key",
        "insert_key",
        "TODO",
        "gsk_...",
    ];
    for key in placeholders {
        let found = bearer(key);
        assert_eq!(found.as_deref(), Some("authorization: the key is a placeholder"), "{key}");
    }
    let keys = [
        "sk-1234",
        "sk-test",
        "sk-proj-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OQ",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "ya29.a0AfH6SMBx",
        "0123456789abcdef",
    ];
    for key in keys {
        assert_eq!(bearer(key), None, "{key}");
    }
}

#[test]
fn keys_are_looked_for_where_they_are() {
    let placeholder = |at: &str| Some(format!("{at}: the key is a placeholder"));
    let fake = "YOUR_API_KEY";
    assert_eq!(key_of(Provider::Anthropic, &[("x-api-key", fake)], CHAT), placeholder("x-api-key"));
    assert_eq!(key_of(Provider::AzureOpenAi, &[("api-key", fake)], CHAT), placeholder("api-key"));
    let query = "https://h/v1beta/models/m:generateContent?alt=sse&key=YOUR_API_KEY";
    assert_eq!(key_of(Provider::Gemini, &[], query), placeholder("key"));
    assert_eq!(key_of(Provider::OpenAi, &[], CHAT), None, "somebody may add it");
    assert_eq!(key_of(Provider::Generic, &[("authorization", "Bearer none")], CHAT), None);
    let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu/bedrock/aws4_request, Signature=0";
    assert_eq!(key_of(Provider::Bedrock, &[("authorization", signed)], CHAT), None);
    let both = [("authorization", "Bearer none"), ("x-api-key", "k-0123")];
    assert_eq!(key_of(Provider::Anthropic, &both, CHAT), None, "one is enough");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any key that is drawn at random is one.
    #[test]
    fn no_key_is_taken_for_a_placeholder(key in "(sk-|sk-proj-|gsk_|AIza|)[A-Za-z0-9_-]{24,60}") {
        prop_assert_eq!(key_of(Provider::OpenAi, &[("x-api-key", &key)], CHAT), None);
    }

    #[test]
    fn nothing_panics_and_each_pointer_leads_somewhere(
        uri in prop::sample::select(vec![CHAT, RESPONSES, ANTHROPIC, GEMINI, CONVERSE, COHERE, OLLAMA]),
        body in r#"\{("(model|messages|tools|input|format|contents|toolConfig)":(1|null|\[\]|\{\}|"a"|\[\{"function":\{"parameters":7\}\}\]),?){0,4}\}?"#,
    ) {
        for found in findings(uri, &body, Some(judge)) {
            prop_assert!(found.at.is_empty() || found.at.starts_with('/') || found.at == "path");
            prop_assert!(!found.sentence.is_empty() && !found.sentence.ends_with('.'));
        }
    }
}
