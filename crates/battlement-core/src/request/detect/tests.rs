use super::*;

#[track_caller]
fn check(
    url: &str,
    header: Option<(&'static str, &'static str)>,
    expected: (Option<Dialect>, Provider, Option<Operation>, Option<bool>),
) {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().unwrap());
    }
    let route = of_request(&Method::POST, &url.parse().unwrap(), &headers);
    let got = (route.dialect, route.provider, route.operation, route.stream);
    assert_eq!(got, expected, "{url}");
}

#[test]
fn reads_routes() {
    use Dialect::*;
    use Operation::*;
    let chat = |provider| (Some(OpenAiChat), provider, Some(Chat), None);
    for (url, provider) in [
        ("https://api.openai.com/v1/chat/completions", Provider::OpenAi),
        ("https://eu.api.openai.com/v1/chat/completions/", Provider::OpenAi),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            Provider::AzureOpenAi,
        ),
        ("https://x.openai.azure.com/openai/v1/chat/completions", Provider::AzureOpenAi),
        ("http://proxy/openai/deployments/d/chat/completions", Provider::AzureOpenAi),
        ("https://api.groq.com/openai/v1/chat/completions", Provider::Groq),
        ("https://api.together.xyz/v1/chat/completions", Provider::Together),
        ("https://api.together.ai/v1/chat/completions", Provider::Together),
        ("https://api.deepseek.com/chat/completions", Provider::DeepSeek),
        ("https://api.mistral.ai/v1/chat/completions", Provider::Mistral),
        ("https://api.x.ai/v1/chat/completions", Provider::Xai),
        ("https://openrouter.ai/api/v1/chat/completions", Provider::OpenRouter),
        ("https://api.perplexity.ai/chat/completions", Provider::Perplexity),
        ("https://api.cerebras.ai/v1/chat/completions", Provider::Cerebras),
        ("https://api.fireworks.ai/inference/v1/chat/completions", Provider::Fireworks),
        ("https://models.github.ai/inference/chat/completions", Provider::GitHubModels),
        ("https://models.inference.ai.azure.com/chat/completions", Provider::GitHubModels),
        ("http://localhost:11434/v1/chat/completions", Provider::Ollama),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            Provider::Gemini,
        ),
        (
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
            Provider::Vertex,
        ),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions",
            Provider::Bedrock,
        ),
        ("http://localhost:8000/v1/chat/completions", Provider::Generic),
        ("/v1/chat/completions", Provider::Generic),
    ] {
        check(url, None, chat(provider));
    }
    check(
        "https://api.openai.com/v1/responses",
        None,
        (Some(OpenAiResponses), Provider::OpenAi, Some(Chat), None),
    );
    check(
        "https://api.openai.com/v1/responses/resp_1/cancel",
        None,
        (Some(OpenAiResponses), Provider::OpenAi, Some(Other), None),
    );
    check(
        "https://api.openai.com/v1/completions",
        None,
        (Some(OpenAiCompletions), Provider::OpenAi, Some(TextCompletion), None),
    );
    check(
        "https://api.openai.com/v1/embeddings",
        None,
        (Some(OpenAiEmbeddings), Provider::OpenAi, Some(Embeddings), None),
    );
    check(
        "https://api.openai.com/v1/images/generations",
        None,
        (None, Provider::OpenAi, Some(Other), None),
    );
    check(
        "https://api.anthropic.com/v1/messages",
        None,
        (Some(AnthropicMessages), Provider::Anthropic, Some(Chat), None),
    );
    check(
        "https://api.anthropic.com/v1/messages/count_tokens?beta=true",
        None,
        (Some(AnthropicMessages), Provider::Anthropic, Some(CountTokens), None),
    );
    check(
        "https://api.deepseek.com/anthropic/v1/messages",
        None,
        (Some(AnthropicMessages), Provider::DeepSeek, Some(Chat), None),
    );
    check(
        "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
        None,
        (Some(Gemini), Provider::Gemini, Some(GenerateContent), Some(false)),
    );
    check(
        "/v1beta/models/g:streamGenerateContent?alt=sse",
        None,
        (Some(Gemini), Provider::Gemini, Some(GenerateContent), Some(true)),
    );
    check(
        "/v1beta/models/g:countTokens",
        None,
        (Some(Gemini), Provider::Gemini, Some(CountTokens), None),
    );
    check(
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/g:generateContent",
        None,
        (Some(Gemini), Provider::Vertex, Some(GenerateContent), Some(false)),
    );
    check(
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict",
        None,
        (Some(AnthropicMessages), Provider::Vertex, Some(Chat), Some(true)),
    );
    check(
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/a%3A0/converse",
        None,
        (Some(BedrockConverse), Provider::Bedrock, Some(Chat), Some(false)),
    );
    check(
        "https://bedrock-runtime-fips.us-east-1.amazonaws.com/model/a/converse-stream",
        None,
        (Some(BedrockConverse), Provider::Bedrock, Some(Chat), Some(true)),
    );
    check(
        "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/a/invoke",
        None,
        (Some(BedrockInvoke), Provider::Bedrock, Some(Chat), Some(false)),
    );
    check(
        "/model/a/invoke-with-response-stream",
        None,
        (Some(BedrockInvoke), Provider::Bedrock, Some(Chat), Some(true)),
    );
    check(
        "https://api.cohere.com/v2/chat",
        None,
        (Some(CohereV2), Provider::Cohere, Some(Chat), None),
    );
    check(
        "http://127.0.0.1:11434/api/chat",
        None,
        (Some(OllamaNative), Provider::Ollama, Some(Chat), None),
    );
    check(
        "http://gpu.local/api/generate",
        None,
        (Some(OllamaNative), Provider::Ollama, Some(TextCompletion), None),
    );
    check("http://gateway/anything", None, (None, Provider::Generic, None, None));
    // Headers.
    check(
        "http://gateway/anything",
        Some(("anthropic-version", "2023-06-01")),
        (Some(AnthropicMessages), Provider::Anthropic, None, None),
    );
    check(
        "http://gateway/v1/chat/completions",
        Some(("api-key", "k")),
        chat(Provider::AzureOpenAi),
    );
    check("/v1/chat/completions", Some(("host", "api.groq.com")), chat(Provider::Groq));
    check(
        "/v1/chat/completions",
        Some(("authorization", "AWS4-HMAC-SHA256 …")),
        chat(Provider::Bedrock),
    );
    check("http://gateway/x", Some(("x-goog-api-key", "k")), (None, Provider::Gemini, None, None));
}

