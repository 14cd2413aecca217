use std::{
    future::Future,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement_core::{Code, Dialect, End as Ends, Outcome, Reader, Verdict};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::ServiceExt;

use super::*;
use crate::script::Script;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";

fn request(stream: bool) -> Request<Full<Bytes>> {
    request_for("gpt-5-mini", stream)
}

fn request_for(model: &str, stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    Request::post(CHAT).body(body.into()).unwrap()
}

/// What a client sees of one call, with the milliseconds at which it does, and what the record says.
async fn play(words: &str, stream: bool) -> String {
    let provider = Provider::script(words).unwrap();
    let start = Instant::now();
    let mut told = String::new();
    let call = async {
        let at = || start.elapsed().as_millis();
        let response = match provider.clone().oneshot(request(stream)).await {
            Ok(response) => response,
            Err(lost) => return told.push_str(&format!("{:?} @{}", lost.why(), at())),
        };
        told.push_str(&format!("{} @{}", response.status().as_u16(), at()));
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if frame.is_data() => told.push_str(&format!(" +{}", at())),
                Ok(_) => told.push_str(" trailers"),
                Err(lost) => return told.push_str(&format!(" {:?} @{}", lost.why(), at())),
            }
        }
        told.push_str(&format!(" end @{}", at()));
    };
    if timeout(Duration::from_secs(3_600), call).await.is_err() {
        told.push_str(" silence");
    }
    let seen = &provider.record()[0];
    format!("{told} | {} events, {:?}", seen.events, seen.end.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_as_the_script_says() {
    let check = async |words: &str, expected: &str| {
        assert_eq!(play(words, true).await, expected, "{words}");
    };
    check("ok", "200 @0 +0 +0 +0 +0 +0 +0 +0 end @0 | 7 events, Finished").await;
    check(
        "head after 2s first token after 1s every 50ms",
        "200 @2000 +3000 +3050 +3100 +3150 +3200 +3250 +3300 end @3300 | 7 events, Finished",
    )
    .await;
    check("every 50ms", "200 @0 +0 +50 +100 +150 +200 +250 +300 end @300 | 7 events, Finished")
        .await;
    check("cut after 3 events", "200 @0 +0 +0 +0 Closed @0 | 3 events, Broken").await;
    check("cut after 0 events", "200 @0 Closed @0 | 0 events, Broken").await;
    check("cut after 99 events", "200 @0 +0 +0 +0 +0 +0 +0 Closed @0 | 6 events, Broken").await;
    check("torn after 1 event", "200 @0 +0 +0 Closed @0 | 2 events, Broken").await;
    check("end after 1 event", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("end after 0 events", "200 @0 end @0 | 0 events, Finished").await;
    check("stall after 2 events", "200 @0 +0 +0 silence | 2 events, Cancelled(Body)").await;
    check(
        "stall after 99 events",
        "200 @0 +0 +0 +0 +0 +0 +0 +0 silence | 7 events, Cancelled(Body)",
    )
    .await;
    check("every 1s reset after 2 events", "200 @0 +0 +1000 Reset @1000 | 2 events, Broken").await;
    check("overloaded after 2 events", "200 @0 +0 +0 +0 end @0 | 3 events, Finished").await;
    check("malformed after 2 events", "200 @0 +0 +0 +0 +0 +0 +0 +0 end @0 | 7 events, Finished")
        .await;
    check("bad chunk after 2 events", "200 @0 +0 +0 NotHttp @0 | 2 events, Broken").await;
    check("wrong length end after 1 event", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("reset head after 1s", "Reset @1000 | 0 events, Broken").await;
    check("unreachable", "Unreachable @0 | 0 events, Broken").await;
    check("never", " silence | 0 events, Cancelled(Head)").await;
    check("429 after 2s head after 1s", "429 @1000 +1000 end @1000 | 1 events, Finished").await;
}

#[tokio::test(start_paused = true)]
async fn a_document_comes_as_the_script_says() {
    let check = async |words: &str, expected: &str| {
        assert_eq!(play(words, false).await, expected, "{words}");
    };
    check("ok", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("first token after 3s head after 1s", "200 @1000 +4000 end @4000 | 1 events, Finished")
        .await;
    check("cut after 3 events", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("stall after 0 events", "200 @0 +0 silence | 1 events, Cancelled(Body)").await;
    check("reset after 1 event", "200 @0 +0 Reset @0 | 1 events, Broken").await;
    check("malformed after 0 events", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("wrong length", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("page 502", "502 @0 +0 end @0 | 1 events, Finished").await;
    check("answer 204", "204 @0 end @0 | 0 events, Finished").await;
}

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
    assert_eq!(
        verdict("ok", true).await.outcome,
        Outcome::Finished(battlement_core::FinishClass::Complete)
    );
}

#[tokio::test(start_paused = true)]
async fn going_away_is_noted_at_once_and_with_its_stage() {
    let second = Duration::from_secs(1);
    let check = async |words: &str, after: Duration, stage| {
        let provider = Provider::script(words).unwrap();
        let start = Instant::now();
        let call = async {
            let response = provider.clone().oneshot(request(true)).await.unwrap();
            let _ = response.into_body().collect().await;
        };
        assert!(timeout(after, call).await.is_err(), "{words}");
        let seen = &provider.record()[0];
        assert_eq!(seen.end, Some(End::Cancelled(stage)), "{words}");
        assert_eq!(seen.ended_at, Some(start + after), "{words}");
        assert_eq!(provider.counts().cancelled, 1);
    };
    check("never", second, Stage::Head).await;
    check("head after 5s", second, Stage::Head).await;
    check("first token after 5s", second, Stage::Body).await;
    check("every 400ms", second, Stage::Body).await;
    check("stall after 1 event", second, Stage::Body).await;

    // A body that is not read is not wanted.
    let provider = Provider::new();
    drop(provider.clone().oneshot(request(true)).await.unwrap());
    assert_eq!(provider.record()[0].end, Some(End::Cancelled(Stage::Body)));

    // A call that is never polled has not arrived.
    drop(provider.clone().oneshot(request(true)));
    assert_eq!(provider.counts().arrived, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_may_come_slowly_or_not_at_all() {
    let slow = |fails: bool| {
        let pieces = vec![r#"{"model":"m""#, r#","stream":true"#, r#","messages":[]}"#];
        let wait = Box::pin(sleep(Duration::from_secs(1)));
        Request::post(CHAT).body(Slow { pieces, fails, wait }).unwrap()
    };
    let provider = Provider::script("early 413; ok").unwrap().keep_bodies(5);
    let start = Instant::now();
    let early = provider.clone().oneshot(slow(false)).await.unwrap();
    assert_eq!((early.status(), start.elapsed()), (StatusCode::PAYLOAD_TOO_LARGE, Duration::ZERO));

    let answer = provider.clone().oneshot(slow(false)).await.unwrap();
    assert_eq!((answer.status(), start.elapsed()), (StatusCode::OK, Duration::from_secs(3)));
    let seen = &provider.record()[1];
    assert!(seen.stream());
    assert_eq!((seen.model(), seen.body_bytes), (Some("m"), 41));
    assert_eq!(seen.body.as_deref(), Some(&b"{\"mod"[..]));

    let lost = provider.clone().oneshot(slow(true)).await.unwrap_err();
    assert_eq!(lost.why(), Why::Request);
    assert_eq!(provider.record()[2].end, Some(End::Cancelled(Stage::Request)));
}

/// A body with a second before each piece, and perhaps an error behind them.
struct Slow {
    pieces: Vec<&'static str>,
    fails: bool,
    wait: Pin<Box<Sleep>>,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.pieces.is_empty() {
            return Poll::Ready(self.fails.then_some(Err("gone")));
        }
        ready!(self.wait.as_mut().poll(cx));
        self.wait = Box::pin(sleep(Duration::from_secs(1)));
        Poll::Ready(Some(Ok(Frame::data(self.pieces.remove(0).into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn scripts_of_models_and_functions() {
    let provider = Provider::serving(Step::ok()).for_model("gpt-5", [Step::internal(), Step::ok()]);
    let mut statuses = Vec::new();
    for model in ["m", "gpt-5", "m", "gpt-5"] {
        let response = provider.clone().oneshot(request_for(model, false)).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 200, 200]);

    let provider = Provider::serving(Script::by(|seen| {
        assert_eq!(seen.path(), "/v1/chat/completions");
        if seen.number == 0 || seen.stream() { Step::ok() } else { Step::rate_limited() }
    }));
    for (stream, expected) in [(false, 200), (true, 200), (false, 429)] {
        let response = provider.clone().oneshot(request(stream)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrived_is_counted_and_the_last_of_it_kept() {
    let provider = Provider::script("2x ok; 500; reset; never").unwrap().keep(3);
    let told = tokio::spawn({
        let provider = provider.clone();
        async move {
            provider.arrived(5).await;
            provider.ended(4).await;
            provider.counts()
        }
    });
    for _ in 0..4 {
        if let Ok(response) = provider.clone().oneshot(request(false)).await {
            response.into_body().collect().await.unwrap();
        }
    }
    let never = provider.clone().oneshot(request(false));
    assert!(timeout(Duration::from_secs(1), never).await.is_err());
    let counts = Counts {
        arrived: 5,
        answered: 3,
        errors: 1,
        limited: 0,
        finished: 3,
        broken: 1,
        cancelled: 1,
    };
    assert_eq!(provider.counts(), counts);
    assert_eq!(counts.open(), 0);
    assert!(told.await.unwrap().arrived == 5);
    let kept: Vec<_> = provider.record().iter().map(|seen| (seen.number, seen.status)).collect();
    assert_eq!(kept, [(2, Some(StatusCode::INTERNAL_SERVER_ERROR)), (3, None), (4, None)]);

    let forgets = Provider::new().keep(0);
    forgets.clone().oneshot(request(false)).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!((forgets.record().len(), forgets.counts().finished), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn bodies_know_their_length() {
    let response = Provider::new().oneshot(request(false)).await.unwrap();
    let length = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(length));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len() as u64, length);

    let response = Provider::new().oneshot(request(true)).await.unwrap();
    assert!(!response.headers().contains_key("content-length"));
    let mut body = response.into_body();
    assert!(!body.is_end_stream());
    for _ in 0..7 {
        body.frame().await.unwrap().unwrap();
    }
    assert!(body.is_end_stream());
    let empty = Provider::script("answer 204").unwrap().oneshot(request(false)).await.unwrap();
    assert!(empty.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn the_same_calls_get_the_same_bytes() {
    let play = async || {
        let provider = Provider::script("seed 3; 50% ok, 30% truncate, 20% 429").unwrap();
        let mut all = Vec::new();
        for number in 0..20 {
            let response = provider.clone().oneshot(request(number % 2 == 0)).await.unwrap();
            all.push(format!("{:?}", response.headers()).into());
            all.push(response.into_body().collect().await.unwrap().to_bytes());
        }
        all
    };
    assert_eq!(play().await, play().await);
}

#[tokio::test(start_paused = true)]
async fn keys_and_extensions_are_not_shown() {
    let mut request = request(false);
    request.headers_mut().insert("authorization", "Bearer sk-secret".parse().unwrap());
    let outside = Arc::new(());
    request.extensions_mut().insert(outside.clone());
    let provider = Provider::new();
    provider.clone().oneshot(request).await.unwrap();
    let seen = &provider.record()[0];
    assert!(!format!("{seen:?} {provider:?}").contains("secret"));
    assert_eq!(seen.headers()["authorization"], "Bearer sk-secret");
    assert_eq!(Arc::strong_count(&outside), 1, "what travels with a request is let go");
}

#[test]
fn fits_where_clients_fit() {
    fn is_shared<T: Send + Sync + Unpin + 'static>() {}
    fn is_sent<T: Send>(_: &T) {}
    is_shared::<Body>();
    is_shared::<Provider>();
    is_shared::<Lost>();
    is_sent(&Provider::new().oneshot(request(true)));
}

#[test]
fn lost_connections_are_errors_of_io() {
    let lost: Box<dyn std::error::Error> = Lost::new(Why::Reset).into();
    let source = lost.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Room for two answers, of which each takes three seconds and has its first word after one; the second breaks.
struct Two(Mutex<u32>, Arc<Mutex<Vec<(u64, u64)>>>);

struct OneOfTwo(Vec<Progress>, Pin<Box<Sleep>>);

impl Site for Two {
    fn ask(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Place>, Refusal> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        self.1.lock().unwrap().push((wanted.input_tokens, wanted.output_tokens));
        let after = Some(Duration::from_secs(7));
        match *asked {
            1 => Ok(Box::new(OneOfTwo(vec![Progress::Done, Progress::First], wait()))),
            2 => Ok(Box::new(OneOfTwo(vec![Progress::Broken, Progress::First], wait()))),
            _ => Err(Refusal { fault: crate::answer::Fault::Overloaded, after }),
        }
    }
}

impl Place for OneOfTwo {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        ready!(self.1.as_mut().poll(cx));
        self.1 = Box::pin(sleep(Duration::from_secs(2)));
        Poll::Ready(self.0.pop().unwrap())
    }
}

fn wait() -> Pin<Box<Sleep>> {
    Box::pin(sleep(Duration::from_secs(1)))
}

#[tokio::test(start_paused = true)]
async fn a_site_says_when_and_whether() {
    let check = async |stream: bool, expected: [&str; 3]| {
        let asked = Arc::default();
        let site = Two(Mutex::default(), Arc::clone(&asked));
        let provider = Provider::script("ok; 500; ok").unwrap().at(site).tokens(5);
        let start = Instant::now();
        let mut told = Vec::new();
        // What the script lets fail takes no place.
        for _ in 0..4 {
            let at = || start.elapsed().as_secs();
            let head = provider.clone().oneshot(request(stream)).await;
            let head_at = at();
            told.push(match head {
                Err(lost) => format!("{:?} @{head_at}", lost.why()),
                Ok(response) => {
                    let status = response.status().as_u16();
                    let end = response.into_body().collect().await.is_ok();
                    format!("{status} @{head_at} {end} @{}", at())
                }
            });
        }
        assert_eq!(told.remove(1).split(' ').next(), Some("500"));
        assert_eq!(told, expected);
        assert_eq!(
            *asked.lock().unwrap(),
            [(provider.record()[0].facts.as_ref().unwrap().input_tokens, 5); 3]
        );
        assert_eq!(provider.counts().limited, 1);
    };
    check(true, ["200 @1 true @3", "200 @4 false @6", "503 @6 true @6"]).await;
    check(false, ["200 @3 true @3", "Closed @6", "503 @6 true @6"]).await;
}
