//! Makes an attempt, and watches its answer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::End;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Body, Guard, Head, Settling, body::end, reading::Reading};
use crate::{call::Attempt, drive::Drive, error::BoxError};

/// Puts the body of an answer under observation, unless it is already, and the guard at its end.
#[inline(always)]
pub(crate) fn watch<R, G>(
    mut response: Response<R>,
    mut settling: Settling<G>,
) -> Response<Body<R, G>>
where
    R: http_body::Body,
    G: Guard,
{
    let mut is_over = settling.attempt().is_past();
    if is_over {
        // Somebody below may have sent the request again, and this is the answer to that.
        if let Some(answered) = response.extensions().get::<Attempt>() {
            if answered.is_of_the_call_of(settling.attempt()) {
                settling.follow(answered.clone());
                is_over = answered.is_over();
            }
        }
    }
    let mut reading = settling.attempt().claim().then(|| {
        let attempt = settling.attempt().clone();
        let reading = Reading::new(attempt.clone(), response.status(), response.headers());
        response.extensions_mut().insert(attempt);
        Box::new(reading)
    });
    settling.head(Head { status: response.status(), headers: response.headers() });
    if response.body().is_end_stream() {
        end(&mut reading, &mut settling, End::Eof);
    } else if is_over {
        // All of it was read by a layer below, and is on its way out.
        settling.settle();
    } else {
        settling.look();
    }
    response.map(|inner| Body::new(inner, reading, settling))
}

pin_project! {
    /// An attempt: the call of the inner service, and what a layer has to give back after it.
    #[must_use = "futures do nothing unless polled"]
    pub struct Attempted<S, B, G>
    where
        S: Service<Request<B>>,
        G: Guard,
    {
        #[pin]
        state: AttemptedState<S, B, G>,
    }
}

pin_project! {
    #[project = AttemptedProjection]
    enum AttemptedState<S, B, G>
    where
        S: Service<Request<B>>,
        G: Guard,
    {
        // In the order in which they are to be dropped.
        Going {
            #[pin]
            drive: Drive<S, Request<B>>,
            settling: Option<Settling<G>>,
        },
        Rejected { error: Option<BoxError> },
    }
}

impl<S, B, G> Attempted<S, B, G>
where
    S: Service<Request<B>>,
    G: Guard,
{
    /// Makes it.
    #[inline(always)]
    pub(crate) fn new(drive: Drive<S, Request<B>>, settling: Settling<G>) -> Self {
        Self { state: AttemptedState::Going { drive, settling: Some(settling) } }
    }

    /// Turns it away.
    pub(crate) fn rejected(attempt: &Attempt, error: BoxError) -> Self {
        attempt.failed(&error);
        Self { state: AttemptedState::Rejected { error: Some(error) } }
    }
}

impl<S, B, R, G> Future for Attempted<S, B, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    type Output = Result<Response<Body<R, G>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (drive, settling) = match self.project().state.project() {
            AttemptedProjection::Going { drive, settling } => (drive, settling),
            AttemptedProjection::Rejected { error } => {
                return Poll::Ready(Err(error.take().expect("polled after it was over")));
            }
        };
        let answer = ready!(drive.poll(cx));
        let mut settling = settling.take().expect("polled after it was over");
        Poll::Ready(match answer {
            Ok(response) => Ok(watch(response, settling)),
            Err(error) => {
                let error = error.into();
                settling.attempt().failed(&error);
                settling.settle();
                Err(error)
            }
        })
    }
}

impl<S, B, G> fmt::Debug for Attempted<S, B, G>
where
    S: Service<Request<B>>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempted").finish_non_exhaustive()
    }
}
