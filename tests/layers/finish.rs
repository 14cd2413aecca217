//! Every captured answer passes the layer exactly if it is of use, and every other one is a typed
//! error with the verdict that the capture's manifest expects.

use battlement::{
    BoxError, Error,
    finish::{AfterCommit, Beyond, FinishLayer, Hold, Policy, Unusable},
};
use battlement_core::{Dialect, End, Kind, Reader, Verdict};
use tower::{Layer, ServiceExt};

use crate::{
    expected::{Capture, captures, reference_now},
    provider::{Provider, collect, now, request},
};

/// What a caller gets.
struct Got {
    /// There was a head.
    head: bool,
    bytes: Vec<u8>,
    error: Option<BoxError>,
}

fn send(layer: &FinishLayer, capture: &Capture, pieces: &[&[u8]], breaks: bool) -> Got {
    let service = layer.layer(Provider::new(capture, pieces, breaks));
    match now(service.oneshot(request(capture))) {
        Ok(response) => {
            assert_eq!(response.status(), capture.status);
            let (bytes, error) = collect(response.into_body());
            Got { head: true, bytes, error }
        }
        Err(error) => Got { head: false, bytes: Vec::new(), error: Some(error) },
    }
}

/// What core says of the same bytes.
fn verdict(capture: &Capture, body: &[u8], end: End) -> Verdict {
    let mut reader =
        Reader::new(capture.dialect, capture.provider, capture.status, &capture.headers)
            .streamed(capture.stream);
    let _ = reader.feed(body);
    reader.finish(end, reference_now())
}

/// Whether the answer is to pass a strict layer.
fn passes(verdict: &Verdict) -> bool {
    verdict.is_success() || verdict.kind == Kind::HttpError
}

fn strict() -> FinishLayer {
    // Pieces of one byte need a hundred times the memory.
    FinishLayer::strict().hold(Hold::FirstOutput { most: 1 << 24 })
}

/// Sends a capture in these pieces through a strict layer.
fn check(capture: &Capture, pieces: &[&[u8]]) -> Got {
    let file = &capture.file;
    let expected = verdict(capture, &capture.body, End::Eof);
    let got = send(&strict(), capture, pieces, false);
    if passes(&expected) {
        assert!(got.error.is_none(), "{file}: {:?}", got.error);
        assert!(got.bytes == capture.body, "{file}: changed");
        return got;
    }
    let error = got.error.as_ref().unwrap_or_else(|| panic!("{file}: passed"));
    let unusable = error.downcast_ref::<Unusable>().unwrap_or_else(|| panic!("{file}: {error}"));
    assert_eq!(Some(unusable.code()), expected.code(), "{file}");
    // A hint that is a date depends on when it is read.
    assert_eq!(unusable.verdict.outcome, expected.outcome, "{file}");
    assert_eq!(unusable.verdict.finishes, expected.finishes, "{file}");
    assert!(capture.body.starts_with(&got.bytes), "{file}: changed");
    assert!(expected.has_output || !got.head, "{file}: a head before any output");
    assert!(capture.stream || !got.head, "{file}: a head before the verdict");
    got
}

#[test]
fn whole() {
    for capture in captures() {
        let expected = verdict(&capture, &capture.body, End::Eof);
        assert_eq!(capture.differences(&expected), [""; 0], "core says what the manifest says");
        check(&capture, &[&capture.body]);
    }
}

#[test]
fn byte_by_byte() {
    for capture in captures() {
        let pieces: Vec<_> = capture.body.chunks(1).collect();
        check(&capture, &pieces);
    }
}

/// An event in each piece, as most providers send them: then the end of a failed answer never goes out.
#[test]
fn event_by_event() {
    let ends: [&[u8]; 5] = [
        b"data: [DONE]",
        b"event: message_stop",
        b"event: response.completed",
        b"event: response.incomplete",
        b"\"done\":true",
    ];
    for capture in captures() {
        let got = check(&capture, &events(&capture.body));
        if got.error.is_some() {
            for end in ends {
                let mut lines = got.bytes.split(|byte| *byte == b'\n');
                assert!(!lines.any(|line| line.starts_with(end)), "{}", capture.file);
            }
        }
    }
}

/// The events of a stream of text, each with its blank line.
fn events(body: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    let mut start = 0;
    for end in 1..=body.len() {
        if body[..end].ends_with(b"\n\n") || body[..end].ends_with(b"\r\n\r\n") || end == body.len()
        {
            events.push(&body[start..end]);
            start = end;
        }
    }
    events
}

