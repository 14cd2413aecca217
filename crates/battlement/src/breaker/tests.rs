//! What a caller sees of the breaker.

use std::time::Duration;

use battlement_core::breaker::Mode;
use tower::{Layer, ServiceExt};

use super::{BreakerLayer, Config, Rejected};
use crate::{
    call::{Attempt, Key},
    testing::{Answer, Piece, Provider, delta, request, stream_request, text},
};

/// Makes one call after the other: `+` good, `-` 500, `4` 429, `c` a stream that is cut, `x` dropped
/// before its end, `p` panics; and compares which were let through (`A`) with those rejected (`r`).
async fn check(script: &str, expected: &str) {
    let layer = BreakerLayer::new(Config::default()).unwrap();
    let mut admitted = String::new();
    for letter in script.chars() {
        if letter == '.' {
            tokio::time::advance(Duration::from_secs(10)).await;
            continue;
        }
        let answer = match letter {
            '+' => Answer::ok(),
            '-' => Answer::error(500, "server_error"),
            '4' => Answer::error(429, "rate_limit_exceeded"),
            'p' => Answer::panicking(),
            'c' => Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Break]),
            _ => Answer::streaming(vec![Piece::Hang]),
        };
        let streams = matches!(letter, 'c' | 'x');
        let request = if streams { stream_request() } else { request() };
        let service = layer.layer(Provider::new([answer]));
        let call = tokio::spawn(service.oneshot(request));
        match call.await {
            Ok(Ok(response)) => {
                admitted.push('A');
                if letter != 'x' {
                    let _ = text(response).await;
                }
            }
            Ok(Err(error)) => {
                assert!(error.is::<Rejected>(), "{error}");
                admitted.push('r');
            }
            Err(_panicked) => admitted.push('A'),
        }
    }
    assert_eq!(admitted, expected, "{script}");
}

#[tokio::test(start_paused = true)]
async fn what_counts() {
    check("----+", "AAAAr").await;
    check("cccc+", "AAAAr").await;
    check("4444444444+", "AAAAAAAAAAA").await;
    check("xxxxxxxxxx+", "AAAAAAAAAAA").await;
    check("pppppppppp+", "AAAAAAAAAAA").await;
    // The open time is over: two good probes close it.
    check("----.+++", "AAAAAAA").await;
    check("----.-+", "AAAAAr").await;
    // A probe that is dropped leaves its place to another.
    check("----.xx-+", "AAAAAAAr").await;
}

#[tokio::test(start_paused = true)]
async fn state_is_shared_by_clones_and_by_layers() {
    let layer = BreakerLayer::new(Config::default()).unwrap();
    let provider = Provider::new([Answer::error(500, "server_error")]);
    for _ in 0..4 {
        let response = layer.clone().layer(provider.clone()).oneshot(request()).await.unwrap();
        let _ = text(response).await;
    }
    let error = layer.layer(provider.clone()).oneshot(request()).await.unwrap_err();
    assert!(error.is::<Rejected>());
    assert_eq!(provider.arrived().len(), 4);

    let (key, snapshot) = layer.circuits().snapshots().remove(0);
    assert_eq!((key.to_string().as_str(), snapshot.mode), ("openai/gpt-5-mini", Mode::Open));
    layer.circuits().reset(&key);
    assert!(layer.layer(provider).oneshot(request()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_decided_by_its_first_output() {
    let layer = BreakerLayer::new(Config::default()).unwrap();
    let broken = Provider::new([Answer::error(500, "server_error")]);
    for _ in 0..4 {
        let _ = text(layer.layer(broken.clone()).oneshot(request()).await.unwrap()).await;
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let long = Provider::new([Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang])]);
    let mut probe = layer.layer(long.clone()).oneshot(stream_request()).await.unwrap();
    assert!(layer.layer(long.clone()).oneshot(request()).await.is_err(), "one at a time");
    let _ = http_body_util::BodyExt::frame(probe.body_mut()).await;
    assert!(layer.layer(long).oneshot(request()).await.is_ok(), "the first one has said something");
    assert!(!probe.extensions().get::<Attempt>().unwrap().is_over());
}

#[tokio::test(start_paused = true)]
async fn borders_can_be_drawn_elsewhere() {
    let layer = BreakerLayer::new(Config::default())
        .unwrap()
        .key(|call| Key { name: Some("all models".into()), ..Key::of(call) });
    let provider = Provider::new([Answer::error(500, "server_error")]);
    for _ in 0..4 {
        let _ = text(layer.layer(provider.clone()).oneshot(request()).await.unwrap()).await;
    }
    let error = layer.layer(provider).oneshot(request()).await.unwrap_err();
    assert!(error.to_string().starts_with("the circuit breaker of openai/all models"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_api_key_has_a_circuit_of_its_own() {
    let layer = BreakerLayer::new(Config::default()).unwrap();
    let provider = Provider::new([Answer::error(500, "server_error")]);
    let with_key = |key: &str| {
        let mut request = request();
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    for _ in 0..4 {
        let _ = text(layer.layer(provider.clone()).oneshot(with_key("one")).await.unwrap()).await;
    }
    let error = layer.layer(provider.clone()).oneshot(with_key("one")).await.unwrap_err();
    assert!(!error.to_string().contains("one"), "{error}");
    assert!(layer.layer(provider).oneshot(with_key("two")).await.is_ok());
}
