//! Answers in an encoding are read like those without.

use std::{
    future::{Future, ready},
    io::Write,
    pin::pin,
    task::{Context, Poll, Waker},
};

use battlement_core::{Code, End, FinishClass, Outcome, Signals, Verdict};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, Service, service_fn};

use crate::{
    BoxError,
    call::{Attempt, CallLayer},
    observe::reading::Reading,
    testing::{delta, finish_event, stream_request},
};

/// Packs the events, each so that it can be unpacked when it is there; one slice for each, and the end.
type Pack = fn(&[String]) -> Vec<Vec<u8>>;

fn plain(events: &[String]) -> Vec<Vec<u8>> {
    events.iter().map(|event| event.clone().into_bytes()).collect()
}

#[cfg(feature = "gzip")]
fn gzip(events: &[String]) -> Vec<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut slices = Vec::new();
    for event in events {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        slices.push(std::mem::take(encoder.get_mut()));
    }
    slices.push(encoder.finish().unwrap());
    slices
}

/// Blocks that are not compressed, as in section 9.2 of RFC 7932.
#[cfg(feature = "br")]
fn br(events: &[String]) -> Vec<Vec<u8>> {
    let mut slices = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let mut header = (event.len() as u32 - 1) << 3 | 1 << 19;
        // The first block comes behind one bit for the window.
        header <<= u32::from(index == 0);
        let mut slice = header.to_le_bytes()[..3].to_vec();
        slice.extend_from_slice(event.as_bytes());
        slices.push(slice);
    }
    slices.push(vec![3]);
    slices
}

#[cfg(feature = "zstd")]
fn zstd(events: &[String]) -> Vec<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    let mut slices = Vec::new();
    for event in events {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        slices.push(std::mem::take(encoder.get_mut()));
    }
    slices.push(encoder.finish().unwrap());
    slices
}

fn encodings() -> Vec<(&'static str, Pack)> {
    vec![
        ("identity", plain),
        #[cfg(feature = "gzip")]
        ("gzip", gzip),
        #[cfg(feature = "gzip")]
        ("X-GZIP", gzip),
        #[cfg(feature = "br")]
        ("br", br),
        #[cfg(feature = "zstd")]
        ("zstd", zstd),
    ]
}

fn events() -> Vec<String> {
    vec![
        ": waiting\n\n".into(),
        delta("Hi"),
        delta(&"ha ".repeat(1000)),
        finish_event("length"),
        "data: [DONE]\n\n".into(),
    ]
}

/// The attempt of a request that asks for a stream.
fn attempt() -> Attempt {
    let mut service = CallLayer::new().layer(service_fn(|request: Request<Full<Bytes>>| {
        ready(Ok::<_, BoxError>(request.extensions().get::<Attempt>().unwrap().clone()))
    }));
    let call = service.call(stream_request());
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(attempt) => attempt.unwrap(),
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

fn begin(status: u16, encoding: &str) -> (Attempt, Reading) {
    let attempt = attempt();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    if status != 200 {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
    assert!(attempt.claim());
    let status = StatusCode::from_u16(status).unwrap();
    let reading = Reading::new(attempt.clone(), status, &headers);
    (attempt, reading)
}

/// Reads these slices to their end.
fn read<'a>(status: u16, encoding: &str, slices: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
    let (attempt, mut reading) = begin(status, encoding);
    for slice in slices {
        reading.feed(slice);
    }
    reading.end(End::Eof);
    attempt.verdict().expect("it has ended").clone()
}

#[test]
fn every_event_is_seen_with_its_slice() {
    for (encoding, pack) in encodings() {
        let (attempt, mut reading) = begin(200, encoding);
        let expected =
            [Signals::KEEP_ALIVE, Signals::OUTPUT, Signals::OUTPUT, Signals::FINISH, Signals::END];
        for (slice, expected) in pack(&events()).iter().zip(expected) {
            let before = attempt.progress().mark();
            reading.feed(slice);
            assert!(attempt.progress().signals().contains(expected), "{encoding}: {expected:?}");
            let is_news = attempt.progress().mark() != before;
            assert_eq!(is_news, expected != Signals::KEEP_ALIVE, "{encoding}: {expected:?}");
        }
        reading.end(End::Eof);
        let verdict = attempt.verdict().unwrap();
        assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Length), "{encoding}");
    }
}

