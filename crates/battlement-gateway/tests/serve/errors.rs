//! How clients are told that something went wrong.

use battlement_sim::Provider;
use http_body_util::Full;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::rig::{
    ASK, CHAT, STREAM, header, rig, rig_as, rig_with, send, text, until_broken, whole,
};

#[tokio::test]
async fn a_limit_that_stays_is_told_with_its_wait_and_is_not_repeated() {
    let rig = rig("429 after 20ms").await;
    let (response, body) = rig.post(CHAT, ASK).await;
    assert_eq!(response.status(), 429);
    assert!(header(&response, "x-battlement-attempts").parse::<u32>().unwrap() > 1);
    assert_eq!(header(&response, "x-should-retry"), "false");
    assert!(
        !header(&response, "retry-after").is_empty()
            || !header(&response, "retry-after-ms").is_empty()
    );
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["error"]["message"].is_string(), "{body}");
}

/// What a client that speaks this is told when there is no provider.
async fn check_dialect(path: &str, body: &str, kind: &[&str], expected: &str) {
    let rig =
        rig_with("unreachable", "[classes.interactive]\nattempts = 2\nwaiting = \"10s\"\n").await;
    let (response, found) = rig.post(path, body).await;
    assert_eq!(response.status(), 502, "{path}: {}", text(&found));
    assert_eq!(header(&response, "x-should-retry"), "false", "{path}");
    assert!(header(&response, "x-battlement-request-id").starts_with("bt-"));
    let value: Value = serde_json::from_slice(&found).unwrap();
    let found = kind.iter().fold(&value, |value, key| &value[*key]);
    assert_eq!(found, expected, "{path}: {value}");
}

#[tokio::test]
async fn errors_are_told_in_the_dialect_of_the_client() {
    check_dialect(CHAT, ASK, &["error", "type"], "server_error").await;
    check_dialect("/v1/messages", ASK, &["error", "type"], "api_error").await;
    check_dialect("/v1beta/models/m:generateContent", "{}", &["error", "status"], "INTERNAL").await;
}

#[tokio::test]
async fn a_stream_that_breaks_is_seen_to_break() {
    let rig = rig("cut after 3 events").await;
    let response = send(rig.to(CHAT).body(Full::from(STREAM)).unwrap()).await;
    assert_eq!(response.status(), 200);
    let (seen, is_broken) = until_broken(response).await;
    let seen = String::from_utf8(seen).unwrap();
    assert!(is_broken, "no clean end: {seen}");
    let last = seen.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("data: {\"error\":{\"message\":"), "{seen}");
    assert!(!seen.contains("[DONE]"));
}

#[tokio::test]
async fn half_an_event_is_no_place_for_another() {
    let rig = rig("torn after 5 events").await;
    let response = send(rig.to("/v1/messages").body(Full::from(STREAM)).unwrap()).await;
    let (seen, is_broken) = until_broken(response).await;
    assert!(is_broken);
    assert!(!String::from_utf8(seen).unwrap().contains("event: error"));
}

#[tokio::test]
async fn a_stream_that_ends_too_early_and_in_good_order_is_no_answer() {
    let rig = rig("end after 5 events").await;
    let response = send(rig.to("/v1/messages").body(Full::from(STREAM)).unwrap()).await;
    let (seen, is_broken) = until_broken(response).await;
    assert!(is_broken && String::from_utf8(seen).unwrap().contains("event: error\n"));
}

#[tokio::test]
async fn what_comes_too_late_is_a_504_that_is_not_repeated() {
    let rig = rig("never").await;
    let request =
        rig.to(CHAT).header("x-battlement-deadline-ms", "30").body(Full::from(ASK)).unwrap();
    let (response, _) = whole(send(request).await).await;
    assert_eq!(response.status(), 504);
    assert_eq!(header(&response, "x-should-retry"), "false");
}

#[tokio::test]
async fn retries_are_counted_here_and_can_be_switched_off() {
    let rig = rig("503; ok").await;
    let request = rig.to(CHAT).header("x-battlement-retries", "0").body(Full::from(ASK)).unwrap();
    let response = send(request).await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "x-should-retry"), "", "it was not tried again here");
    let request = rig.to(CHAT).header("x-battlement-retries", "9").body(Full::from(ASK)).unwrap();
    let (response, body) = whole(send(request).await).await;
    assert_eq!(response.status(), 400);
    assert!(
        text(&body).contains("x-battlement-retries is a number from 0 to 2"),
        "{}",
        text(&body)
    );
}

