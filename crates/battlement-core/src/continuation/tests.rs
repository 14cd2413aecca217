use std::time::SystemTime;

use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use proptest::prelude::*;

use super::{text::quoted, *};
use crate::{Dialect, End, FinishClass, Outcome, Provider, Reader, Usage, Verdict};

mod asks;
mod captures;
mod endings;
mod wholes;

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::OpenAiResponses, Dialect::Gemini];

fn json(text: &str) -> String {
    String::from_utf8(quoted(text)).unwrap()
}

/// A stream of one round, up to its end.
fn begun(dialect: Dialect, id: &str, texts: &[&str]) -> String {
    let mut out = String::new();
    let mut say = |name: &str, data: String| match name {
        "" => out.push_str(&format!("data: {data}\n\n")),
        name => out.push_str(&format!("event: {name}\ndata: {data}\n\n")),
    };
    match dialect {
        Dialect::OpenAiChat => {
            let chunk = |delta: String| {
                format!(
                    r#"{{"id":"{id}","object":"chat.completion.chunk","created":1,"model":"m-{id}","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}],"usage":null}}"#
                )
            };
            say("", chunk(r#"{"role":"assistant","content":"","refusal":null}"#.into()));
            for text in texts {
                say("", chunk(format!(r#"{{"content":{}}}"#, json(text))));
            }
        }
        Dialect::AnthropicMessages => {
            say(
                "message_start",
                format!(
                    r#"{{"type":"message_start","message":{{"id":"{id}","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":10,"output_tokens":1}}}}}}"#
                ),
            );
            say("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.into());
            say("ping", r#"{"type": "ping"}"#.into());
            for text in texts {
                say(
                    "content_block_delta",
                    format!(
                        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{}}}}}"#,
                        json(text)
                    ),
                );
            }
        }
        Dialect::OpenAiResponses => {
            let response = format!(
                r#"{{"id":"{id}","object":"response","status":"in_progress","model":"m","output":[],"usage":null}}"#
            );
            say(
                "response.created",
                format!(
                    r#"{{"type":"response.created","response":{response},"sequence_number":0}}"#
                ),
            );
            say(
                "response.output_item.added",
                format!(
                    r#"{{"type":"response.output_item.added","item":{{"id":"msg_{id}","type":"message","status":"in_progress","content":[],"role":"assistant"}},"output_index":0,"sequence_number":1}}"#
                ),
            );
            say(
                "response.content_part.added",
                format!(
                    r#"{{"type":"response.content_part.added","content_index":0,"item_id":"msg_{id}","output_index":0,"part":{{"type":"output_text","annotations":[],"text":""}},"sequence_number":2}}"#
                ),
            );
            for (at, text) in texts.iter().enumerate() {
                say(
                    "response.output_text.delta",
                    format!(
                        r#"{{"type":"response.output_text.delta","content_index":0,"delta":{},"item_id":"msg_{id}","logprobs":[],"output_index":0,"sequence_number":{}}}"#,
                        json(text),
                        at + 3
                    ),
                );
            }
        }
        _ => {
            for text in texts {
                say(
                    "",
                    format!(
                        r#"{{"candidates": [{{"content": {{"parts": [{{"text": {}}}],"role": "model"}},"index": 0}}],"usageMetadata": {{"promptTokenCount": 10,"totalTokenCount": 10}},"modelVersion": "m","responseId": "{id}"}}"#,
                        json(text)
                    ),
                );
            }
        }
    }
    out
}

/// Its end: for the output limit, or a natural one.
fn end(dialect: Dialect, id: &str, texts: &[&str], is_cut: bool) -> String {
    let mut out = String::new();
    let mut say = |name: &str, data: String| match name {
        "" => out.push_str(&format!("data: {data}\n\n")),
        name => out.push_str(&format!("event: {name}\ndata: {data}\n\n")),
    };
    match dialect {
        Dialect::OpenAiChat => {
            let reason = if is_cut { "length" } else { "stop" };
            let head = format!(
                r#"{{"id":"{id}","object":"chat.completion.chunk","created":1,"model":"m-{id}","#
            );
            say(
                "",
                format!(
                    r#"{head}"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}],"usage":null}}"#
                ),
            );
            say(
                "",
                format!(
                    r#"{head}"choices":[],"usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{{"cached_tokens":2}}}}}}"#
                ),
            );
            say("", "[DONE]".into());
        }
        Dialect::AnthropicMessages => {
            let reason = if is_cut { "max_tokens" } else { "end_turn" };
            say("content_block_stop", r#"{"type":"content_block_stop","index":0}"#.into());
            say(
                "message_delta",
                format!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":5}}}}"#
                ),
            );
            say("message_stop", r#"{"type":"message_stop"}"#.into());
        }
        Dialect::OpenAiResponses => {
            let text = json(&texts.concat());
            let (name, status, details) = match is_cut {
                true => ("incomplete", "incomplete", r#"{"reason":"max_output_tokens"}"#),
                false => ("completed", "completed", "null"),
            };
            let part = format!(r#"{{"type":"output_text","annotations":[],"text":{text}}}"#);
            let item = format!(
                r#"{{"id":"msg_{id}","type":"message","status":"{status}","content":[{part}],"role":"assistant"}}"#
            );
            let number = texts.len() + 3;
            say(
                "response.output_text.done",
                format!(
                    r#"{{"type":"response.output_text.done","content_index":0,"item_id":"msg_{id}","output_index":0,"sequence_number":{number},"text":{text}}}"#
                ),
            );
            say(
                "response.content_part.done",
                format!(
                    r#"{{"type":"response.content_part.done","content_index":0,"item_id":"msg_{id}","output_index":0,"part":{part},"sequence_number":{}}}"#,
                    number + 1
                ),
            );
            say(
                "response.output_item.done",
                format!(
                    r#"{{"type":"response.output_item.done","item":{item},"output_index":0,"sequence_number":{}}}"#,
                    number + 2
                ),
            );
            say(
                &format!("response.{name}"),
                format!(
                    r#"{{"type":"response.{name}","response":{{"id":"{id}","object":"response","status":"{status}","incomplete_details":{details},"model":"m","output":[{item}],"usage":{{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}},"sequence_number":{}}}"#,
                    number + 3
                ),
            );
        }
        _ => {
            let reason = if is_cut { "MAX_TOKENS" } else { "STOP" };
            say(
                "",
                format!(
                    r#"{{"candidates": [{{"content": {{"parts": [{{"text": ""}}],"role": "model"}},"finishReason": "{reason}","index": 0}}],"usageMetadata": {{"promptTokenCount": 10,"candidatesTokenCount": 5,"totalTokenCount": 15}},"modelVersion": "m","responseId": "{id}"}}"#
                ),
            );
        }
    }
    out
}

fn stream(dialect: Dialect, id: &str, texts: &[&str], is_cut: bool) -> String {
    begun(dialect, id, texts) + &end(dialect, id, texts, is_cut)
}

/// Shows a round in slices of these lengths; what goes on.
fn feed(splicer: &mut Splicer, round: &[u8], lengths: &[usize]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), round);
    let mut lengths = lengths.iter().copied().cycle();
    while !rest.is_empty() {
        let (slice, behind) =
            rest.split_at(lengths.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        let passed = splicer.feed(slice);
        out.extend_from_slice(&passed.before);
        out.extend_from_slice(&slice[passed.slice]);
        rest = behind;
    }
    out
}

/// What a client understands of a stream.
fn verdict(dialect: Dialect, stream: &[u8]) -> Verdict {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
    let mut reader = Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers);
    let _signals = reader.feed(stream);
    reader.finish(End::Eof, SystemTime::UNIX_EPOCH)
}

/// The text of a stream, as another splicer understands it.
fn text_of(dialect: Dialect, stream: &[u8]) -> String {
    let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
    splicer.feed(stream);
    assert!(splicer.diverged().is_none());
    splicer.text()
}

fn usage(input: u64, output: u64) -> (Option<u64>, Option<u64>) {
    (Some(input), Some(output))
}

fn told(verdict: &Verdict) -> (Option<u64>, Option<u64>) {
    let usage: Usage = verdict.usage.unwrap_or_default();
    (usage.input, usage.output)
}

fn ended(close: Close) -> Vec<u8> {
    match close {
        Close::Ended(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_round_passes_as_it_is_up_to_its_end() {
    for dialect in DIALECTS {
        for is_cut in [true, false] {
            let begun = begun(dialect, "a", &["Once ", "upon"]);
            let whole = stream(dialect, "a", &["Once ", "upon"], is_cut);
            let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
            let passed = splicer.feed(whole.as_bytes());
            assert_eq!(passed.before, b"", "nothing is copied");
            // A good end is not waited for.
            let gone = if is_cut { begun.len() } else { whole.len() };
            assert_eq!(passed.slice, 0..gone);
            let class = if is_cut { FinishClass::Length } else { FinishClass::Complete };
            assert_eq!(splicer.standing(), Standing::Finished(class));
            assert_eq!(splicer.can_go_on(), is_cut);
            assert_eq!(splicer.text(), "Once upon");
            assert_eq!(ended(splicer.close()), whole.as_bytes()[gone..]);
        }
    }
}

#[test]
fn three_rounds_are_one_answer() {
    for dialect in DIALECTS {
        let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
        let mut out =
            feed(&mut splicer, stream(dialect, "a", &["Once ", "upon "], true).as_bytes(), &[]);
        for (id, texts, is_cut) in [("b", ["a ", "time "], true), ("c", ["there ", "was."], false)]
        {
            assert!(splicer.can_go_on());
            splicer.go_on(Overlap::Blanks);
            out.extend(feed(&mut splicer, stream(dialect, id, &texts, is_cut).as_bytes(), &[]));
        }
        out.extend(ended(splicer.close()));
        let shown = String::from_utf8(out.clone()).unwrap();
        assert_eq!(text_of(dialect, &out), "Once upon a time there was.", "{shown}");
        let verdict = verdict(dialect, &out);
        assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete), "{shown}");
        assert_eq!(told(&verdict), usage(30, 15), "{shown}");
        for other in ["\"b\"", "\"c\"", "m-b", "m-c", "msg_b", "msg_c"] {
            assert!(!shown.contains(other), "{other} in {shown}");
        }
    }
}

#[test]
fn responses_are_numbered_on_and_end_with_all_of_the_text() {
    let dialect = Dialect::OpenAiResponses;
    let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
    let mut out = feed(&mut splicer, stream(dialect, "a", &["Once "], true).as_bytes(), &[]);
    splicer.go_on(Overlap::Blanks);
    out.extend(feed(&mut splicer, stream(dialect, "b", &["upon", " a"], false).as_bytes(), &[]));
    out.extend(ended(splicer.close()));
    let datas = frames::events(&out).map(|raw| frames::Event::read(raw).data.into_owned());
    let datas: Vec<serde_json::Value> =
        datas.map(|data| serde_json::from_slice(&data).unwrap()).collect();
    let numbers: Vec<u64> =
        datas.iter().map(|data| data["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..datas.len() as u64).collect::<Vec<_>>());
    let last = datas.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["id"], "a");
    assert_eq!(last["response"]["output"][0]["id"], "msg_a");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Once upon a");
    assert_eq!(last["response"]["usage"]["total_tokens"], 30);
}

#[test]
fn what_is_not_text_alone_passes_to_its_end() {
    let chunk = |choice: &str| format!("data: {{\"id\":\"a\",\"choices\":[{choice}]}}\n\n");
    let others = [
        r#"{"index":1,"delta":{"content":"x"}}"#,
        r#"{"index":0,"delta":{"tool_calls":[{"index":0}]}}"#,
        r#"{"index":0,"delta":{"reasoning_content":"hm"}}"#,
        r#"{"index":0,"delta":{"refusal":"no"}}"#,
        r#"{"index":0,"delta":{"content":"x"},"logprobs":{"content":[1]}}"#,
        r#"{"index":0,"delta":{"content":[{"type":"text"}]}}"#,
        r#"{"index":0,"delta":{"content":"x"}},{"index":1,"delta":{}}"#,
    ];
    for other in others {
        let before = begun(Dialect::OpenAiChat, "a", &["Once"]);
        let whole = before + &chunk(other) + &end(Dialect::OpenAiChat, "a", &[], true);
        for lengths in [&[][..], &[1], &[7, 90]] {
            let mut splicer = Splicer::new(Dialect::OpenAiChat, 1 << 20).unwrap();
            let out = feed(&mut splicer, whole.as_bytes(), lengths);
            assert_eq!(String::from_utf8(out).unwrap(), whole);
            assert!(!splicer.can_go_on());
            assert_eq!(splicer.close(), Close::Ended(Vec::new()));
        }
    }
}

#[test]
fn more_than_is_kept_passes_to_its_end() {
    for lengths in [&[][..], &[1], &[50]] {
        let whole = stream(Dialect::OpenAiChat, "a", &["0123456789"; 20], true);
        let mut splicer = Splicer::new(Dialect::OpenAiChat, 64).unwrap();
        assert_eq!(feed(&mut splicer, whole.as_bytes(), lengths), whole.as_bytes());
        assert!(!splicer.can_go_on());
        // An event without an end.
        let whole = format!("data: {}", "x".repeat(100_000));
        let mut splicer = Splicer::new(Dialect::OpenAiChat, 64).unwrap();
        let mut out = feed(&mut splicer, whole.as_bytes(), lengths);
        out.extend(ended(splicer.close()));
        assert_eq!(out, whole.as_bytes());
    }
}

#[test]
fn other_dialects_are_not_continued() {
    for dialect in Dialect::ALL {
        assert_eq!(Splicer::new(dialect, 1).is_some(), DIALECTS.contains(&dialect));
        assert_eq!(knows(dialect), DIALECTS.contains(&dialect));
    }
}

#[test]
fn events_end_where_the_standard_says() {
    #[track_caller]
    fn check(stream: &str, events: &[&str]) {
        for lengths in [&[][..], &[1], &[2], &[3], &[5]] {
            let (mut ends, mut out, mut partial) =
                (frames::Ends::default(), Vec::<String>::new(), String::new());
            let mut rest = stream;
            let mut lengths = lengths.iter().copied().cycle();
            while !rest.is_empty() {
                let (slice, behind) = rest.split_at(lengths.next().unwrap_or(99).min(rest.len()));
                let mut start = ends.belated(slice.as_bytes());
                if start > 0 {
                    out.last_mut().unwrap().push('\n');
                }
                while let Some(end) = ends.next(slice.as_bytes(), start) {
                    out.push(std::mem::take(&mut partial) + &slice[start..end]);
                    start = end;
                }
                partial.push_str(&slice[start..]);
                rest = behind;
            }
            assert_eq!(out, events);
        }
    }
    check("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]);
    check("data: a\r\n\r\ndata: b\r\n\r\n", &["data: a\r\n\r\n", "data: b\r\n\r\n"]);
    check("data: a\r\rdata: b\r\r", &["data: a\r\r", "data: b\r\r"]);
    check("data: a\ndata: b\n\n\n: c\n\n", &["data: a\ndata: b\n\n", "\n", ": c\n\n"]);
}

#[test]
fn a_character_that_was_torn_is_whole() {
    let (mut half, mut text) = (None, String::new());
    for raw in [r"a\ud83d", r"\ude00b", r"\ud83d", "x", r"\ude00", r"\n\q\u12"] {
        text::decode(raw.as_bytes(), &mut half, &mut text);
    }
    assert_eq!(text, "a😀b\u{fffd}x\u{fffd}\n\u{fffd}\u{fffd}12");
}

/// Text of a model: plain, with what JSON escapes, with characters of any length.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let text = proptest::string::string_regex("[a-c \\n\"\\\\é😀]{0,6}").unwrap();
    proptest::collection::vec(text, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn k1_any_split_of_any_rounds_is_the_whole_answer(
        dialect in 0..DIALECTS.len(),
        rounds in proptest::collection::vec((texts(), any::<bool>()), 1..4),
        lengths in proptest::collection::vec(1_usize..80, 1..6),
        crlf in any::<bool>(),
    ) {
        let dialect = DIALECTS[dialect];
        let mut outs = Vec::new();
        for lengths in [&[][..], &lengths[..]] {
            let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
            let (mut out, mut known) = (Vec::new(), String::new());
            for (index, (texts, is_whole)) in rounds.iter().enumerate() {
                if index > 0 {
                    if !splicer.can_go_on() {
                        break;
                    }
                    splicer.go_on(Overlap::All);
                }
                // Each is begun anew, and gets a little further.
                let mut said: Vec<&str> = vec![&known];
                said.extend(texts.iter().map(String::as_str));
                let is_last = index + 1 == rounds.len();
                let mut round = begun(dialect, &format!("r{index}"), &said);
                if *is_whole || is_last {
                    round += &end(dialect, &format!("r{index}"), &said, !is_last);
                }
                if crlf {
                    round = round.replace('\n', "\r\n");
                }
                out.extend(feed(&mut splicer, round.as_bytes(), lengths));
                known += &texts.concat();
                prop_assert_eq!(splicer.text(), &*known);
            }
            let close = splicer.close();
            if let Close::Ended(end) = &close {
                out.extend_from_slice(end);
                prop_assert_eq!(text_of(dialect, &out), known);
            }
            outs.push((out, close));
        }
        prop_assert_eq!(&outs[0], &outs[1]);
    }

    #[test]
    fn k2_whatever_comes_nothing_is_lost_of_a_first_round(
        dialect in 0..DIALECTS.len(),
        bytes in proptest::collection::vec(prop_oneof![
            Just(&b"data: "[..]), Just(&b"\n\n"[..]), Just(&b"\r"[..]), Just(&b"[DONE]"[..]), Just(&b"{"[..]),
            Just(&br#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#[..]),
            Just(&br#"{"type":"content_block_stop"}"#[..]), Just(&b"\xff\xef\xbb\xbf"[..]), Just(&br#""error":{}}"#[..]),
        ], 0..30),
        lengths in proptest::collection::vec(1_usize..20, 1..4),
    ) {
        let bytes = bytes.concat();
        let mut splicer = Splicer::new(DIALECTS[dialect], 256).unwrap();
        let mut out = feed(&mut splicer, &bytes, &lengths);
        match splicer.close() {
            Close::Ended(end) | Close::Open(end) => out.extend(end),
            Close::Diverged(diverged) => panic!("{diverged}"),
        }
        prop_assert_eq!(out, bytes);
    }
}
