use std::{
    io,
    sync::{Arc, Mutex},
};

use battlement_core::Code;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;
use crate::{
    Error,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    finish::FinishLayer,
    rate_limit::RateLimitLayer,
    retry::RetryLayer,
    stack::Stack,
    testing::{Answer, Piece, Provider, text},
};

const SYSTEM: &str = r#"{"role":"system","content":"Be brief."}"#;

/// A conversation with a system prompt and so many turns, in a request.
fn talk(turns: usize) -> Request<Full<Bytes>> {
    asked(&body(turns, 0))
}

fn body(turns: usize, first: usize) -> String {
    let said = |turn: usize| {
        format!(
            r#",{{"role":"user","content":"Question {turn}, which has some words"}},{{"role":"assistant","content":"Answer {turn}, with some words of its own"}}"#
        )
    };
    let said: String = (first..turns).map(said).collect();
    format!(
        r#"{{"model":"own-7b","max_tokens":50,"messages":[{SYSTEM}{said},{{"role":"user","content":"And now?"}}]}}"#
    )
}

fn asked(body: &str) -> Request<Full<Bytes>> {
    let uri = "https://api.openai.com/v1/chat/completions";
    Request::post(uri).body(Full::from(body.to_owned())).unwrap()
}

/// What OpenAI says to a prompt that is too long.
fn overflow() -> Answer {
    Answer::error(400, "context_length_exceeded")
}

fn log() -> (CallLayer, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        let line = match event {
            Event::Trimmed { dropped } => format!("trimmed {}", dropped.turns),
            Event::GaveUp { reason } => format!("gave up {reason}"),
            Event::Misordered { misordered } => misordered.to_string(),
            _ => return,
        };
        log.lock().unwrap().push(line);
    };
    (CallLayer::new().observer(observer), told)
}

