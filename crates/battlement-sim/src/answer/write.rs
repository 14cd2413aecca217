//! Where answers are written: one buffer, cut into events at the end.

use std::fmt;

use bytes::Bytes;

use super::Content;

/// Text on its way to be the content of an answer.
///
/// `write!` into it cannot fail and returns nothing.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize, events: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(events) }
    }

    /// What `write!` calls.
    pub(super) fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        // Only a `Display` that fails makes this fail, and none of ours does.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    /// Ends an event: what was written since the last one is a piece of its own.
    pub(super) fn end_event(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Writes an event without a name, as server-sent events have it.
    pub(super) fn data(&mut self, data: fmt::Arguments<'_>) {
        write!(self, "data: {data}\n\n");
        self.end_event();
    }

    /// Writes an event with a name.
    pub(super) fn event(&mut self, name: &str, data: fmt::Arguments<'_>) {
        write!(self, "event: {name}\ndata: {data}\n\n");
        self.end_event();
    }

    pub(super) fn into_events(self) -> Content {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        let events = self.ends.into_iter().map(|end| {
            let event = bytes.slice(start..end);
            start = end;
            event
        });
        Content::Events(events.collect())
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A part of an answer that is made where it is written. (`std::fmt::from_fn` is too new for us.)
pub(super) fn made(write: impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result) -> impl fmt::Display {
    Made(write)
}

struct Made<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Made<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// A word as a JSON value: `null` if there is none.
pub(super) fn nullable(word: Option<&str>) -> impl fmt::Display {
    made(move |f| match word {
        Some(word) => write!(f, "\"{word}\""),
        None => f.write_str("null"),
    })
}
