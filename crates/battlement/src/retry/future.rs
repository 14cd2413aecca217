//! The attempts of a call, one after the other.

use std::{
    fmt,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep, sleep_until};
use tower_service::Service;

use super::{
    Body,
    ticket::Ticket,
    tries::{Answer, Tries},
};
use crate::{
    clock::now,
    error::BoxError,
    hold::{MOST_OF_AN_ERROR, is_error},
    observe::Attempted,
};

/// How long an error is waited for after its head. Mostly it comes with it.
const LONGEST_HELD: Duration = Duration::from_secs(1);

/// The future of [`Retry`](super::Retry).
///
/// In a box: it holds all that another attempt needs, and whatever is further out moves it on.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    attempts: Pin<Box<Attempts<S, B, R>>>,
}

pin_project! {
    /// One attempt after the other.
    struct Attempts<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        // In the order in which they are to be dropped.
        #[pin]
        state: State<S, B, R>,
        // `None` if there is only this one attempt.
        tries: Option<Tries<S, R>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        Calling { #[pin] attempted: Attempted<S, B, Ticket> },
        // An error is here, of which more has to be known.
        Holding { #[pin] limit: Sleep, response: Option<Response<Body<R>>> },
        Waiting { #[pin] sleep: Sleep },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    /// An attempt that stays the only one.
    pub(super) fn once(attempted: Attempted<S, B, Ticket>) -> Self {
        let state = State::Calling { attempted };
        Self { attempts: Box::pin(Attempts { state, tries: None }) }
    }

    /// An attempt that others may follow.
    pub(super) fn first(attempted: Attempted<S, B, Ticket>, tries: Tries<S, R>) -> Self {
        let state = State::Calling { attempted };
        Self { attempts: Box::pin(Attempts { state, tries: Some(tries) }) }
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.attempts.as_mut().project();
        loop {
            let answer = match this.state.as_mut().project() {
                StateProjection::Calling { attempted } => {
                    let answer = ready!(attempted.poll(cx));
                    let Some(tries) = this.tries else {
                        return Poll::Ready(answer.map(|response| response.map(Body::new)));
                    };
                    match answer {
                        Ok(response) if !is_error(&response) => {
                            return Poll::Ready(Ok(response.map(Body::new)));
                        }
                        Ok(response) => {
                            tries.follow(response.body().attempt());
                            let response = response.map(Body::new);
                            let limit = tries.deadline().within(LONGEST_HELD, now());
                            let limit = limit.instant().unwrap_or_else(now);
                            let limit = sleep_until(limit.into());
                            this.state.set(State::Holding { limit, response: Some(response) });
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
                StateProjection::Holding { mut limit, response } => {
                    let held =
                        &mut response.as_mut().expect("there until it is read").body_mut().held;
                    while !held.is_whole() && held.bytes() < MOST_OF_AN_ERROR {
                        match held.poll_more(cx) {
                            Poll::Ready(_) => {}
                            // What is there counts, however late; only what is not is given up.
                            Poll::Pending => {
                                ready!(limit.as_mut().poll(cx));
                                break;
                            }
                        }
                    }
                    Ok(response.take().expect("there until it is read"))
                }
                StateProjection::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    let tries = this.tries.as_mut().expect("there is more than one attempt");
                    match tries.again() {
                        ControlFlow::Continue(attempted) => {
                            this.state.set(State::Calling { attempted });
                        }
                        ControlFlow::Break(answer) => return Poll::Ready(answer),
                    }
                    continue;
                }
            };
            let tries = this.tries.as_mut().expect("there is more than one attempt");
            match tries.next(answer) {
                // The attempt that is over is dropped here, before the wait.
                ControlFlow::Continue(wait) => {
                    this.state.set(State::Waiting { sleep: sleep(wait) });
                }
                ControlFlow::Break(answer) => return Poll::Ready(answer),
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
