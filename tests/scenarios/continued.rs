//! Answers that stop or break off, and are finished: in every dialect that is continued, as a stream and as a whole.

use battlement::{
    call::{Attempt, CallLayer},
    continuation::{ContinuationLayer, Continued, Way},
    retry::RetryLayer,
};
use battlement_core::{Dialect, FinishClass, Outcome};
use battlement_sim::{Provider, Script, answer::Reply};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt};

/// What the model says each time.
const SAID: &str = "The castle stands on a hill, \"grey\" and old, über dem Fluß. 🏰";

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::OpenAiResponses, Dialect::Gemini];

fn request(dialect: Dialect, stream: bool) -> Request<Full<Bytes>> {
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let (uri, body) = match dialect {
        Dialect::OpenAiChat => (
            "https://api.openai.com/v1/chat/completions",
            format!(
                r#"{{"model":"gpt-4o","stream":{stream},"stream_options":{{"include_usage":true}},{messages}}}"#
            ),
        ),
        Dialect::AnthropicMessages => (
            "https://api.anthropic.com/v1/messages",
            format!(
                r#"{{"model":"claude-sonnet-4-5","stream":{stream},"max_tokens":99,{messages}}}"#
            ),
        ),
        Dialect::OpenAiResponses => (
            "https://api.openai.com/v1/responses",
            format!(r#"{{"model":"gpt-4o","stream":{stream},"input":"Hi"}}"#),
        ),
        _ => {
            let base = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash";
            let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
            let request = match stream {
                true => Request::post(format!("{base}:streamGenerateContent?alt=sse")),
                false => Request::post(format!("{base}:generateContent")),
            };
            return request.body(body.into()).unwrap();
        }
    };
    Request::post(uri).body(body.into()).unwrap()
}

/// What a client that was written without our crates reads, and how many ends it finds.
fn read(answer: &str) -> (String, usize) {
    let documents: Vec<&str> = match answer.starts_with('{') {
        true => vec![answer],
        false => answer.lines().filter_map(|line| line.strip_prefix("data:")).collect(),
    };
    let (mut text, mut ends) = (String::new(), 0);
    for document in documents {
        let Ok(document) = serde_json::from_str::<Value>(document) else { continue };
        let pieces = [
            "/choices/0/delta/content",
            "/choices/0/message/content",
            "/delta/text",
            "/delta",
            "/content/0/text",
            "/candidates/0/content/parts/0/text",
        ];
        for piece in pieces {
            text += document.pointer(piece).and_then(Value::as_str).unwrap_or_default();
        }
        if document["object"] == "response" {
            text += document.pointer("/output/0/content/0/text").unwrap().as_str().unwrap();
        }
        let finishes = [
            "/choices/0/finish_reason",
            "/candidates/0/finishReason",
            "/delta/stop_reason",
            "/stop_reason",
        ];
        let is_finish =
            |place: &&str| document.pointer(place).is_some_and(|reason| reason.is_string());
        let status = document.pointer("/response/status").or(document.pointer("/status"));
        let is_status =
            status.is_some_and(|status| status == "completed" || status == "incomplete");
        ends += finishes.into_iter().filter(is_finish).count() + usize::from(is_status);
    }
    (text, ends)
}

struct Came {
    body: Result<String, String>,
    attempt: Attempt,
    rounds: u32,
    calls: usize,
}

async fn call(script: &str, dialect: Dialect, stream: bool, layer: ContinuationLayer) -> Came {
    let provider = Provider::serving(script.parse::<Script>().unwrap())
        .dialect(dialect)
        .reply(Reply::default().text(SAID));
    let service = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(layer)
        .layer(RetryLayer::new())
        .service(provider.clone());
    let response = service.oneshot(request(dialect, stream)).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    let continued = response.extensions().get::<Continued>().unwrap().clone();
    let body = response.into_body().collect().await.map_err(|error| error.to_string());
    let body = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
    Came { body, attempt, rounds: continued.rounds(), calls: provider.record().len() }
}

#[tokio::test(start_paused = true)]
async fn what_stops_at_its_limit_is_finished_in_every_dialect() {
    for dialect in DIALECTS {
        let mut texts = Vec::new();
        for stream in [true, false] {
            let layer = ContinuationLayer::new().on_length([Way::FollowUp]);
            let came = call("truncate; truncate; ok", dialect, stream, layer).await;
            let body = came.body.unwrap();
            let (text, ends) = read(&body);
            let shown = format!("{dialect} {stream}: {body}");
            assert_eq!((came.rounds, came.calls, ends), (2, 3, 1), "{shown}");
            assert!(text.ends_with(SAID) && text.len() > SAID.len(), "{shown}");
            let verdict = came.attempt.verdict().unwrap();
            assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete), "{shown}");
            let usage = verdict.usage.unwrap();
            texts.push((text, usage.input, usage.output));
        }
        assert_eq!(texts[0], texts[1], "{dialect}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_off_is_finished_in_every_dialect() {
    for dialect in DIALECTS {
        for events in 1..12 {
            let layer = ContinuationLayer::new().on_cut([Way::Restart]);
            let script = format!("cut after {events} events; ok");
            let came = call(&script, dialect, true, layer).await;
            // Before the first word it is not for this layer, and behind the reason for stopping nothing is missing.
            let Ok(body) = came.body else {
                let verdict = came.attempt.verdict().unwrap();
                let has_finish = verdict.finishes.iter().any(|finish| finish.reason.is_some());
                assert!(!verdict.has_output || has_finish, "{dialect} {events}: {verdict:?}");
                assert_eq!(came.calls, 1, "{dialect} {events}");
                continue;
            };
            let (text, ends) = read(&body);
            assert_eq!((&*text, ends), (SAID, 1), "{dialect} {events}: {body}");
            let verdict = came.attempt.verdict().unwrap();
            assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete), "{body}");
        }
    }
}
