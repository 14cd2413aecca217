use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(url: &str, body: &str) -> Facts {
    Facts::read(&Method::POST, &url.parse().unwrap(), &HeaderMap::new(), body.as_bytes())
}

fn chat(body: &str) -> Facts {
    read("https://api.openai.com/v1/chat/completions", body)
}

#[test]
fn reads_each_dialect() {
    // url, body, model, stream, cap
    type Row = (&'static str, &'static str, Option<&'static str>, bool, Option<u64>);
    let rows: &[Row] = &[
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":5,"stream":true}"#,
            Some("m"),
            true,
            Some(5),
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":5,"max_completion_tokens":7}"#,
            Some("m"),
            false,
            Some(7),
        ),
        ("/v1/chat/completions", r#"{"model":"m","max_output_tokens":5}"#, Some("m"), false, None),
        (
            "/v1/responses",
            r#"{"model":"m","max_output_tokens":5,"stream":true}"#,
            Some("m"),
            true,
            Some(5),
        ),
        (
            "/v1/completions",
            r#"{"model":"m","max_tokens":16,"prompt":"x"}"#,
            Some("m"),
            false,
            Some(16),
        ),
        ("/v1/embeddings", r#"{"model":"m","input":"x","stream":true}"#, Some("m"), false, None),
        (
            "/openai/deployments/dep/chat/completions",
            r#"{"model":"m","stream":true}"#,
            Some("dep"),
            true,
            None,
        ),
        (
            "/v1/messages",
            r#"{"model":"m","max_tokens":1024,"stream":true}"#,
            Some("m"),
            true,
            Some(1024),
        ),
        ("/v1/messages/count_tokens", r#"{"model":"m","stream":true}"#, Some("m"), false, None),
        (
            "/v1beta/models/g:generateContent",
            r#"{"generationConfig":{"maxOutputTokens":"9"}}"#,
            Some("g"),
            false,
            Some(9),
        ),
        (
            "/v1beta/models/g:streamGenerateContent",
            r#"{"generation_config":{"max_output_tokens":9},"stream":false}"#,
            Some("g"),
            true,
            Some(9),
        ),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict",
            r#"{"anthropic_version":"v","max_tokens":3}"#,
            Some("c@1"),
            true,
            Some(3),
        ),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
            r#"{"model":"c"}"#,
            Some("c"),
            false,
            None,
        ),
        (
            "/model/a%3A0/converse",
            r#"{"inferenceConfig":{"maxTokens":4}}"#,
            Some("a:0"),
            false,
            Some(4),
        ),
        ("/model/a%2Fb/converse-stream", "{}", Some("a/b"), true, None),
        ("/model/a/invoke", r#"{"max_gen_len":4}"#, Some("a"), false, Some(4)),
        ("/model/a/invoke", r#"{"max_completion_tokens":4}"#, Some("a"), false, Some(4)),
        (
            "/model/a/invoke",
            r#"{"textGenerationConfig":{"maxTokenCount":4}}"#,
            Some("a"),
            false,
            Some(4),
        ),
        ("/model/a/invoke-with-response-stream", r#"{"max_tokens":4}"#, Some("a"), true, Some(4)),
        ("/v2/chat", r#"{"model":"m","max_tokens":4}"#, Some("m"), false, Some(4)),
        ("/api/chat", r#"{"model":"m","options":{"num_predict":4}}"#, Some("m"), true, Some(4)),
        (
            "/api/chat",
            r#"{"model":"m","options":{"num_predict":-1},"stream":false}"#,
            Some("m"),
            false,
            None,
        ),
        ("/api/generate", r#"{"model":"m","prompt":"x"}"#, Some("m"), true, None),
        ("/api/embed", r#"{"model":"m","input":"x"}"#, Some("m"), false, None),
        // The last of two counts, whatever it is.
        (
            "/v1/chat/completions",
            r#"{"model":"a","model":"b","stream":true,"stream":null}"#,
            Some("b"),
            false,
            None,
        ),
        // Escaped key, decoys, odd numbers.
        ("/v1/chat/completions", r#"{"mod\u0065l":"\u006d"}"#, Some("m"), false, None),
        (
            "/v1/chat/completions",
            r#"{"messages":[{"model":"x","stream":true}],"metadata":{"model":"x"}}"#,
            None,
            false,
            None,
        ),
        ("/v1/chat/completions", r#"{"model":["x"],"max_tokens":1e2}"#, None, false, Some(100)),
    ];
    for &(url, body, model, stream, cap) in rows {
        let facts = read(url, body);
        assert!(facts.body_is_json, "{url} {body}");
        assert_eq!(facts.model.as_deref(), model, "{url} {body}");
        assert_eq!(facts.stream, stream, "{url} {body}");
        assert_eq!(facts.max_output_tokens, cap, "{url} {body}");
    }
}

#[test]
fn a_long_model_is_cut() {
    let check = |model: String, expected: &str| {
        assert_eq!(chat(&json!({ "model": model }).to_string()).model.as_deref(), Some(expected));
        let path: String = model.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let facts = read(&format!("/v1beta/models/{path}:generateContent"), "{}");
        assert_eq!(facts.model.as_deref(), Some(expected));
    };
    check("m".repeat(256), &"m".repeat(256));
    check("m".repeat(9_000), &"m".repeat(256));
    check(format!("m{}", "é".repeat(200)), &format!("m{}", "é".repeat(127)));
}

#[test]
fn counts_choices() {
    assert_eq!(chat("{}").choices, 1);
    assert_eq!(chat(r#"{"n":0}"#).choices, 1);
    assert_eq!(chat(r#"{"n":3,"best_of":9}"#).choices, 3);
    assert_eq!(read("/v1/completions", r#"{"n":3,"best_of":9}"#).choices, 9);
    let gemini = r#"{"generationConfig":{"candidateCount":4},"n":7}"#;
    assert_eq!(read("/v1beta/models/g:generateContent", gemini).choices, 4);
}

#[test]
fn sees_tools_and_who_runs_them() {
    let check = |body: &str, tools: bool, server: bool| {
        let facts = chat(body);
        assert_eq!((facts.tools, facts.server_tools), (tools, server), "{body}");
    };
    check("{}", false, false);
    check(r#"{"tools":[]}"#, false, false);
    check(r#"{"tools":null}"#, false, false);
    check(r#"{"functions":[{"name":"f"}]}"#, true, false);
    check(
        r#"{"tools":[{"type":"function","function":{"name":"web_search","parameters":{"type":"web_search"}}}]}"#,
        true,
        false,
    );
    check(r#"{"tools":[{"name":"f","input_schema":{"type":"object"}}]}"#, true, false);
    check(r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#, true, true);
    check(r#"{"tools":[{"type":"bash_20250124","name":"bash"}]}"#, true, false);
    check(r#"{"tools":[{"type":"file_search","vector_store_ids":["x"]}]}"#, true, true);
    check(r#"{"tools":[{"type":"mcp","server_url":"x"}]}"#, true, true);
    check(r#"{"tools":[{"functionDeclarations":[{"name":"f"}]}]}"#, true, false);
    check(r#"{"tools":[{"googleSearch":{}}]}"#, true, true);
    check(r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}"#, true, false);
    check(r#"{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}"#, false, false);
    check(r#"{"web_search_options":{}}"#, false, true);
    check(r#"{"search_parameters":{}}"#, false, true);
    check(r#"{"search_parameters":{"mode":"auto","sources":[{"type":"web"}]}}"#, false, true);
    check(r#"{"search_parameters":{"sources":[{"mode":"on"}],"mode":"off"}}"#, false, false);
    check(r#"{"search_parameters":{"mode":"off","sources":[{"mode":"on"}]}}"#, false, false);
    check(r#"{"search_parameters":null}"#, false, false);
    check(r#"{"mcp_servers":[{"url":"x"}]}"#, false, true);
    check(r#"{"mcp_servers":[]}"#, false, false);
    check(r#"{"messages":[{"tools":[{"type":"web_search"}]}]}"#, false, false);
}

#[test]
fn sees_structured_output() {
    let check = |url: &str, body: &str, expected: bool| {
        assert_eq!(read(url, body).structured_output, expected, "{body}");
    };
    let chat = "/v1/chat/completions";
    check(chat, r#"{"response_format":{"type":"json_schema","json_schema":{}}}"#, true);
    check(chat, r#"{"response_format":{"type":"json_object"}}"#, true);
    check(chat, r#"{"response_format":{"type":"text"}}"#, false);
    check(chat, r#"{"response_format":null}"#, false);
    check(chat, r#"{"format":"json"}"#, false);
    for key in ["guided_json", "guided_regex", "guided_grammar", "grammar", "json_schema"] {
        check(chat, &format!(r#"{{"{key}":{{"type":"object"}}}}"#), true);
        check(chat, &format!(r#"{{"{key}":"x"}}"#), true);
        check(chat, &format!(r#"{{"{key}":""}}"#), false);
        check(chat, &format!(r#"{{"{key}":null}}"#), false);
    }
    check(chat, r#"{"guided_choice":["a","b"]}"#, true);
    check(chat, r#"{"guided_choice":[]}"#, false);
    check(chat, r#"{"structured_outputs":{"regex":"a+"}}"#, true);
    check("/v1/responses", r#"{"text":{"format":{"type":"json_schema","schema":{}}}}"#, true);
    check("/v1/responses", r#"{"text":{"verbosity":"low"}}"#, false);
    check("/v1/messages", r#"{"output_config":{"format":{"type":"json_schema"}}}"#, true);
    check(
        "/v1beta/models/g:generateContent",
        r#"{"generationConfig":{"responseSchema":{"type":"OBJECT"}}}"#,
        true,
    );
    check(
        "/v1beta/models/g:generateContent",
        r#"{"generationConfig":{"responseMimeType":"application/json"}}"#,
        true,
    );
    check(
        "/v1beta/models/g:generateContent",
        r#"{"generationConfig":{"responseMimeType":"text/plain"}}"#,
        false,
    );
    check("/api/chat", r#"{"format":"json"}"#, true);
    check("/api/chat", r#"{"format":{"type":"object"}}"#, true);
    check("/api/chat", r#"{"format":""}"#, false);
}

#[test]
fn sees_server_state_and_usage_option() {
    let check =
        |body: &str, expected: bool| assert_eq!(chat(body).server_state, expected, "{body}");
    check(r#"{"previous_response_id":"resp_1"}"#, true);
    check(r#"{"previous_response_id":null}"#, false);
    check(r#"{"conversation":{"id":"c"}}"#, true);
    check(r#"{"store":true}"#, true);
    check(r#"{"store":false,"background":false}"#, false);
    check(r#"{"background":true}"#, true);
    check(r#"{"cachedContent":"cachedContents/x"}"#, true);
    // Files and stores.
    check(r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#, true);
    check(
        r#"{"messages":[{"content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA=="}}]}]}"#,
        false,
    );
    check(
        r#"{"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}"#,
        true,
    );
    check(
        r#"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"file-1"}]}]}"#,
        true,
    );
    check(
        r#"{"input":[{"content":[{"type":"input_image","file_id":null,"image_url":"https://h/a.png"}]}]}"#,
        false,
    );
    check(
        r#"{"input":[{"content":[{"type":"output_text","text":"x","annotations":[{"type":"file_citation","file_id":"file-1"}]}]}]}"#,
        false,
    );
    check(
        r#"{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
        true,
    );
    check(
        r#"{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://h/files/a.png"}}]}]}"#,
        false,
    );
    check(r#"{"messages":[{"content":[{"type":"container_upload","file_id":"file_1"}]}]}"#, true);
    check(r#"{"container":"container_1"}"#, true);
    check(r#"{"container":{"id":"container_1"}}"#, true);
    check(r#"{"container":null}"#, false);
    check(r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#, true);
    check(
        r#"{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}}]}]}"#,
        true,
    );
    check(
        r#"{"contents":[{"parts":[{"file_data":{"file_uri":"https:\/\/h\/v1beta\/files\/a"}}]}]}"#,
        true,
    );
    check(
        r#"{"contents":[{"parts":[{"fileData":{"mimeType":"video/mp4","fileUri":"gs://bucket/a.mp4"}}]}]}"#,
        false,
    );
    check(
        r#"{"contents":[{"parts":[{"fileData":{"fileUri":"https://www.youtube.com/watch?v=a"}}]}]}"#,
        false,
    );
    // Items and prompts.
    check(r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#, true);
    check(r#"{"input":[{"type":"message","id":"msg_1","content":"item_reference"}]}"#, false);
    check(r#"{"prompt":{"id":"pmpt_1","version":"2"}}"#, true);
    check(r#"{"prompt":"pmpt_1"}"#, false);
    check(r#"{"prompt":["id"]}"#, false);
    assert_eq!(chat("{}").include_usage, None);
    assert_eq!(chat(r#"{"stream_options":{"include_usage":false}}"#).include_usage, Some(false));
    assert_eq!(chat(r#"{"stream_options":{"include_usage":true}}"#).include_usage, Some(true));
}

#[test]
fn counts_media_without_reading_it_as_text() {
    let base64 = "iVBORw0KGgo".repeat(50_000);
    let data = format!("data:image/png;base64,{base64}");
    let check = |content: serde_json::Value, expected: (u32, u32, u32)| {
        let body = json!({ "messages": [{ "role": "user", "content": content }] }).to_string();
        let facts = chat(&body);
        assert_eq!((facts.images, facts.audio, facts.documents), expected, "{:.200}", body);
        assert!(facts.input_tokens < 10_000, "{} {:.200}", facts.input_tokens, body);
    };
    check(json!([{"type": "image_url", "image_url": {"url": data}}]), (1, 0, 0));
    check(json!([{"type": "input_image", "image_url": data}]), (1, 0, 0));
    check(
        json!([{"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}]),
        (0, 1, 0),
    );
    check(
        json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{base64}")}}]),
        (0, 0, 1),
    );
    check(
        json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64}}]),
        (1, 0, 0),
    );
    check(
        json!([{"type": "document", "source": {"data": base64, "media_type": "application/pdf", "type": "base64"}}]),
        (0, 0, 1),
    );
    check(
        json!([{"inlineData": {"mimeType": "image/png", "data": base64}}, {"fileData": {"mimeType": "video/mp4", "fileUri": "x"}}]),
        (1, 1, 0),
    );
    check(json!([{"image": {"format": "png", "source": {"bytes": base64}}}]), (1, 0, 0));
    check(
        json!([{"document": {"format": "pdf", "name": "n", "source": {"bytes": base64}}}]),
        (0, 0, 1),
    );
    check(
        json!([{"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64}}]}]),
        (1, 0, 0),
    );
    check(
        json!([{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}}]),
        (0, 0, 0),
    );

    // A source that has no media type is what the part around it says, before or behind it.
    for source in
        [json!({"type": "url", "url": "https://h/x"}), json!({"type": "file", "file_id": "file_1"})]
    {
        check(json!([{"type": "document", "source": source}]), (0, 0, 1));
        check(json!([{"type": "image", "source": source}]), (1, 0, 0));
        check(json!([{"content": [{"source": source}]}, {"document": 1}]), (1, 0, 0));
        // `json!` sorts: until here, the type came behind.
        let before =
            format!(r#"{{"messages":[{{"content":[{{"type":"document","source":{source}}}]}}]}}"#);
        assert_eq!((chat(&before).images, chat(&before).documents), (0, 1));
    }

    check(json!([{"type": "input_image", "file_id": "file-1"}]), (1, 0, 0));
    check(json!([{"type": "input_file", "file_id": "file-1"}]), (0, 0, 1));
    check(json!([{"type": "file", "file": {"file_id": "file-1"}}]), (0, 0, 1));

    let ollama =
        json!({ "messages": [{ "content": "x", "images": [base64, base64] }] }).to_string();
    assert_eq!(read("/api/chat", &ollama).images, 2);
}

#[test]
fn estimates_the_whole_prompt() {
    let words = "a few plain words in a row ".repeat(40);
    let plain = estimate::text(&words);
    let check = |body: serde_json::Value| {
        let tokens = chat(&body.to_string()).input_tokens;
        assert!(tokens >= plain && tokens <= plain + 40, "{tokens} {plain} {body:.100}");
    };
    check(json!({"messages": [{"role": "user", "content": words}]}));
    check(json!({"messages": [{"role": "user", "content": [{"type": "text", "text": words}]}]}));
    check(json!({"system": words}));
    check(json!({"instructions": words}));
    check(json!({"input": words}));
    check(json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": words}]}]}));
    check(json!({"prompt": words}));
    check(json!({"prompt": [words]}));
    check(json!({"prompt": {"id": "pmpt_1", "variables": {"type": words}}}));
    check(json!({"contents": [{"parts": [{"text": words}]}]}));
    check(json!({"systemInstruction": {"parts": [{"text": words}]}}));
    check(
        json!({"tools": [{"type": "function", "function": {"name": "f", "description": words}}]}),
    );
    check(json!({"messages": [{"content": [{"type": "tool_use", "input": {"text": words}}]}]}));
    check(json!({"messages": [{"tool_calls": [{"function": {"arguments": words}}]}]}));
    check(
        json!({"messages": [{"content": [{"type": "document", "source": {"data": words, "type": "text", "media_type": "text/plain"}}]}]}),
    );
    check(
        json!({"messages": [{"content": [{"document": {"name": "n", "source": {"text": words}}}]}]}),
    );
    check(json!({"documents": [{"data": {"text": words}}]}));
    check(json!({"inputText": words}));
    check(json!({"texts": [words]}));
    check(json!({"requests": [{"content": {"parts": [{"text": words}]}}]}));
    check(json!({"prediction": {"type": "content", "content": words}}));
    check(json!({"prediction": {"type": "content", "content": [{"type": "text", "text": words}]}}));

    let ids: Vec<u32> = (0..500).collect();
    assert_eq!(chat(&json!({ "prompt": ids }).to_string()).input_tokens, 500);
    assert_eq!(chat(&json!({ "prompt": [ids, ids] }).to_string()).input_tokens, 1000);
    assert_eq!(
        chat(&json!({ "metadata": { "note": words }, "user": words }).to_string()).input_tokens,
        0
    );
}

#[test]
fn guesses_the_dialect_from_the_body() {
    let check = |body: &str, expected: Option<Dialect>| {
        assert_eq!(read("http://gateway/llm", body).dialect, expected, "{body}");
    };
    check(r#"{"messages":[]}"#, Some(Dialect::OpenAiChat));
    check(r#"{"messages":[],"system":"x","max_tokens":1}"#, Some(Dialect::AnthropicMessages));
    check(r#"{"messages":[],"inferenceConfig":{}}"#, Some(Dialect::BedrockConverse));
    check(r#"{"messages":[],"options":{}}"#, Some(Dialect::OllamaNative));
    check(r#"{"contents":[]}"#, Some(Dialect::Gemini));
    check(r#"{"prompt":"x"}"#, Some(Dialect::OpenAiCompletions));
    check(r#"{"input":"x","model":"gpt-5"}"#, Some(Dialect::OpenAiResponses));
    check(r#"{"input":"x","model":"text-embedding-3-small"}"#, Some(Dialect::OpenAiEmbeddings));
    check(r#"{"inputText":"x"}"#, Some(Dialect::BedrockInvoke));
    check(r#"{"prompt":{"id":"pmpt_1"}}"#, Some(Dialect::OpenAiResponses));
    check("{}", None);
    check("[]", None);
    check("", None);
}

#[test]
fn a_body_that_is_not_json_leaves_the_rest() {
    for body in ["", "{", "[]", "nonsense", r#"{"model":"m""#, r#"{"model":"m"} x"#] {
        let facts = read("/v1beta/models/g:streamGenerateContent?alt=sse", body);
        assert!(!facts.body_is_json, "{body}");
        assert_eq!(facts.model.as_deref(), Some("g"));
        assert!(facts.stream);
        assert_eq!(facts.operation, Operation::GenerateContent);
        assert_eq!(facts.input_tokens, 0);
    }
}

#[test]
fn the_dialect_can_be_given() {
    let uri = Uri::from_static("http://gateway/llm");
    let body = br#"{"options":{"num_predict":3},"messages":[]}"#;
    let facts = Facts::read_as(Dialect::OllamaNative, &Method::POST, &uri, &HeaderMap::new(), body);
    assert_eq!(facts.max_output_tokens, Some(3));
    assert_eq!(facts.operation, Operation::Chat);
    assert!(facts.stream);
}

#[test]
fn depth_does_not_matter() {
    let deep = format!(r#"{{"messages":{}{}}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert!(chat(&deep).body_is_json);
    assert!(!chat(&"{\"messages\":".repeat(1 << 17)).body_is_json);
}

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"h\u00e9\n"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}],"tools":[{"type":"web_search"}],"generationConfig":{"candidateCount":2},"stream_options":{"include_usage":true}}"#;

#[test]
fn every_prefix_is_read() {
    for end in 0..BODY.len() {
        assert!(!chat(&BODY[..end]).body_is_json);
    }
    assert!(chat(BODY).body_is_json);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let uri = Uri::from_static("/v1/chat/completions");
        Facts::read(&Method::POST, &uri, &HeaderMap::new(), &bytes);
    }

    #[test]
    fn a_changed_byte_is_read(at in 0..BODY.len(), byte in any::<u8>()) {
        let mut body = BODY.as_bytes().to_vec();
        body[at] = byte;
        let uri = Uri::from_static("/v1/chat/completions");
        Facts::read(&Method::POST, &uri, &HeaderMap::new(), &body);
    }
}

#[test]
fn another_vendors_cap_is_none() {
    let body = br#"{"model":"llama3","options":{"num_predict":9},"generationConfig":{"maxOutputTokens":7}}"#;
    let uri = Uri::from_static("http://localhost:11434/api/chat");
    let cap = |dialect| {
        Facts::read_as(dialect, &Method::POST, &uri, &HeaderMap::new(), body).max_output_tokens
    };
    assert_eq!(cap(Dialect::OllamaNative), Some(9));
    assert_eq!(cap(Dialect::Gemini), Some(7));
    assert_eq!(cap(Dialect::BedrockConverse), None);
}
