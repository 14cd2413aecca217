//! The layers over real sockets: hyper and reqwest, HTTP/1.1 and HTTP/2, and an upstream that cuts,
//! stalls, resets and dawdles.

mod upstream;

use std::{net::SocketAddr, time::Duration};

use battlement::{
    BoxError,
    call::{Attempt, CallLayer},
    observe::ObserveLayer,
    stack::Stack,
    timeout::{TimeoutLayer, Timeouts},
};
use battlement_core::{Code, Dialect, Outcome};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use upstream::{Act, Seen, Streamed, chunk, delta, finish, last_chunk, stream_head, whole};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn http1() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

fn http2() -> Hyper {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

/// A client whose answers are read, and not touched.
macro_rules! watched {
    ($client:expr) => {
        ServiceBuilder::new()
            .layer(CallLayer::new().dialect(Dialect::OpenAiChat))
            .layer(ObserveLayer::new())
            .service($client)
    };
}

/// All layers over a client.
macro_rules! stack {
    ($client:expr) => {
        Stack::new().call(CallLayer::new().dialect(Dialect::OpenAiChat)).layer($client)
    };
}

fn request(address: SocketAddr) -> Request<Full<Bytes>> {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    Request::post(format!("http://{address}/v1/chat/completions"))
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}

const ANSWER: &str = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;

/// What an answer over HTTP/1.1 means.
async fn verdict(script: Vec<Act>) -> (Outcome, Option<Code>, Result<String, BoxError>) {
    let (address, _) = upstream::raw(vec![script]).await;
    let response = watched!(http1()).oneshot(request(address)).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    let body = text(response).await;
    let verdict = attempt.verdict().expect("it is over");
    (verdict.outcome, verdict.code(), body)
}

async fn text<R>(response: Response<R>) -> Result<String, BoxError>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let body = response.into_body().collect().await.map_err(Into::into)?;
    Ok(String::from_utf8(body.to_bytes().to_vec())?)
}

#[tokio::test]
async fn what_an_answer_means_over_http1() {
    let (outcome, code, body) = verdict(vec![whole(ANSWER)]).await;
    assert_eq!((outcome.as_str(), code, body.unwrap().as_str()), ("complete", None, ANSWER));

    let events = delta("Hi") + &finish();
    let (outcome, _, body) = verdict(vec![stream_head(), chunk(&events), last_chunk("")]).await;
    assert_eq!((outcome.as_str(), body.unwrap()), ("complete", events));

    // The stream ends in good order, in the middle of the answer.
    let (outcome, code, body) =
        verdict(vec![stream_head(), chunk(&delta("Hi")), last_chunk("")]).await;
    assert_eq!((outcome, code), (Outcome::Cut, Some(Code::StreamCut)));
    assert!(body.is_ok());

    // The connection breaks.
    for end in [Act::Close, Act::Reset] {
        let (outcome, code, body) = verdict(vec![stream_head(), chunk(&delta("Hi")), end]).await;
        assert_eq!((outcome, code), (Outcome::Cut, Some(Code::StreamCut)));
        assert!(body.is_err());
    }

    // Shorter than it said.
    let short = Act::Write(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}",
        &ANSWER[..40]
    ));
    let (outcome, _, body) = verdict(vec![short, Act::Close]).await;
    assert_eq!((outcome, body.is_err()), (Outcome::Cut, true));
}

#[tokio::test]
async fn a_reset_before_the_head_is_an_error_that_says_so() {
    let (address, seen) = upstream::raw(vec![vec![Act::Reset]]).await;
    let error = watched!(http1()).oneshot(request(address)).await.map(drop).unwrap_err();
    assert_eq!(battlement::Error::from(error).code(), Code::Disconnected);
    assert!(seen.requests() > 0);
}

#[tokio::test]
async fn what_breaks_before_the_first_word_is_tried_again() {
    let events = delta("Hi") + &finish();
    for broken in [vec![Act::Reset], vec![stream_head(), last_chunk("")]] {
        let good = vec![stream_head(), chunk(&events), last_chunk("")];
        let (address, seen) = upstream::raw(vec![broken, good]).await;
        let response = stack!(http1()).oneshot(request(address)).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        assert_eq!(text(response).await.unwrap(), events);
        assert_eq!((attempt.call().attempts(), seen.requests()), (2, 2));
    }
}

#[tokio::test]
async fn what_breaks_after_it_ends_with_an_error() {
    for end in [Act::Reset, Act::Close, last_chunk("")] {
        let script = vec![stream_head(), chunk(&delta("Hi")), end];
        let (address, seen) = upstream::raw(vec![script]).await;
        let response = stack!(http1()).oneshot(request(address)).await.unwrap();
        assert!(text(response).await.is_err());
        assert_eq!(seen.requests(), 1);
    }
}

