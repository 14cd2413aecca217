mod meaning;
mod record;
mod site;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::ServiceExt;

use super::*;
use crate::script::Script;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";

fn request(stream: bool) -> Request<Full<Bytes>> {
    request_for("gpt-5-mini", stream)
}

fn request_for(model: &str, stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    Request::post(CHAT).body(body.into()).unwrap()
}

/// What a client sees of one call, with the milliseconds at which it does, and what the record says.
async fn play(words: &str, stream: bool) -> String {
    let provider = Provider::script(words).unwrap();
    let start = Instant::now();
    let mut told = String::new();
    let call = async {
        let at = || start.elapsed().as_millis();
        let response = match provider.clone().oneshot(request(stream)).await {
            Ok(response) => response,
            Err(lost) => return told.push_str(&format!("{:?} @{}", lost.why(), at())),
        };
        told.push_str(&format!("{} @{}", response.status().as_u16(), at()));
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if frame.is_data() => told.push_str(&format!(" +{}", at())),
                Ok(_) => told.push_str(" trailers"),
                Err(lost) => return told.push_str(&format!(" {:?} @{}", lost.why(), at())),
            }
        }
        told.push_str(&format!(" end @{}", at()));
    };
    if timeout(Duration::from_secs(3_600), call).await.is_err() {
        told.push_str(" silence");
    }
    let seen = &provider.record()[0];
    format!("{told} | {} events, {:?}", seen.events, seen.end.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_as_the_script_says() {
    let check = async |words: &str, expected: &str| {
        assert_eq!(play(words, true).await, expected, "{words}");
    };
    check("ok", "200 @0 +0 +0 +0 +0 +0 +0 +0 end @0 | 7 events, Finished").await;
    check(
        "head after 2s first token after 1s every 50ms",
        "200 @2000 +3000 +3050 +3100 +3150 +3200 +3250 +3300 end @3300 | 7 events, Finished",
    )
    .await;
    check("every 50ms", "200 @0 +0 +50 +100 +150 +200 +250 +300 end @300 | 7 events, Finished")
        .await;
    check("cut after 3 events", "200 @0 +0 +0 +0 Closed @0 | 3 events, Broken").await;
    check("cut after 0 events", "200 @0 Closed @0 | 0 events, Broken").await;
    check("cut after 99 events", "200 @0 +0 +0 +0 +0 +0 +0 Closed @0 | 6 events, Broken").await;
    check("torn after 1 event", "200 @0 +0 +0 Closed @0 | 2 events, Broken").await;
    check("end after 1 event", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("end after 0 events", "200 @0 end @0 | 0 events, Finished").await;
    check("stall after 2 events", "200 @0 +0 +0 silence | 2 events, Cancelled(Body)").await;
    check(
        "stall after 99 events",
        "200 @0 +0 +0 +0 +0 +0 +0 +0 silence | 7 events, Cancelled(Body)",
    )
    .await;
    check("every 1s reset after 2 events", "200 @0 +0 +1000 Reset @1000 | 2 events, Broken").await;
    check("overloaded after 2 events", "200 @0 +0 +0 +0 end @0 | 3 events, Finished").await;
    check("malformed after 2 events", "200 @0 +0 +0 +0 +0 +0 +0 +0 end @0 | 7 events, Finished")
        .await;
    check("bad chunk after 2 events", "200 @0 +0 +0 NotHttp @0 | 2 events, Broken").await;
    check("wrong length end after 1 event", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("reset head after 1s", "Reset @1000 | 0 events, Broken").await;
    check("unreachable", "Unreachable @0 | 0 events, Broken").await;
    check("never", " silence | 0 events, Cancelled(Head)").await;
    check("429 after 2s head after 1s", "429 @1000 +1000 end @1000 | 1 events, Finished").await;
}

#[tokio::test(start_paused = true)]
async fn a_document_comes_as_the_script_says() {
    let check = async |words: &str, expected: &str| {
        assert_eq!(play(words, false).await, expected, "{words}");
    };
    check("ok", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("first token after 3s head after 1s", "200 @1000 +4000 end @4000 | 1 events, Finished")
        .await;
    check("cut after 3 events", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("stall after 0 events", "200 @0 +0 silence | 1 events, Cancelled(Body)").await;
    check("reset after 1 event", "200 @0 +0 Reset @0 | 1 events, Broken").await;
    check("malformed after 0 events", "200 @0 +0 end @0 | 1 events, Finished").await;
    check("wrong length", "200 @0 +0 Closed @0 | 1 events, Broken").await;
    check("page 502", "502 @0 +0 end @0 | 1 events, Finished").await;
    check("answer 204", "204 @0 end @0 | 0 events, Finished").await;
}

#[tokio::test(start_paused = true)]
async fn scripts_of_models_and_functions() {
    let provider = Provider::serving(Step::ok()).for_model("gpt-5", [Step::internal(), Step::ok()]);
    let mut statuses = Vec::new();
    for model in ["m", "gpt-5", "m", "gpt-5"] {
        let response = provider.clone().oneshot(request_for(model, false)).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 200, 200]);

    let provider = Provider::serving(Script::by(|seen| {
        assert_eq!(seen.path(), "/v1/chat/completions");
        if seen.number == 0 || seen.stream() { Step::ok() } else { Step::rate_limited() }
    }));
    for (stream, expected) in [(false, 200), (true, 200), (false, 429)] {
        let response = provider.clone().oneshot(request(stream)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_know_their_length() {
    let response = Provider::new().oneshot(request(false)).await.unwrap();
    let length = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(length));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len() as u64, length);

    let response = Provider::new().oneshot(request(true)).await.unwrap();
    assert!(!response.headers().contains_key("content-length"));
    let mut body = response.into_body();
    assert!(!body.is_end_stream());
    for _ in 0..7 {
        body.frame().await.unwrap().unwrap();
    }
    assert!(body.is_end_stream());
    let empty = Provider::script("answer 204").unwrap().oneshot(request(false)).await.unwrap();
    assert!(empty.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn the_same_calls_get_the_same_bytes() {
    let play = async || {
        let provider = Provider::script("seed 3; 50% ok, 30% truncate, 20% 429").unwrap();
        let mut all = Vec::new();
        for number in 0..20 {
            let response = provider.clone().oneshot(request(number % 2 == 0)).await.unwrap();
            all.push(format!("{:?}", response.headers()).into());
            all.push(response.into_body().collect().await.unwrap().to_bytes());
        }
        all
    };
    assert_eq!(play().await, play().await);
}

#[test]
fn fits_where_clients_fit() {
    fn is_shared<T: Send + Sync + Unpin + 'static>() {}
    fn is_sent<T: Send>(_: &T) {}
    is_shared::<Body>();
    is_shared::<Provider>();
    is_shared::<Lost>();
    is_sent(&Provider::new().oneshot(request(true)));
}

#[test]
fn lost_connections_are_errors_of_io() {
    let lost: Box<dyn std::error::Error> = Lost::new(Why::Reset).into();
    let source = lost.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
}
