//! Where answers are written: one buffer, cut into events at the end.

use std::fmt;

use bytes::Bytes;

/// A text as the inside of a JSON string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1F)) {
            f.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'\n' => f.write_str("\\n")?,
                byte => write!(f, "\\u{byte:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Text on its way to be an answer. `write!` into it cannot fail and returns nothing.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Writer {
    /// What `write!` calls.
    pub(super) fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        // Only a `Display` that fails makes this fail, and none of ours does.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    /// Ends an event: what was written since the last one is a frame of its own.
    pub(super) fn end_event(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Writes a server-sent event without a name.
    pub(super) fn data(&mut self, data: fmt::Arguments<'_>) {
        write!(self, "data: {data}\n\n");
        self.end_event();
    }

    /// Writes a server-sent event with a name.
    pub(super) fn event(&mut self, name: &str, data: fmt::Arguments<'_>) {
        write!(self, "event: {name}\ndata: {data}\n\n");
        self.end_event();
    }

    /// The events, or the one document.
    pub(super) fn into_frames(self) -> Vec<Bytes> {
        let (bytes, mut start) = (Bytes::from(self.bytes), 0);
        let mut frames = Vec::with_capacity(self.ends.len().max(1));
        for end in self.ends {
            frames.push(bytes.slice(start..end));
            start = end;
        }
        if start < bytes.len() {
            frames.push(bytes.slice(start..));
        }
        frames
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A part of an answer that is made where it is written.
pub(super) struct Made<F>(pub(super) F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Made<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// A word as a JSON value: `null` if there is none.
pub(super) fn nullable(word: Option<&str>) -> impl fmt::Display {
    Made(move |f: &mut fmt::Formatter<'_>| match word {
        Some(word) => write!(f, "\"{}\"", Escaped(word)),
        None => f.write_str("null"),
    })
}
