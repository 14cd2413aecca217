//! Recognises an AWS event stream by its first frame, without any header.
//!
//! A frame opens with two lengths and a CRC-32 over them: no text does that. Where a capture lost
//! or damaged those twelve bytes, the names of the frame's headers still tell.

use memchr::memmem;

use crate::Dialect;

/// How far the names of the headers of the first frame are looked for.
const NEAR: usize = 128;

/// The dialect inside, if `body` starts with a frame.
///
/// Only `InvokeModelWithResponseStream` calls its events `chunk`. An exception in the first frame
/// looks the same in both dialects and counts as Converse.
pub(super) fn dialect(body: &[u8]) -> Option<Dialect> {
    let near = &body[..body.len().min(NEAR)];
    // A name is followed by the type of its value, 7 for a string; text has no such byte.
    let named = || {
        [&b":event-type\x07"[..], b":message-type\x07", b":exception-type\x07"]
            .iter()
            .any(|name| memmem::find(near, name).is_some())
    };
    if !has_prelude(body) && !named() {
        return None;
    }
    let chunk = memmem::find(near, b":event-type\x07\x00\x05chunk").is_some();
    Some(if chunk { Dialect::BedrockInvoke } else { Dialect::BedrockConverse })
}

fn has_prelude(body: &[u8]) -> bool {
    let Some((lengths, rest)) = body.split_first_chunk::<8>() else { return false };
    let Some(sum) = rest.first_chunk::<4>() else { return false };
    // No frame is longer than 16 MiB.
    lengths[0] == 0 && crc32fast::hash(lengths) == u32::from_be_bytes(*sum)
}
