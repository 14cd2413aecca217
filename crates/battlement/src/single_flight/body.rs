//! The body of an answer that several callers may read.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::future::Participant;
use crate::{error::BoxError, observe};

pin_project! {
    /// The body of an answer. See the [module documentation](super).
    pub struct Body<R> {
        #[pin]
        way: Way<R>,
    }
}

pin_project! {
    #[project = WayProjection]
    enum Way<R> {
        Alone { #[pin] body: observe::Body<R> },
        Sharing { participant: Box<Participant>, left: Option<u64> },
    }
}

impl<R> Body<R> {
    pub(super) fn alone(body: observe::Body<R>) -> Self {
        Self { way: Way::Alone { body } }
    }

    pub(super) fn sharing(participant: Box<Participant>, left: Option<u64>) -> Self {
        Self { way: Way::Sharing { participant, left } }
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().way.project() {
            WayProjection::Alone { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            WayProjection::Sharing { participant, left } => {
                let polled = participant.poll_frame(cx);
                if let Poll::Ready(Some(Ok(frame))) = &polled {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    *left = left.map(|left| left.saturating_sub(length));
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::Alone { body } => body.is_end_stream(),
            Way::Sharing { participant, .. } => participant.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Alone { body } => body.size_hint(),
            Way::Sharing { left, .. } => left.map(SizeHint::with_exact).unwrap_or_default(),
        }
    }
}

impl<R> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.way {
            Way::Alone { .. } => "Alone",
            Way::Sharing { .. } => "Sharing",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}