#[test]
fn tells_reading_from_asking() {
    let get = |url: &str| of_request(&Method::GET, &url.parse().unwrap(), &HeaderMap::new());
    assert_eq!(get("https://api.openai.com/v1/models").operation, Some(Operation::Models));
    assert_eq!(get("https://api.openai.com/v1/models/gpt-5").operation, Some(Operation::Models));
    assert_eq!(get("http://localhost:11434/api/tags").operation, Some(Operation::Models));
    let stored = get("https://api.openai.com/v1/responses/resp_1");
    assert_eq!(stored.operation, Some(Operation::Other));
    assert_eq!(stored.dialect, Some(Dialect::OpenAiResponses));
    assert_eq!(get("http://gateway/healthz").operation, None);
}

#[test]
fn globs() {
    let check =
        |pattern, text, expected| assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
    check("a", "a", true);
    check("a", "ab", false);
    check("a*", "a", true);
    check("*a", "ba", true);
    check("*a*c", "xaxc", true);
    check("*a*c", "xacx", false);
    check("a*a", "a", false);
    check("a*a", "aa", true);
}

#[test]
fn a_body_cut_anywhere_still_answers() {
    let body = br#"{"id":"gen-1","provider":"Google","model":"m","object":"chat.completion","choices":[]}"#;
    for end in 0..=body.len() {
        let _ = of_answer(None, &HeaderMap::new(), &body[..end]);
    }
    let guess = of_answer(None, &HeaderMap::new(), &body[..70]);
    assert_eq!(guess, (Some(Dialect::OpenAiChat), Provider::OpenRouter));
}

