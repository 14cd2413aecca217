//! Answers that are made to hurt: deep, long, many, and announced larger than they are.
//!
//! None may make a reader hold memory that grows with the answer, or take time that grows faster
//! than it, and none is a success.

#[allow(unreachable_pub, reason = "it belongs to the fuzz targets")]
#[path = "../fuzz/src/memory.rs"]
mod memory;

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use battlement_core::{Dialect, End, FinishClass, Outcome, Provider, Reader, Verdict};
use http::{HeaderMap, HeaderValue, StatusCode, header};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

const MIB: usize = 1 << 20;

/// What a reader may hold whose answer has one choice.
const BOUND: usize = 64 * 1024;

/// The length of what is said to be a gigabyte long; without optimization it takes too long.
const GIGABYTE: usize = if cfg!(debug_assertions) { 16 * MIB } else { 1024 * MIB };

fn reader(dialect: Dialect, content_type: &'static str) -> Reader {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Reader::new(dialect, Provider::Generic, StatusCode::OK, &headers)
}

/// Feeds all pieces; what the answer means, and the memory that took.
fn feed<'a>(mut reader: Reader, pieces: impl Iterator<Item = &'a [u8]>) -> (Verdict, usize) {
    let ((), peak) = memory::peak(|| {
        for piece in pieces {
            let _ = reader.feed(piece);
        }
    });
    (reader.finish(End::Eof, SystemTime::UNIX_EPOCH), peak)
}

/// The lines that a body may begin with in each framing.
const FRAMINGS: [(&str, &str); 3] = [(JSON, ""), (SSE, "data: "), (NDJSON, "")];

#[track_caller]
fn check_megabyte(start: &str, unit: &str) {
    for dialect in Dialect::ALL {
        for (content_type, line) in FRAMINGS {
            let mut body = format!("{line}{start}");
            body.push_str(&unit.repeat(MIB / unit.len()));
            let (verdict, peak) = feed(reader(dialect, content_type), body.as_bytes().chunks(512));
            assert!(!verdict.is_success(), "{dialect} {content_type}: {verdict:?}");
            assert!(peak <= BOUND, "{dialect} {content_type} holds {peak} bytes");
            let (whole, _) = feed(reader(dialect, content_type), [body.as_bytes()].into_iter());
            assert_eq!(whole, verdict, "{dialect} {content_type}");
        }
    }
}

