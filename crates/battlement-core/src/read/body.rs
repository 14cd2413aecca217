//! The body of an answer, whichever framing it comes in.

use crate::{
    dialect::{ErrorReport, Report, Spec},
    read::Signals,
    read::event::Collector,
    scan::{event_stream, json, sse},
};

/// How the bytes are framed.
#[derive(Debug)]
pub(crate) enum Framing {
    /// Not told: the first bytes will.
    Unknown(Sniff),
    /// One JSON document, or one after the other.
    Json,
    Sse(sse::Reader),
    EventStream(event_stream::Reader),
}

/// The first bytes of a body whose framing is not told.
#[derive(Debug, Default)]
pub(crate) struct Sniff {
    start: [u8; 6],
    len: usize,
}

/// What the framings feed.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) collector: Collector,
    pub(crate) json: json::Reader,
    done: DoneMarker,
    frame: Frame,
}

/// How far the event's data is `[DONE]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DoneMarker {
    Matched(usize),
    Other,
}

const DONE: &[u8] = b"[DONE]";

/// The headers of an event-stream frame that matter.
#[derive(Debug, Default)]
struct Frame {
    exception: Option<Box<str>>,
    /// The frame says that it is an exception or an error.
    failed: bool,
    error_code: Option<Box<str>>,
    error_message: Option<Box<str>>,
    /// The payload is something other than JSON.
    opaque: bool,
}

impl Sniff {
    /// Takes the first bytes, and the framing once they tell.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<Framing> {
        if self.len == 0 && matches!(bytes, [b'{' | b'[', ..]) {
            return Some(Framing::Json);
        }
        let room = self.start.len() - self.len;
        let len = bytes.len().min(room);
        self.start[self.len..self.len + len].copy_from_slice(&bytes[..len]);
        self.len += len;
        let start = &self.start[..self.len];
        let whole = self.len == self.start.len();
        if start.first() == Some(&0) {
            // A frame shorter than 16 MiB.
            return Some(Framing::EventStream(event_stream::Reader::new()));
        }
        let fields: [&[u8]; 6] = [b":", b"data:", b"event:", b"error:", b"id:", b"retry:"];
        if fields.iter().any(|field| start.starts_with(field)) {
            return Some(Framing::Sse(sse::Reader::new()));
        }
        let undecided = fields.iter().any(|field| field.starts_with(start));
        (whole || !undecided).then_some(Framing::Json)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.start[..self.len]
    }
}

impl Body {
    pub(crate) fn new(spec: &'static Spec, many: bool) -> Self {
        Self {
            collector: Collector::new(spec),
            json: json::Reader::new(spec.answer, many),
            done: DoneMarker::Matched(0),
            frame: Frame::default(),
        }
    }

    #[inline]
    pub(crate) fn feed_json(&mut self, bytes: &[u8]) {
        self.json.feed(bytes, &mut self.collector);
    }

    /// Whether the data of an undispatched event is the marker.
    pub(crate) fn is_done_marker(&self) -> bool {
        self.done == DoneMarker::Matched(DONE.len())
    }
}

impl sse::Events for Body {
    #[inline]
    fn data(&mut self, bytes: &[u8]) {
        if let DoneMarker::Matched(len) = self.done {
            self.done = DONE[len..]
                .starts_with(&bytes[..bytes.len().min(DONE.len() - len)])
                .then(|| (len + bytes.len()).min(DONE.len()))
                .filter(|_| {
                    bytes.get(DONE.len() - len..).unwrap_or_default().trim_ascii().is_empty()
                })
                .map_or(DoneMarker::Other, DoneMarker::Matched);
        }
        self.feed_json(bytes);
    }

    fn error(&mut self) {
        self.collector.mark_error();
    }

    fn comment(&mut self) {
        self.collector.signal(Signals::KEEP_ALIVE);
    }

    #[inline]
    fn dispatch(&mut self) {
        self.json.finish(&mut self.collector);
        if self.is_done_marker() {
            self.collector.discard();
            self.collector.mark_ended();
        } else if self.json.is_done() {
            self.collector.commit();
        } else if self.json.is_inside() || self.collector.is_error() {
            self.collector.malformed();
        } else {
            self.collector.discard();
        }
        self.json.restart();
        self.done = DoneMarker::Matched(0);
    }

    #[inline]
    fn event(&mut self, data: &[u8]) {
        if self.collector.is_repetition(data) {
            return;
        }
        self.collector.learn(data);
        self.data(data);
        self.dispatch();
        self.collector.learned(data);
    }

    fn may_repeat(&self) -> bool {
        self.collector.may_repeat()
    }

    fn is_whole(&self) -> bool {
        self.json.is_done() || self.json.is_broken()
    }
}

impl event_stream::Frames for Body {
    fn header(&mut self, name: &str, value: &str) {
        match name {
            ":event-type" => self.collector.name_event(value),
            ":message-type" => self.frame.failed = matches!(value, "exception" | "error"),
            ":exception-type" => self.frame.exception = Some(short(value).into()),
            ":error-code" => self.frame.error_code = Some(short(value).into()),
            ":error-message" => self.frame.error_message = Some(short(value).into()),
            ":content-type" => self.frame.opaque = !value.contains("json"),
            _ => {}
        }
    }

    fn payload(&mut self, bytes: &[u8]) {
        if !self.frame.opaque {
            self.feed_json(bytes);
        }
    }

    fn frame(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        let failed = frame.failed || frame.exception.is_some() || frame.error_code.is_some();
        if !self.json.is_done() && self.json.is_inside() && !failed {
            self.collector.malformed();
        } else {
            if failed {
                self.collector.frame_error(Report::of_frame(ErrorReport::new(
                    frame.exception,
                    frame.error_code,
                    frame.error_message,
                )));
            }
            self.collector.commit();
        }
        self.json.restart();
    }
}

/// A header as long as a kept string may be.
fn short(value: &str) -> &str {
    let mut end = value.len().min(json::KEPT);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}
