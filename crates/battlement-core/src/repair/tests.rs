use super::*;
use crate::{
    Dialect,
    write::{self, Form, Text},
};

const TALKERS: [Dialect; 8] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::BedrockConverse,
    Dialect::BedrockInvoke,
    Dialect::CohereV2,
    Dialect::OllamaNative,
];

#[test]
fn texts_are_found_in_every_dialect_and_form_and_can_be_changed() {
    let text = "```json\n{\"a\":\"\\u{1f600} \\\"x\\\"\"}\n```";
    for dialect in TALKERS {
        for form in [Form::Document, Form::Events, Form::Array] {
            let written =
                write::answer(dialect, &Text::new(text).model("claude").form(form)).unwrap();
            let (kind, body) = (written.content_type(), written.body());
            let found = said(dialect, kind, &body).unwrap();
            assert_eq!(found.choices().len(), 1, "{dialect} {form:?}");
            assert_eq!(found.choices()[0].text, text, "{dialect} {form:?}");
            assert!(found.choices()[0].calls.is_empty());
            let new = found.with_texts(&body, &[Some("{\"b\":\"\\\"\"}".into())]);
            let Some(new) = new else {
                assert!(kind.contains("amazon"), "{dialect} {form:?}");
                continue;
            };
            let whole = String::from_utf8(new.clone()).unwrap();
            assert!(!whole.contains("```"), "{dialect} {form:?}: {whole}");
            let found = said(dialect, kind, &new).unwrap();
            assert_eq!(found.choices()[0].text, "{\"b\":\"\\\"\"}", "{dialect} {form:?}");
        }
    }
}

fn check_calls(dialect: Dialect, kind: &str, body: &str, text: &str, calls: &[(&str, &str)]) {
    let found = said(dialect, kind, body.as_bytes()).unwrap();
    let [choice] = found.choices() else { panic!("{dialect}: {found:?}") };
    assert_eq!(choice.text, text, "{dialect}");
    let found: Vec<_> = choice.calls.iter().map(|call| (&*call.name, &*call.arguments)).collect();
    assert_eq!(found, calls, "{dialect}");
}

