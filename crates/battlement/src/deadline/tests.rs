//! What a caller sees of the deadline.

use std::{future::pending, time::Duration};

use battlement_core::{
    Code, ErrorClass, Outcome,
    attempts::{Ending, Role},
    deadline::Deadline,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::{collection::vec, prelude::*};
use tokio::time::{Instant, advance};
use tower::{Layer, ServiceExt, service_fn};

use super::{DeadlineLayer, Exceeded};
use crate::{
    BoxError, Error, ErrorKind,
    breaker::{self, BreakerLayer},
    call::{Attempt, Options},
    clock::now,
    testing::{Answer, Piece, Provider, delta, finish_event, stream_request},
};

const SECOND: Duration = Duration::from_secs(1);

/// A request that may take this long.
fn within(time: Duration) -> Request<Full<Bytes>> {
    let mut request = stream_request();
    request.extensions_mut().insert(Options::default().time(time));
    request
}

/// How a call went that was read as fast as it came.
#[derive(Debug)]
struct Played {
    took: Duration,
    delivered: String,
    error: Option<BoxError>,
    attempt: Option<Attempt>,
    /// Whether anything of it is still on its way.
    is_alive: bool,
}

impl Played {
    fn exceeded(&self) -> Option<&Exceeded> {
        self.error.as_ref()?.downcast_ref()
    }
}

async fn play(answer: Answer, time: Duration) -> Played {
    let provider = Provider::new([answer]);
    let started = Instant::now();
    let service = DeadlineLayer::new().layer(provider.clone());
    let mut played = Played {
        took: Duration::ZERO,
        delivered: String::new(),
        error: None,
        attempt: None,
        is_alive: false,
    };
    let mut kept = None;
    match service.oneshot(within(time)).await {
        Err(error) => played.error = Some(error),
        Ok(response) => {
            played.attempt = response.extensions().get().cloned();
            let body = kept.insert(response.into_body());
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => {
                        played.delivered += &String::from_utf8_lossy(frame.data_ref().unwrap());
                    }
                    Err(error) => {
                        played.error = Some(error);
                        assert!(body.frame().await.is_none(), "nothing after an error");
                    }
                }
            }
        }
    }
    played.took = started.elapsed();
    // The body is not dropped yet.
    played.is_alive = provider.alive() > 0;
    played
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.into())
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin() {
    let played = play(Answer::ok().head_after(10 * SECOND), 5 * SECOND).await;
    assert_eq!(played.took, 5 * SECOND);
    assert!(!played.is_alive, "the connection is closed");
    let exceeded = played.exceeded().unwrap();
    assert_eq!((exceeded.after, exceeded.sent, exceeded.has_output), (5 * SECOND, true, false));
    assert_eq!(
        exceeded.to_string(),
        "the deadline of the call passed before there was an answer, after 5s"
    );
    let error = Error::from(played.error.unwrap());
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Code::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_end() {
    let answer = Answer::streaming(vec![bytes(&delta("Hi")), Piece::Hang]);
    let played = play(answer, 5 * SECOND).await;
    assert_eq!((played.took, played.delivered.as_str()), (5 * SECOND, &*delta("Hi")));
    assert!(!played.is_alive, "the connection is closed");
    assert!(played.exceeded().unwrap().has_output);
    let verdict = played.attempt.as_ref().unwrap().verdict().unwrap();
    assert_eq!((verdict.outcome, verdict.has_output), (Outcome::Abandoned, true));
    assert_eq!(verdict.code(), Some(Code::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn what_was_received_is_accounted() {
    let usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2}}\n\n";
    let played = play(Answer::streaming(vec![bytes(usage), Piece::Hang]), SECOND).await;
    let usage = played.attempt.unwrap().verdict().unwrap().usage.unwrap();
    assert_eq!((usage.input, usage.output), (Some(10), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn a_complete_answer_is_complete_though_the_connection_stays_open() {
    let pieces =
        || vec![bytes(&delta("Hi")), bytes(&finish_event("stop")), bytes("data: [DONE]\n\n")];
    let mut open = pieces();
    open.push(Piece::Hang);
    let played = play(Answer::streaming(open), SECOND).await;
    assert!(played.error.is_none() && !played.is_alive);
    assert!(played.attempt.unwrap().verdict().unwrap().is_success());

    // Without its terminal event it is not.
    let mut open = pieces();
    open[2] = Piece::Hang;
    let played = play(Answer::streaming(open), SECOND).await;
    assert!(played.exceeded().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_delivered() {
    let service = DeadlineLayer::new().layer(Provider::new([Answer::stream(&["a", "b"])]));
    let mut response = service.oneshot(within(SECOND)).await.unwrap();
    let _ = response.body_mut().frame().await.unwrap().unwrap();
    advance(10 * SECOND).await;
    assert!(response.into_body().collect().await.is_ok(), "only the caller was slow");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_sent() {
    let provider = Provider::new([Answer::ok()]);
    let mut request = within(Duration::ZERO);
    let attempt = Attempt::of(&mut request);
    let error = DeadlineLayer::new().layer(provider.clone()).oneshot(request).await.unwrap_err();
    assert!(!error.downcast_ref::<Exceeded>().unwrap().sent);
    assert!(provider.arrived().is_empty() && attempt.is_unsent());
    assert_eq!(Error::from(error).code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_takes_its_time() {
    let mut request = stream_request();
    request.extensions_mut().insert(Options::default().deadline(Deadline::NEVER));
    let answer = Answer::streaming(vec![Piece::Wait(100_000 * SECOND), bytes("data: [DONE]\n\n")]);
    let service = DeadlineLayer::new().layer(Provider::new([answer]));
    assert!(service.oneshot(request).await.unwrap().into_body().collect().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_all_the_time_was_not_sent() {
    /// As a layer that holds a request back.
    struct Waiting(Attempt);
    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.turn_away(Code::Abandoned);
        }
    }
    let limiter = service_fn(|mut request: Request<Full<Bytes>>| async move {
        let _waiting = Waiting(Attempt::of(&mut request));
        pending::<Result<Response<Full<Bytes>>, BoxError>>().await
    });
    let error = DeadlineLayer::new().layer(limiter).oneshot(within(SECOND)).await.unwrap_err();
    assert!(!error.downcast_ref::<Exceeded>().unwrap().sent);
    assert_eq!(error.to_string(), "the deadline of the call passed before it was sent, after 1s");
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_had_gone_wrong_before() {
    let retry = service_fn(|mut request: Request<Full<Bytes>>| async move {
        let attempt = Attempt::of(&mut request);
        let call = attempt.call();
        let first = call.ledger().begin(Role::First, None, 0, now()).unwrap();
        let outcome = Outcome::Failed(ErrorClass::Overloaded);
        let ending = Ending::Sent { outcome, code: Some(Code::Overloaded), tokens: None };
        call.ledger().settle(first, ending, now());
        pending::<Result<Response<Full<Bytes>>, BoxError>>().await
    });
    let error = DeadlineLayer::new().layer(retry).oneshot(within(SECOND)).await.unwrap_err();
    let exceeded = error.downcast_ref::<Exceeded>().unwrap();
    assert_eq!((exceeded.sent, exceeded.last), (true, Some(Code::Overloaded)));
}

#[tokio::test(start_paused = true)]
async fn breakers_learn_nothing_from_it() {
    let breaker = BreakerLayer::new(breaker::Config::default()).unwrap();
    let provider = Provider::new([Answer::ok().head_after(10 * SECOND)]);
    for _ in 0..10 {
        let service = DeadlineLayer::new().layer(breaker.layer(provider.clone()));
        let error = service.oneshot(within(SECOND)).await.unwrap_err();
        assert!(error.is::<Exceeded>(), "{error}");
    }
    assert_eq!(provider.arrived().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn errors_and_drops_pass_through() {
    let failing = DeadlineLayer::new().layer(Provider::new([Answer::failing()]));
    let error = failing.oneshot(within(SECOND)).await.unwrap_err();
    assert_eq!(Error::from(error).code(), Code::Disconnected);

    let provider = Provider::new([Answer::streaming(vec![Piece::Hang])]);
    let service = DeadlineLayer::new().layer(provider.clone());
    drop(service.clone().oneshot(within(SECOND)));
    let response = service.oneshot(within(SECOND)).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    drop(response);
    assert_eq!(attempt.verdict().unwrap().code(), Some(Code::Abandoned), "not the deadline");
    assert_eq!(provider.alive(), 0);
}

#[test]
fn bodies_stay_what_the_inner_ones_are() {
    fn is<T: Send + Sync + Unpin>() {}
    is::<super::Body<Full<Bytes>>>();
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        4 => Just(Piece::Bytes(delta("Hi"))),
        4 => (1..2000_u64).prop_map(|time| Piece::Wait(Duration::from_millis(time))),
        1 => Just(Piece::Bytes(": ping\n\n".into())),
        1 => Just(Piece::Hang),
    ]
}

/// An answer of these pieces, and at its end what makes it complete.
fn whole(head: u64, mut pieces: Vec<Piece>) -> (Answer, String) {
    pieces.extend([bytes(&finish_event("stop")), bytes("data: [DONE]\n\n")]);
    let text = pieces.iter().filter_map(|piece| match piece {
        Piece::Bytes(text) => Some(&**text),
        _ => None,
    });
    let text = text.collect();
    (Answer::streaming(pieces).head_after(Duration::from_millis(head)), text)
}

fn run(answer: Answer, time: Duration) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play(answer, time))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn t1_no_answer_outlives_the_deadline(
        head in 0..3000_u64,
        pieces in vec(piece(), 0..20),
        time in 1..10_000_u64,
    ) {
        let (answer, _) = whole(head, pieces);
        let time = Duration::from_millis(time);
        let played = run(answer, time);
        prop_assert!(played.took <= time);
        prop_assert!(!played.is_alive || played.took < time);
        if played.exceeded().is_some() {
            prop_assert_eq!(played.took, time);
        }
    }

    #[test]
    fn t2_silence_ends_with_an_error_at_the_deadline(
        pieces in vec(piece(), 0..20),
        time in 1..10_000_u64,
    ) {
        let mut pieces = pieces;
        pieces.push(Piece::Hang);
        let (answer, _) = whole(0, pieces);
        let time = Duration::from_millis(time);
        let played = run(answer, time);
        prop_assert_eq!(played.took, time);
        prop_assert!(played.exceeded().is_some());
        let verdict = played.attempt.as_ref().unwrap().verdict().unwrap();
        prop_assert_eq!(verdict.code(), Some(Code::DeadlineExceeded));
    }

    #[test]
    fn t3_it_ends_well_if_it_was_complete_and_else_with_an_error(
        head in 0..3000_u64,
        pieces in vec(piece(), 0..20),
        time in 1..10_000_u64,
    ) {
        let (answer, text) = whole(head, pieces);
        let played = run(answer, Duration::from_millis(time));
        prop_assert!(text.starts_with(&played.delivered), "what is delivered is a prefix");
        prop_assert_eq!(played.error.is_none(), played.delivered == text);
    }
}