#[tokio::test(start_paused = true)]
async fn what_fits_goes_out_as_it_is() {
    let provider = Provider::new([Answer::ok()]);
    let service = ContextLayer::new().window(100_000).layer(provider.clone());
    let response = service.oneshot(talk(5)).await.unwrap();
    assert!(response.extensions().get::<Dropped>().is_none());
    text(response).await.unwrap();
    assert_eq!(provider.arrived()[0].body, body(5, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_by_estimate_is_shortened_before_it_is_sent() {
    let provider = Provider::new([Answer::ok()]);
    let (call, told) = log();
    let layer = ContextLayer::new().window(200);
    let service = ServiceBuilder::new().layer(call).layer(layer).service(provider.clone());
    let mut request = talk(20);
    request.headers_mut().insert("content-length", body(20, 0).len().into());
    let response = service.oneshot(request).await.unwrap();
    let dropped = *response.extensions().get::<Dropped>().unwrap();
    assert!(dropped.before > 150 && dropped.after <= 150, "{dropped}");
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    assert_eq!(attempt.call().facts().input_tokens, dropped.after, "limits see what is sent");
    text(response).await.unwrap();
    let arrived = &provider.arrived()[0];
    assert_eq!(arrived.body, body(20, dropped.turns));
    assert_eq!(arrived.headers["content-length"], arrived.body.len().to_string());
    assert_eq!(*told.lock().unwrap(), [format!("trimmed {}", dropped.turns)]);
    assert_eq!(attempt.call().attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_finds_too_long_is_shortened_once() {
    let stacks: [fn(Provider) -> tower::util::BoxCloneSyncService<_, _, _>; 2] = [
        |provider| ContextLayer::new().layer(provider).boxed_sync(),
        |provider| ContextLayer::new().layer(Stack::openai().layer(provider)).boxed_sync(),
    ];
    for stack in stacks {
        let provider = Provider::new([overflow(), Answer::ok()]);
        let response = stack(provider.clone()).oneshot(talk(20)).await.unwrap();
        assert_eq!(response.status(), 200);
        let dropped = *response.extensions().get::<Dropped>().unwrap();
        assert!(dropped.after <= dropped.before * 3 / 4);
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        let arrived = provider.arrived();
        assert_eq!((arrived.len(), &*arrived[0].body), (2, body(20, 0).as_bytes()));
        assert_eq!(arrived[1].body, body(20, dropped.turns));
        assert_eq!(attempt.call().attempts(), 2, "{:?}", attempt.call().trail());
        assert_eq!(attempt.call().ledger().running(), 0);
        assert_eq!(provider.alive(), 0);

        let provider = Provider::new([overflow()]);
        let response = stack(provider.clone()).oneshot(talk(20)).await.unwrap();
        assert_eq!(response.status(), 400, "and if that is not enough, the answer says so");
        assert!(text(response).await.unwrap().contains("context_length_exceeded"));
        assert_eq!(provider.arrived().len(), 2);
    }
}

trait BoxedSync: Sized {
    fn boxed_sync(
        self,
    ) -> tower::util::BoxCloneSyncService<
        Request<Full<Bytes>>,
        http::Response<AnyBody>,
        crate::BoxError,
    >;
}

type AnyBody = http_body_util::combinators::BoxBody<Bytes, crate::BoxError>;

impl<S, R> BoxedSync for S
where
    S: tower::Service<Request<Full<Bytes>>, Response = http::Response<R>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Error: Into<crate::BoxError>,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    R::Error: Into<crate::BoxError>,
{
    fn boxed_sync(
        self,
    ) -> tower::util::BoxCloneSyncService<
        Request<Full<Bytes>>,
        http::Response<AnyBody>,
        crate::BoxError,
    > {
        use http_body_util::BodyExt;
        let service = self.map_err(Into::into).map_response(|response: http::Response<R>| {
            response.map(|body| body.map_err(Into::into).boxed())
        });
        tower::util::BoxCloneSyncService::new(service)
    }
}

#[tokio::test(start_paused = true)]
async fn an_overflow_inside_of_a_stream_counts_where_it_is_held() {
    let event = r#"data: {"error":{"code":"context_length_exceeded","message":"no"}}"#;
    let broken = Answer::streaming(vec![Piece::Bytes(format!("{event}\n\n"))]);
    let provider = Provider::new([broken, Answer::stream(&["Hi"])]);
    let service = ContextLayer::new().layer(FinishLayer::new().layer(provider.clone()));
    let streamed = body(20, 0).replace("{\"model\"", "{\"stream\":true,\"model\"");
    let response = service.oneshot(asked(&streamed)).await.unwrap();
    assert!(response.extensions().get::<Dropped>().is_some());
    text(response).await.unwrap();
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_failure_is_passed_on() {
    let answers = [
        Answer::error(400, "invalid_value"),
        Answer::error(429, "insufficient_quota"),
        Answer::error(500, "server_error"),
        Answer::ok(),
    ];
    for answer in answers {
        let provider = Provider::new([answer]);
        let response = ContextLayer::new().layer(provider.clone()).oneshot(talk(9)).await.unwrap();
        assert!(response.extensions().get::<Dropped>().is_none());
        assert!(!text(response).await.unwrap().is_empty());
        assert_eq!(provider.arrived().len(), 1);
    }
    let provider = Provider::new([Answer::failing_with(io::ErrorKind::ConnectionReset)]);
    assert!(ContextLayer::new().layer(provider.clone()).oneshot(talk(9)).await.is_err());
    assert_eq!((provider.arrived().len(), provider.alive()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_shortened_fails_clearly() {
    let provider = Provider::new([Answer::ok()]);
    let long = format!(
        r#"{{"model":"own","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "word ".repeat(500)
    );
    let service = ContextLayer::new().window(100).layer(provider.clone());
    let error = service.oneshot(asked(&long)).await.unwrap_err();
    let told = error.downcast_ref::<TooLong>().unwrap().clone();
    assert!(told.tokens > 400 && told.room == 75, "{told}");
    let error = Error::from(error);
    assert_eq!((error.code(), error.is_retryable()), (Code::ContextLength, false));
    assert_eq!(error.kind().status(), 413);

    let service = ContextLayer::refusing().window(100).layer(provider.clone());
    let error = Error::from(service.clone().oneshot(talk(20)).await.unwrap_err());
    assert_eq!(error.code(), Code::ContextLength);
    assert_eq!(provider.arrived().len(), 0);
    text(service.oneshot(talk(0)).await.unwrap()).await.unwrap();
    assert_eq!(provider.arrived().len(), 1);

    // Only a little too long, by estimate.
    let tokens = told.tokens;
    let service = ContextLayer::new().window(tokens).answer(tokens / 10).layer(provider.clone());
    text(service.oneshot(asked(&long)).await.unwrap()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_repeated_or_is_not_all_here_is_not_sent_again() {
    let provider = Provider::new([overflow()]);
    let service = ContextLayer::new().layer(provider.clone());
    let mut once = talk(9);
    once.extensions_mut().insert(Options::default().repeatable(false));
    assert_eq!(service.clone().oneshot(once).await.unwrap().status(), 400);
    assert_eq!(provider.arrived().len(), 1);

    let stored = body(9, 0).replace("{\"model\"", "{\"store\":true,\"model\"");
    assert_eq!(service.oneshot(asked(&stored)).await.unwrap().status(), 400);
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn g6_the_second_attempt_counts() {
    for inner in [true, false] {
        let provider = Provider::new([overflow()]);
        let (call, told) = log();
        let mut request = talk(9);
        request.extensions_mut().insert(Options::default().attempts(1));
        let builder = ServiceBuilder::new().layer(call).layer(ContextLayer::new());
        let status = match inner {
            true => {
                let service = builder.layer(RetryLayer::new()).service(provider.clone());
                service.oneshot(request).await.unwrap().status()
            }
            false => builder.service(provider.clone()).oneshot(request).await.unwrap().status(),
        };
        assert_eq!((status.as_u16(), provider.arrived().len()), (400, 1));
        assert_eq!(*told.lock().unwrap(), ["gave up attempts"]);
    }
}

#[tokio::test(start_paused = true)]
async fn its_place_is_told() {
    let (call, told) = log();
    let limits = crate::rate_limit::Config::new(battlement_core::Provider::OpenAi);
    let limits = RateLimitLayer::new(limits.requests_per_minute(9)).unwrap();
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(limits)
        .layer(ContextLayer::new())
        .service(Provider::new([Answer::ok()]));
    text(service.oneshot(talk(1)).await.unwrap()).await.unwrap();
    let expected =
        "`rate_limit` is outside of `context`: what is left out is charged to the limits";
    assert_eq!(*told.lock().unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    use std::task::{Context, Waker};
    for polls in 0..6 {
        let slow = Answer::ok().head_after(std::time::Duration::from_secs(1));
        let provider = Provider::new([overflow(), slow]);
        let (call, _) = log();
        let service = ServiceBuilder::new().layer(call).layer(ContextLayer::new());
        let mut future = Box::pin(service.service(provider.clone()).oneshot(talk(9)));
        for _ in 0..polls {
            let _pending = Future::poll(future.as_mut(), &mut Context::from_waker(Waker::noop()));
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        drop(future);
        assert_eq!(provider.alive(), 0, "after {polls} polls");
    }
}