#[test]
fn calls_are_found_in_every_dialect() {
    let json = "application/json";
    let sse = "text/event-stream; charset=utf-8";
    let check = check_calls;
    check(
        Dialect::OpenAiChat,
        json,
        r#"{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{"function":{"name":"a","arguments":"{\"x\":1}"}},{"function":{"name":"b","arguments":"{"}}]}}]}"#,
        "",
        &[("a", r#"{"x":1}"#), ("b", "{")],
    );
    check(
        Dialect::OpenAiChat,
        sse,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hm\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"a\",\"arguments\":\"\"}}]}}]}\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}]}}]}\n\n: ping\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n\ndata: [DONE]\n\n",
        "Hm",
        &[("a", r#"{"x":1}"#)],
    );
    check(
        Dialect::OpenAiResponses,
        json,
        r#"{"output":[{"type":"reasoning"},{"type":"function_call","name":"a","arguments":"{}"}]}"#,
        "",
        &[("a", "{}")],
    );
    check(
        Dialect::OpenAiResponses,
        sse,
        "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"name\":\"a\",\"arguments\":\"{}\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n",
        "",
        &[("a", "{}")],
    );
    check(
        Dialect::AnthropicMessages,
        json,
        r#"{"type":"message","content":[{"type":"text","text":"Hm"},{"type":"server_tool_use","name":"s","input":{}},{"type":"tool_use","name":"a","input":{"x":1}}]}"#,
        "Hm",
        &[("a", r#"{"x":1}"#)],
    );
    check(
        Dialect::AnthropicMessages,
        sse,
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"name\":\"a\",\"input\":{}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n",
        "",
        &[("a", r#"{"x":1}"#)],
    );
    check(
        Dialect::Gemini,
        json,
        r#"[{"candidates":[{"content":{"parts":[{"text":"so","thought":true},{"functionCall":{"name":"a","args":{"x":1}}}]}}]},{"candidates":[{"content":{"parts":[{"functionCall":{"name":"b"}}]}}]}]"#,
        "",
        &[("a", r#"{"x":1}"#), ("b", "{}")],
    );
    check(
        Dialect::BedrockConverse,
        json,
        r#"{"output":{"message":{"content":[{"toolUse":{"name":"a","input":{"x":1}}}]}}}"#,
        "",
        &[("a", r#"{"x":1}"#)],
    );
    check(
        Dialect::CohereV2,
        sse,
        "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"name\":\"a\",\"arguments\":\"\"}}}}}\n\ndata: {\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{}\"}}}}}\n\n",
        "",
        &[("a", "{}")],
    );
    check(
        Dialect::OllamaNative,
        "application/x-ndjson",
        "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":{\"x\":1}}}]},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n",
        "",
        &[("a", r#"{"x":1}"#)],
    );
}

#[test]
fn what_is_wanted_is_found_in_every_dialect() {
    let check =
        |dialect, body: &str, answer: Option<Schema<'_>>, tools: &[(&str, Option<Schema<'_>>)]| {
            let found = wanted(dialect, body.as_bytes());
            assert_eq!(found.answer, answer, "{dialect}: {body}");
            let found: Vec<_> = found.tools.iter().map(|tool| (&*tool.name, tool.schema)).collect();
            assert_eq!(found, tools, "{dialect}: {body}");
        };
    let some = Some(Schema::Json(b"{}"));
    let google = Some(Schema::Google(b"{}"));
    let chat = Dialect::OpenAiChat;
    check(
        chat,
        r#"{"response_format":{"type":"json_schema","json_schema":{"schema":{}}}}"#,
        some,
        &[],
    );
    check(chat, r#"{"response_format":{"type":"json_object"}}"#, Some(Schema::Object), &[]);
    check(chat, r#"{"response_format":{"type":"text"}}"#, None, &[]);
    check(
        chat,
        r#"{"tools":[{"type":"function","function":{"name":"a","parameters":{}}},{"type":"function","function":{"name":"b"}}]}"#,
        None,
        &[("a", some), ("b", None)],
    );
    let responses = r#"{"text":{"format":{"type":"json_schema","schema":{}}},"tools":[{"type":"function","name":"a","parameters":{}},{"type":"web_search"}]}"#;
    check(Dialect::OpenAiResponses, responses, some, &[("a", some)]);
    let anthropic = r#"{"output_config":{"format":{"type":"json_schema","schema":{}}},"tools":[{"name":"a","input_schema":{}},{"type":"bash_20250124","name":"bash"}]}"#;
    check(Dialect::AnthropicMessages, anthropic, some, &[("a", some), ("bash", None)]);
    check(Dialect::AnthropicMessages, r#"{"output_format":{"schema":{}}}"#, some, &[]);
    let gemini = r#"{"generationConfig":{"responseSchema":{}},"tools":[{"functionDeclarations":[{"name":"a","parameters":{}},{"name":"b","parametersJsonSchema":{}}]}]}"#;
    check(Dialect::Gemini, gemini, google, &[("a", google), ("b", some)]);
    check(Dialect::Gemini, r#"{"generationConfig":{"responseJsonSchema":{}}}"#, some, &[]);
    let converse =
        r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{}}}}]}}"#;
    check(Dialect::BedrockConverse, converse, None, &[("a", some)]);
    check(
        Dialect::CohereV2,
        r#"{"response_format":{"type":"json_object","schema":{}}}"#,
        some,
        &[],
    );
    check(Dialect::OllamaNative, r#"{"format":{}}"#, some, &[]);
    check(Dialect::OllamaNative, r#"{"format":"json"}"#, Some(Schema::Object), &[]);
    check(Dialect::OllamaNative, "no json", None, &[]);
}

#[test]
fn a_request_is_asked_again_in_every_dialect() {
    let check = |dialect, body: &str, expected: &str| {
        let found = again(dialect, body.as_bytes(), "A\n", "\"B\"");
        assert_eq!(found.map(|body| String::from_utf8(body).unwrap()).as_deref(), Some(expected));
    };
    let plain = r#"{"role":"assistant","content":"A\n"},{"role":"user","content":"\"B\""}"#;
    for dialect in [
        Dialect::OpenAiChat,
        Dialect::AnthropicMessages,
        Dialect::CohereV2,
        Dialect::OllamaNative,
        Dialect::BedrockInvoke,
    ] {
        check(
            dialect,
            r#"{"messages": [ {"role":"user"} ],"x":1}"#,
            &format!(r#"{{"messages": [ {{"role":"user"}} ,{plain}],"x":1}}"#),
        );
    }
    check(
        Dialect::OpenAiResponses,
        r#"{"input":"Hi\n","x":1}"#,
        &format!(r#"{{"input":[{{"role":"user","content":"Hi\n"}},{plain}],"x":1}}"#),
    );
    check(Dialect::OllamaNative, r#"{"prompt":"Hi"}"#, r#"{"prompt":"Hi\n\nA\n\n\n\"B\""}"#);
    check(
        Dialect::Gemini,
        r#"{"contents":[]}"#,
        r#"{"contents":[{"role":"model","parts":[{"text":"A\n"}]},{"role":"user","parts":[{"text":"\"B\""}]}]}"#,
    );
    assert_eq!(again(Dialect::OpenAiChat, b"{}", "A", "B"), None);
    assert_eq!(again(Dialect::OpenAiChat, br#"{"messages":7}"#, "A", "B"), None);
    assert_eq!(again(Dialect::OpenAiCompletions, br#"{"prompt":""}"#, "A", "B"), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(body in ".{0,200}", dialect in 0..10_usize, kind in 0..4_usize) {
        let dialect = Dialect::ALL[dialect];
        let kinds =
            ["application/json", "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"];
        let body = body.as_bytes();
        if let Some(found) = said(dialect, kinds[kind], body) {
            let texts: Vec<_> = found.choices().iter().map(|_| Some("x".to_owned())).collect();
            let _changed = found.with_texts(body, &texts);
        }
        let _wanted = wanted(dialect, body);
        let _again = again(dialect, body, "a", "b");
    }
}
