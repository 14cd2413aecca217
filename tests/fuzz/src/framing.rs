//! How events travel: as server-sent events, lines, a list, or Amazon's frames.

use super::{
    entropy::Entropy,
    generate::Event,
    json::{Json, Writer},
};

/// The framings that a body can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One document.
    Json,
    Sse,
    Ndjson,
    EventStream,
    /// One list of events.
    JsonArray,
}

impl Framing {
    pub const ALL: [Self; 5] =
        [Self::Json, Self::Sse, Self::Ndjson, Self::EventStream, Self::JsonArray];

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::JsonArray => "application/json",
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    pub fn is_stream(self) -> bool {
        self != Self::Json
    }

    /// Writes events; `whole` when nothing was cut off behind them.
    pub fn write(self, events: &[Event], whole: bool, entropy: &mut Entropy<'_>) -> Vec<u8> {
        match self {
            Self::Json => {
                events.first().map(|event| json(&event.body, true, entropy)).unwrap_or_default()
            }
            Self::Sse => sse(events, entropy),
            Self::Ndjson => ndjson(events, entropy),
            Self::JsonArray => list(events, whole, entropy),
            Self::EventStream => {
                events.iter().flat_map(|event| event_frame(event, entropy)).collect()
            }
        }
    }
}

fn json(value: &Json, lines: bool, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut writer = Writer { entropy, lines, out: Vec::new() };
    writer.value(value);
    writer.out
}

fn sse(events: &[Event], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if entropy.one_in(8) {
        out.extend_from_slice(b"\xef\xbb\xbf");
    }
    for event in events {
        let end = entropy.pick(&["\n", "\n", "\r\n", "\r"]).as_bytes();
        let mut line = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(end);
        };
        if entropy.one_in(10) {
            line(&[entropy
                .pick(&[": ping", ":", ":data: {\"error\":{\"message\":\"x\"}}"])
                .as_bytes()]);
        }
        if entropy.one_in(10) {
            line(&[entropy
                .pick(&["id: 7", "retry: 5", "unknown", "datas: [DONE]", " data: x"])
                .as_bytes()]);
        }
        // An event without data is none, whatever it is called.
        if entropy.one_in(24) {
            line(&[b"event: error"]);
            line(&[]);
        }
        if let Some(name) = event.name {
            line(&[b"event: ", name.as_bytes()]);
        }
        let body = json(&event.body, true, entropy);
        let space: &[u8] = if entropy.one_in(6) { b"" } else { b" " };
        for part in lines(&body) {
            line(&[b"data:", space, part]);
        }
        line(&[]);
    }
    out
}

/// The lines of a document, whichever end they have.
pub fn lines(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&bytes[..at]);
        let both = bytes[at..].starts_with(b"\r\n");
        bytes = &bytes[at + 1 + usize::from(both)..];
    }
    lines.push(bytes);
    lines
}

fn ndjson(events: &[Event], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (position, event) in events.iter().enumerate() {
        out.extend_from_slice(&json(&event.body, false, entropy));
        if position + 1 < events.len() || !entropy.one_in(4) {
            out.extend_from_slice(entropy.pick(&["\n", "\n", "\r\n", "\n\n"]).as_bytes());
        }
    }
    out
}

fn list(events: &[Event], whole: bool, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (position, event) in events.iter().enumerate() {
        if position > 0 {
            out.extend_from_slice(entropy.pick(&[",", ",\n", "\r\n,\r\n"]).as_bytes());
        }
        out.extend_from_slice(&json(&event.body, true, entropy));
    }
    if whole {
        out.extend_from_slice(entropy.pick(&["]", "\n]\n", "]\r\n"]).as_bytes());
    }
    out
}

fn event_frame(event: &Event, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let body = json(&event.body, true, entropy);
    let kind = event.name.unwrap_or("chunk");
    let mut headers = vec![(":content-type", "application/json")];
    if event.is_exception {
        headers.extend([(":exception-type", kind), (":message-type", "exception")]);
    } else {
        headers.extend([(":event-type", kind), (":message-type", "event")]);
    }
    frame(&headers, &body)
}

/// One frame with its two checksums.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(name.len() as u8);
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&(value.len() as u16).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = (16 + head.len() + payload.len()) as u32;
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&(head.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out
}

/// The checksum of frames, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    !sum
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

/// The bytes behind canonical base64.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let digits = text.trim_end_matches('=').as_bytes();
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for digit in chunk {
            bits = bits << 6 | BASE64.iter().position(|known| known == digit)? as u32;
        }
        bits <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    (base64(&out) == text).then_some(out)
}
