//! For those who only want to know.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Attempted, Body, Settling};
use crate::{
    call::{Attempt, Place, Reads},
    drive::Drive,
    error::BoxError,
};

/// Reads answers as they pass; see the [module documentation](super).
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ObserveLayer {
    _private: (),
}

impl ObserveLayer {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Reads<Observe<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Observe { inner })
    }
}

/// Reads answers as they pass; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = Attempted<S, B, ()>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Observe);
        let settling = Settling::new(attempt, ());
        Attempted::new(Drive::start(&mut self.inner, request), settling)
    }
}
