//! The first attempt, and those that go out beside it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    race::Race,
    runner::{Answer, Came, Runner},
    ticket::Ticket,
};
use crate::{error::BoxError, events::Event, observe::Attempted};

pin_project! {
    /// The future of [`Hedge`](super::Hedge).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        // In the order in which they are to be dropped.
        #[pin]
        first: Runner<S, B, R>,
        // `None` if no other attempt may go out beside it. In a box, as it has room for the whole request.
        race: Option<Box<Race<S, B, R>>>,
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn new(
        attempted: Attempted<S, B, Ticket>,
        race: Option<Box<Race<S, B, R>>>,
    ) -> Self {
        Self { first: Runner::Calling { attempted }, race }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: From<Bytes>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    type Output = Answer<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(race) = this.race else { return this.first.poll_alone(cx) };
            if race.is_on() {
                if let Poll::Ready(answer) = race.poll(this.first.as_mut(), cx) {
                    return Poll::Ready(answer);
                }
            } else if let Poll::Ready(came) = this.first.as_mut().poll(cx) {
                return Poll::Ready(match came {
                    Came::Answered(response) => Ok(response),
                    // What fails before it is late is not for us.
                    Came::Failed { .. } => this.first.take().expect("it has failed"),
                });
            }
            ready!(race.poll_due(cx));
            if let Err(reason) = race.send() {
                race.call().report(&Event::NotHedged { reason });
                if !race.is_on() {
                    *this.race = None;
                }
            }
        }
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
