//! What is sent means what the script says, to core's reader.

use battlement_core::{Code, Dialect, End as Ends, FinishClass, Outcome, Reader, Verdict};

use super::*;

/// What an answer means to somebody who reads it.
async fn verdict(words: &str, stream: bool) -> Verdict {
    judged(words, Dialect::OpenAiChat, request(stream)).await
}

async fn judged(words: &str, dialect: Dialect, request: Request<Full<Bytes>>) -> Verdict {
    let response = Provider::script(words).unwrap().oneshot(request).await.unwrap();
    let vendor = crate::answer::vendor(dialect);
    let mut reader = Reader::new(dialect, vendor, response.status(), response.headers());
    let mut body = response.into_body();
    let end = loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                let _ = reader.feed(&frame.into_data().unwrap());
            }
            Some(Err(_)) => break Ends::Broken,
            None => break Ends::Eof,
        }
    };
    reader.finish(end, SystemTime::UNIX_EPOCH)
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_is_one_in_every_dialect() {
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let chat = format!(r#"{{"model":"m",{messages}}}"#);
    let streamed = format!(r#"{{"model":"m","stream":true,"max_tokens":9,{messages}}}"#);
    let contents = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#;
    let gemini = "generativelanguage.googleapis.com/v1beta/models/gemini-3-flash";
    let bedrock = "bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-sonnet-5-v1%3A0";
    let calls = [
        (Dialect::OpenAiChat, "api.openai.com/v1/chat/completions".into(), &*streamed),
        (Dialect::OpenAiChat, "api.openai.com/v1/chat/completions".into(), &*chat),
        (
            Dialect::OpenAiCompletions,
            "api.openai.com/v1/completions".into(),
            r#"{"model":"m","stream":true,"prompt":"Hi"}"#,
        ),
        (
            Dialect::OpenAiEmbeddings,
            "api.openai.com/v1/embeddings".into(),
            r#"{"model":"m","input":"Hi"}"#,
        ),
        (
            Dialect::OpenAiResponses,
            "api.openai.com/v1/responses".into(),
            r#"{"model":"m","stream":true,"input":"Hi"}"#,
        ),
        (Dialect::AnthropicMessages, "api.anthropic.com/v1/messages".into(), &*streamed),
        (Dialect::Gemini, format!("{gemini}:streamGenerateContent?alt=sse"), contents),
        (Dialect::Gemini, format!("{gemini}:streamGenerateContent"), contents),
        (Dialect::Gemini, format!("{gemini}:generateContent"), contents),
        (Dialect::BedrockConverse, format!("{bedrock}/converse-stream"), converse),
        (
            Dialect::BedrockInvoke,
            format!("{bedrock}/invoke-with-response-stream"),
            r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[]}"#,
        ),
        (Dialect::CohereV2, "api.cohere.com/v2/chat".into(), &*streamed),
        (Dialect::OllamaNative, "localhost:11434/api/chat".into(), &*chat),
    ];
    for (dialect, address, body) in calls {
        let told = async |words: &str| {
            let request = Request::post(format!("https://{address}"));
            judged(words, dialect, request.body(body.to_owned().into()).unwrap()).await.outcome
        };
        assert!(told("ok").await.is_success(), "{dialect} {address}: {:?}", told("ok").await);
        for words in ["cut", "torn", "end", "reset", "overloaded", "malformed", "bad chunk"] {
            let outcome = told(&format!("{words} after 1 event")).await;
            assert!(!outcome.is_success(), "{dialect} {address}, {words}: {outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_it_sends_means_what_the_script_says() {
    let check = async |words: &str, stream, expected: &str| {
        let verdict = verdict(words, stream).await;
        assert_eq!(verdict.outcome.as_str(), expected, "{words}, stream: {stream}");
        verdict
    };
    for stream in [true, false] {
        check("ok", stream, "complete").await;
        check("truncate", stream, "length").await;
        check("filter", stream, "content_filter").await;
        check("refuse", stream, "refusal").await;
        check("tool call", stream, "tool_call").await;
        check("unfinished", stream, if stream { "stream_cut" } else { "unknown" }).await;
        check("500", stream, "server_error").await;
        check("page 502", stream, "server_error").await;
        check("529", stream, "overloaded").await;
        let limited = check("429 after 2s", stream, "rate_limit_requests").await;
        let failure = limited.failure.expect("it failed");
        assert_eq!(failure.code, Code::RateLimitRequests);
        check("empty", stream, "complete").await;
    }
    check("cut after 3 events", true, "stream_cut").await;
    check("torn after 3 events", true, "stream_cut").await;
    check("end after 3 events", true, "stream_cut").await;
    check("overloaded after 3 events", true, "overloaded").await;
    check("overloaded after 3 events", false, "overloaded").await;
    for (words, stream) in [
        ("malformed after 3 events", true),
        ("malformed after 3 events", false),
        ("cut after 0 events", false),
    ] {
        assert!(!verdict(words, stream).await.outcome.is_success(), "{words}");
    }
    assert_eq!(verdict("ok", true).await.outcome, Outcome::Finished(FinishClass::Complete));
}

#[tokio::test(start_paused = true)]
async fn there_are_as_many_vectors_as_inputs() {
    let check = async |url: &str, body: &'static str, list: &str, expected: usize| {
        let request =
            Request::post(format!("https://{url}")).body(Full::<Bytes>::from(body)).unwrap();
        let answer = Provider::new().oneshot(request).await.unwrap().into_body();
        let answer = answer.collect().await.unwrap().to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let vectors = answer.pointer(list).and_then(|list| list.as_array()).unwrap();
        assert_eq!(vectors.len(), expected, "{url} {body}: {answer}");
        assert!(expected == 1 || vectors[0] != vectors[1], "{answer}");
    };
    let openai = "api.openai.com/v1/embeddings";
    check(openai, r#"{"model":"m","input":["a","b","c"]}"#, "/data", 3).await;
    check(openai, r#"{"model":"m","input":"a"}"#, "/data", 1).await;
    let cohere = r#"{"model":"m","texts":["a","b"],"embedding_types":["float"]}"#;
    check("api.cohere.com/v2/embed", cohere, "/embeddings/float", 2).await;
    check("localhost:11434/api/embed", r#"{"model":"m","input":["a","b"]}"#, "/embeddings", 2)
        .await;
    let gemini = "generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001";
    let one = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    check(&format!("{gemini}:embedContent"), one, "/embedding/values", 4).await;
    let requests = r#"{"requests":[{"content":{"parts":[]}},{"content":{"parts":[]}}]}"#;
    check(&format!("{gemini}:batchEmbedContents"), requests, "/embeddings", 2).await;
}

#[tokio::test(start_paused = true)]
async fn errors_tell_the_limit_that_was_hit() {
    let check = async |url: &str, body: &'static str, quota: Quota, expected: &str| {
        let provider = Provider::new().limited(quota);
        let mut said = String::new();
        for _ in 0..2 {
            let request = Request::post(format!("https://{url}")).body(Full::<Bytes>::from(body));
            let answer = provider.clone().oneshot(request.unwrap()).await.unwrap().into_body();
            said = String::from_utf8(answer.collect().await.unwrap().to_bytes().into()).unwrap();
        }
        assert!(said.contains(expected), "{url}: {said}");
    };
    let rate = |amount| crate::quota::Rate::new(amount, Duration::from_secs(60)).unwrap();
    let requests = Quota::new().requests(rate(1));
    let (chat, claude) = ("api.openai.com/v1/chat/completions", "api.anthropic.com/v1/messages");
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    check(chat, body, requests, "(RPM): Limit 1, Used 1, Requested 1.").await;
    check(claude, body, requests, "rate limit of 1 requests per minute").await;
    check("api.cohere.com/v2/chat", body, requests, "limited to 1 API calls / minute").await;
    let gemini = "generativelanguage.googleapis.com/v1beta/models/gemini-3-flash:generateContent";
    let contents = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
    check(gemini, contents, requests, r#""quotaValue":"1""#).await;

    let output = Quota::new().output_tokens(rate(20));
    check(chat, body, output, "(TPM): Limit 20, Used 16, Requested 16.").await;
    check(claude, body, output, "rate limit of 20 output tokens per minute").await;
    let never = Quota::new().output_tokens(rate(15));
    check(chat, body, never, "(TPM): Limit 15, Requested 16.").await;
}
