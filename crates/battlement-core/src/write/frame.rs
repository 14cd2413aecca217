//! Amazon's binary frames: lengths and two checksums around headers and a payload.

use std::fmt;

use crc32fast::hash;

use super::text::Writer;

/// Writes a frame with an event of JSON.
#[expect(dead_code, reason = "for answers, which come next")]
pub(super) fn event(out: &mut Writer, name: &str, json: fmt::Arguments<'_>) {
    frame(out, [(":event-type", name), CONTENT, (":message-type", "event")], json);
}

/// Writes a frame with an exception.
pub(super) fn exception(out: &mut Writer, name: &str, json: fmt::Arguments<'_>) {
    frame(out, [(":exception-type", name), CONTENT, (":message-type", "exception")], json);
}

fn frame(out: &mut Writer, headers: [(&str, &str); 3], payload: fmt::Arguments<'_>) {
    let start = out.bytes.len();
    // Lengths and their checksum are known when the rest is there.
    out.bytes.extend_from_slice(&[0; PRELUDE]);
    for (name, value) in headers {
        // Names and values are ours, and short.
        out.bytes.push(name.len() as u8);
        out.bytes.extend_from_slice(name.as_bytes());
        out.bytes.push(STRING);
        out.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.bytes.extend_from_slice(value.as_bytes());
    }
    let headers = length(out.bytes.len() - start - PRELUDE);
    out.write_fmt(payload);
    let total = length(out.bytes.len() - start + CHECKSUM);
    out.bytes[start..start + 4].copy_from_slice(&total);
    out.bytes[start + 4..start + 8].copy_from_slice(&headers);
    let checksum = hash(&out.bytes[start..start + 8]).to_be_bytes();
    out.bytes[start + 8..start + PRELUDE].copy_from_slice(&checksum);
    let checksum = hash(&out.bytes[start..]).to_be_bytes();
    out.bytes.extend_from_slice(&checksum);
    out.end_event();
}

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// The type of a header whose value is a string.
const STRING: u8 = 7;
const CONTENT: (&str, &str) = (":content-type", "application/json");

/// A length as it is written. A frame of gigabytes is broken, and no reader would take it.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}
