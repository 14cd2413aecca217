//! Amazon's binary frames: lengths and two checksums around headers and a payload.

use crc32fast::hash;

use crate::answer::write::Writer;

/// Writes a frame with these headers, and whatever `payload` writes in it.
pub(super) fn frame(out: &mut Writer, headers: &[(&str, &str)], payload: impl FnOnce(&mut Writer)) {
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
    payload(out);
    let total = length(out.bytes.len() - start + CHECKSUM);
    out.bytes[start..start + 4].copy_from_slice(&total.to_be_bytes());
    out.bytes[start + 4..start + 8].copy_from_slice(&headers.to_be_bytes());
    let checksum = hash(&out.bytes[start..start + 8]);
    out.bytes[start + 8..start + PRELUDE].copy_from_slice(&checksum.to_be_bytes());
    let checksum = hash(&out.bytes[start..]);
    out.bytes.extend_from_slice(&checksum.to_be_bytes());
    out.end_event();
}

/// Writes a frame with an event of JSON. Amazon pads these, so that their size tells less.
pub(super) fn event(out: &mut Writer, name: &str, members: std::fmt::Arguments<'_>) {
    let headers = [(":event-type", name), (":content-type", JSON), (":message-type", "event")];
    frame(out, &headers, |out| write!(out, r#"{{{members},"p":"abcdefgh"}}"#));
}

/// Writes a frame with an exception.
pub(in crate::answer) fn exception(out: &mut Writer, name: &str, body: &str) {
    let headers =
        [(":exception-type", name), (":content-type", JSON), (":message-type", "exception")];
    frame(out, &headers, |out| write!(out, "{body}"));
}

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// The type of a header whose value is a string.
const STRING: u8 = 7;
const JSON: &str = "application/json";

/// A length as it is written. A frame of gigabytes is broken, and no reader would take it.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
