//! What is owned comes back, wherever a call is dropped.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use http_body::Body as _;
use tokio::time::{advance, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    // Silence for five seconds, then a head after two and a body that takes one.
    let slow = Answer::streaming(vec![
        Piece::Bytes(": ping\n\n".into()),
        Piece::Wait(SECOND),
        Piece::Bytes(delta("Hi")),
        Piece::Wait(SECOND),
        Piece::Bytes(finish_event("stop") + "data: [DONE]\n\n"),
    ]);
    for millis in (0..9_000).step_by(250) {
        let case = Case::new(provider("s"), Provider::new([slow.clone().head_after(2 * SECOND)]));
        let limit = Duration::from_millis(millis);
        let answer = timeout(limit, case.call(stream_request())).await;
        assert!(answer.is_err(), "{millis}: it takes longer");
        case.at_rest();
        let call = case.told.call();
        assert_eq!(call.ledger().running(), 0, "{millis}");
        assert_eq!(call.attempts(), if millis < 5_000 { 1 } else { 2 }, "{millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_after_any_poll_everything_comes_back() {
    for script in ["+", "5+", "qq", "du", "x", "fe"] {
        for polls in 0..40 {
            let case = Case::new(provider(script), provider(script));
            let service = case.layer.layer(stack().layer(case.a.clone()));
            {
                let mut call = pin!(service.oneshot(request()));
                let mut cx = Context::from_waker(Waker::noop());
                let mut body = None;
                for _ in 0..polls {
                    match &mut body {
                        None => match call.as_mut().poll(&mut cx) {
                            std::task::Poll::Ready(Ok(response)) => {
                                body = Some(Box::pin(response.into_body()));
                            }
                            std::task::Poll::Ready(Err(_)) => break,
                            std::task::Poll::Pending => {}
                        },
                        Some(body) => drop(body.as_mut().poll_frame(&mut cx)),
                    }
                    advance(SECOND / 4).await;
                }
            }
            case.at_rest();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g1_a_panic_below_is_settled() {
    let calm = || provider("q");
    let panicking = || Provider::new([Answer::panicking()]);
    for (a, b) in [(panicking(), calm()), (calm(), panicking())] {
        let case = Arc::new(Case::new(a, b));
        let shared = case.clone();
        let panicked = tokio::spawn(async move { shared.call(request()).await.map(drop) }).await;
        assert!(panicked.unwrap_err().is_panic());
        case.at_rest();
        assert_eq!(case.told.call().ledger().running(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_for_each_call_is_as_good_as_one_service() {
    let case = Case::new(provider("q"), provider("+"));
    let service = case.layer.layer(stack().layer(case.a.clone()));
    for _ in 0..10 {
        text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
        text(case.layer.layer(stack().layer(case.a.clone())).oneshot(request()).await.unwrap())
            .await
            .unwrap();
    }
    assert_eq!(case.calls(), [20, 20]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_without_a_retry_is_in_the_account() {
    let (a, b) = (provider("5"), provider("+"));
    let layer = FallbackLayer::builder("a").route("b", b.clone()).build().unwrap();
    let response = layer.layer(a.clone()).oneshot(request()).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    text(response).await.unwrap();
    let steps: Vec<_> = attempt.call().trail().iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        ["1 first to a: server_error after 0ns", "2 fallback to b: complete after 0ns"]
    );
    assert_eq!(attempt.call().ledger().tokens(), 12);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_retry_that_is_not_whole_counts() {
    let hanging = || Provider::new([Answer::error(503, "overloaded").then_hang()]);
    for (options, calls) in [
        (Options::default().attempts(1), 0),
        (Options::default().attempts(2), 1),
        (Options::default().repeatable(false), 0),
    ] {
        let (a, b) = (hanging(), hanging());
        let layer = FallbackLayer::builder("a").route("b", b.clone()).build().unwrap();
        let mut request = request();
        request.extensions_mut().insert(options);
        let response = layer.layer(a.clone()).oneshot(request).await.unwrap();
        assert_eq!((a.arrived().len(), b.arrived().len()), (1, calls));
        drop(response);
        assert_eq!((a.alive(), b.alive()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_without_finish_is_held_until_it_says_something() {
    // Nothing that is of no use leaves: empty, cut, an error inside of a stream.
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n";
    let inside =
        Answer::streaming(vec![Piece::Bytes(": ping\n\n".into()), Piece::Bytes(error.into())]);
    for bad in [cut(&[]), Answer::new(200, ""), inside] {
        let layer =
            FallbackLayer::builder("a").route("b", Provider::new([Answer::stream(&["Hi"])]));
        let service = layer.build().unwrap().layer(Provider::new([bad]));
        let response = service.oneshot(stream_request()).await.unwrap();
        assert_eq!(response.extensions().get::<Served>().unwrap().route(), "b");
        assert!(text(response).await.unwrap().starts_with(&delta("Hi")));
    }
    // What says something passes with its first word.
    let begins = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang]);
    let layer = FallbackLayer::builder("a").route("b", provider("+"));
    let service = layer.build().unwrap().layer(Provider::new([begins]));
    let before = Instant::now();
    let response = service.oneshot(stream_request()).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(!response.body().is_end_stream());
}