#[tokio::test]
async fn what_there_was_no_budget_for_is_not_repeated_by_the_client() {
    let config = "retries = { share = 0.001, reserve = 1.0 }\n\n[[models]]\nname = \"m\"";
    for (script, status) in [("503", 503), ("unreachable", 502)] {
        let rig =
            rig_as(script, |file| file.replacen("\n[[models]]\nname = \"m\"", config, 1)).await;
        // What there is at the beginning is spent first.
        let mut response = rig.post(CHAT, ASK).await.0;
        while header(&response, "x-battlement-attempts") != "1" {
            assert_eq!(response.status(), status, "{script}");
            response = rig.post(CHAT, ASK).await.0;
        }
        assert_eq!(response.status(), status, "{script}");
        assert_eq!(header(&response, "x-should-retry"), "false", "{script}");
    }
}

#[tokio::test]
async fn the_keys_of_a_provider_are_tried_again_together() {
    let file = |file: String| {
        let keys = "keys = [{ env = \"PATH\" }, { env = \"CARGO_MANIFEST_DIR\" }]\n\
            retries = { share = 0.001, reserve = 2.0 }\n";
        file.replacen("key = \"sk-of-the-gateway\"\n", keys, 1)
    };
    let rig = rig_as("503", file).await;
    for _ in 0..4 {
        assert_eq!(rig.post(CHAT, ASK).await.0.status(), 503);
    }
    assert_eq!(rig.provider.counts().arrived, 6, "four calls, and two attempts more");
}

#[tokio::test]
async fn a_key_of_ours_that_is_refused_is_no_fault_of_the_clients() {
    let check = async |path: &str, kind: &str| {
        let rig = rig("401").await;
        let (response, body) = rig.post(path, ASK).await;
        assert_eq!(response.status(), 502, "{}", text(&body));
        assert!(text(&body).contains("the key of this gateway"), "{}", text(&body));
        assert!(text(&body).contains(kind), "{}", text(&body));
        assert_eq!(header(&response, "x-should-retry"), "false");
        assert_eq!(header(&response, "x-battlement-route"), "main");
    };
    check(CHAT, "server_error").await;
    check("/v1/messages", "api_error").await;
    let rig = rig_as("401", |file| file.replace("key = \"sk-of-the-gateway\"", "pass_key = true"));
    assert_eq!(rig.await.post(CHAT, ASK).await.0.status(), 401, "it is the client's");
}

#[tokio::test]
async fn the_time_of_a_call_begins_when_it_comes() {
    let rig = rig("ok").await;
    let length = ASK.len();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-battlement-deadline-ms: 20\r\ncontent-length: \
         {length}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(rig.address()).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert_eq!(rig.provider.counts().arrived, 0);
}

#[tokio::test]
async fn an_answer_says_where_it_has_been() {
    let rig = rig("503; ok").await;
    let (response, _) = rig.post(CHAT, ASK).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-battlement-route"), "main");
    assert_eq!(header(&response, "x-battlement-source"), "primary");
    assert_eq!(header(&response, "x-battlement-attempts"), "2");
    assert!(header(&response, "x-battlement-waited-ms").parse::<u64>().is_ok());
}

#[tokio::test]
async fn what_nobody_has_is_told_in_words() {
    let rig = rig("ok").await;
    let check = async |path: &str, body: &str, status: u16, words: &str| {
        let (response, found) = rig.post(path, body).await;
        assert_eq!(response.status(), status, "{path} {body}");
        assert!(text(&found).contains(words), "{path} {body}: {}", text(&found));
    };
    check(CHAT, r#"{"model": "gpt-9"}"#, 404, "there is no model `gpt-9` here").await;
    check(CHAT, "{}", 400, "`model` is missing").await;
    check(CHAT, "[1]", 400, "the body is no JSON object").await;
    check("/v1/chat", ASK, 404, "there is nothing at this path").await;
    check("/v1/models", ASK, 405, "this path takes GET").await;
    assert_eq!(rig.provider.counts().arrived, 0);
}

#[tokio::test]
async fn a_model_that_speaks_another_api_is_no_model_here() {
    let other = Provider::new().listen().await.unwrap();
    let more = format!(
        "[providers.claude]\nkind = \"anthropic\"\nbase_url = \"{}\"\nkey = \"k\"\n\n\
         [[models]]\nname = \"claude-*\"\nto = [{{ provider = \"claude\" }}]\n",
        other.url()
    );
    let rig = rig_with("ok", &more).await;
    let ask = ASK.replace("\"m\"", "\"claude-x\"");
    let (response, body) = rig.post(CHAT, &ask).await;
    assert_eq!(response.status(), 404);
    assert!(text(&body).contains("cannot be asked in the API of openai"), "{}", text(&body));
    assert_eq!(rig.post("/v1/messages", &ask).await.0.status(), 200);
}
