//! One attempt in a race, until it has said something or failed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Body, ticket::Ticket};
use crate::{
    call::Attempt,
    error::{BoxError, local_code},
    finish::{Action, Policy},
    hold::{MOST_HELD, MOST_OF_AN_ERROR, has_begun, is_error, was_held},
    observe::Attempted,
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// What has become of an attempt.
#[expect(clippy::large_enum_variant, reason = "it is passed on at once")]
pub(super) enum Came<R: http_body::Body<Data = Bytes>> {
    /// It has output, or is an answer that nobody waits longer for.
    Answered(Response<Body<R>>),
    /// It has failed, after it was sent or before.
    Failed { sent: bool },
}

pin_project! {
    /// An attempt in a race.
    #[project = RunnerProjection]
    pub(super) enum Runner<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        Calling { #[pin] attempted: Attempted<S, B, Ticket> },
        // The head is here. In boxes, as they are rare where the layer `finish` is below.
        Holding { attempt: Attempt, response: Option<Box<Response<Body<R>>>> },
        Failed { answer: Option<Box<Answer<R>>> },
        Gone,
    }
}

impl<S, B, R> Runner<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    /// Goes on to its output, or to its failure, which comes once. An error is read on after that, so that
    /// it holds no connection while others are waited for.
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Came<R>> {
        loop {
            let (next, failed) = match self.as_mut().project() {
                RunnerProjection::Calling { attempted } => match ready!(attempted.poll(cx)) {
                    Err(error) => {
                        let sent = local_code(&error).is_none();
                        (Self::failed(Err(error)), Some(sent))
                    }
                    Ok(response) => {
                        let attempt = response.body().attempt().clone();
                        let response = response.map(Body::new);
                        if is_error(&response) {
                            (Self::failed(Ok(response)), Some(true))
                        } else if was_held(&attempt) {
                            self.set(Self::Gone);
                            return Poll::Ready(Came::Answered(response));
                        } else {
                            (Self::Holding { attempt, response: Some(Box::new(response)) }, None)
                        }
                    }
                },
                RunnerProjection::Holding { attempt, response } => {
                    let body = response.as_mut().expect(HELD).body_mut();
                    let is_good = ready!(poll_held(attempt, body, cx));
                    let response = *response.take().expect(HELD);
                    if is_good {
                        self.set(Self::Gone);
                        return Poll::Ready(Came::Answered(response));
                    }
                    (Self::failed(Ok(response)), Some(true))
                }
                RunnerProjection::Failed { answer } => {
                    if let Some(Ok(response)) = answer.as_deref_mut() {
                        drain(response.body_mut(), cx);
                    }
                    return Poll::Pending;
                }
                RunnerProjection::Gone => return Poll::Pending,
            };
            self.set(next);
            if let Some(sent) = failed {
                return Poll::Ready(Came::Failed { sent });
            }
        }
    }

    /// Passes on what comes, as it comes.
    pub(super) fn poll_alone(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<R>> {
        let answer = match self.as_mut().project() {
            RunnerProjection::Calling { attempted } => {
                ready!(attempted.poll(cx)).map(|response| response.map(Body::new))
            }
            _ => self.take().expect("polled after it was over"),
        };
        Poll::Ready(answer)
    }

    fn failed(answer: Answer<R>) -> Self {
        Self::Failed { answer: Some(Box::new(answer)) }
    }

    /// The answer, if there is one.
    pub(super) fn take(self: Pin<&mut Self>) -> Option<Answer<R>> {
        match self.project() {
            RunnerProjection::Failed { answer } => answer.take().map(|answer| *answer),
            RunnerProjection::Holding { response, .. } => response.take().map(|held| Ok(*held)),
            _ => None,
        }
    }
}

const HELD: &str = "held until it is decided";

/// Reads until there is output, or the end. Whether it may go.
fn poll_held<R>(attempt: &Attempt, body: &mut Body<R>, cx: &mut Context<'_>) -> Poll<bool>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    let held = &mut body.held;
    while !held.is_whole() {
        if held.bytes() >= MOST_HELD || has_begun(attempt) {
            return Poll::Ready(true);
        }
        ready!(held.poll_more(cx));
    }
    let verdict = attempt.verdict();
    let fails = verdict.is_some_and(|verdict| Policy::default().action(verdict) == Action::Fail);
    Poll::Ready(!fails)
}

/// Reads what there is of an error, and lets go of the connection that it came on.
fn drain<R>(body: &mut Body<R>, cx: &mut Context<'_>)
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    let held = &mut body.held;
    while !held.is_whole() && held.bytes() < MOST_OF_AN_ERROR {
        if held.poll_more(cx).is_pending() {
            return;
        }
    }
    held.release();
}
