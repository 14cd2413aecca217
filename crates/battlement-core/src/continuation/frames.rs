//! Where the events of a stream end, without a change to any of them.

use std::borrow::Cow;

/// Finds the ends of events in slices of any size.
///
/// A blank line that ends with CR is the end at once, since nobody can know whether an LF comes; if it does, it belongs to
/// the event before it.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The current line has a byte.
    in_line: bool,
    /// The last byte was a CR.
    cr: bool,
    /// That CR was the end of an event.
    cr_ended: bool,
}

impl Ends {
    /// How many bytes at the beginning of a slice still belong to the event before it.
    pub(super) fn belated(&mut self, slice: &[u8]) -> usize {
        let is_belated = self.cr_ended && slice.first() == Some(&b'\n');
        if is_belated {
            (self.cr, self.cr_ended) = (false, false);
        }
        usize::from(is_belated)
    }

    /// The end of the next event at or behind this position.
    pub(super) fn next(&mut self, slice: &[u8], mut at: usize) -> Option<usize> {
        while let Some(&byte) = slice.get(at) {
            let after_cr = std::mem::take(&mut self.cr);
            self.cr_ended = false;
            at += 1;
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.cr = byte == b'\r';
                    if !std::mem::take(&mut self.in_line) {
                        if self.cr && slice.get(at) == Some(&b'\n') {
                            self.cr = false;
                            at += 1;
                        }
                        self.cr_ended = self.cr;
                        return Some(at);
                    }
                }
                _ => {
                    self.in_line = true;
                    let rest = &slice[at..];
                    at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
            }
        }
        None
    }
}

/// An event, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event<'e> {
    /// Its name, which not every dialect gives.
    pub(super) name: &'e [u8],
    /// Its data; more than one line of it is joined by LF.
    pub(super) data: Cow<'e, [u8]>,
}

impl<'e> Event<'e> {
    /// Reads a whole event. One without data says nothing.
    pub(super) fn read(raw: &'e [u8]) -> Self {
        let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
        let mut event = Self::default();
        let mut has_data = false;
        for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')) {
            if let Some(data) = value(line, b"data") {
                if has_data {
                    let joined = event.data.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(data);
                } else {
                    event.data = Cow::Borrowed(data);
                    has_data = true;
                }
            } else if let Some(name) = value(line, b"event") {
                event.name = name;
            }
        }
        event
    }

    /// Writes an event of this name with other data.
    pub(super) fn write(name: &[u8], data: &[u8], out: &mut Vec<u8>) {
        if !name.is_empty() {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(name);
            out.push(b'\n');
        }
        for line in data.split(|byte| *byte == b'\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.push(b'\n');
    }
}

/// The value of a line if its field has this name.
fn value<'e>(line: &'e [u8], name: &[u8]) -> Option<&'e [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Every event of bytes that consist of whole ones.
pub(super) fn events(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut ends, mut start) = (Ends::default(), 0);
    std::iter::from_fn(move || {
        let end = ends.next(bytes, start).unwrap_or(bytes.len());
        let event = bytes.get(start..end).filter(|event| !event.is_empty())?;
        start = end;
        Some(event)
    })
}
