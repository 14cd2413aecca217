//! What fuzzing has found: the smallest input of each, and what it means.

use std::time::SystemTime;

use battlement_core::{
    Code, Dialect, End, FinishClass, Outcome, Provider, Reader, StreamEnd, Verdict,
    request::Operation,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::fuzz::framing::Framing;

pub(crate) fn read(dialect: Dialect, framing: Framing, body: &[u8], longest: usize) -> Verdict {
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::from_static(framing.content_type());
    headers.insert(header::CONTENT_TYPE, content_type);
    let mut reader = Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers);
    for slice in body.chunks(longest) {
        let _ = reader.feed(slice);
    }
    reader.finish(End::Eof, SystemTime::UNIX_EPOCH)
}

fn chat(framing: Framing, body: &str) -> Verdict {
    read(Dialect::OpenAiChat, framing, body.as_bytes(), body.len())
}

const STOP: &str = "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn an_event_without_data_is_none_whatever_it_is_called() {
    let verdict = chat(Framing::Sse, &format!("event: error\n\n{STOP}data: [DONE]\n\n"));
    assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete));
}

#[test]
fn output_before_garbage_is_told() {
    let choice = r#"{"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}]}"#;
    let verdict = chat(Framing::Json, &format!("{choice}}}"));
    assert!(!verdict.is_success() && verdict.has_output, "{verdict:?}");
}

#[test]
fn an_empty_reason_does_not_replace_a_real_one() {
    let empty = STOP.replace("stop", "");
    let verdict = chat(Framing::Sse, &format!("{STOP}{empty}data: [DONE]\n\n"));
    assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete));
}

#[test]
fn an_error_event_with_empty_data_is_an_error() {
    let verdict = chat(Framing::Sse, &format!("{STOP}event: error\ndata:\n\n"));
    assert!(!verdict.is_success(), "{verdict:?}");
}

#[test]
fn the_last_name_of_an_event_counts() {
    let verdict = chat(Framing::Sse, &format!("event: error\nevent: message\n{STOP}"));
    assert!(verdict.is_success(), "{verdict:?}");
}

#[test]
fn done_behind_gemini_is_a_clean_end() {
    let body = b"data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\ndata: [DONE]\n\n";
    let verdict = read(Dialect::Gemini, Framing::Sse, body, body.len());
    assert_eq!(verdict.stream_end, Some(StreamEnd::Clean));
}

