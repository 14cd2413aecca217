//! One answer as one JSON object.

use std::fs;

use serde_json::json;

use crate::{explain, fixture, object, printed};

const LIMITED: &str = r#"{"error":{"message":"Slow down","type":"tokens","code":429}}"#;

#[test]
fn exactly_these_keys_in_this_order() {
    let text =
        printed(&["-", "--json", "--status", "429", "-H", "Retry-After: 4"], LIMITED.as_bytes());
    let expected = concat!(
        r#"{"file":"-","outcome":"rate_limit_tokens","finish_reasons":[],"finish_classes":[],"#,
        r#""usage":null,"retryable":true,"retry_after_ms":4000,"retry_after_source":"retry-after","#,
        r#""stream_end":null,"rate_limit":null,"#,
        r#""error":{"type":"tokens","code":429,"message":"Slow down"},"#,
        r#""code":"llm.rate_limit.tokens"}"#,
        "\n",
    );
    assert_eq!(text, expected);
}

#[test]
fn a_success_has_neither_error_nor_code() {
    let file = fixture("openai_chat/ok_cached_reasoning.json");
    let found = object(&[&file, "-H", "x-ratelimit-remaining-requests: 7"], b"");
    let expected = json!({
        "file": file,
        "outcome": "complete",
        "finish_reasons": ["stop"],
        "finish_classes": ["complete"],
        "usage": {"input": 2006, "output": 300, "total": 2306, "cached_input": 1920, "reasoning": 192},
        "retryable": false,
        "retry_after_ms": null,
        "retry_after_source": null,
        "stream_end": null,
        "rate_limit": {"requests": {"remaining": 7}},
        "error": null,
        "code": null,
    });
    assert_eq!(found, expected);
}

#[test]
fn members_of_an_error_are_null_where_unknown() {
    let found = object(&["-", "--status", "502"], b"<html>");
    assert_eq!(found["error"], json!({"type": null, "code": null, "message": null}));
    assert_eq!(found["code"], "llm.provider.error");
}

#[test]
fn from_standard_input_as_from_a_file() {
    let name = fixture("anthropic/stream_cut.sse");
    let mut from_file = object(&[&name], b"");
    from_file["file"] = "-".into();
    assert_eq!(object(&["-"], &fs::read(name).unwrap()), from_file);
    assert_eq!(from_file["outcome"], "stream_cut");
}

#[test]
fn an_empty_body_is_a_cut_only_if_a_stream_was_asked_for() {
    let check = |arguments: &[&str], outcome| {
        assert_eq!(object(arguments, b"")["outcome"], outcome, "{arguments:?}");
    };
    check(&["-"], "server_error");
    check(&["-", "--stream"], "stream_cut");
    check(&["-", "-H", "content-type: text/event-stream"], "stream_cut");
}

#[test]
fn a_whole_http_answer_brings_its_head() {
    let check = |head: &str, arguments: &[&str], outcome, wait: Option<u64>| {
        let input = format!("{head}{LIMITED}");
        let found = object(&[&["-"], arguments].concat(), input.as_bytes());
        assert_eq!(found["outcome"], outcome, "{head:?} {arguments:?}");
        assert_eq!(found["retry_after_ms"], json!(wait), "{head:?} {arguments:?}");
    };
    let head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n\r\n";
    check(head, &[], "rate_limit_tokens", Some(2000));
    check("HTTP/2 429 \nretry-after: 2\n\n", &[], "rate_limit_tokens", Some(2000));
    // What is said on the command line wins.
    check(head, &["-H", "retry-after: 5"], "rate_limit_tokens", Some(5000));
    check(head, &["-H", "retry-after-ms: 10"], "rate_limit_tokens", Some(10));
    // A proxy, a redirect and a 100 have heads of their own.
    let proxied = "HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    check(&format!("{proxied}{head}"), &[], "rate_limit_tokens", Some(2000));
}

#[test]
fn a_body_that_has_been_decoded_is_read() {
    let input = format!("HTTP/2 429\ncontent-encoding: gzip\n\n{LIMITED}");
    let found = object(&["-", "-H", "content-encoding: identity"], input.as_bytes());
    assert_eq!(found["outcome"], "rate_limit_tokens");
}

#[test]
fn a_head_may_come_without_a_body() {
    let found = object(&["-"], b"HTTP/2 401\r\nx-request-id: 1");
    assert_eq!(found["outcome"], "auth");
}

#[test]
fn a_body_that_speaks_of_http_has_no_head() {
    let found = object(&["-", "--status", "400"], b"HTTP/2 is required");
    assert_eq!(found["outcome"], "invalid_request");
}

#[test]
fn more_than_one_piece_is_read() {
    let mut body =
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n".repeat(9999);
    body.extend(
        b"data: {\"choices\":[{\"index\":0,\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n",
    );
    let arguments = ["-", "--dialect", "openai_chat", "--provider", "vllm"];
    assert_eq!(object(&arguments, &body)["outcome"], "length");

    // And the head does not count as one.
    let head = format!("HTTP/2 200\r\nx-long: {}\r\n\r\n", "y".repeat(100_000));
    let whole = [head.as_bytes(), &body].concat();
    assert_eq!(object(&arguments, &whole)["outcome"], "length");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_battlement"))
        .args(["explain", "--manifest", &fixture("manifest.json"), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_names_the_dialects() {
    let text = printed(&["--help"], b"");
    assert!(text.contains("anthropic_messages") && text.contains("github_models"), "{text}");
    assert!(
        text.contains("The request asked for a stream; matters for an empty body only"),
        "{text}"
    );
    assert!(explain(&["--help"], b"").status.success());
}
