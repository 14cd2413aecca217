//! Shows an answer to a reader, and its verdict to the attempt.

use std::{fmt, mem};

use battlement_core::{
    Dialect, End, Reader, Signals, Verdict,
    request::{Facts, Operation},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::decode::{self, Decoder, Undecodable};
use crate::{call::Attempt, clock, events::Event};

/// The reading of one answer. Dropped before its end, it says that the caller went away.
pub(super) struct Reading {
    attempt: Attempt,
    way: Way,
    /// The status is an error.
    failed: bool,
    /// Any slice is news: the answer is no stream, in which only an event can be.
    by_slices: bool,
    is_over: bool,
}

/// How an answer is read.
#[expect(clippy::large_enum_variant, reason = "there is one of it, in a box")]
enum Way {
    /// As it is.
    Plain(Reader),
    /// Behind a decoder.
    Encoded(Decoder),
    /// Not, or no longer. A reader judges an error by its status and headers; a success is judged by
    /// whether it came to its end.
    Blind(Option<Box<Reader>>),
}

impl Reading {
    /// Begins with the head.
    pub(super) fn new(attempt: Attempt, status: StatusCode, headers: &HeaderMap) -> Self {
        attempt.head();
        attempt.report(&Event::Head { status });
        let facts = attempt.call().facts();
        let way = if is_read(facts.operation, status, headers) {
            Way::of(reader(facts, status, headers), status, headers)
        } else {
            Way::Blind(None)
        };
        if matches!(way, Way::Blind(_)) {
            attempt.unread();
        }
        let by_slices = !facts.stream;
        Self { attempt, way, failed: !status.is_success(), by_slices, is_over: false }
    }

    /// The next slice.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let is_news = self.by_slices || matches!(self.way, Way::Blind(_));
        if is_news && !bytes.is_empty() {
            self.attempt.heard();
        }
        let (signals, reader) = match &mut self.way {
            Way::Plain(reader) => (reader.feed(bytes), Some(reader)),
            Way::Encoded(decoder) => match decoder.feed(bytes) {
                Ok(signals) => (signals, decoder.reader()),
                Err(Undecodable) => {
                    self.way.give_up(self.failed);
                    self.attempt.unread();
                    return;
                }
            },
            Way::Blind(_) => return,
        };
        if signals.is_empty() {
            return;
        }
        if let Some(reader) = reader {
            if signals.contains(Signals::USAGE) {
                let usage = reader.usage().unwrap_or_default();
                self.attempt.tell_input(usage.input.unwrap_or(0));
                self.attempt.tell_output(usage.output.unwrap_or(0));
            }
            if signals.contains(Signals::FINISH) || signals.contains(Signals::END) {
                self.attempt.tell(reader.told());
            }
        }
        self.attempt.saw(signals);
    }

    /// The answer is over. Only the first end counts.
    pub(super) fn end(&mut self, end: End) {
        if !mem::replace(&mut self.is_over, true) {
            let reader = match mem::replace(&mut self.way, Way::Blind(None)) {
                Way::Plain(reader) => Some(reader),
                Way::Encoded(decoder) => decoder.into_reader(),
                Way::Blind(reader) => reader.map(|reader| *reader),
            };
            self.attempt.conclude(|| match reader {
                Some(reader) => reader.finish(end, clock::date()),
                None => Verdict::unread(end),
            });
        }
    }
}

impl Way {
    fn of(reader: Reader, status: StatusCode, headers: &HeaderMap) -> Self {
        let mut encodings = decode::encodings(headers);
        let reader = match (encodings.next(), encodings.next()) {
            (None, _) => return Self::Plain(reader),
            (Some(encoding), None) => match Decoder::new(encoding, reader) {
                Ok(decoder) => return Self::Encoded(decoder),
                Err(reader) => reader,
            },
            (Some(_), Some(_)) => Box::new(reader),
        };
        Self::Blind((!status.is_success()).then_some(reader))
    }

    /// What is decoded makes no sense, or too much of it.
    fn give_up(&mut self, failed: bool) {
        if let Self::Encoded(decoder) = mem::replace(self, Self::Blind(None)) {
            let reader = decoder.into_reader().filter(|_| failed);
            *self = Self::Blind(reader.map(Box::new));
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
    if is_read(facts.operation, status, headers) && decode::encodings(headers).next().is_none() {
        for bytes in beginning {
            let _news = reader.feed(bytes);
        }
    }
    reader.finish(End::Dropped, clock::date())
}

/// Whether there is something to read in an answer.
fn is_read(operation: Operation, status: StatusCode, headers: &HeaderMap) -> bool {
    if status.is_informational() {
        // What follows speaks another protocol.
        return false;
    }
    if !status.is_success() || operation.generates() {
        return true;
    }
    // Of anything else an error in the answer may be the answer: the state of a job that has failed.
    if !matches!(operation, Operation::Embeddings | Operation::CountTokens) {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}
