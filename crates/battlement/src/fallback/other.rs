//! Routes of any type, and answers of one.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::error::BoxError;

/// A body of any type.
type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send + Sync>>;

/// An answer of any type.
pub(super) type Pending = Pin<Box<dyn Future<Output = Result<Response<AnyBody>, BoxError>> + Send>>;

/// A service of any type, as a route.
pub(super) trait Other<B>: Send + Sync {
    /// Calls a clone of it, as soon as that is ready.
    fn call(&self, request: Request<B>) -> Pending;
}

impl<S, B, R> Other<B> for S
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body<Data = Bytes> + Send + Sync + 'static,
    R::Error: Into<BoxError>,
{
    fn call(&self, request: Request<B>) -> Pending {
        let service = self.clone();
        Box::pin(async move {
            let response = when_ready(service, request).await?;
            Ok(response.map(|body| Box::pin(Erring { body }) as AnyBody))
        })
    }
}

/// Calls a service as soon as it is ready.
pub(crate) async fn when_ready<S, B>(
    mut service: S,
    request: Request<B>,
) -> Result<S::Response, BoxError>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    service.call(request).await.map_err(Into::into)
}

pin_project_lite::pin_project! {
    /// A body whose errors are any.
    struct Erring<R> {
        #[pin]
        body: R,
    }
}

impl<R> Body for Erring<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.project().body.poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer: of the service that the layer is over, or of another route.
pub enum Either<R> {
    /// Of the service that the layer is over.
    Own(R),
    /// Of another one.
    Other(AnyBody),
}

impl<R> Body for Either<R>
where
    R: Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Own(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Other(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}

impl<R> fmt::Debug for Either<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "Own",
            Self::Other(_) => "Other",
        })
    }
}
