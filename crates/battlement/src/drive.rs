//! Calls a service as soon as it is ready.
//!
//! Our layers are ready at once and take nothing from the services below before they have a call:
//! waiting for a limit with a readied service in hand would hold its permits. So the readiness of
//! the inner service is driven after everything else, on the very instance that is called.
//!
//! What stands between two layers, here and in `observe`, is inlined always: a request is 256 bytes, and
//! is copied for each function that it goes through. It makes a tenth of what a layer costs.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// A call that waits for its service, or runs.
    #[project = DriveProjection]
    pub enum Drive<S, Q>
    where
        S: Service<Q>,
    {
        // In a box, since it is rare, and every layer above would have room for it in its future.
        Waiting { waiting: Box<Waiting<S, Q>> },
        Calling { #[pin] future: S::Future },
        Failed { error: Option<S::Error> },
    }
}

/// A call whose service is not ready yet.
pub(crate) struct Waiting<S, Q> {
    service: S,
    request: Option<Q>,
}

impl<S, Q> Drive<S, Q>
where
    S: Service<Q> + Clone,
{
    /// Calls the service now, if it is ready; no clone is made then.
    ///
    /// If it is not, the instance that was asked goes along, since it may stand in a line already,
    /// and leaves a clone behind.
    #[inline(always)]
    pub(crate) fn start(service: &mut S, request: Q) -> Self {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Calling { future: service.call(request) },
            Poll::Ready(Err(error)) => Self::Failed { error: Some(error) },
            Poll::Pending => {
                let clone = service.clone();
                let service = mem::replace(service, clone);
                Self::owned(service, request)
            }
        }
    }
}

impl<S, Q> Drive<S, Q>
where
    S: Service<Q>,
{
    /// Calls a service that is ours alone.
    pub(crate) fn owned(service: S, request: Q) -> Self {
        Self::Waiting { waiting: Box::new(Waiting { service, request: Some(request) }) }
    }
}

impl<S, Q> Future for Drive<S, Q>
where
    S: Service<Q>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project() {
                DriveProjection::Calling { future } => return future.poll(cx),
                DriveProjection::Waiting { waiting } => {
                    ready!(waiting.service.poll_ready(cx))?;
                    let request = waiting.request.take().expect("polled after it was over");
                    waiting.service.call(request)
                }
                DriveProjection::Failed { error } => {
                    return Poll::Ready(Err(error.take().expect("polled after it was over")));
                }
            };
            self.set(Self::Calling { future });
        }
    }
}
