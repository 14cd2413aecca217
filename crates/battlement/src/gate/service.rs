//! A service behind a gate.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{Admitted, Gate, ResponseFuture};
use crate::{
    call::{Attempt, Progress},
    clock::now,
    error::BoxError,
    hedge::NoRoom,
    observe::{Body, Guard, Head},
};

/// A service behind a gate.
#[derive(Debug)]
pub struct Gated<S, G> {
    inner: S,
    gate: Arc<G>,
}

impl<S, G> Gated<S, G> {
    pub(crate) fn new(inner: S, gate: G) -> Self {
        Self { inner, gate: Arc::new(gate) }
    }
}

impl<S: Clone, G> Clone for Gated<S, G> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone() }
    }
}

impl<S, B, R, G> Service<Request<B>> for Gated<S, G>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    G: Gate,
{
    type Response = Response<Body<R, Passed<G>>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, G>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at_each(&mut request, G::places());
        if attempt.is_spare() && self.gate.is_short(&attempt, now()) {
            return ResponseFuture::rejected(&attempt, NoRoom::new().into());
        }
        match self.gate.admit(&attempt, now()) {
            Admitted::Go(held) => {
                let passed = Passed { gate: self.gate.clone(), held };
                ResponseFuture::now(&mut self.inner, request, attempt, passed)
            }
            Admitted::Wait(turn) if attempt.is_spare() => {
                let rejected = ResponseFuture::rejected(&attempt, NoRoom::new().into());
                drop(turn);
                rejected
            }
            Admitted::Wait(turn) => {
                let gate = self.gate.clone();
                ResponseFuture::wait(&mut self.inner, request, attempt, gate, turn)
            }
            Admitted::Reject(error) => ResponseFuture::rejected(&attempt, error),
        }
    }
}

/// An attempt that was let through, and what it has to give back.
pub struct Passed<G: Gate> {
    pub(super) gate: Arc<G>,
    pub(super) held: G::Held,
}

impl<G: Gate> Guard for Passed<G> {
    fn head(&mut self, attempt: &Attempt, head: Head<'_>) {
        self.gate.head(&mut self.held, attempt, head);
    }

    fn progress(&mut self, attempt: &Attempt, progress: Progress) {
        self.gate.progress(&mut self.held, attempt, progress);
    }

    fn settle(self, attempt: &Attempt) {
        self.gate.settle(self.held, attempt);
    }
}

impl<G: Gate> fmt::Debug for Passed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").finish_non_exhaustive()
    }
}
