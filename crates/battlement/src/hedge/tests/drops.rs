//! What is owned comes back, wherever a call is dropped.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use http_body::Body as _;
use tokio::time::{advance, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    for millis in (0..7_000).step_by(250) {
        let case = Case::new([says(&["a"], 1, 9), says(&["b"], 2, 3)]).await;
        let limit = Duration::from_millis(millis);
        assert!(timeout(limit, case.call(stream_request())).await.is_err(), "it takes longer");
        case.at_rest();
        let call = case.told.call();
        assert_eq!(call.attempts(), if millis < 2_000 { 1 } else { 2 }, "{millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_after_any_poll_everything_comes_back() {
    let answers = || {
        [
            says(&["a"], 1, 9),
            Answer::failing().head_after(4 * SECOND),
            Answer::error(503, "overloaded").head_after(3 * SECOND).then_hang(),
            Answer::streaming(vec![Piece::Hang]),
        ]
    };
    for first in answers() {
        for second in answers() {
            for polls in (0..60).step_by(3) {
                let case = Case::new([first.clone(), second.clone()]).await;
                let service = case.told.layer().layer(case.layer.layer(case.provider.clone()));
                {
                    let mut call = pin!(service.oneshot(stream_request()));
                    let mut cx = Context::from_waker(Waker::noop());
                    let mut body = None;
                    for _ in 0..polls {
                        match &mut body {
                            None => match call.as_mut().poll(&mut cx) {
                                Poll::Ready(Ok(response)) => {
                                    body = Some(Box::pin(response.into_body()));
                                }
                                Poll::Ready(Err(_)) => break,
                                Poll::Pending => {}
                            },
                            Some(body) => drop(body.as_mut().poll_frame(&mut cx)),
                        }
                        advance(SECOND / 4).await;
                    }
                }
                if polls > 0 {
                    case.at_rest();
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g1_a_panic_below_is_settled() {
    let slow = || says(&["slow"], 0, 10);
    let panicking = || Answer::panicking().head_after(3 * SECOND);
    for script in [[panicking(), slow()], [slow(), panicking()]] {
        let case = Arc::new(Case::new(script).await);
        let shared = case.clone();
        let call = tokio::spawn(async move { shared.call(stream_request()).await.map(drop) });
        assert!(call.await.unwrap_err().is_panic());
        case.at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_for_each_call_is_as_good_as_one_service() {
    let case = Case::new([says(&["slow"], 0, 10), says(&["quick"], 0, 1)]).await;
    let service = case.told.layer().layer(case.layer.layer(case.provider.clone()));
    for _ in 0..3 {
        let answer = text(service.clone().oneshot(stream_request()).await.unwrap()).await;
        assert!(answer.unwrap().contains("quick"));
    }
    assert_eq!(case.provider.arrived().len(), 6);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_unready_service_is_waited_for_and_dropped() {
    let case = Case::new([says(&["slow"], 10, 0), says(&["quick"], 0, 1)]).await;
    // One call at a time: the second attempt never gets its turn.
    let one = tower::limit::ConcurrencyLimit::new(case.provider.clone(), 1);
    let service = case.told.layer().layer(case.layer.layer(one));
    let answer = text(service.clone().oneshot(stream_request()).await.unwrap()).await.unwrap();
    assert!(answer.contains("slow"));
    assert_eq!(case.provider.arrived().len(), 1);
    case.at_rest();
    assert!(text(service.oneshot(stream_request()).await.unwrap()).await.is_ok());
}