#[test]
fn a_megabyte_of_brackets() {
    check_megabyte("", "[");
    check_megabyte(r#"{"choices":"#, "[");
    check_megabyte(r#"{"error":"#, "[");
}

#[test]
fn a_megabyte_of_objects() {
    check_megabyte("", r#"{"a":"#);
    check_megabyte("", r#"{"error":"#);
    check_megabyte(r#"{"message":"#, r#"{"content":"#);
}

#[test]
fn a_megabyte_of_backslashes() {
    check_megabyte(r#"{"choices":[{"finish_reason":""#, r"\");
    check_megabyte(r#"{"error":{"message":""#, r"\");
    check_megabyte(r#"{"bytes":""#, r"\");
    check_megabyte(r#"{""#, r"\");
}

/// One line of a gigabyte in pieces of 64 KiB; in between, nothing but this byte.
#[track_caller]
fn check_gigabyte(content_type: &'static str, start: &str, filling: u8, end: &str) -> Verdict {
    let filling = vec![filling; 64 * 1024];
    let middle = std::iter::repeat_n(&filling[..], GIGABYTE / filling.len());
    let pieces = [start.as_bytes()].into_iter().chain(middle).chain([end.as_bytes()]);
    let (verdict, peak) = feed(reader(Dialect::OpenAiChat, content_type), pieces);
    assert!(peak <= BOUND, "{content_type} {start} holds {peak} bytes");
    verdict
}

#[test]
fn a_gigabyte_of_text_is_an_answer() {
    for (content_type, line) in FRAMINGS {
        let start = format!(r#"{line}{{"choices":[{{"index":0,"message":{{"content":""#);
        let end = "\"},\"finish_reason\":\"stop\"}]}\n\n";
        let verdict = check_gigabyte(content_type, &start, b'x', end);
        assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete), "{content_type}");
    }
}

#[test]
fn a_gigabyte_of_anything_else_is_skipped() {
    let choice = r#"{"choices":[{"index":0,"finish_reason":"#;
    for (start, filling, end) in [
        (format!("{choice}\"stop\"}}],\"note\":[\""), b'[', "\"]}\n\n"),
        (format!("{choice}\"stop\"}}]"), b' ', "}\n\n"),
        ("{\"note\":\"x\",\"".to_owned(), b'k', "\":1}\n\n"),
        (format!("{choice}\""), b'r', "\"}]}\n\n"),
        (choice.to_owned(), b'1', "}]}\n\n"),
        ("{\"error\":{\"message\":\"".to_owned(), b'm', "\"}}\n\n"),
    ] {
        for (content_type, line) in FRAMINGS {
            let _ =
                black_box(check_gigabyte(content_type, &format!("{line}{start}"), filling, end));
        }
    }
    for start in [":", "unknown", "event: ", "id: "] {
        let _ = black_box(check_gigabyte(SSE, start, b'x', "\n\n"));
    }
}

/// One choice of a chunk, with its own index.
fn choice(index: usize, reason: &str) -> String {
    format!(r#"{{"index":{index},"delta":{{"content":"x"}},"finish_reason":"{reason}"}}"#)
}

const MANY: usize = 10_000;

#[track_caller]
fn check_many(verdict: &Verdict, peak: usize, bound: usize) {
    assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Unknown), "{verdict:?}");
    assert_eq!(verdict.finishes.len(), 1024);
    assert!(peak <= bound, "{peak} bytes held");
}

#[test]
fn ten_thousand_choices_in_one_event() {
    let choices: Vec<_> = (0..MANY).map(|index| choice(index, "stop")).collect();
    let body = format!("{{\"choices\":[{}]}}\n\n", choices.join(","));
    for (content_type, line) in FRAMINGS {
        let body = format!("{line}{body}");
        let (verdict, peak) =
            feed(reader(Dialect::OpenAiChat, content_type), body.as_bytes().chunks(1000));
        check_many(&verdict, peak, 512 * 1024);
    }
}

#[test]
fn ten_thousand_choices_in_ten_thousand_events() {
    // The highest first, so that each is inserted before all others.
    let event = |index| format!("data: {{\"choices\":[{}]}}\n\n", choice(index, "stop"));
    let body: String = (0..MANY).rev().map(event).collect();
    let (verdict, peak) = feed(reader(Dialect::OpenAiChat, SSE), body.as_bytes().chunks(1000));
    check_many(&verdict, peak, 256 * 1024);
}

/// The most that an answer can make a reader hold: as many choices as are told apart, each with
/// reasons as long as they are kept.
#[test]
fn as_many_choices_as_possible_with_reasons_as_long_as_possible() {
    let reason = "r".repeat(8192);
    let event = |index| format!("data: {{\"choices\":[{}]}}\n\n", choice(index, &reason));
    let events = (0..2000).map(event);
    let mut reader = reader(Dialect::OpenAiChat, SSE);
    let ((), peak) = memory::peak(|| {
        for event in events {
            let _ = reader.feed(event.as_bytes());
        }
    });
    // The event itself, which this test makes, is 16 KiB.
    assert!(peak <= 5 * MIB, "{peak} bytes held");
}

/// Every choice that was announced has to end, even those that are too many to be told apart.
#[test]
fn a_choice_beyond_the_cap_still_counts() {
    let mut choices = vec![choice(0, "stop"); 1025];
    choices.push(choice(0, "content_filter"));
    choices.push(choice(0, "stop"));
    let body = format!("{{\"choices\":[{}]}}", choices.join(","));
    let (verdict, _) = feed(reader(Dialect::OpenAiChat, JSON), [body.as_bytes()].into_iter());
    assert!(!verdict.is_success(), "{verdict:?}");
}

/// The first twelve bytes of a frame.
fn prelude(total: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    // The checksum of frames, bit by bit.
    let sum = prelude.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    prelude.extend_from_slice(&(!sum).to_be_bytes());
    prelude
}

#[track_caller]
fn check_frame(total: u32, headers: u32, expected: Outcome) {
    let filling = vec![0; 64 * 1024];
    let prelude = prelude(total, headers);
    let pieces = [&prelude[..]].into_iter().chain(std::iter::repeat_n(&filling[..], 160));
    let (verdict, peak) = feed(reader(Dialect::BedrockConverse, EVENT_STREAM), pieces);
    assert_eq!(verdict.outcome, expected);
    // Headers are held until they are whole, in a vector that doubles as it grows.
    assert!(peak <= BOUND + 4 * 128 * 1024, "{peak} bytes held");
}

#[test]
fn announced_lengths() {
    check_frame(u32::MAX, 0, Outcome::Corrupt);
    check_frame(u32::MAX, u32::MAX - 16, Outcome::Corrupt);
    check_frame(u32::MAX, 128 * 1024, Outcome::Corrupt);
    check_frame(15, 0, Outcome::Corrupt);
    check_frame(16, 1, Outcome::Corrupt);
    check_frame(24 * 1024 * 1024, 0, Outcome::Cut);
    check_frame(24 * 1024 * 1024, 128 * 1024, Outcome::Cut);
}

/// How long a body takes that repeats a unit so many times, in pieces of this length.
fn took(content_type: &'static str, start: &str, unit: &str, times: usize, len: usize) -> Duration {
    let body = format!("{start}{}", unit.repeat(times));
    let reader = reader(Dialect::OpenAiChat, content_type);
    let begin = Instant::now();
    let _ = black_box(feed(reader, body.as_bytes().chunks(len)));
    begin.elapsed()
}

/// Four times the answer takes about four times as long; were it quadratic, sixteen times.
#[track_caller]
fn check_linear(content_type: &'static str, start: &str, unit: &str, times: usize, len: usize) {
    // A machine with other work to do stumbles, but hardly each time: the quickest of some tries counts.
    let (mut short, mut long) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        short = short.min(took(content_type, start, unit, times, len));
        long = long.min(took(content_type, start, unit, 4 * times, len));
        if long < 9 * short {
            return;
        }
    }
    panic!("{content_type} {start} {unit}: {long:?} for four times {short:?} is not linear");
}

#[test]
fn time_is_linear() {
    let text = r#"data: {"choices":[{"delta":{"content":""#;
    check_linear(SSE, text, "a token of text ", 16_384, 512);
    check_linear(SSE, text, r"\\", 131_072, 1);
    check_linear(SSE, "data: {\"note\":", "[\"", 131_072, 7);
    check_linear(SSE, "", "data: [\n", 32_768, 5);
    check_linear(SSE, "", ":\r", 131_072, 3);
    check_linear(SSE, "", "{\n", 131_072, 3);
    check_linear(SSE, "", "event: error\n\n", 32_768, 64);
    check_linear(SSE, "", "data: {\"choices\":[{},{},{},{},{}]}\n\n", 8192, 64);
    check_linear(SSE, "data: {\"choices\":[", "{\"finish_reason\":\"stop\"},", 8192, 64);
    check_linear(JSON, "{\"error\":", "{\"error\":", 32_768, 9);
    check_linear(
        JSON,
        "{\"error\":[",
        "{\"details\":[{\"violations\":[{\"quotaId\":\"x\"}]}]},",
        4096,
        9,
    );
    check_linear(NDJSON, "", "{\"choices\":[]}\n", 16_384, 4);
}

/// Events with a thousand choices cost about as much for each choice as events with a hundred; were the
/// choices looked through one by one, eight times as much. Rising indices and falling ones.
#[test]
fn a_choice_among_many_costs_what_one_among_few_does() {
    let event = |choices: usize, rising: bool| {
        let list: Vec<_> = (0..choices)
            .map(|at| if rising { at } else { choices - at })
            .map(|index| format!("{{\"index\":{index}}}"))
            .collect();
        format!("data: {{\"choices\":[{}]}}\n\n", list.join(","))
    };
    for rising in [true, false] {
        let (few, many) = (event(128, rising), event(1024, rising));
        let cheap = (0..3).any(|_| {
            let few = took(SSE, "", &few, 8 * 64, 65_536);
            let many = took(SSE, "", &many, 64, 65_536);
            many < 4 * few
        });
        assert!(cheap, "rising: {rising}");
    }
}
