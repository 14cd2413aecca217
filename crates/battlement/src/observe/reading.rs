//! Shows an answer to a reader, and its verdict to the attempt.

use std::fmt;

use battlement_core::{Dialect, End, Reader, Signals, Verdict, request::Operation};
use http::{HeaderMap, StatusCode, header};

use crate::{call::Attempt, clock, events::Event};

/// The reading of one answer. Dropped before its end, it says that the caller went away.
pub(super) struct Reading {
    attempt: Attempt,
    /// `None` if the answer is judged by its status; or if it is over.
    reader: Option<Reader>,
    /// Whether the body is in an encoding that cannot be undone here: an error is then judged by its head.
    is_encoded: bool,
    is_over: bool,
}

impl Reading {
    /// Begins with the head.
    pub(super) fn new(attempt: Attempt, status: StatusCode, headers: &HeaderMap) -> Self {
        attempt.call().report(&Event::Head { status });
        let facts = attempt.call().facts();
        let is_encoded =
            headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        let is_read = !status.is_success() || (!is_encoded && is_read(facts.operation, headers));
        let reader = is_read.then(|| {
            let dialect = facts.dialect.or_else(|| facts.provider.usual_dialect());
            let dialect = dialect.unwrap_or(Dialect::OpenAiChat);
            Reader::new(dialect, facts.provider, status, headers)
                .streamed(facts.stream)
                .operation(facts.operation)
        });
        attempt.head(reader.is_some() && !is_encoded);
        Self { attempt, reader, is_encoded, is_over: false }
    }

    /// The next slice.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Some(reader) = self.reader.as_mut().filter(|_| !self.is_encoded) else { return };
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

/// Whether there is something to read in a good answer.
fn is_read(operation: Operation, headers: &HeaderMap) -> bool {
    if operation.generates() {
        return true;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}
