//! An answer that is kept, and how it is told again.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use battlement_core::{End, FinishClass, Kind, Outcome, StreamEnd, Usage, Verdict};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};

use super::wire;
use crate::{call::Attempt, clock::now, events::Event, source::Hit};

/// A whole answer that is kept: its body in the frames that it came in, and of its headers those that are as true the
/// next time.
#[derive(Clone)]
pub struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Where each frame ends.
    pub(super) ends: Box<[u32]>,
    pub(super) class: FinishClass,
    pub(super) streamed: bool,
    pub(super) since: Instant,
}

/// What is kept of a head. Not what is about one caller or one moment (cookies, limits, dates) or about a connection.
const KEPT: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("apim-request-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("openai-model"),
    HeaderName::from_static("x-amzn-bedrock-content-type"),
];

/// What an answer takes beside its bytes and headers.
const OVERHEAD: usize = 256;

impl Answer {
    /// What is to be kept of a head.
    pub(super) fn kept(headers: &HeaderMap) -> HeaderMap {
        let kept = KEPT.into_iter().filter_map(|name| {
            let value = headers.get(&name)?.clone();
            Some((name, value))
        });
        kept.collect()
    }

    /// Puts an answer together that has passed; in one piece of memory, as its frames may hold on to far more than themselves.
    pub(super) fn new(
        headers: HeaderMap,
        frames: &[Bytes],
        class: FinishClass,
        streamed: bool,
    ) -> Self {
        let mut body = BytesMut::with_capacity(frames.iter().map(Bytes::len).sum());
        let mut ends = Vec::with_capacity(frames.len());
        for frame in frames {
            body.extend_from_slice(frame);
            ends.push(body.len() as u32);
        }
        Self { headers, body: body.freeze(), ends: ends.into(), class, streamed, since: now() }
    }

    /// How long ago the provider gave it.
    pub fn age(&self) -> Duration {
        now().saturating_duration_since(self.since)
    }

    /// All of its body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What is kept of its headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What it takes of memory, in bytes.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        OVERHEAD + self.body.len() + size_of_val(&*self.ends) + headers.sum::<usize>()
    }

    /// In a form to keep it elsewhere. `date` is the present.
    pub fn to_bytes(&self, date: SystemTime) -> Vec<u8> {
        wire::write(self, date)
    }

    /// As it was kept elsewhere; `None` if it is not understood, as a later release may have written it. `date` is the present.
    pub fn from_bytes(bytes: &Bytes, date: SystemTime) -> Option<Self> {
        wire::read(bytes, date)
    }

    /// What it means to the one who gets it now: what it meant to the first, and that it has cost nothing.
    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::unread(End::Eof);
        verdict.kind = Kind::Finish;
        verdict.outcome = Outcome::Finished(self.class);
        verdict.has_output = true;
        verdict.stream_end = self.streamed.then_some(StreamEnd::Clean);
        verdict.usage = Some(free());
        verdict
    }

    /// The answer, once more.
    pub(super) fn response(self: &Arc<Self>, attempt: Attempt, stale: bool) -> Response<Replay> {
        let hit = Hit::new(self.age(), stale);
        attempt.call().report(&Event::CacheHit { hit });
        // It is read by nobody, as everything is known of it.
        attempt.claim();
        attempt.head();
        attempt.unread();
        let mut replay = Replay { answer: self.clone(), attempt, next: 0, at: 0 };
        replay.look();
        let attempt = replay.attempt.clone();
        let mut response = Response::new(replay);
        *response.status_mut() = StatusCode::OK;
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(header::AGE, HeaderValue::from(hit.age.as_secs()));
        response.extensions_mut().insert(attempt);
        response.extensions_mut().insert(hit);
        response
    }
}

/// What an answer costs that somebody else has paid for.
pub(crate) fn free() -> Usage {
    let mut usage = Usage::default();
    (usage.input, usage.output) = (Some(0), Some(0));
    usage
}

/// A body that is told again.
#[derive(Debug)]
pub(super) struct Replay {
    answer: Arc<Answer>,
    attempt: Attempt,
    /// The frame that is next, and where it begins.
    next: usize,
    at: usize,
}

impl Replay {
    /// Says how it ended, once it has.
    fn look(&mut self) {
        if self.next == self.answer.ends.len() {
            self.attempt.conclude(|| self.answer.verdict());
        }
    }

    pub(super) fn frame(&mut self) -> Option<Frame<Bytes>> {
        let end = *self.answer.ends.get(self.next)? as usize;
        let frame = self.answer.body.slice(self.at..end);
        (self.next, self.at) = (self.next + 1, end);
        self.look();
        Some(Frame::data(frame))
    }

    pub(super) fn is_over(&self) -> bool {
        self.next == self.answer.ends.len()
    }

    pub(super) fn left(&self) -> u64 {
        (self.answer.body.len() - self.at) as u64
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.attempt.conclude(Verdict::abandoned);
    }
}

impl http_body::Body for Replay {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.frame().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("bytes", &self.body.len())
            .field("frames", &self.ends.len())
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}
