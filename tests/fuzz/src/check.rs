//! What has to hold for any answer, however its bytes arrive.

use std::time::SystemTime;

use battlement_core::{
    Advice, Dialect, End, Kind, Outcome, Provider, Reader, Signals, StreamEnd, Verdict,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    entropy::Random,
    framing::Framing,
    generate::Truth,
    memory,
    oracle::{self, is_success_word},
};

/// An answer as a caller meets it.
#[derive(Clone, Debug)]
pub struct Case {
    pub dialect: Dialect,
    pub provider: Provider,
    pub status: StatusCode,
    pub content_type: Option<&'static str>,
    /// The request asked for a stream.
    pub streamed: bool,
    pub end: End,
    pub body: Vec<u8>,
}

/// What a reader said while the bytes passed, and at the end.
#[derive(Debug, PartialEq)]
struct Read {
    signals: Signals,
    verdict: Verdict,
}

impl Case {
    fn reader(&self) -> Reader {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = self.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Reader::new(self.dialect, self.provider, self.status, &headers).streamed(self.streamed)
    }

    /// Reads the body in slices of these lengths, and how much memory that took.
    fn read(&self, mut len: impl FnMut() -> usize) -> (Read, usize) {
        let mut reader = self.reader();
        let mut rest = &self.body[..];
        let (signals, peak) = memory::peak(|| {
            let mut signals = Signals::default();
            while !rest.is_empty() {
                let (slice, behind) = rest.split_at(len().min(rest.len()));
                rest = behind;
                signals |= reader.feed(slice);
            }
            signals
        });
        (Read { signals, verdict: reader.finish(self.end, SystemTime::UNIX_EPOCH) }, peak)
    }

    /// Checks everything that is known without knowing what the answer means.
    ///
    /// # Panics
    ///
    /// When something does not hold.
    pub fn check(&self) -> Verdict {
        let (whole, peak) = self.read(|| self.body.len());
        let bound = self.memory_bound();
        assert!(peak <= bound, "{peak} bytes held, not {bound}: {self}");
        let (single, peak) = self.read(|| 1);
        assert_eq!(single, whole, "byte by byte: {self}");
        assert!(peak <= bound, "{peak} bytes held, not {bound}: {self}");
        let mut random = Random::of(&self.body);
        for longest in [3, 17, 100] {
            // An empty slice is a slice as well.
            let (split, _) = self.read(|| random.below(longest));
            assert_eq!(split, whole, "in slices of up to {longest} bytes: {self}");
        }
        self.check_verdict(&whole);
        whole.verdict
    }

    /// The bytes that a reader may hold, whatever the answer's length: its place and the token that
    /// a border cut; for every choice its words, and those of the event that is being read; the
    /// headers of a frame.
    fn memory_bound(&self) -> usize {
        const KEPT: usize = 4096;
        let choices = self.body.iter().filter(|byte| **byte == b'{').count().min(1025);
        // Broken UTF-8 takes three bytes for one.
        let words = (choices * 2 * 2 * KEPT).min(self.body.len()) * 3;
        let frame = if self.framing() == Framing::EventStream { 512 * 1024 } else { 0 };
        64 * 1024 + choices * 512 + words + frame
    }

