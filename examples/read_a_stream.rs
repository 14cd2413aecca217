//! What a streamed answer means, seen as it passes: the signals on the way and the verdict at the end.
//!
//! `cargo run -p examples --bin read-a-stream`

use std::time::SystemTime;

use battlement_core::{Dialect, End, Outcome, Provider, Reader, Signals};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// What a client would read from its socket, cut wherever the network cut it.
const FRAMES: [&str; 5] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],",
    "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Once upon\"}}\n\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},",
    "\"usage\":{\"output_tokens\":2}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
];

fn main() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    let mut reader =
        Reader::new(Dialect::AnthropicMessages, Provider::Anthropic, StatusCode::OK, &headers);

    for frame in FRAMES {
        // The frame goes to the caller as it is; the reader only looks.
        let signals = reader.feed(frame.as_bytes());
        println!("{:>3} bytes: {signals:?}", frame.len());
        if signals.contains(Signals::OUTPUT) {
            println!("           the caller has seen output: a silent retry is no longer possible");
        }
    }

    let verdict = reader.finish(End::Eof, SystemTime::now());
    let failure = verdict.failure.as_ref().expect("a truncated answer is a failure");
    println!("outcome    {} ({})", verdict.outcome, failure.code);
    println!("what to do {}", failure.code.what_to_do());

    // The status was 200 and the stream ended cleanly. It is truncated all the same.
    assert!(!verdict.is_success());
    assert!(matches!(verdict.outcome, Outcome::Finished(class) if class.as_str() == "length"));
    assert_eq!(verdict.usage.and_then(|usage| usage.total()), Some(27));
}