#[test]
fn an_event_stream_needs_no_header() {
    let guess = |body: &[u8]| of_answer(None, &HeaderMap::new(), body);
    let converse = (Some(Dialect::BedrockConverse), Provider::Bedrock);
    let invoke = (Some(Dialect::BedrockInvoke), Provider::Bedrock);
    let unknown = (None, Provider::Generic);

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
    let mut seen = 0;
    for (folder, expected) in [("bedrock_converse", converse), ("bedrock_invoke", invoke)] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "bin") {
                let body = std::fs::read(&file).unwrap();
                assert_eq!(guess(&body), expected, "{}", file.display());
                // Damaged, and cut in front of any name.
                let mut damaged = body.clone();
                damaged[11] ^= 1;
                assert_eq!(guess(&damaged), expected, "{}", file.display());
                assert_eq!(guess(&body[..12]), converse, "{}", file.display());
                assert_eq!(guess(&damaged[..12]), unknown, "{}", file.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen} fixtures");

    // Another order of headers, and names that are only spoken of.
    assert_eq!(
        guess(b"\0\0\x0d:message-type\x07\0\x05event\x0b:event-type\x07\0\x05chunk"),
        invoke
    );
    assert_eq!(
        guess(br#"{"error":{"message":":event-type"}}"#),
        (Some(Dialect::OpenAiChat), Provider::Generic)
    );
    assert_eq!(guess(&[0; 12]), unknown);
}

#[test]
fn answers_without_a_hint_stay_unknown() {
    let guess = |path, body: &[u8]| of_answer(path, &HeaderMap::new(), body);
    assert_eq!(guess(None, b""), (None, Provider::Generic));
    assert_eq!(guess(None, b"<html>"), (None, Provider::Generic));
    assert_eq!(
        guess(Some("/v1/messages"), b""),
        (Some(Dialect::AnthropicMessages), Provider::Anthropic)
    );
    assert_eq!(
        guess(None, b"{\"error\":{\"message\":\"x\"}}"),
        (Some(Dialect::OpenAiChat), Provider::Generic)
    );
    assert_eq!(guess(None, b"{\"error\":\"x\"}"), (Some(Dialect::OllamaNative), Provider::Ollama));
}

/// Given headers and body only, as a user has them who kept nothing else.
///
/// Prints the share of right guesses.
#[test]
fn recognises_the_fixtures() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"));
    let manifest = std::fs::read(root.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let (mut errors, mut errors_right, mut providers_right, mut total) = (0, 0, 0, 0);
    for fixture in manifest["fixtures"].as_array().unwrap() {
        let text = |key: &str| fixture[key].as_str().unwrap_or_default();
        let headers: HeaderMap = fixture["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.as_str().unwrap().parse().unwrap(),
                )
            })
            .collect();
        let body = std::fs::read(root.join(text("file"))).unwrap();
        let (dialect, provider) = of_answer(None, &headers, &body);
        // What a tool assumes when nothing gives a hint.
        let dialect = dialect.unwrap_or(Dialect::OpenAiChat);
        let right = dialect.as_str() == text("dialect");
        total += 1;
        providers_right += u32::from(provider.as_str() == text("provider"));
        if fixture["status"].as_u64().unwrap() < 300 {
            assert!(right, "{}: {dialect}", text("file"));
        } else {
            errors += 1;
            errors_right += u32::from(right);
            if !right {
                println!("{}: {dialect}", text("file"));
            }
        }
        if provider.as_str() != text("provider") {
            println!("{}: {provider}", text("file"));
        }
        let (dialect, _) = of_answer(Some(text("endpoint")), &headers, &body);
        assert_eq!(dialect.map(Dialect::as_str), Some(text("dialect")), "{}", text("file"));
    }
    println!("dialect of errors {errors_right}/{errors}, provider {providers_right}/{total}");
    assert!(errors_right * 10 >= errors * 9);
}
