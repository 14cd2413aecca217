//! Reading the body of a request into memory, without a copy where it is there already.

use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::Body;

use crate::error::BoxError;

/// The body of a request could not be read from whoever makes it.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request could not be read")]
#[non_exhaustive]
pub struct Unreadable {
    /// What the body said.
    pub source: BoxError,
}

impl Unreadable {
    /// What was in memory is not there.
    pub(crate) fn lost() -> Self {
        Self { source: "it is not in memory any more".into() }
    }
}

/// A body that is read to its end.
#[derive(Debug)]
pub(super) struct Reading<B> {
    body: B,
    first: Bytes,
    rest: BytesMut,
}

impl<B> Reading<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(body: B) -> Self {
        Self { body, first: Bytes::new(), rest: BytesMut::new() }
    }

    /// All of it. Trailers, which no such request has, are lost.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Unreadable>> {
        while !self.body.is_end_stream() {
            let Some(frame) = ready!(std::pin::Pin::new(&mut self.body).poll_frame(cx)) else {
                break;
            };
            let frame = frame.map_err(|error| Unreadable { source: error.into() })?;
            if let Ok(data) = frame.into_data() {
                if self.first.is_empty() {
                    self.first = data;
                } else {
                    if self.rest.is_empty() {
                        self.rest.extend_from_slice(&self.first);
                    }
                    self.rest.extend_from_slice(&data);
                }
            }
        }
        let rest = std::mem::take(&mut self.rest);
        let first = std::mem::take(&mut self.first);
        Poll::Ready(Ok(if rest.is_empty() { first } else { rest.freeze() }))
    }
}

/// The bytes of a body that is in memory.
///
/// # Errors
///
/// If it is not: half of a body must never be sent as if it were all.
pub(crate) fn take_bytes<B>(body: B) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    match Reading::new(body).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(bytes) => bytes,
        Poll::Pending => Err(Unreadable::lost()),
    }
}