    /// The framing by content type, or by the first byte that means something.
    pub fn framing(&self) -> Framing {
        let told = self.content_type.unwrap_or_default();
        let streams = [Framing::Sse, Framing::Ndjson, Framing::EventStream];
        if let Some(framing) = streams.into_iter().find(|known| known.content_type() == told) {
            return framing;
        }
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0xEF | 0xBB | 0xBF);
        let start = &self.body[self.body.iter().take_while(blank).count()..];
        let fields = ["data:", "event:", "id:", "retry:", ":"];
        match start.first() {
            Some(0) => Framing::EventStream,
            Some(b'[') => Framing::JsonArray,
            _ if fields.iter().any(|field| start.starts_with(field.as_bytes())) => Framing::Sse,
            _ => Framing::Json,
        }
    }

    fn check_verdict(&self, Read { signals, verdict }: &Read) {
        let success = verdict.is_success();
        assert_eq!(success, verdict.failure.is_none(), "{self}: {verdict:?}");
        let finished = matches!(verdict.outcome, Outcome::Finished(_));
        assert_eq!(finished, verdict.kind == Kind::Finish, "{self}: {verdict:?}");
        let error = !self.status.is_success();
        assert_eq!(error, verdict.kind == Kind::HttpError, "{self}: {verdict:?}");
        let indices: Vec<_> = verdict.finishes.iter().map(|finish| finish.index).collect();
        assert!(indices.is_sorted_by(|a, b| a < b) && indices.len() <= 1024, "{self}: {indices:?}");
        if let Outcome::Finished(class) = verdict.outcome {
            assert!(verdict.finishes.iter().all(|finish| finish.class <= class), "{self}");
            let ends = [None, Some(StreamEnd::Clean), Some(StreamEnd::EofAfterFinish)];
            assert!(ends.contains(&verdict.stream_end), "{self}: {verdict:?}");
        }
        if let Some(failure) = &verdict.failure {
            assert_eq!(failure.status.is_some(), error, "{self}: {failure:?}");
            if let Advice::After(wait) = failure.advice {
                assert_eq!(failure.hint.map(|hint| hint.after), Some(wait), "{self}");
                assert!(!wait.is_zero(), "{self}");
            }
            let message = failure.report.message.as_deref().unwrap_or_default();
            assert!(message.len() <= 1024, "{self}: a message of {} bytes", message.len());
        }
        assert!(!(success && signals.contains(Signals::ERROR)), "{self}: {verdict:?}");
        if signals.contains(Signals::OUTPUT) {
            assert!(verdict.has_output, "output was signalled: {self}: {verdict:?}");
        }
        if success {
            let streamed = verdict.stream_end.is_some();
            if let Err(why) = oracle::refute(self.dialect, self.framing(), streamed, &self.body) {
                panic!("no success, {why}: {self}: {verdict:?}");
            }
        }
    }

    /// Checks a verdict against what the answer was made from.
    ///
    /// # Panics
    ///
    /// When the verdict tells something else.
    pub fn check_truth(&self, verdict: &Verdict, truth: &Truth) {
        let streamed = self.framing().is_stream();
        let reasons: Vec<_> = verdict
            .finishes
            .iter()
            .map(|finish| (finish.index, finish.reason.as_deref()))
            .collect();
        let unfinished = truth.finishes.iter().any(|(_, reason)| reason.is_none());
        let choices = self.dialect != Dialect::OpenAiEmbeddings;
        let shown = || format!("{truth:?}: {verdict:?}: {self}");
        assert_eq!(verdict.has_output, truth.output, "{}", shown());
        let told = verdict.usage.map(|usage| (usage.input.unwrap_or(0), usage.output.unwrap_or(0)));
        assert_eq!(told, truth.usage, "{}", shown());
        if truth.error {
            let kind = if streamed { Kind::StreamError } else { Kind::BodyError };
            assert_eq!(verdict.kind, kind, "{}", shown());
        } else if choices && streamed && (unfinished || truth.finishes.is_empty()) {
            assert_eq!(verdict.outcome, Outcome::Cut, "{}", shown());
        } else {
            assert_eq!(verdict.kind, Kind::Finish, "{}", shown());
            assert_eq!(reasons, truth.finishes, "{}", shown());
            let fine = |(_, reason): &(u32, Option<&str>)| reason.is_some_and(is_success_word);
            assert_eq!(verdict.is_success(), truth.finishes.iter().all(fine), "{}", shown());
            let ended =
                truth.ended || (self.dialect == Dialect::Gemini && self.framing() == Framing::Sse);
            let end = if ended { StreamEnd::Clean } else { StreamEnd::EofAfterFinish };
            assert_eq!(verdict.stream_end, streamed.then_some(end), "{}", shown());
        }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dialect, provider, status, content_type, streamed, end, body } = self;
        write!(f, "{dialect} {provider:?} {status} {content_type:?} {streamed} {end:?} ")?;
        write!(f, "b\"{}\"", body.escape_ascii())
    }
}
