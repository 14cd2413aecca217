//! Answers that are no streams.

use super::*;

fn answer(dialect: Dialect, id: &str, text: &str, is_cut: bool) -> String {
    let text = json(text);
    match dialect {
        Dialect::OpenAiChat => {
            let reason = if is_cut { "length" } else { "stop" };
            format!(
                r#"{{ "id":"{id}", "object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":{text},"refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"{reason}"}}],"usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}} }}"#
            )
        }
        Dialect::AnthropicMessages => {
            let reason = if is_cut { "max_tokens" } else { "end_turn" };
            format!(
                r#"{{"id":"{id}","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":{text}}}],"stop_reason":"{reason}","stop_sequence":null,"usage":{{"input_tokens":10,"output_tokens":5}}}}"#
            )
        }
        Dialect::OpenAiResponses => {
            let (status, details) = match is_cut {
                true => ("incomplete", r#"{"reason":"max_output_tokens"}"#),
                false => ("completed", "null"),
            };
            format!(
                r#"{{"id":"{id}","object":"response","status":"{status}","incomplete_details":{details},"output":[{{"id":"msg_{id}","type":"message","status":"{status}","content":[{{"type":"output_text","annotations":[],"logprobs":[],"text":{text}}}],"role":"assistant"}}],"usage":{{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}}"#
            )
        }
        _ => {
            let reason = if is_cut { "MAX_TOKENS" } else { "STOP" };
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":{text}}}],"role":"model"}},"finishReason":"{reason}","index":0}}],"usageMetadata":{{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}},"responseId":"{id}"}}"#
            )
        }
    }
}

fn verdict_of(dialect: Dialect, body: &[u8]) -> Verdict {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
    let mut reader = Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers);
    let _signals = reader.feed(body);
    reader.finish(End::Eof, SystemTime::UNIX_EPOCH)
}

#[test]
fn three_answers_are_one() {
    for dialect in DIALECTS {
        let first = answer(dialect, "a", "Once \"upon\"\n", true);
        let mut whole = Whole::read(dialect, first.as_bytes()).unwrap();
        assert_eq!(whole.finish(), FinishClass::Length);
        for (id, text, is_cut) in [("b", "a time ", true), ("c", "there was.", false)] {
            whole.join(answer(dialect, id, text, is_cut).as_bytes(), Overlap::Blanks).unwrap();
        }
        let body = whole.into_body();
        let verdict = verdict_of(dialect, &body);
        assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete));
        assert_eq!(told(&verdict), usage(30, 15));
        // All else is as it was in the first.
        let mut expected = answer(dialect, "a", "Once \"upon\"\na time there was.", false);
        for (one, all) in [(":10", ":30"), (":5", ":15"), (":15}", ":45}")] {
            if !(one == ":5" && dialect == Dialect::AnthropicMessages) {
                expected = expected.replacen(one, all, 1);
            } else {
                expected = expected.replace(":5}", ":15}");
                break;
            }
        }
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}

#[test]
fn an_answer_alone_is_as_it_was() {
    for dialect in DIALECTS {
        let body = answer(dialect, "a", "Once", true);
        let whole = Whole::read(dialect, body.as_bytes()).unwrap();
        assert_eq!(whole.into_body(), body.as_bytes());
    }
}

#[test]
fn a_better_answer_takes_the_place_of_the_first() {
    for dialect in DIALECTS {
        let mut whole =
            Whole::read(dialect, answer(dialect, "a", "Once", true).as_bytes()).unwrap();
        whole.replace(answer(dialect, "b", "Once upon a time", false).as_bytes());
        assert_eq!(whole.finish(), FinishClass::Complete);
        let body = whole.into_body();
        assert!(String::from_utf8_lossy(&body).contains("\"b\""));
        assert_eq!(told(&verdict_of(dialect, &body)), usage(20, 10));
    }
}

#[test]
fn what_cannot_be_joined_is_told() {
    let dialect = Dialect::OpenAiChat;
    let mut whole = Whole::read(dialect, answer(dialect, "a", "Once", true).as_bytes()).unwrap();
    let other = answer(dialect, "b", "There was", false);
    let diverged = Diverged { at: 0, delivered: 4 };
    assert_eq!(whole.join(other.as_bytes(), Overlap::All), Err(Unjoinable::Diverged(diverged)));
    assert_eq!(whole.join(b"<html>", Overlap::Blanks), Err(Unjoinable::NoText));
    assert_eq!(whole.into_body(), answer(dialect, "a", "Once", true).as_bytes());
}

#[test]
fn what_is_not_text_alone_is_not_read() {
    let bodies = [
        r#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"content":"a"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{}]},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":"a","reasoning":"b"},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":"a"}}]}"#,
        r#"{"error":{"message":"no"}}"#,
        "",
    ];
    for body in bodies {
        assert!(Whole::read(Dialect::OpenAiChat, body.as_bytes()).is_none(), "{body}");
    }
    let thinks = r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}],"stop_reason":"max_tokens"}"#;
    assert!(Whole::read(Dialect::AnthropicMessages, thinks.as_bytes()).is_none());
}

#[test]
fn counts_that_a_round_has_otherwise_are_there_once() {
    let body = |id: &str, usage: &str| {
        let body = answer(Dialect::OpenAiChat, id, "a", true);
        let at = body.find("{\"prompt_tokens\"").unwrap();
        format!("{}{{{usage}}}}}", &body[..at])
    };
    #[track_caller]
    fn check(first: &str, second: &str, expected: &str) {
        let mut whole = Whole::read(Dialect::OpenAiChat, first.as_bytes()).unwrap();
        whole.join(second.as_bytes(), Overlap::Blanks).unwrap();
        let body = String::from_utf8(whole.into_body()).unwrap();
        let (_, usage) = body.split_once("\"usage\":").unwrap();
        assert_eq!(usage, format!("{{{expected}}}}}"));
    }
    let check = |first: &str, second: &str, expected: &str| {
        check(&body("a", first), &body("b", second), expected);
    };
    check(r#""n":null"#, r#""n":5"#, r#""n":5"#);
    check(r#""n":1.5"#, r#""n":2"#, r#""n":3.5"#);
    check(r#""cost":0.00123"#, r#""cost":2e-5"#, r#""cost":0.00125"#);
    check(r#""n":1E2"#, r#""n":1"#, r#""n":101"#);
    check(r#""n":"x""#, r#""n":5"#, r#""n":"x""#);
    check(r#""n":-1"#, r#""n":5"#, r#""n":-1"#);
    check(r#""n":{"m":1}"#, r#""n":5"#, r#""n":{"m":1}"#);
    check(r#""a":1"#, r#""b":0.5"#, r#""b":0.5,"a":1"#);
    check(r#""n":1e99"#, r#""n":1"#, r#""n":1e99"#);
}