#[test]
fn at_seeded_random_splits() {
    let mut random = Random(0x5EED);
    for capture in captures() {
        for _ in 0..3 {
            check(&capture, &random.split(&capture.body));
        }
    }
}

/// Whatever is held, wherever the connection breaks: a caller gets a prefix of what the provider sent, all
/// of it without an error exactly if it is of use, and otherwise an error at the end.
#[test]
fn r4_what_is_delivered_is_a_prefix_of_one_answer() {
    let mut random = Random(0xF1A5);
    let holds = [
        Hold::FIRST_OUTPUT,
        Hold::FirstOutput { most: 500 },
        Hold::Complete { most: 1 << 24, beyond: Beyond::Fail },
        Hold::Complete { most: 500, beyond: Beyond::PassOn },
        Hold::Not,
    ];
    for capture in captures() {
        for hold in holds {
            let len = random.below(capture.body.len() + 1);
            let (body, breaks) = match random.below(3) {
                0 => (&capture.body[..], false),
                1 => (&capture.body[..len], false),
                _ => (&capture.body[..len], true),
            };
            let expected = verdict(&capture, body, if breaks { End::Broken } else { End::Eof });
            let layer = FinishLayer::strict().hold(hold);
            let got = send(&layer, &capture, &random.split(body), breaks);
            let shown = format!("{}, {len} bytes, {hold:?}: {:?}", capture.file, got.error);
            assert!(body.starts_with(&got.bytes), "{shown}");
            let is_unusable = got.error.as_ref().is_some_and(|error| error.is::<Unusable>());
            assert_eq!(is_unusable, !passes(&expected), "{shown}");
            if passes(&expected) {
                assert!(got.bytes == body, "{shown}");
                assert_eq!(got.error.is_some(), breaks, "{shown}");
            } else if matches!(hold, Hold::Complete { beyond: Beyond::Fail, .. }) {
                assert!(!got.head, "{shown}");
            }
        }
    }
}

#[test]
fn a_lenient_policy_changes_nothing() {
    let mut random = Random(0x1E);
    for capture in captures() {
        for hold in [Hold::FIRST_OUTPUT, Hold::Not] {
            let layer = FinishLayer::new().policy(Policy::LENIENT).hold(hold);
            let got = send(&layer, &capture, &random.split(&capture.body), false);
            assert!(got.error.is_none() && got.bytes == capture.body, "{}", capture.file);
        }
    }
}

/// With error events a client of the dialect that reads on to the end sees a failure, too.
#[test]
fn error_events_are_failures_to_whoever_reads_them() {
    let mut written = Vec::new();
    let layer = FinishLayer::strict().after_commit(AfterCommit::ErrorEvent).hold(Hold::Not);
    for capture in captures().filter(|capture| capture.stream) {
        let expected = verdict(&capture, &capture.body, End::Eof);
        let got = send(&layer, &capture, &events(&capture.body), false);
        let shown = format!("{}: {:?}", capture.file, got.error);
        if passes(&expected) {
            assert!(got.error.is_none() && got.bytes == capture.body, "{shown}");
        } else if got.error.is_some() {
            assert!(capture.body.starts_with(&got.bytes), "{shown}");
        } else {
            let seen = verdict(&capture, &got.bytes, End::Eof);
            assert!(!seen.is_success(), "{shown}\n{}", String::from_utf8_lossy(&got.bytes));
            written.push(capture.dialect);
        }
    }
    for dialect in [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::AnthropicMessages,
        Dialect::Gemini,
        Dialect::CohereV2,
        Dialect::OllamaNative,
    ] {
        assert!(written.contains(&dialect), "no stream of {dialect} failed");
    }
}

#[test]
fn errors_at_the_edge_answer_for_every_capture() {
    for capture in captures() {
        let expected = verdict(&capture, &capture.body, End::Eof);
        let got = send(&strict(), &capture, &[&capture.body], false);
        if let Some(error) = got.error.map(Error::from) {
            assert_eq!(Some(error.code()), expected.code(), "{}", capture.file);
            assert_eq!(error.is_retryable(), expected.is_retryable(), "{}", capture.file);
        }
    }
}

/// A small generator with a seed, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn split<'a>(&mut self, mut rest: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = 1 + self.below(400);
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((1 + self.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}
