//! Answers sent as server-sent events.

use std::{convert::Infallible, pin::pin};

use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use memchr::memmem::Finder;
use sse_stream::SseByteStream;

use super::{Facts, anthropic::Messages, openai::Chat, ours::Ours};
use crate::{
    Bench,
    data::{self, Framing, Stream},
    harness::{Role, Scenario, Unit, Work},
    report::Goal,
};

/// What the contenders need to know about a dialect.
pub(super) trait Wire {
    /// A line without any of these says nothing about the end of the answer.
    const NEEDLES: [&'static str; 3];
    /// Stands before generated text.
    const TEXT: &'static str;

    /// Our reader for it.
    fn ours() -> Ours;

    /// Reads an event's data with `serde_json`.
    fn typed(data: &str, facts: &mut Facts);

    /// Reads an event's data with `jiter`.
    fn pulled(data: &[u8], facts: &mut Facts);

    /// Whether this line says that the stream is over.
    fn is_end(line: &[u8]) -> bool;
}

const EVENTSOURCE: &str = "eventsource-stream + serde_json typed";
const SSE_STREAM: &str = "sse-stream + serde_json typed";
const LINES_JITER: &str = "lines + jiter";

/// None per event; what one verdict allocates is ten at most, over two thousand events.
const VERDICT_ALLOCATIONS: f64 = 0.005;

pub(super) fn run(bench: &mut Bench) {
    let chat = Facts::chat(true);
    stream::<Chat>(bench, "chat", "OpenAI events of 300 bytes", &data::chat_stream(2_000), chat);
    let obfuscated = data::chat_stream_obfuscated(2_000);
    stream::<Chat>(bench, "chat-obfuscated", "OpenAI events with padding", &obfuscated, chat);
    let messages = data::messages_stream(2_000);
    let (title, truth) = ("Anthropic events of a token each", Facts::messages());
    stream::<Messages>(bench, "messages", title, &messages, truth);
    one_large_event(bench);
}

/// One stream, in each framing.
fn stream<W: Wire>(bench: &mut Bench, name: &str, title: &str, stream: &Stream, truth: Facts) {
    for (framing, how, framed) in [
        ("event-per-frame", "one a frame", Framing::EventPerFrame),
        ("16KiB-frames", "in frames of 16 KiB", Framing::Fixed(16 * 1024)),
        ("random-frames", "split at random", Framing::Random),
    ] {
        let id = format!("read/sse/{name}/{framing}");
        if !bench.wants(&id) {
            continue;
        }
        let frames = stream.frames(framed);
        let work = Work { bytes: stream.bytes.len(), unit: Unit::Event, units: stream.events() };
        let lines = stream.bytes.iter().filter(|&&byte| byte == b'\n').count();
        let gate = Gate::new::<W>();
        let ours = W::ours();
        let scenario = Scenario::new(id, format!("{title}, {how}"), work, frames.as_slice())
            .contender("battlement", Role::Ours, &truth, move |frames| {
                ours.read(frames.iter().copied())
            })
            .contender(EVENTSOURCE, Role::Peer, &truth, eventsource_typed::<W>)
            .contender(SSE_STREAM, Role::Peer, &truth, sse_stream_typed::<W>)
            .contender(LINES_JITER, Role::Peer, &truth, lines_pulled::<W>)
            .contender("memmem-gated lines", Role::Floor, &truth, move |frames| {
                gate.scan::<W>(frames)
            })
            .contender("memchr newline count", Role::Floor, &lines, newlines)
            .goals([Goal::Nanos(150.0), Goal::Allocations(VERDICT_ALLOCATIONS)]);
        bench.measure(scenario);
    }
}

/// One event that grows: whoever looks at it again with every frame shows here.
fn one_large_event(bench: &mut Bench) {
    let sizes = [("256KiB", 256 * 1024), ("512KiB", 512 * 1024), ("1MiB", 1024 * 1024)];
    let mut measured = 0;
    for (size, bytes) in sizes {
        let id = format!("read/sse/one-event/{size}");
        if !bench.wants(&id) {
            continue;
        }
        let stream = data::chat_stream_with_one_event_of(bytes);
        let frames = stream.frames(Framing::Fixed(512));
        let truth = Facts::chat(true);
        let work = Work { bytes: stream.bytes.len(), unit: Unit::Answer, units: 1 };
        let title = format!("one event of {size} in frames of 512 bytes");
        let ours = Chat::ours();
        let scenario = Scenario::new(id, title, work, frames.as_slice())
            .contender("battlement", Role::Ours, &truth, move |frames| {
                ours.read(frames.iter().copied())
            })
            .contender(EVENTSOURCE, Role::Peer, &truth, eventsource_typed::<Chat>)
            .contender(SSE_STREAM, Role::Peer, &truth, sse_stream_typed::<Chat>)
            .contender(LINES_JITER, Role::Peer, &truth, lines_pulled::<Chat>);
        bench.measure(scenario);
        measured += 1;
    }
    if measured > 1 {
        bench.scaling("How the time of one event grows with its size", 1.1, measured);
    }
}

/// Every frame is there already: a plain future without an executor, so that none is measured.
fn ready<T>(reading: impl Future<Output = T>) -> T {
    reading.now_or_never().expect("every frame is ready")
}

fn incoming<'a>(
    frames: &'a [&'a [u8]],
) -> impl stream::Stream<Item = Result<&'a [u8], Infallible>> {
    stream::iter(frames.iter().map(|frame| Ok(*frame)))
}

