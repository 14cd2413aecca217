use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Dialect, End, FinishClass, Outcome, Reader};
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;
use crate::{
    Error, Source,
    call::{Attempt, Call, CallLayer, Options},
    deadline::DeadlineLayer,
    events::Event,
    fallback::Route,
    retry::RetryLayer,
    stack::Stack,
    testing::{Answer, Provider, request, stream_request, text},
};
use battlement_core::Code;
use bytes::Bytes;
use http::Request;

const SORRY: &str = "Please ask again.";

fn simpler() -> Route {
    Route::new("small").model("gpt-5-nano").max_output_tokens(20).without(["tools"])
}

fn both() -> DegradeLayer {
    DegradeLayer::new().simplified(simpler()).say(SORRY)
}

type Told = Arc<Mutex<Vec<String>>>;

fn log() -> (CallLayer, Told) {
    let told = Told::default();
    let log = told.clone();
    let layer = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| {
        let told = match event {
            Event::Degraded { source, code } => format!("{source} {code}"),
            Event::GaveUp { reason } => format!("gave up {reason}"),
            Event::Misordered { misordered } => misordered.to_string(),
            _ => return,
        };
        log.lock().unwrap().push(told);
    });
    (layer, told)
}

#[tokio::test(start_paused = true)]
async fn what_succeeds_is_passed_on() {
    let provider = Provider::new([Answer::ok()]);
    let response = both().layer(provider.clone()).oneshot(request()).await.unwrap();
    assert_eq!(Source::of(&response), Source::Primary);
    assert!(text(response).await.unwrap().contains("Hi"));
    let response = both().layer(provider.clone()).oneshot(stream_request()).await.unwrap();
    text(response).await.unwrap();
    assert_eq!((provider.arrived().len(), provider.alive()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn less_is_asked_for_and_then_something_is_said() {
    for over in [false, true] {
        let provider = Provider::new([Answer::error(503, "overloaded"), Answer::ok()]);
        let (call, told) = log();
        let mut asked = request();
        let builder = ServiceBuilder::new().layer(call).layer(both());
        let response = if over {
            asked.extensions_mut().insert(Options::default().attempts(2));
            let service = builder.layer(RetryLayer::new()).service(provider.clone());
            let response = service.oneshot(asked).await.unwrap();
            response.map(http_body_util::BodyExt::boxed_unsync)
        } else {
            let response = builder.service(provider.clone()).oneshot(asked).await.unwrap();
            response.map(http_body_util::BodyExt::boxed_unsync)
        };
        assert_eq!(Source::of(&response), Source::Simplified);
        let degraded = response.extensions().get::<Degraded>().unwrap().clone();
        assert_eq!(
            (degraded.code(), degraded.error().verdict().is_some()),
            (Code::Overloaded, true)
        );
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        assert_eq!(attempt.call().facts().model.as_deref(), Some("gpt-5-nano"));
        assert!(text(response).await.unwrap().contains("Hi"));
        assert_eq!(
            *told.lock().unwrap(),
            match over {
                true => vec!["gave up attempts", "simplified llm.provider.overloaded"],
                false => vec!["simplified llm.provider.overloaded"],
            }
        );
        assert_eq!(provider.arrived().len(), 2);
        let sent = String::from_utf8(provider.arrived()[1].body.to_vec()).unwrap();
        assert!(sent.contains("gpt-5-nano"), "{sent}");
        assert_eq!((attempt.call().attempts(), attempt.call().ledger().running()), (2, 0));
        assert_eq!(provider.alive(), 0);
    }
    let provider = Provider::new([Answer::error(503, "overloaded"), Answer::failing()]);
    let response = both().layer(provider.clone()).oneshot(request()).await.unwrap();
    assert_eq!(Source::of(&response), Source::Static);
    let degraded = response.extensions().get::<Degraded>().unwrap().clone();
    assert_eq!(degraded.code(), Code::Overloaded, "the failure of what was asked for");
    assert!(text(response).await.unwrap().contains(SORRY));
    assert_eq!((provider.arrived().len(), provider.alive()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_kept_for_what_is_simpler() {
    let provider = Provider::new([Answer::error(503, "a"), Answer::error(503, "b"), Answer::ok()]);
    let service = both().layer(Stack::openai().layer(provider.clone()));
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(Source::of(&response), Source::Simplified);
    let degraded = response.extensions().get::<Degraded>().unwrap().clone();
    assert_eq!(degraded.attempts().len(), 2);
    text(response).await.unwrap();
    assert_eq!(provider.arrived().len(), 3);
}

/// A request in each dialect, and whether its stream is asked for in the address.
fn asked(dialect: Dialect, stream: bool) -> Request<Full<Bytes>> {
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let claude = "anthropic.claude-sonnet-4-20250514-v1:0";
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#.to_owned();
    let with = |more: &str| format!(r#"{{"model":"m","stream":{stream},{more}}}"#);
    let (uri, body) = match dialect {
        Dialect::OpenAiChat => {
            ("https://api.openai.com/v1/chat/completions".into(), with(messages))
        }
        Dialect::OpenAiCompletions => {
            ("https://api.openai.com/v1/completions".into(), with(r#""prompt":"Hi""#))
        }
        Dialect::OpenAiResponses => {
            ("https://api.openai.com/v1/responses".into(), with(r#""input":"Hi""#))
        }
        Dialect::AnthropicMessages => (
            "https://api.anthropic.com/v1/messages".into(),
            with(&format!(r#""max_tokens":9,{messages}"#)),
        ),
        Dialect::Gemini => {
            let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let uri = format!("https://generativelanguage.googleapis.com/v1beta/models/m:{verb}");
            (uri, r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#.into())
        }
        Dialect::BedrockConverse | Dialect::BedrockInvoke => {
            let verb = match (dialect, stream) {
                (Dialect::BedrockConverse, false) => "converse",
                (Dialect::BedrockConverse, true) => "converse-stream",
                (_, false) => "invoke",
                (_, true) => "invoke-with-response-stream",
            };
            let host = "https://bedrock-runtime.us-east-1.amazonaws.com";
            (format!("{host}/model/{claude}/{verb}"), converse)
        }
        Dialect::CohereV2 => ("https://api.cohere.com/v2/chat".into(), with(messages)),
        Dialect::OllamaNative => ("http://localhost:11434/api/chat".into(), with(messages)),
        _ => unreachable!("{dialect}"),
    };
    Request::post(uri).body(Full::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn something_is_said_in_every_dialect_and_form() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::OpenAiEmbeddings)
    {
        for stream in [false, true] {
            let provider = Provider::new([Answer::failing_with(io::ErrorKind::ConnectionRefused)]);
            let (call, told) = log();
            let service = ServiceBuilder::new().layer(call).layer(DegradeLayer::new().say(SORRY));
            let response = service.service(provider).oneshot(asked(dialect, stream)).await.unwrap();
            assert_eq!(Source::of(&response).to_string(), "static", "{dialect}");
            let (parts, body) = response.into_parts();
            let mut reader = Reader::new(
                dialect,
                battlement_core::Provider::Generic,
                parts.status,
                &parts.headers,
            )
            .streamed(stream);
            let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            let _ = reader.feed(&body);
            let verdict = reader.finish(End::Eof, std::time::SystemTime::UNIX_EPOCH);
            let complete = Outcome::Finished(FinishClass::Complete);
            assert_eq!(verdict.outcome, complete, "{dialect} {stream}: {body:?}");
            assert_eq!(verdict.stream_end.is_some(), stream, "{dialect}");
            assert_eq!(verdict.usage.and_then(|usage| usage.total()).unwrap_or(0), 0);
            assert_eq!(*told.lock().unwrap(), ["static llm.network.unreachable"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_has_to_know_is_passed_on() {
    for (status, code) in
        [(400, "invalid_value"), (401, "invalid_api_key"), (400, "content_policy_violation")]
    {
        let provider = Provider::new([Answer::error(status, code)]);
        let response = both().layer(provider.clone()).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<Degraded>().is_none());
        assert!(text(response).await.unwrap().contains(code));
        assert_eq!(provider.arrived().len(), 1);

        let told = Code::ALL.iter().fold(both(), |layer, &code| layer.on(code, Instead::Static));
        let response = told.layer(provider).oneshot(request()).await.unwrap();
        assert!(text(response).await.unwrap().contains(SORRY), "unless told otherwise");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_to_who_takes_it_apart() {
    let structured = r#"{"model":"m","messages":[],"response_format":{"type":"json_object"}}"#;
    let request = || crate::testing::request_for(structured);
    let provider = Provider::new([Answer::error(503, "down")]);
    let response =
        DegradeLayer::new().say(SORRY).layer(provider.clone()).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(text(response).await.unwrap().contains("down"));

    let layer = DegradeLayer::new().say_with(|call, error| {
        let wait = error.code() == Code::Overloaded && call.facts().structured_output;
        wait.then(|| r#"{"wait":true}"#.to_owned())
    });
    let response = layer.layer(provider).oneshot(request()).await.unwrap();
    assert!(text(response).await.unwrap().contains(r#"{\"wait\":true}"#));

    let silent = DegradeLayer::new().say_with(|_, _| None);
    let provider = Provider::new([Answer::failing()]);
    let error = Error::from(silent.layer(provider).oneshot(request()).await.unwrap_err());
    assert_eq!(error.code(), Code::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_leads_to_what_is_said_and_nothing_is_sent() {
    let provider = Provider::new([Answer::ok().head_after(Duration::from_secs(9))]);
    let mut request = request();
    request.extensions_mut().insert(Options::default().time(Duration::from_secs(1)));
    let service = ServiceBuilder::new().layer(both()).layer(DeadlineLayer::new());
    let response = service.service(provider.clone()).oneshot(request).await.unwrap();
    assert_eq!(Source::of(&response), Source::Static);
    let degraded = response.extensions().get::<Degraded>().unwrap().clone();
    assert_eq!(degraded.code(), Code::DeadlineExceeded);
    assert_eq!((provider.arrived().len(), provider.alive()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn r5_what_may_not_be_repeated_is_not_asked_for_in_less() {
    let provider = Provider::new([Answer::error(503, "down")]);
    let mut once = request();
    once.extensions_mut().insert(Options::default().repeatable(false));
    let response = both().layer(provider.clone()).oneshot(once).await.unwrap();
    assert_eq!(Source::of(&response), Source::Static);
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn f1_what_has_begun_is_not_replaced() {
    use crate::testing::{Piece, delta};
    let broken = Answer::streaming(vec![Piece::Bytes(delta("Once")), Piece::Break]);
    let provider = Provider::new([broken]);
    let service = both().layer(Stack::openai().layer(provider.clone()));
    let response = service.oneshot(stream_request()).await.unwrap();
    assert_eq!(Source::of(&response), Source::Primary);
    assert!(text(response).await.is_err());
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn its_place_is_told() {
    let (call, told) = log();
    let service = ServiceBuilder::new().layer(call).layer(RetryLayer::new()).layer(both());
    text(service.service(Provider::new([Answer::ok()])).oneshot(request()).await.unwrap())
        .await
        .unwrap();
    assert!(told.lock().unwrap()[0].starts_with("`retry` is outside of `degrade`"));
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    use std::{
        future::Future,
        task::{Context, Waker},
    };
    for polls in 0..8 {
        let slow = Answer::ok().head_after(Duration::from_secs(1));
        let provider = Provider::new([Answer::error(503, "down"), slow]);
        let (call, _) = log();
        let service = ServiceBuilder::new().layer(call).layer(both());
        let mut future = Box::pin(service.service(provider.clone()).oneshot(request()));
        for _ in 0..polls {
            let _pending = Future::poll(future.as_mut(), &mut Context::from_waker(Waker::noop()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(future);
        assert_eq!(provider.alive(), 0, "after {polls} polls");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn g6_attempts_stay_within_the_account(
        script in proptest::collection::vec(0..5_usize, 1..5),
        attempts in 1..6_u32,
        bare in any::<bool>(),
    ) {
        let answers = script.into_iter().map(|kind| match kind {
            0 => Answer::ok(),
            1 => Answer::error(503, "down"),
            2 => Answer::failing(),
            3 => Answer::error(429, "slow_down"),
            _ => Answer::error(500, "error"),
        });
        let provider = Provider::new(answers);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut request = request();
            request.extensions_mut().insert(Options::default().attempts(attempts));
            let response = match bare {
                true => text(both().layer(provider.clone()).oneshot(request).await.unwrap()).await,
                false => {
                    let service = both().layer(Stack::openai().layer(provider.clone()));
                    text(service.oneshot(request).await.unwrap()).await
                }
            };
            prop_assert!(!response.unwrap().is_empty(), "there is always an answer");
            let made = provider.arrived().len();
            prop_assert!(made >= 1 && made <= attempts as usize, "{made}");
            prop_assert_eq!(provider.alive(), 0);
            Ok(())
        })?;
    }
}
