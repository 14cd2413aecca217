//! The body of an answer, of whichever kind.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{context::Entry, error::BoxError, observe::HeldBody};

/// The body of an answer: as it came, or static.
pub struct Body<R: http_body::Body<Data = Bytes>>(Kind<R>);

enum Kind<R: http_body::Body<Data = Bytes>> {
    /// Of an error, the beginning may have been read.
    Came(HeldBody<R, Entry>),
    Static(vec::IntoIter<Bytes>),
}

impl<R: http_body::Body<Data = Bytes>> Body<R> {
    pub(super) fn came(body: crate::observe::Body<R, Entry>) -> Self {
        Self(Kind::Came(HeldBody::new(body)))
    }

    pub(super) fn made(frames: Vec<Bytes>) -> Self {
        Self(Kind::Static(frames.into_iter()))
    }

    /// What came, if anything did.
    pub(super) fn held(&mut self) -> Option<&mut HeldBody<R, Entry>> {
        match &mut self.0 {
            Kind::Came(body) => Some(body),
            Kind::Static(_) => None,
        }
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Came(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Kind::Static(frames) => Poll::Ready(frames.next().map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Came(body) => body.is_end_stream(),
            Kind::Static(frames) => frames.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Came(body) => body.size_hint(),
            Kind::Static(frames) => {
                let left = frames.as_slice().iter().map(|frame| frame.len() as u64);
                SizeHint::with_exact(left.sum())
            }
        }
    }
}

impl<R: http_body::Body<Data = Bytes>> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_static = matches!(self.0, Kind::Static(_));
        f.debug_struct("Body").field("is_static", &is_static).finish_non_exhaustive()
    }
}
