//! What comes back when nothing is tried any more.

use battlement_core::lanes::Lane;
use http_body::Body as _;

use super::*;
use crate::{
    breaker::{self, BreakerLayer, Rejected},
    call::Attempt,
    observe::ObserveLayer,
    testing::Piece,
};

#[tokio::test(start_paused = true)]
async fn the_last_answer_comes_as_it_was_with_the_trail() {
    let last = Answer::error(503, "overloaded").header("x-request-id", "r7");
    let provider = Provider::new([Answer::error(500, "server_error"), last]);
    let (answer, told) = call(&retry(), &provider, with(Options::default().attempts(2))).await;
    let response = answer.unwrap();
    assert_eq!(response.headers()["x-request-id"], "r7");
    let size = response.body().size_hint().exact().unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap();
    assert_eq!(attempt.verdict().unwrap().outcome.as_str(), "overloaded");
    let trail = attempt.call().trail();
    assert_eq!(trail.len(), 2);
    assert!(trail.iter().all(|step| step.took.is_some() && step.tokens == 0));
    assert_eq!(told.events().last().unwrap(), "gave up: attempts");
    let body = text(response).await.unwrap();
    assert!(body.contains("overloaded") && body.ends_with("}}"), "{body}");
    assert_eq!(body.len() as u64, size);
}

#[tokio::test(start_paused = true)]
async fn reasons_to_give_up_are_told() {
    let overloaded = || Provider::new([Answer::error(503, "overloaded")]);
    let asking = |time: &str| {
        Provider::new([Answer::error(429, "rate_limit_exceeded").header("retry-after", time)])
    };
    let poor = budget::Config { reserve: 2.0, share: 0.001, ..budget::Config::default() };
    let poor = Arc::new(Budget::new(&poor, crate::clock::now()).unwrap());
    let attempts = |attempts| with(Options::default().attempts(attempts).lane(Lane::Batch));
    let cases = [
        (retry(), overloaded(), attempts(2), "attempts"),
        (retry().budget(poor), overloaded(), attempts(5), "budget"),
        (retry(), asking("121"), attempts(2), "patience"),
        (retry(), asking("100"), request(), "waiting"),
        (retry(), asking("20"), with(Options::default().time(15 * SECOND)), "deadline"),
        (retry(), overloaded(), with(Options::default().repeatable(false)), "not_repeatable"),
    ];
    for (layer, provider, request, reason) in cases {
        let before = Instant::now();
        let (answer, told) = call(&layer, &provider, request).await;
        assert!(answer.unwrap().status().is_client_error() || reason != "patience");
        assert_eq!(told.events().last().unwrap(), &format!("gave up: {reason}"));
        if matches!(reason, "patience" | "waiting" | "deadline") {
            assert_eq!(before.elapsed(), Duration::ZERO, "{reason}: decided before the wait");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_is_returned_at_once_and_the_real_answer_before_it() {
    let layer = BreakerLayer::new(breaker::Config::default()).unwrap();
    let provider = Provider::new([Answer::error(500, "server_error")]);
    let service = retry().layer(layer.layer(provider.clone()));
    // The first call has three attempts, of the second the first opens the circuit.
    let first = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(first.status(), 500);
    let second = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(second.status(), 500, "not what the breaker says");
    let trail = second.extensions().get::<Attempt>().unwrap().call().trail();
    assert!(trail[1].to_string().contains("not sent"), "{}", trail[1]);
    assert!(text(second).await.unwrap().ends_with("}}"));
    assert_eq!(provider.arrived().len(), 4);

    let before = Instant::now();
    let third = service.clone().oneshot(request()).await.unwrap_err();
    assert!(third.is::<Rejected>());
    assert_eq!(before.elapsed(), Duration::ZERO);

    // Where nobody watches, the next probe is waited for.
    let batch = with(Options::default().lane(Lane::Batch).attempts(2));
    let fourth = service.oneshot(batch).await.unwrap();
    assert_eq!(fourth.status(), 500);
    assert!(before.elapsed() > SECOND);
    assert_eq!(provider.arrived().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_hangs_is_judged_by_what_came() {
    let piece = r#"{"error":{"code":"insufficient_quota","message":"no"}}"#;
    for (status, beginning, attempts) in [(503, "", 3), (429, piece, 1), (500, "x", 3)] {
        let mut hanging = Answer::streaming(vec![Piece::Bytes(beginning.into()), Piece::Hang]);
        hanging = hanging.header("content-type", "application/json").status(status);
        let provider = Provider::new([hanging]);
        let before = Instant::now();
        let (answer, told) = call(&retry(), &provider, request()).await;
        let response = answer.unwrap();
        assert_eq!(provider.arrived().len(), attempts, "{status}");
        assert!(before.elapsed() >= SECOND * attempts as u32);
        assert_eq!(provider.alive(), 1, "the last one is with the caller");
        drop(response);
        assert_eq!(provider.alive(), 0);
        assert_eq!(told.call().ledger().running(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_without_end_is_not_read_to_it() {
    let long = Answer::new(500, &"x".repeat(40_000));
    let mut pieces = vec![Piece::Bytes("x".repeat(40_000)); 10];
    pieces.push(Piece::Hang);
    let endless = Answer::streaming(pieces).status(500);
    let provider = Provider::new([long, endless]);
    let before = Instant::now();
    let request = with(Options::default().attempts(2));
    let (answer, _) = call(&retry(), &provider, request).await;
    let response = answer.unwrap();
    assert!(before.elapsed() < SECOND, "no wait for the end");
    assert!(!response.body().is_end_stream());
    assert_eq!(response.body().size_hint().lower(), 80_000);
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_is_not_held() {
    let hanging = Answer::streaming(vec![Piece::Hang]);
    let provider = Provider::new([hanging]);
    let layered = retry().layer(ObserveLayer::new().layer(provider.clone()));
    let before = Instant::now();
    let response = layered.oneshot(crate::testing::stream_request()).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(!response.extensions().get::<Attempt>().unwrap().is_over());
}

#[tokio::test(start_paused = true)]
async fn the_account_has_what_the_answer_cost() {
    let provider =
        Provider::new([Answer::failing_with(io::ErrorKind::ConnectionRefused), Answer::ok()]);
    let (answer, told) = call(&retry(), &provider, request()).await;
    text(answer.unwrap()).await.unwrap();
    let call = told.call();
    let trail = call.trail();
    assert_eq!((trail[0].tokens, trail[1].tokens), (0, 12));
    assert_eq!(call.attempts(), 2);
    let ledger = call.ledger();
    assert_eq!((ledger.tokens(), ledger.running()), (12, 0));
}