#[test]
fn the_size_of_slices_changes_nothing() {
    let expected = read(200, "identity", plain(&events()).iter().map(|slice| &slice[..]));
    for (encoding, pack) in encodings() {
        let body = pack(&events()).concat();
        for size in [1, 2, 7, 64, 4096] {
            assert_eq!(read(200, encoding, body.chunks(size)), expected, "{encoding} {size}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_is_cut() {
    for (encoding, pack) in encodings() {
        let slices = pack(&events());
        let verdict = read(200, encoding, slices[..2].iter().map(|slice| &slice[..]));
        assert_eq!(verdict.outcome, Outcome::Cut, "{encoding}");
        assert!(verdict.has_output, "{encoding}");
    }
}

#[test]
fn an_error_is_read() {
    let body =
        r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no"}}"#;
    for (encoding, pack) in encodings() {
        let slices = pack(&[body.to_owned()]);
        let verdict = read(429, encoding, slices.iter().map(|slice| &slice[..]));
        assert_eq!(verdict.code(), Some(Code::QuotaExhausted), "{encoding}");
    }
}

#[test]
fn what_cannot_be_decoded_is_judged_by_its_status() {
    for encoding in ["compress", "gzip, br", "deflate", "gzip,gzip", "\u{e9}"] {
        let verdict = read(200, encoding, [&b"\x1f\x8b\x08"[..]]);
        assert_eq!(verdict, Verdict::unread(End::Eof), "{encoding}");
        let verdict = read(500, encoding, [&b"\x1f\x8b\x08"[..]]);
        assert_eq!(verdict.code(), read(500, "identity", []).code(), "{encoding}");
        assert!(verdict.code().is_some());
    }
    for (encoding, _) in &encodings()[1..] {
        let (attempt, mut reading) = begin(200, encoding);
        for _ in 0..100 {
            reading.feed(b"this is no such thing");
        }
        assert!(attempt.progress().is_unread(), "{encoding}");
        reading.end(End::Eof);
        assert_eq!(attempt.verdict(), Some(&Verdict::unread(End::Eof)), "{encoding}");
    }
}

/// It would take 128 MB to read.
#[cfg(feature = "br")]
#[test]
fn a_window_beyond_the_standard_is_not_taken() {
    let (attempt, mut reading) = begin(200, "br");
    reading.feed(&[]);
    reading.feed(&[0x11, 0x9b, 0x9b, 0x9b, 0x3c, 0x69, 0x73, 0x20]);
    assert!(attempt.progress().is_unread());
}

#[test]
fn several_names_for_one_encoding() {
    let names = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        super::encodings(&headers).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), [""; 0]);
    assert_eq!(names(&["identity, ", "Identity"]), [""; 0]);
    assert_eq!(names(&[" gzip ,identity"]), ["gzip"]);
    assert_eq!(names(&["gzip", "br"]), ["gzip", "br"]);
}

/// Sixteen megabytes of blanks, in a few kilobytes.
#[cfg(any(feature = "gzip", feature = "zstd"))]
#[test]
fn of_a_bomb_no_more_is_read_than_is_reasonable() {
    let blanks = " ".repeat(16 << 20);
    for (encoding, pack) in encodings() {
        if !matches!(encoding, "gzip" | "zstd") {
            continue;
        }
        let (attempt, mut reading) = begin(200, encoding);
        for slice in pack(std::slice::from_ref(&blanks)).concat().chunks(1000) {
            reading.feed(slice);
        }
        assert!(attempt.progress().is_unread(), "{encoding}");
        reading.end(End::Eof);
        assert_eq!(attempt.verdict(), Some(&Verdict::unread(End::Eof)), "{encoding}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent, and wherever it is damaged.
    #[test]
    fn nothing_panics(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        size in 1..600_usize,
        cut: prop::sample::Index,
    ) {
        for (encoding, pack) in encodings() {
            let mut body = pack(&events()).concat();
            for (index, byte) in &flips {
                let index = index.index(body.len());
                body[index] = *byte;
            }
            body.truncate(cut.index(body.len()) + 1);
            let _verdict = read(200, encoding, body.chunks(size));
        }
    }
}
