//! Promises with an id; see docs/invariants.md.

use std::{
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use battlement_core::lanes::Lane;
use http::{HeaderMap, Method, Uri, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use tower::Service;

use super::*;
use crate::testing::{Piece, delta, stream_request};

#[tokio::test(start_paused = true)]
async fn r1_no_attempt_starts_without_the_time_that_it_takes() {
    for seed in 0..30 {
        let layer = retry().seed(seed);
        // What the model takes is learned: five seconds.
        let good = Provider::new([Answer::ok().head_after(5 * SECOND)]);
        let (answer, _) = call(&layer, &good, request()).await;
        text(answer.unwrap()).await.unwrap();

        let bad = Provider::new([Answer::error(503, "overloaded").head_after(SECOND)]);
        let options = Options::default().attempts(100).time(12 * SECOND);
        let before = Instant::now();
        let (answer, told) = call(&layer, &bad, with(options)).await;
        assert_eq!(answer.unwrap().status(), 503);
        assert_eq!(told.events().last().unwrap(), "gave up: deadline");
        assert!(before.elapsed() <= 12 * SECOND);
        let latest = bad.arrived().last().unwrap().at - before;
        assert!(latest <= 7 * SECOND + Duration::from_millis(1), "{latest:?}");
        assert!(bad.arrived().len() > 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r2_no_attempt_before_a_hint() {
    for seed in 0..50 {
        let bad = Answer::error(429, "rate_limit_exceeded").header("retry-after", "1.25");
        let provider = Provider::new([bad, Answer::ok()]);
        let (answer, _) = call(&retry().seed(seed), &provider, request()).await;
        assert_eq!(answer.unwrap().status(), 200);
        let gap = gaps(&provider)[0];
        let least = Duration::from_millis(1_250);
        assert!(gap >= least && gap <= 2 * least + Duration::from_millis(1), "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r3_a_wait_is_at_most_its_cap() {
    for seed in 0..20 {
        let provider = Provider::new([Answer::failing()]);
        let request = with(Options::default().attempts(12).lane(Lane::Batch));
        let (answer, _) = call(&retry().seed(seed), &provider, request).await;
        assert!(answer.is_err());
        assert_eq!(provider.arrived().len(), 12);
        assert!(gaps(&provider).iter().all(|gap| *gap <= 10 * SECOND + Duration::from_millis(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn r4_what_goes_down_is_of_one_attempt_and_then_there_is_no_other() {
    let cut = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Break]);
    let provider = Provider::new([Answer::error(500, "server_error"), cut, Answer::ok()]);
    let (answer, told) = call(&retry(), &provider, stream_request()).await;
    let mut body = answer.unwrap().into_body();
    assert!(!told.call().ledger().is_committed());
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, delta("Hi"));
    assert!(told.call().ledger().is_committed());
    assert!(body.frame().await.unwrap().is_err(), "the caller is told");
    assert_eq!(provider.arrived().len(), 2);
    let steps: Vec<_> = told.call().trail().iter().map(ToString::to_string).collect();
    assert!(steps[1].contains(": stream_cut"), "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn r5_what_may_not_be_repeated_is_sent_once() {
    let once = || Options::default().repeatable(false);
    check("o+", once(), 1, "503").await;
    check("d+", once(), 1, "llm.network.disconnected").await;
    check("l+", once(), 1, "llm.timeout.total").await;
    // Nothing was sent, so nothing is repeated.
    check("uu+", once(), 3, "200").await;
    check("uo+", once(), 2, "503").await;
    let provider = Provider::new([Answer::failing()]);
    let (_, told) = call(&retry(), &provider, with(once())).await;
    assert_eq!(told.events(), ["1 first", "gave up: not_repeatable"]);
}

/// Fails every call, and keeps everything that it was sent; the body only if `reads`.
#[derive(Clone)]
struct Recorder {
    reads: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    head: (Method, Uri, Version, HeaderMap),
    extension: Option<u32>,
    body: (Option<u64>, Bytes),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Service<Request<B>> for Recorder
where
    B::Error: std::fmt::Debug,
{
    type Response = http::Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let size = body.size_hint().exact();
        let body =
            if self.reads { futures_now(body.collect()).unwrap().to_bytes() } else { Bytes::new() };
        let extension = parts.extensions.get::<u32>().copied();
        let head = (parts.method, parts.uri, parts.version, parts.headers);
        self.seen.lock().unwrap().push(Seen { head, extension, body: (size, body) });
        ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

/// The output of a future that does not wait.
fn futures_now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing to wait for"),
    }
}

#[tokio::test(start_paused = true)]
async fn r6_every_attempt_is_the_same_to_the_byte() {
    for reads in [true, false] {
        let recorder = Recorder { reads, seen: Arc::default() };
        let mut request = request();
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = "https://example.com:444/v1/chat/completions?x=%20y".parse().unwrap();
        request.headers_mut().insert("authorization", "Bearer secret".parse().unwrap());
        request.headers_mut().append("x-many", "1".parse().unwrap());
        request.headers_mut().append("x-many", "2".parse().unwrap());
        request.extensions_mut().insert(7_u32);
        let body = futures_now(request.body().clone().collect()).unwrap().to_bytes();
        let error = retry().layer(recorder.clone()).oneshot(request).await.unwrap_err();
        assert_eq!(crate::Error::from(error).attempts().len(), 3);

        let seen = recorder.seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
        assert_eq!(seen[0].head.3.get_all("x-many").iter().count(), 2);
        assert_eq!(seen[0].extension, Some(7));
        assert_eq!(seen[0].body.0, Some(body.len() as u64));
        if reads {
            assert_eq!(seen[0].body.1, body);
            let shared = seen.iter().all(|one| one.body.1.as_ptr() == body.as_ptr());
            assert!(shared, "not copied");
        }
    }
}

/// A body of unknown length, as it streams in from somewhere.
struct Upload(Vec<Bytes>);

impl From<Bytes> for Upload {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn r6_what_is_not_in_memory_is_sent_once() {
    let body = Upload(vec!["\"m\"}".into(), "{\"model\":".into()]);
    let request = Request::post("https://api.openai.com/v1/chat/completions").body(body).unwrap();
    let (told, recorder) = (Told::default(), Recorder { reads: true, seen: Arc::default() });
    let service = told.layer().layer(retry().layer(recorder.clone()));
    let error = service.oneshot(request).await.unwrap_err();
    assert!(error.is::<io::Error>(), "a single attempt is not wrapped: {error}");
    let seen = recorder.seen.lock().unwrap();
    assert_eq!((seen.len(), &seen[0].body.1[..]), (1, &b"{\"model\":\"m\"}"[..]));
    assert_eq!(told.events(), ["1 first", "gave up: body"]);
}

#[tokio::test(start_paused = true)]
async fn r7_the_last_error_is_a_real_one_and_tells_of_all() {
    let provider = Provider::new([Answer::error(503, "overloaded"), Answer::failing()]);
    let (answer, _) = call(&retry(), &provider, with(Options::default().attempts(2))).await;
    let error = crate::Error::from(answer.unwrap_err());
    assert_eq!(error.code().as_str(), "llm.network.disconnected");
    let steps: Vec<_> = error.attempts().iter().map(ToString::to_string).collect();
    assert_eq!(steps[0], "1 first: overloaded after 0ns");
    assert!(steps[1].starts_with("2 retry, waited ") && steps[1].contains(": disconnected"));
    assert!(error.to_string().ends_with("(after 2 attempts)"), "{error}");
    assert!(error.into_source().is::<io::Error>(), "the cause, not its wrapping");
}

#[tokio::test(start_paused = true)]
async fn b2_all_calls_together_stay_within_the_budget() {
    let layer = RetryLayer::new();
    let provider = Provider::new([Answer::error(503, "overloaded")]);
    for _ in 0..200 {
        // A clone, and a service of its own, for each.
        let (answer, _) = call(&layer.clone(), &provider, request()).await;
        assert_eq!(answer.unwrap().status(), 503);
    }
    let retries = provider.arrived().len() - 200;
    assert!((15..=22).contains(&retries), "{retries}: at most the reserve, and a tenth");
}

#[tokio::test(start_paused = true)]
async fn g6_stacked_retries_do_not_multiply() {
    let provider = Provider::new([Answer::error(503, "overloaded")]);
    let (told, inner) = (Told::default(), retry().layer(provider.clone()));
    let service = told.layer().layer(retry().layer(retry().layer(inner)));
    let answer = service.oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(provider.arrived().len(), 3);
    let expected = [
        "1 first",
        "retrying overloaded",
        "2 retry",
        "retrying overloaded",
        "3 retry",
        "gave up: attempts",
    ];
    assert_eq!(told.events(), expected);
    assert_eq!(told.call().ledger().running(), 0);
}

#[tokio::test(start_paused = true)]
async fn g6_whoever_sends_the_request_again_shares_its_account() {
    let provider = Provider::new([Answer::error(503, "overloaded")]);
    let told = Told::default();
    // Some retry of another house: it sends the same request, extensions and all.
    let again = tower::service_fn(|request: Request<Full<Bytes>>| {
        let service = retry().layer(provider.clone());
        async move {
            let first = service.clone().oneshot(request.clone()).await?;
            assert!(text(first).await.unwrap().ends_with("}}"));
            service.oneshot(request).await
        }
    });
    let error = told.layer().layer(again).oneshot(request()).await.unwrap_err();
    let error = crate::Error::from(error);
    assert_eq!(error.code().as_str(), "llm.local.attempts");
    assert_eq!(provider.arrived().len(), 3);
}