fn eventsource_typed<W: Wire>(frames: &[&[u8]]) -> Facts {
    ready(async {
        let mut facts = Facts::default();
        let mut events = pin!(incoming(frames).eventsource());
        while let Some(event) = events.next().await {
            W::typed(&event.expect("an event").data, &mut facts);
        }
        facts
    })
}

fn sse_stream_typed<W: Wire>(frames: &[&[u8]]) -> Facts {
    ready(async {
        let mut facts = Facts::default();
        let mut events = pin!(SseByteStream::new(incoming(frames)));
        while let Some(event) = events.next().await {
            if let Some(data) = event.expect("an event").data {
                W::typed(&data, &mut facts);
            }
        }
        facts
    })
}

/// Lines ended by LF, as most people split them; only a line cut by a frame is copied.
fn lines(frames: &[&[u8]], mut see: impl FnMut(&[u8])) {
    let mut begun = Vec::new();
    for frame in frames {
        let mut rest = *frame;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if begun.is_empty() {
                see(&rest[..end]);
            } else {
                begun.extend_from_slice(&rest[..end]);
                see(&begun);
                begun.clear();
            }
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
    }
}

fn lines_pulled<W: Wire>(frames: &[&[u8]]) -> Facts {
    let mut facts = Facts::default();
    lines(frames, |line| {
        if let Some(data) = line.strip_prefix(b"data: ") {
            W::pulled(data, &mut facts);
        }
    });
    facts
}

/// Parses only lines that contain one of the needles: nearly all of the gain, for a reader that is
/// right only as long as each event is one line ended by LF, spelled as it is today.
struct Gate {
    needles: [Finder<'static>; 3],
    text: Finder<'static>,
}

impl Gate {
    fn new<W: Wire>() -> Self {
        Self { needles: W::NEEDLES.map(Finder::new), text: Finder::new(W::TEXT) }
    }

    fn scan<W: Wire>(&self, frames: &[&[u8]]) -> Facts {
        let mut facts = Facts::default();
        lines(frames, |line| {
            let Some(data) = line.strip_prefix(b"data: ") else { return };
            if W::is_end(line) {
                facts.clean_end = true;
            } else if self.needles.iter().any(|needle| needle.find(data).is_some()) {
                W::typed(std::str::from_utf8(data).expect("UTF-8"), &mut facts);
            } else if !facts.output {
                let text = self.text.find(data).map(|at| at + self.text.needle().len());
                facts.output = text.is_some_and(|at| data[at] != b'"');
            }
        });
        facts
    }
}

fn newlines(frames: &[&[u8]]) -> usize {
    frames.iter().map(|frame| memchr::memchr_iter(b'\n', frame).count()).sum()
}
