//! The body of an answer on its way, of which a copy may be kept, or of one that was.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use battlement_core::{
    FinishClass, Outcome, StreamEnd, Verdict,
    request::{Operation, canonical::Fingerprint},
};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_ENCODING};
use http_body::{Frame, SizeHint};

use super::{Answer, answer::Replay, layer::Policy};
use crate::{call::Attempt, context::Dropped, events::Event, observe::HeldBody, source::Source};

/// The body of an answer. See the [module documentation](super).
pub struct Body<R>(Way<R>)
where
    R: http_body::Body<Data = Bytes>;

enum Way<R>
where
    R: http_body::Body<Data = Bytes>,
{
    /// As it comes.
    Passes {
        // In the order in which they are to be dropped: what it means is known before it is kept.
        inner: HeldBody<R, ()>,
        keeping: Option<Box<Keeping>>,
    },
    /// Once more.
    Again(Replay),
}

impl<R> Body<R>
where
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn passing(inner: HeldBody<R, ()>, keeping: Option<Box<Keeping>>) -> Self {
        Self(Way::Passes { inner, keeping })
    }

    pub(super) fn again(replay: Replay) -> Self {
        Self(Way::Again(replay))
    }
}

// The frames that are held are only moved, never pinned.
impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match &mut self.0 {
            Way::Again(replay) => Poll::Ready(replay.frame().map(Ok)),
            Way::Passes { inner, keeping } => {
                let polled = Pin::new(&mut *inner).poll_frame(cx);
                if let (Some(kept), Poll::Ready(frame)) = (keeping.as_mut(), &polled) {
                    let goes_on = match frame {
                        Some(Ok(frame)) => kept.add(frame),
                        Some(Err(_)) | None => false,
                    };
                    if !goes_on || inner.is_end_stream() {
                        *keeping = None;
                    }
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Way::Passes { inner, .. } => inner.is_end_stream(),
            Way::Again(replay) => replay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Way::Passes { inner, .. } => inner.size_hint(),
            Way::Again(replay) => SizeHint::with_exact(replay.left()),
        }
    }
}

impl<R> fmt::Debug for Body<R>
where
    R: http_body::Body<Data = Bytes>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Passes { inner, .. } => f.debug_tuple("Passes").field(inner).finish(),
            Way::Again(replay) => f.debug_tuple("Again").field(replay).finish(),
        }
    }
}

/// A copy that is taken of an answer as it passes. Kept when this is dropped, if the answer is whole by then: many leave as
/// soon as they have read the last event, and before the end of the body.
pub(super) struct Keeping {
    policy: Arc<Policy>,
    key: Fingerprint,
    attempt: Attempt,
    headers: HeaderMap,
    frames: Vec<Bytes>,
    /// `None` if it has become too large, or has what is not kept.
    taken: Option<Taken>,
}

impl Keeping {
    /// For an answer that may be kept, going by its head.
    pub(super) fn of<R>(
        policy: &Arc<Policy>,
        key: Fingerprint,
        attempt: &Attempt,
        response: &Response<R>,
    ) -> Option<Box<Self>> {
        let headers = response.headers();
        // What is encoded is for those who have asked for that encoding.
        if response.status() != StatusCode::OK || headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        if is_less_than_asked_for(response) {
            return None;
        }
        Some(Box::new(Self {
            policy: policy.clone(),
            key,
            attempt: attempt.clone(),
            headers: Answer::kept(headers),
            frames: Vec::new(),
            taken: Some(Taken { all: policy.taken.clone(), bytes: 0 }),
        }))
    }

    /// One more frame; whether there is room for it.
    fn add(&mut self, frame: &Frame<Bytes>) -> bool {
        let Policy { most_answer, most_taken, .. } = *self.policy;
        let fits = match (&mut self.taken, frame.data_ref()) {
            (Some(taken), Some(data)) => {
                taken.bytes + data.len() <= most_answer && taken.take(data.len(), most_taken)
            }
            // Trailers, which no such answer has, could not be told again.
            _ => false,
        };
        match frame.data_ref() {
            // Which would be an end to some who read it.
            Some(data) if fits && !data.is_empty() => self.frames.push(data.clone()),
            Some(_) if fits => {}
            _ => {
                self.taken = None;
                self.frames = Vec::new();
            }
        }
        fits
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let Some(_taken) = &self.taken else { return };
        let (call, verdict) = (self.attempt.call(), self.attempt.verdict());
        // Where nobody has read it, nobody knows.
        if self.attempt.progress().is_unread() {
            return;
        }
        let Some(class) =
            verdict.and_then(|verdict| worth_keeping(verdict, call.facts().operation))
        else {
            return;
        };
        let (headers, frames) = (mem::take(&mut self.headers), mem::take(&mut self.frames));
        let answer = Arc::new(Answer::new(headers, &frames, class, call.facts().stream));
        let size = answer.size();
        self.policy.store.put(self.key, answer, self.policy.time());
        call.report(&Event::CacheStored { size });
    }
}

/// Whether it is what was to be had at the moment: of another route than the first, to a part of the conversation, or not what
/// its schema asks for. When all is well again nobody is to get that.
fn is_less_than_asked_for<R>(response: &Response<R>) -> bool {
    let extensions = response.extensions();
    #[cfg(feature = "json-schema")]
    if extensions.get::<crate::repair::Repaired>().is_some_and(|repaired| !repaired.is_valid) {
        return true;
    }
    Source::of(response) != Source::Primary || extensions.get::<Dropped>().is_some()
}

/// What an answer ended with, if it is one to be kept: whole, with something in it, and that would be the same for whoever
/// asks the same. A tool call is not kept: it has an id that tells it from every other, and whoever acts on one takes a second
/// one with the same id for the first.
pub(super) fn worth_keeping(verdict: &Verdict, operation: Operation) -> Option<FinishClass> {
    let Outcome::Finished(class) = verdict.outcome else { return None };
    let is_whole = match operation {
        Operation::Embeddings => class.is_success(),
        _ => {
            matches!(class, FinishClass::Complete | FinishClass::StopSequence) && verdict.has_output
        }
    };
    let ended_well = matches!(verdict.stream_end, None | Some(StreamEnd::Clean));
    (is_whole && ended_well).then_some(class)
}

/// What is taken of the memory that all copies on their way may take.
struct Taken {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Taken {
    fn take(&mut self, bytes: usize, most: usize) -> bool {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Relaxed) + bytes <= most
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Relaxed);
    }
}
