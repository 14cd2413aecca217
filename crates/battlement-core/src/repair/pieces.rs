//! The JSON texts that an answer consists of.

use std::{borrow::Cow, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Dialect,
    request::{elements, places, string},
    scan::event_stream,
};

/// An answer, taken apart: bytes, and where in them each JSON text is.
pub(super) struct Pieces<'b> {
    pub(super) bytes: Cow<'b, [u8]>,
    pub(super) texts: Vec<Range<usize>>,
}

/// Takes an answer of this content type apart. `None` if it is something else.
pub(super) fn pieces<'b>(
    dialect: Dialect,
    content_type: &str,
    body: &'b [u8],
) -> Option<Pieces<'b>> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    if is("text/event-stream") {
        return Some(Pieces { bytes: body.into(), texts: events(body)? });
    }
    if is("application/vnd.amazon.eventstream") {
        return frames(dialect, body);
    }
    let lines = is("application/x-ndjson") || is("application/ndjson");
    let texts = match trimmed(body, 0..body.len()) {
        whole if lines => ranges(body, whole),
        whole if body.get(whole.start) == Some(&b'[') => {
            let mut texts = Vec::new();
            let is_array = elements(&body[whole.clone()], |range| {
                texts.push(whole.start + range.start..whole.start + range.end);
            });
            is_array.ok().filter(|is_array| *is_array)?;
            texts
        }
        whole => vec![whole],
    };
    Some(Pieces { bytes: body.into(), texts })
}

/// The lines that are not blank.
fn ranges(body: &[u8], whole: Range<usize>) -> Vec<Range<usize>> {
    let mut start = whole.start;
    let lines = body[whole].split(|byte| *byte == b'\n').map(|line| {
        let line = start..start + line.len();
        start = line.end + 1;
        line
    });
    lines.map(|line| trimmed(body, line)).filter(|line| !line.is_empty()).collect()
}

/// The data of server-sent events. `None` if that of one is in several lines, which is written by nobody.
fn events(body: &[u8]) -> Option<Vec<Range<usize>>> {
    let (mut texts, mut has_data, mut start) = (Vec::new(), false, 0);
    for line in body.split(|byte| *byte == b'\n') {
        let place = trimmed(body, start..start + line.len());
        start += line.len() + 1;
        if place.is_empty() {
            has_data = false;
        } else if body[place.clone()].starts_with(b"data:") {
            if std::mem::replace(&mut has_data, true) {
                return None;
            }
            let data = trimmed(body, place.start + 5..place.end);
            if body[data.clone()].starts_with(b"{") {
                texts.push(data);
            }
        }
    }
    Some(texts)
}

fn trimmed(body: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = &body[range.clone()];
    let start = inside.len() - inside.trim_ascii_start().len();
    let length = inside.trim_ascii().len();
    range.start + start..range.start + start + length
}

/// The payloads of Amazon's frames, one after the other.
fn frames<'b>(dialect: Dialect, body: &[u8]) -> Option<Pieces<'b>> {
    #[derive(Default)]
    struct Payloads {
        bytes: Vec<u8>,
        texts: Vec<Range<usize>>,
        start: usize,
    }
    impl event_stream::Frames for Payloads {
        fn header(&mut self, _name: &str, _value: &str) {}
        fn payload(&mut self, bytes: &[u8]) {
            self.bytes.extend_from_slice(bytes);
        }
        fn frame(&mut self) {
            self.texts.push(self.start..self.bytes.len());
            self.start = self.bytes.len();
        }
    }
    let (mut reader, mut payloads) = (event_stream::Reader::new(), Payloads::default());
    reader.feed(body, &mut payloads);
    if reader.is_broken() {
        return None;
    }
    let Payloads { bytes, texts, .. } = payloads;
    if dialect != Dialect::BedrockInvoke {
        return Some(Pieces { bytes: bytes.into(), texts });
    }
    // The vendor's own events are inside, in base64.
    let (mut inner, mut inside) = (Vec::new(), Vec::new());
    for text in texts {
        let start = inner.len();
        let mut decoded = None;
        places::each(&bytes[text], "bytes", &mut |value| {
            decoded = string(value).and_then(|value| STANDARD.decode(&*value).ok());
        });
        inner.extend(decoded?);
        inside.push(start..inner.len());
    }
    Some(Pieces { bytes: inner.into(), texts: inside })
}
