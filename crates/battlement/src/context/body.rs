//! The body of an answer to a conversation that may have been shortened.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::Entry;
use crate::{error::BoxError, hold::Held, observe};

/// The body of an answer, unchanged; of an error, its beginning may have been read before.
pub struct Body<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    pub(super) held: Held<observe::Body<R, Entry>>,
}

impl<R> Body<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    pub(super) fn new(body: observe::Body<R, Entry>) -> Self {
        Self { held: Held::new(body) }
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
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

impl<R> fmt::Debug for Body<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("held", &self.held).finish()
    }
}
