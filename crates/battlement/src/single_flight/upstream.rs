//! What is below a call that is shared.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::flight::{Head, Item, Upstream};
use crate::{
    error::BoxError,
    observe::{self, Attempted},
};

pin_project! {
    /// An attempt, and then its answer.
    #[project = BelowProjection]
    pub(super) enum Below<S, B, R>
    where
        S: Service<Request<B>>,
    {
        Calling { #[pin] attempted: Attempted<S, B, ()> },
        Answered { #[pin] body: observe::Body<R> },
    }
}

impl<S, B, R> Upstream for Below<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Send,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
    B: Send,
    R: http_body::Body<Data = Bytes> + Send,
    R::Error: Into<BoxError>,
{
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Item>, BoxError>> {
        let (head, body) = match self.as_mut().project() {
            BelowProjection::Calling { attempted } => {
                let (head, body) = ready!(attempted.poll(cx))?.into_parts();
                let (length, attempt) = (body.size_hint().exact(), body.attempt().clone());
                (Head { response: Response::from_parts(head, ()), length, attempt }, body)
            }
            BelowProjection::Answered { body } => {
                let frame = ready!(body.poll_frame(cx));
                let item = frame.map(|frame| frame.map(Item::Frame).map_err(Into::into));
                return Poll::Ready(item.transpose());
            }
        };
        self.set(Self::Answered { body });
        Poll::Ready(Ok(Some(Item::Head(head))))
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Calling { .. } => false,
            Self::Answered { body } => body.is_end_stream(),
        }
    }
}
