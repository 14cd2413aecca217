//! The body of an answer whose beginning a layer has read before it passed it on.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Body, Guard};
use crate::hold::Held;

/// The body of an answer, unchanged; its beginning may have been read before. See the
/// [module documentation](super).
pub struct HeldBody<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    pub(crate) held: Held<Body<R, G>>,
}

impl<R, G> HeldBody<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    pub(crate) fn new(body: Body<R, G>) -> Self {
        Self { held: Held::new(body) }
    }
}

impl<R, G> http_body::Body for HeldBody<R, G>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    G: Guard,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        Pin::new(&mut self.held).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.held.size_hint()
    }
}

impl<R, G> fmt::Debug for HeldBody<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBody").field("held", &self.held).finish()
    }
}
