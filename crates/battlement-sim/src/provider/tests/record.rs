//! What is remembered of calls, above all of those who go away.

use super::*;

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

    // Which model it is has to be read before it is known that nobody is there.
    let (provider, start) = (Provider::new().for_model("m", Step::unreachable()), Instant::now());
    let lost = provider.oneshot(slow(false)).await.unwrap_err();
    assert_eq!((lost.why(), start.elapsed()), (Why::Unreachable, Duration::from_secs(3)));
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
