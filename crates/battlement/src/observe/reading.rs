//! Shows an answer to a reader, and its verdict to the attempt.

use std::fmt;

use battlement_core::{
    Dialect, End, Reader, Signals, Verdict,
    request::{Facts, Operation},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::{call::Attempt, clock, events::Event};

/// The reading of one answer. Dropped before its end, it says that the caller went away.
pub(super) struct Reading {
    attempt: Attempt,
    /// `None` if all that counts is whether the answer came to its end; or if it is over.
    reader: Option<Reader>,
    /// Whether the reader is shown the bytes.
    is_shown: bool,
    is_over: bool,
}

impl Reading {
    /// Begins with the head.
    pub(super) fn new(attempt: Attempt, status: StatusCode, headers: &HeaderMap) -> Self {
        attempt.call().report(&Event::Head { status });
        let facts = attempt.call().facts();
        let is_shown = is_read(facts.operation, status, headers);
        // An error that cannot be read is judged by its head.
        let reader = (is_shown || !status.is_success()).then(|| reader(facts, status, headers));
        attempt.head(is_shown);
        Self { attempt, reader, is_shown, is_over: false }
    }

    /// The next slice.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Some(reader) = self.reader.as_mut().filter(|_| self.is_shown) else { return };
        let signals = reader.feed(bytes);
        if !signals.is_empty() {
            if signals.contains(Signals::USAGE) {
                let output = reader.usage().and_then(|usage| usage.output);
                self.attempt.tell_output(output.unwrap_or(0));
            }
            if signals.contains(Signals::FINISH) || signals.contains(Signals::END) {
                self.attempt.tell(reader.told());
            }
            self.attempt.saw(signals);
        }
    }

    /// The answer is over. Only the first end counts.
    pub(super) fn end(&mut self, end: End) {
        if !std::mem::replace(&mut self.is_over, true) {
            let reader = self.reader.take();
            self.attempt.conclude(|| match reader {
                Some(reader) => reader.finish(end, clock::date()),
                None => Verdict::unread(end),
            });
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.end(End::Dropped);
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

fn reader(facts: &Facts, status: StatusCode, headers: &HeaderMap) -> Reader {
    let dialect = facts.dialect.or_else(|| facts.provider.usual_dialect());
    Reader::new(dialect.unwrap_or(Dialect::OpenAiChat), facts.provider, status, headers)
        .streamed(facts.stream)
        .operation(facts.operation)
}

/// What the beginning of an answer means, for those who do not wait for the rest.
pub(crate) fn judge<'a>(
    facts: &Facts,
    status: StatusCode,
    headers: &HeaderMap,
    beginning: impl Iterator<Item = &'a Bytes>,
) -> Verdict {
    let mut reader = reader(facts, status, headers);
    if is_read(facts.operation, status, headers) {
        for bytes in beginning {
            let _news = reader.feed(bytes);
        }
    }
    reader.finish(End::Dropped, clock::date())
}

/// Whether there is something to read in an answer.
fn is_read(operation: Operation, status: StatusCode, headers: &HeaderMap) -> bool {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return false;
    }
    if !status.is_success() || operation.generates() {
        return true;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}
