//! What is owned comes back, wherever a call is dropped.

use tokio::time::{advance, timeout};

use super::*;
use crate::testing::{Piece, stream_request};

/// Everything is at rest: no answer on its way, nothing running in the account.
fn at_rest(provider: &Provider, told: &Told) {
    assert_eq!(provider.alive(), 0);
    assert_eq!(told.call().ledger().running(), 0);
}

fn attempts_left(budget: &Budget) -> f64 {
    budget.balance(crate::clock::now()).attempts
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    // The head takes two seconds, the body of the error a half, the wait at least five.
    let slow = |answer: Answer| answer.head_after(2 * SECOND);
    let pieces = vec![
        Piece::Bytes(r#"{"error":"#.into()),
        Piece::Wait(SECOND / 2),
        Piece::Bytes(r#"{"code":"overloaded"}}"#.into()),
    ];
    let error = slow(Answer::streaming(pieces).status(503).header("retry-after", "5"));
    for millis in (0..9_500).step_by(250) {
        // Nothing is forgotten in the time that this takes.
        let config = budget::Config { half_life: 3_600 * SECOND, ..budget::Config::default() };
        let budget = Arc::new(Budget::new(&config, crate::clock::now()).unwrap());
        let full = attempts_left(&budget);
        let layer = retry().budget(budget.clone());
        let provider = Provider::new([error.clone(), slow(Answer::ok())]);
        let told = Told::default();
        let service = told.layer().layer(layer.layer(provider.clone()));
        let limit = Duration::from_millis(millis);
        let answer = timeout(limit, service.oneshot(request())).await;
        assert!(answer.is_err(), "{millis}: it takes longer");
        at_rest(&provider, &told);
        // What was paid for an attempt that was not made is there again.
        let made = provider.arrived().len();
        let paid = full + 0.1 - attempts_left(&budget);
        let is_paid = paid > 0.9;
        assert_eq!(is_paid, made == 2, "{millis}: {paid} for {made} attempts");
        if told.events().len() > 1 {
            assert_eq!(told.events()[1], "retrying overloaded");
        }
        if millis > 2_500 && made == 1 {
            assert_eq!(told.call().trail().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g1_never_polled_it_has_done_nothing_for_good() {
    let (told, provider) = (Told::default(), Provider::new([Answer::ok()]));
    drop(told.layer().layer(retry().layer(provider.clone())).oneshot(request()));
    let mut service = told.layer().layer(retry().layer(provider.clone()));
    let future = tower::Service::call(service.ready().await.unwrap(), request());
    drop(future);
    at_rest(&provider, &told);
    assert_eq!(told.call().attempts(), 1);
    assert!(told.call().trail()[0].to_string().contains("abandoned"));
}

#[tokio::test(start_paused = true)]
async fn g1_a_body_dropped_midway_is_settled() {
    let provider = Provider::new([Answer::streaming(vec![Piece::Hang])]);
    let (answer, told) = call(&retry(), &provider, stream_request()).await;
    assert_eq!(told.call().ledger().running(), 1);
    drop(answer);
    at_rest(&provider, &told);
}

#[tokio::test(start_paused = true)]
async fn g1_a_panic_is_settled() {
    for script in [vec![Answer::panicking()], vec![Answer::failing(), Answer::panicking()]] {
        let calls = script.len();
        let provider = Provider::new(script);
        let told = Told::default();
        let service = told.layer().layer(retry().layer(provider.clone()));
        let panicked = tokio::spawn(service.oneshot(request())).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(provider.arrived().len(), calls);
        at_rest(&provider, &told);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_during_a_wait() {
    let error = Answer::error(503, "overloaded").header("retry-after", "5");
    let provider = Provider::new([error, Answer::ok()]);
    let (told, layer) = (Told::default(), retry());
    let service = told.layer().layer(layer.layer(provider.clone()));
    let call = tokio::spawn(service.oneshot(request()));
    for _ in 0..4 {
        advance(SECOND).await;
        tokio::task::yield_now().await;
        assert_eq!(told.events().last().unwrap(), "retrying overloaded");
        at_rest(&provider, &told);
    }
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}
