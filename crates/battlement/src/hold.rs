//! Holds an answer back until enough of it is known.
//!
//! What an answer means is not in its head. To decide before anything goes down, the first frames are
//! read and kept; if the answer is passed on, it begins with them.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::Signals;
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use crate::call::{Attempt, Place};

/// How much of an answer is held that nobody below has held, until there is output; as in `finish`.
pub(crate) const MOST_HELD: usize = 1 << 20;

/// How much of an error is read to learn what it means; none is longer by far.
pub(crate) const MOST_OF_AN_ERROR: usize = 64 * 1024;

/// Whether a layer below has held the answer until it may go, or nobody can read it.
pub(crate) fn was_held(attempt: &Attempt) -> bool {
    attempt.has_passed(Place::Finish) || attempt.progress().is_unread()
}

/// Whether a stream has output, and no error with it. Other answers are waited for.
pub(crate) fn has_begun(attempt: &Attempt) -> bool {
    let signals = attempt.progress().signals();
    attempt.call().facts().stream
        && signals.contains(Signals::OUTPUT)
        && !signals.contains(Signals::ERROR)
}

pub(crate) fn is_error<R>(response: &Response<R>) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// A body whose beginning was read already.
pub(crate) struct Held<R: Body> {
    frames: VecDeque<Frame<Bytes>>,
    /// In memory: a frame takes some even if it is empty.
    bytes: usize,
    rest: Rest<R>,
}

/// What comes after the frames that are held.
enum Rest<R: Body> {
    /// More of them.
    More(R),
    /// Nothing, or an error. The body is gone, and with it the connection that it held.
    End(Option<R::Error>),
}

impl<R> Held<R>
where
    R: Body<Data = Bytes>,
{
    /// Of which nothing was read yet.
    pub(crate) fn new(rest: R) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, rest: Rest::More(rest) }
    }

    /// Reads one more frame; false at the end, good or bad.
    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool>
    where
        R: Unpin,
    {
        let Rest::More(rest) = &mut self.rest else { return Poll::Ready(false) };
        let end = match ready!(Pin::new(rest).poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.bytes += weight(&frame);
                self.frames.push_back(frame);
                return Poll::Ready(true);
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        self.rest = Rest::End(end);
        Poll::Ready(false)
    }

    /// How many bytes of memory are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The data that is held.
    pub(crate) fn data(&self) -> impl Iterator<Item = &Bytes> {
        self.frames.iter().filter_map(Frame::data_ref)
    }

    /// The error at the end, if that was read.
    pub(crate) fn take_error(&mut self) -> Option<R::Error> {
        match &mut self.rest {
            Rest::More(_) => None,
            Rest::End(error) => error.take(),
        }
    }

    /// Whether the end was read.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.rest {
            Rest::More(rest) => rest.is_end_stream(),
            Rest::End(_) => true,
        }
    }

    /// Whether what was read last is an error, which is still here.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(&self.rest, Rest::End(Some(_)))
    }

    /// Lets go of a body that is whole, and of the connection that it may hold.
    pub(crate) fn release(&mut self) {
        if self.is_whole() {
            if let Rest::More(_) = self.rest {
                self.rest = Rest::End(None);
            }
        }
    }
}

// The error is only moved, never pinned.
impl<R: Body + Unpin> Unpin for Held<R> {}

/// What a frame takes of memory. Trailers count as none of their own: there is one such frame.
pub(crate) fn weight(frame: &Frame<Bytes>) -> usize {
    size_of::<Frame<Bytes>>() + frame.data_ref().map_or(0, Bytes::len)
}

impl<R> Body for Held<R>
where
    R: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        if let Some(frame) = self.frames.pop_front() {
            if self.frames.is_empty() {
                // Nothing is held from here on, which may be for long.
                self.frames = VecDeque::new();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut self.rest {
            Rest::More(rest) => Pin::new(rest).poll_frame(cx),
            Rest::End(end) => Poll::Ready(end.take().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = match &self.rest {
            Rest::More(rest) => rest.is_end_stream(),
            Rest::End(end) => end.is_none(),
        };
        self.frames.is_empty() && is_over
    }

    fn size_hint(&self) -> SizeHint {
        let held: u64 = self.data().map(|data| data.len() as u64).sum();
        let rest = match &self.rest {
            Rest::More(rest) => rest.size_hint(),
            Rest::End(_) => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

impl<R: Body> fmt::Debug for Held<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