#[tokio::test]
async fn a_stall_is_given_up_in_time_and_the_upstream_sees_it() {
    let quick = Timeouts { idle: Some(Duration::from_millis(50)), ..Timeouts::streaming() };
    let timeout = TimeoutLayer::new(quick, quick).unwrap();
    let script = vec![stream_head(), chunk(&delta("Hi")), Act::Stall];
    let (address, seen) = upstream::raw(vec![script]).await;
    let stack = Stack::new().call(CallLayer::new().dialect(Dialect::OpenAiChat)).timeout(timeout);
    let response = stack.layer(http1()).oneshot(request(address)).await.unwrap();
    let start = Instant::now();
    let error = battlement::Error::from(text(response).await.unwrap_err());
    assert_eq!(error.code(), Code::TimeoutIdle);
    assert!(start.elapsed() >= Duration::from_millis(50));
    seen.closed().await;
}

#[tokio::test]
async fn nobody_there_is_told_from_a_connection_that_broke() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = stack!(http1()).oneshot(request(address)).await.map(drop).unwrap_err();
    assert_eq!((error.code(), error.attempts().len()), (Code::Unreachable, 3), "{error:?}");
}

#[tokio::test]
async fn what_a_whole_stack_returns_goes_wherever_the_clients_own_does() {
    fn check<T: Send + Sync + Unpin + 'static>(response: T) -> T {
        response
    }
    let (address, _) = upstream::raw(vec![vec![whole(ANSWER)]]).await;
    let service = Stack::openai_compatible(&format!("http://{address}")).unwrap().layer(http1());
    let request = request(address).map(|_| Full::from(r#"{"model":"m","messages":[]}"#));
    let response = check(service.oneshot(request).await.unwrap());
    assert_eq!(response.body().size_hint().exact(), Some(ANSWER.len() as u64));
    assert_eq!(text(response).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn trailers_survive() {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    let pieces = vec![Ok(delta("Hi")), Ok(finish())];
    let answer = Streamed { head_after: Duration::ZERO, pieces, trailers: Some(trailers) };
    let (address, _) = upstream::hyper(answer).await;
    let response = stack!(http2()).oneshot(request(address)).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-checksum"], "7");
}

#[tokio::test]
async fn an_early_answer_while_the_request_is_still_on_its_way_up() {
    // The answer is there before the upstream has read the body.
    let (address, _) = upstream::early().await;
    let large = format!(r#"{{"model":"m","messages":[],"padding":"{}"}}"#, "x".repeat(4 << 20));
    let request = Request::post(format!("http://{address}/v1/chat/completions"))
        .body(Full::<Bytes>::from(large))
        .unwrap();
    let response = stack!(http1()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 2);
}

/// At which point the caller goes away.
#[derive(Clone, Copy, Debug)]
enum Stage {
    BeforeTheHead,
    BeforeTheFirstEvent,
    InTheMiddle,
}

const STAGES: [Stage; 3] = [Stage::BeforeTheHead, Stage::BeforeTheFirstEvent, Stage::InTheMiddle];

/// How soon the upstream sees that the caller has gone away, at best of a few tries: the machine may
/// be busy with something else.
async fn closes_soon<F, Fut>(what: &str, go: F)
where
    F: Fn(Stage) -> Fut,
    Fut: Future<Output = Duration>,
{
    for stage in STAGES {
        let mut best = Duration::MAX;
        for _ in 0..20 {
            best = best.min(go(stage).await);
            if best <= Duration::from_millis(5) {
                break;
            }
        }
        assert!(best <= Duration::from_millis(5), "{what}, {stage:?}: seen after {best:?}");
    }
}

/// Makes a call over a stack and drops it at that stage; how long the upstream took to see that.
async fn drop_at<S, R>(stage: Stage, stack: S, address: SocketAddr, seen: Seen) -> Duration
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let mut call = Box::pin(stack.oneshot(request(address)));
    // Until the upstream is at that stage. What is held back for its first word is still a call then.
    let answer = loop {
        if let Ok(answer) = timeout(Duration::from_millis(2), &mut call).await {
            break Some(answer.map_err(Into::into).unwrap());
        }
        if seen.requests() > 0 && !matches!(stage, Stage::InTheMiddle) {
            break None;
        }
    };
    let dropped = if let Some(response) = answer {
        let mut body = Box::pin(response.into_body());
        if let Stage::InTheMiddle = stage {
            let frame = body.frame().await.unwrap().map_err(Into::into).unwrap();
            assert!(frame.is_data());
        } else {
            let waited = timeout(Duration::from_millis(2), body.frame()).await;
            assert!(waited.is_err(), "nothing yet");
        }
        drop(body);
        Instant::now()
    } else {
        drop(call);
        Instant::now()
    };
    seen.closed().await.saturating_duration_since(dropped)
}

#[tokio::test]
async fn an_upstream_on_http1_sees_the_caller_go() {
    closes_soon("hyper over HTTP/1.1", |stage| async move {
        let script = match stage {
            Stage::BeforeTheHead => vec![Act::Stall],
            Stage::BeforeTheFirstEvent => vec![stream_head(), Act::Stall],
            Stage::InTheMiddle => vec![stream_head(), chunk(&delta("Hi")), Act::Stall],
        };
        let (address, seen) = upstream::raw(vec![script]).await;
        drop_at(stage, stack!(http1()), address, seen).await
    })
    .await;
}

#[tokio::test]
async fn an_upstream_on_http2_sees_the_caller_go() {
    closes_soon("hyper over HTTP/2", |stage| async move {
        let long = Duration::from_secs(60);
        let (head_after, pieces) = match stage {
            Stage::BeforeTheHead => (long, vec![]),
            Stage::BeforeTheFirstEvent => (Duration::ZERO, vec![Err(long)]),
            Stage::InTheMiddle => (Duration::ZERO, vec![Ok(delta("Hi")), Err(long)]),
        };
        let answer = Streamed { head_after, pieces, trailers: None };
        let (address, seen) = upstream::hyper(answer).await;
        drop_at(stage, stack!(http2()), address, seen).await
    })
    .await;
}

#[tokio::test]
async fn a_slow_head_is_waited_for() {
    let wait = Act::Wait(Duration::from_millis(30));
    let (outcome, ..) = verdict(vec![wait, whole(ANSWER)]).await;
    assert_eq!(outcome.as_str(), "complete");
    sleep(Duration::ZERO).await;
}

mod over_reqwest {
    use battlement::reqwest::{Adapter, Transport};

    use super::*;

    #[tokio::test]
    async fn a_cut_stream_is_known_as_one() {
        let script = vec![stream_head(), chunk(&delta("Hi")), last_chunk("")];
        let (address, _) = upstream::raw(vec![script]).await;
        let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
        let stack = watched!(Transport::new(client.clone()));
        let request =
            request(address).map(|_| reqwest::Body::from(r#"{"model":"m","stream":true}"#));
        let response = stack.oneshot(request).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Cut);
    }

    #[tokio::test]
    async fn a_request_of_unknown_length_passes_and_its_stream_is_read() {
        let script = vec![stream_head(), chunk(&delta("Hi")), last_chunk("")];
        let (address, seen) = upstream::raw(vec![script]).await;
        let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
        let pieces = Full::<Bytes>::from(r#"{"model":"m","stream":true}"#);
        let unsized_body = reqwest::Body::wrap(Unsized(pieces));
        let request = Request::post(format!("http://{address}/v1/chat/completions"));
        let request = request.body(unsized_body).unwrap();
        let response =
            Stack::openai().layer(Transport::new(client)).oneshot(request).await.unwrap();
        let error = text(response).await.unwrap_err();
        assert_eq!(battlement::Error::from(error).code(), Code::StreamCut);
        assert_eq!(seen.requests(), 1, "it is sent once");
    }

    /// A body that does not tell its length.
    struct Unsized(Full<Bytes>);

    impl http_body::Body for Unsized {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::pin::Pin::new(&mut self.0).poll_frame(cx)
        }
    }

    #[tokio::test]
    async fn an_error_does_not_tell_the_key_in_the_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = reqwest::Client::builder().build().unwrap();
        let whole = format!("http://{address}/v1beta/models/m:generateContent?key=secret");
        for url in [&*whole, "/v1beta/models/m:generateContent?key=secret"] {
            let request = Request::post(url).body(reqwest::Body::from("{}")).unwrap();
            let error = stack!(Transport::new(client.clone())).oneshot(request).await;
            let error = error.map(drop).unwrap_err();
            let said = format!("{error} {error:?} {}", error.to_json());
            assert!(!said.contains("secret"), "{said}");
            assert_eq!(error.code() == Code::Unreachable, *url == whole, "{said}");
        }
    }

    #[tokio::test]
    async fn requests_and_responses_of_its_own() {
        let (address, _) = upstream::raw(vec![vec![whole(ANSWER)]]).await;
        let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
        let url = format!("http://{address}/v1/chat/completions");
        let request = client.post(&url).body(r#"{"model":"m"}"#).build().unwrap();
        let service = Adapter::new(stack!(Transport::new(client)));
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.url().as_str(), url);
        assert_eq!(response.text().await.unwrap(), ANSWER);
    }

    #[tokio::test]
    async fn an_upstream_sees_the_caller_go() {
        closes_soon("reqwest", |stage| async move {
            let script = match stage {
                Stage::BeforeTheHead => vec![Act::Stall],
                Stage::BeforeTheFirstEvent => vec![stream_head(), Act::Stall],
                Stage::InTheMiddle => vec![stream_head(), chunk(&delta("Hi")), Act::Stall],
            };
            let (address, seen) = upstream::raw(vec![script]).await;
            let client = reqwest::Client::builder().build().unwrap();
            let stack = stack!(Transport::new(client));
            let stack = tower::util::MapRequest::new(stack, |request: Request<Full<Bytes>>| {
                request.map(|_| reqwest::Body::from(r#"{"model":"m","stream":true}"#))
            });
            drop_at(stage, stack, address, seen).await
        })
        .await;
    }
}