#[test]
fn a_number_that_is_none_is_no_json() {
    let verdict = chat(Framing::Json, r#"{"choices":[{"finish_reason":"stop"}],"created":01-.e+}"#);
    assert!(!verdict.is_success(), "{verdict:?}");
}

#[test]
fn a_key_with_a_false_escape_is_another_key() {
    let verdict = chat(Framing::Json, r#"{"choices":[{"index":0,"finish_re\ason":"stop"}]}"#);
    assert!(!verdict.is_success(), "{verdict:?}");
}

#[test]
fn a_repeated_event_needs_a_number_where_one_was() {
    let event = |created: &str| {
        format!(
            r#"data: {{"created":{created},"choices":[{{"index":0,"delta":{{"content":"x"}}}}]}}"#
        )
    };
    let good = event("12");
    let body = format!("{good}\n\n{good}\n\n{}\n\n{STOP}", event("012"));
    let whole = read(Dialect::OpenAiChat, Framing::Sse, body.as_bytes(), body.len());
    assert_eq!(whole, read(Dialect::OpenAiChat, Framing::Sse, body.as_bytes(), 1));
    assert_eq!(whole.outcome, Outcome::Corrupt);
}

#[test]
fn a_reader_shows_nothing_of_what_it_reads() {
    let headers =
        HeaderMap::from_iter([(header::CONTENT_TYPE, "text/event-stream".parse().unwrap())]);
    let mut reader = Reader::new(Dialect::OpenAiChat, Provider::Generic, StatusCode::OK, &headers);
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret\"}}]}\n\n";
    for piece in [event, event, event, &event[..50]] {
        let _ = reader.feed(piece.as_bytes());
    }
    let shown = format!("{reader:?}");
    assert!(
        !shown.contains("secret") && !shown.contains(&format!("{:?}", b"secret")[1..20]),
        "{shown}"
    );
}

/// With a content type, a status and an end of their own.
fn read_as(dialect: Dialect, content_type: &str, body: &str, end: End, asked: bool) -> Verdict {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    let mut reader =
        Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers).streamed(asked);
    let _ = reader.feed(body.as_bytes());
    reader.finish(end, SystemTime::UNIX_EPOCH)
}

#[test]
fn asking_for_a_stream_makes_none_of_a_document() {
    let page = "<html>log in</html>";
    let verdict = read_as(Dialect::OpenAiChat, "text/html", page, End::Eof, true);
    assert_eq!(verdict.code(), Some(Code::AnswerMalformed));
    let empty = read_as(Dialect::OpenAiChat, "application/json", "", End::Eof, true);
    assert_eq!(empty.outcome, Outcome::Cut);
}

#[test]
fn a_document_cut_by_the_connection_is_not_the_providers_fault() {
    let half = r#"{"choices":[{"index":0,"#;
    let verdict = read_as(Dialect::OpenAiChat, "application/json", half, End::Broken, false);
    assert_eq!(verdict.code(), Some(Code::StreamCut));
    let verdict = read_as(Dialect::OpenAiChat, "application/json", half, End::Eof, false);
    assert_eq!(verdict.code(), Some(Code::AnswerMalformed));
}

#[test]
fn an_answer_in_another_dialect_is_no_error_of_the_providers() {
    let other = r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#;
    let verdict = read_as(Dialect::OpenAiChat, "application/json", other, End::Eof, false);
    assert_eq!(verdict.code(), Some(Code::AnswerMalformed));
    let vectors = r#"{"object":"whatever"}"#;
    let verdict = read_as(Dialect::OpenAiEmbeddings, "application/json", vectors, End::Eof, false);
    assert_eq!(verdict.code(), Some(Code::AnswerMalformed));
}

#[test]
fn what_is_not_generated_is_whole_when_it_is_there() {
    let headers = HeaderMap::new();
    let read = |body: &str| {
        let status = StatusCode::OK;
        let mut reader =
            Reader::new(Dialect::AnthropicMessages, Provider::Anthropic, status, &headers)
                .operation(Operation::CountTokens);
        let _ = reader.feed(body.as_bytes());
        reader.finish(End::Eof, SystemTime::UNIX_EPOCH)
    };
    assert!(read(r#"{"input_tokens":14}"#).is_success());
    assert!(!read(r#"{"input_tokens":"#).is_success());
    assert!(
        !read(r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#).is_success()
    );
}

#[test]
fn counts_nobody_can_have_paid_for_are_unknown() {
    let verdict = chat(
        Framing::Json,
        r#"{"choices":[{"index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1e30}}"#,
    );
    let usage = verdict.usage.unwrap();
    assert_eq!((usage.input, usage.output), (Some(7), None));
}

#[test]
fn progress_can_be_asked_for() {
    let mut reader =
        Reader::new(Dialect::OpenAiChat, Provider::Generic, StatusCode::OK, &HeaderMap::new());
    let _ = reader.feed(STOP.replace("\"index\":0", "\"index\":3").as_bytes());
    assert_eq!(reader.finished().collect::<Vec<_>>(), [3]);
    assert_eq!(reader.usage(), None);
    let _ = reader.feed(b"data: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}\n\n");
    assert_eq!(reader.usage().and_then(|usage| usage.output), Some(2));
}

#[test]
fn readers_and_verdicts_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin + 'static>() {}
    anywhere::<Reader>();
    anywhere::<Verdict>();
}
