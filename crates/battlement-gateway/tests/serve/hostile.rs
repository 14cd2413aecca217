//! What no client sends by accident.

use std::time::Duration;

use crate::rig::{ASK, CHAT, header, raw, rig, rig_with, text};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_taken() {
    let rig = rig_with("ok", "[server]\nmax_body = \"1KiB\"\n").await;
    let large = format!(r#"{{"model": "m", "x": "{}"}}"#, "y".repeat(2_000));
    let (response, body) = rig.post(CHAT, &large).await;
    assert_eq!(response.status(), 413);
    assert!(text(&body).contains("larger than 1 KiB"), "{}", text(&body));
    assert_eq!(header(&response, "connection"), "close");
    // The same without a length that would tell.
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(status(&raw(rig.address(), (head + &chunk).as_bytes()).await), "413");
    assert_eq!(rig.provider.counts().arrived, 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let rig = rig_with("ok", "[server]\nbody_time = \"30ms\"\n").await;
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{");
    let answer = raw(rig.address(), head.as_bytes()).await;
    assert_eq!(status(&answer), "408", "{answer}");
}

#[tokio::test]
async fn a_body_in_many_pieces_is_one_body() {
    let rig = rig("ok").await;
    let chunks: String = ASK.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let answer = raw(rig.address(), format!("{head}{chunks}0\r\n\r\n").as_bytes()).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert_eq!(rig.provider.record()[0].body.as_deref(), Some(ASK.as_bytes()));
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let rig = rig_with("ok", "[server]\nhead_time = \"30ms\"\n").await;
    let start = tokio::time::Instant::now();
    raw(rig.address(), b"").await;
    // What HTTP/2 begins with, and what both may begin with.
    raw(rig.address(), b"PRI * HTTP/2.0\r\n").await;
    raw(rig.address(), b"P").await;
    raw(rig.address(), b"GET /healthz HTTP/1.1\r\nhost").await;
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn heads_are_bounded() {
    let rig = rig("ok").await;
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let answer =
        raw(rig.address(), format!("GET /v1/models HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes())
            .await;
    assert_eq!(status(&answer), "431", "{answer}");
    let long = "y".repeat(100_000);
    let answer =
        raw(rig.address(), format!("GET /v1/models HTTP/1.1\r\nx: {long}\r\n\r\n").as_bytes())
            .await;
    assert_eq!(status(&answer), "431", "{answer}");
}

#[tokio::test]
async fn lengths_that_can_be_read_in_two_ways_are_read_in_none() {
    let rig = rig("ok").await;
    for lengths in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: +5",
        "transfer-encoding: gzip\r\ncontent-length: 5",
        "transfer-encoding: chunked, gzip",
    ] {
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: a\r\n{lengths}\r\nconnection: close\r\n\r\n{ASK}"
        );
        let answer = raw(rig.address(), head.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{lengths}: {answer}");
    }
    assert_eq!(rig.provider.counts().arrived, 0);
}

#[tokio::test]
async fn paths_are_taken_as_they_are_written() {
    let rig = rig("ok").await;
    for path in [
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/x/../chat/completions",
        "/v1/%2e%2e/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/responses/%2e%2e",
        "/v1beta/models/..%2f..:generateContent",
        "http://other.example/v1/secrets",
    ] {
        let length = ASK.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{ASK}"
        );
        assert_eq!(status(&raw(rig.address(), request.as_bytes()).await), "404", "{path}");
    }
    assert_eq!(rig.provider.counts().arrived, 0);
}

#[tokio::test]
async fn nonsense_harms_nobody() {
    let rig = rig("ok").await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        raw(rig.address(), bytes).await;
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (response, _) = rig.post(CHAT, &format!(r#"{{"model": "m", "messages": {deep}}}"#)).await;
    assert!(response.status().as_u16() < 500, "{}", response.status());
    assert_eq!(rig.post(CHAT, ASK).await.0.status(), 200);
}
