//! The body of an answer, or of one that a layer gives in its place.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Body, Guard, HeldBody};
use crate::error::BoxError;

/// The body of an answer: as it came, though it may have been read before; or one that the layer has made.
pub struct MadeBody<R, G>(Kind<R, G>)
where
    R: http_body::Body<Data = Bytes>,
    G: Guard;

enum Kind<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    Came(HeldBody<R, G>),
    Made(vec::IntoIter<Bytes>),
}

impl<R, G> MadeBody<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    pub(crate) fn came(body: Body<R, G>) -> Self {
        Self(Kind::Came(HeldBody::new(body)))
    }

    pub(crate) fn made(frames: Vec<Bytes>) -> Self {
        Self(Kind::Made(frames.into_iter()))
    }

    /// What came, if anything did.
    pub(crate) fn held(&mut self) -> Option<&mut HeldBody<R, G>> {
        match &mut self.0 {
            Kind::Came(body) => Some(body),
            Kind::Made(_) => None,
        }
    }
}

impl<R, G> http_body::Body for MadeBody<R, G>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
    G: Guard,
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
            Kind::Made(frames) => Poll::Ready(frames.next().map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Came(body) => body.is_end_stream(),
            Kind::Made(frames) => frames.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Came(body) => body.size_hint(),
            Kind::Made(frames) => {
                let left = frames.as_slice().iter().map(|frame| frame.len() as u64);
                SizeHint::with_exact(left.sum())
            }
        }
    }
}

impl<R, G> fmt::Debug for MadeBody<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_made = matches!(self.0, Kind::Made(_));
        f.debug_struct("MadeBody").field("is_made", &is_made).finish_non_exhaustive()
    }
}
