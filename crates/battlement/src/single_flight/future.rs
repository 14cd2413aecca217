//! Somebody who takes part in a call that is shared, until its head is there.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::{Code, Verdict, request::canonical::Fingerprint};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Body,
    error::{Lost, Shared},
    flight::{Head, Missed, Seat},
    layer::{Booked, Policy, take_part},
};
use crate::{
    cache::free,
    call::Attempt,
    clock::now,
    deadline::{Exceeded, Timer},
    error::{BoxError, explain},
    events::Event,
    observe::Attempted,
};

const OVER: &str = "polled after it was over";

/// A head, and the length of the body behind it.
type Told = (Response<()>, Option<u64>);

/// One of those who take part.
pub(super) struct Participant {
    /// `None` once it has left.
    booked: Option<Booked>,
    attempt: Attempt,
    /// The attempt that is made for all of them, if this is the one that it is made for.
    made: Option<Attempt>,
    /// The attempt that was answered.
    answered: Option<Attempt>,
    timer: Timer,
}

/// What the name of a header has in it that is about the caller, and not about the answer.
const PERSONAL: [&str; 4] = ["cookie", "organization", "ratelimit", "-project"];

impl Participant {
    pub(super) fn new(booked: Booked, attempt: Attempt, made: Option<Attempt>) -> Self {
        // It is read below, for all of them.
        attempt.claim();
        let timer = Timer::new(attempt.call().deadline().instant());
        Self { booked: Some(booked), attempt, made, answered: None, timer }
    }

    fn seat(&mut self) -> &mut Seat {
        self.booked.as_mut().expect(OVER).seat_mut()
    }

    /// The head, as it goes to this one.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Told, Missed>> {
        let Poll::Ready(head) = self.seat().poll_head(cx) else { return Poll::Pending };
        Poll::Ready(head.map(|head| {
            let Head { response, length, attempt } = &*head;
            self.answered = Some(attempt.clone());
            self.attempt.shows(attempt);
            let mut own = response.clone();
            if self.made.is_none() {
                // They are about the caller that was the first.
                let is_personal =
                    |name: &HeaderName| PERSONAL.iter().any(|part| name.as_str().contains(part));
                let personal: Vec<_> =
                    own.headers().keys().filter(|name| is_personal(name)).cloned().collect();
                for name in personal {
                    own.headers_mut().remove(name);
                }
            }
            own.extensions_mut().insert(self.attempt.clone());
            (own, *length)
        }))
    }

    /// The next frame.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        if self.booked.is_none() {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = self.seat().poll_frame(cx) else {
            ready!(self.timer.poll(cx));
            return Poll::Ready(Some(Err(self.late())));
        };
        if let Some(answered) = &self.answered {
            self.attempt.shows(answered);
        }
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                if self.seat().is_over() {
                    self.end();
                }
                Some(Ok(frame))
            }
            Some(Err(missed)) => Some(Err(self.failed(missed))),
            None => {
                self.end();
                None
            }
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.booked.as_ref().is_none_or(|booked| booked.seat().is_over())
    }

    /// What is shared has come to its end: this one ends as that.
    fn end(&mut self) {
        self.booked = None;
        let answered = self.answered.as_ref().or(self.made.as_ref());
        match (answered, &self.made) {
            (Some(answered), Some(_)) if answered.is_over() => self.attempt.ends_as(answered),
            (Some(answered), _) => {
                if let Some(verdict) = answered.verdict() {
                    self.attempt.conclude(|| for_free(verdict));
                }
            }
            (None, _) => {}
        }
    }

    /// Why this one gets no answer, or no more of it.
    fn failed(&mut self, missed: Missed) -> BoxError {
        // Of what is lost the end is not its own, be it good or bad.
        let is_end = matches!(missed, Missed::Failed(_));
        let error: BoxError = match missed {
            Missed::Failed(Ok(error)) => error,
            Missed::Failed(Err(source)) => Shared { source }.into(),
            Missed::Panicked => Lost { panicked: true }.into(),
            Missed::Lost => Lost { panicked: false }.into(),
        };
        if is_end {
            self.end();
        }
        self.booked = None;
        self.attempt.failed(&error);
        error
    }

    /// Its time is over.
    fn late(&mut self) -> BoxError {
        self.attempt.call().expire();
        self.leave();
        Exceeded::now(&self.attempt).into()
    }

    /// It leaves what it has joined, for another.
    fn apart(&mut self) -> (Arc<Policy>, Fingerprint, Attempt) {
        let booked = self.booked.take().expect(OVER);
        let (policy, key) = (booked.policy.clone(), booked.key);
        policy.forget(&key, booked.seat().flight());
        (policy, key, self.attempt.clone())
    }

    /// It goes, and says so.
    fn leave(&mut self) {
        let Some(booked) = self.booked.take() else { return };
        if self.made.is_some() && booked.seat().goes_on() {
            self.attempt.call().report(&Event::HandedOver);
        }
        // What nobody else waits for is dropped here, and has ended then.
        drop(booked);
        match &self.made {
            Some(made) if made.is_over() => self.attempt.ends_as(made),
            _ => self.attempt.conclude(Verdict::abandoned),
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What an answer means to those who have not paid for it.
fn for_free(verdict: &Verdict) -> Verdict {
    let mut verdict = verdict.clone();
    verdict.usage = Some(free());
    verdict
}

/// What it takes to make a call of its own, for one that has joined another.
pub(super) struct Again<S, B> {
    pub(super) service: S,
    pub(super) request: Request<B>,
}

/// Whether others should try for themselves: what has ended is only the time of the one that the call was made for.
fn is_its_own(missed: &Missed) -> bool {
    let error = match missed {
        Missed::Failed(Ok(error)) => error,
        Missed::Failed(Err(error)) => error,
        Missed::Lost => return true,
        Missed::Panicked => return false,
    };
    let code = explain(error).map(|explanation| explanation.code);
    matches!(code, Some(Code::DeadlineExceeded | Code::AttemptsUsed))
}

pin_project! {
    /// The future of [`SingleFlight`](super::SingleFlight).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Alone { #[pin] attempted: Attempted<S, B, ()> },
        // In boxes, as every layer above would have room for it in its future.
        Sharing { participant: Option<Box<Participant>>, again: Option<Box<Again<S, B>>> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn alone(attempted: Attempted<S, B, ()>) -> Self {
        Self { state: State::Alone { attempted } }
    }

    pub(super) fn sharing(participant: Participant, again: Option<Box<Again<S, B>>>) -> Self {
        Self { state: State::Sharing { participant: Some(Box::new(participant)), again } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (participant, again) = match self.project().state.project() {
            StateProjection::Alone { attempted } => {
                return attempted.poll(cx).map_ok(|response| response.map(Body::alone));
            }
            StateProjection::Sharing { participant, again } => (participant, again),
        };
        loop {
            let this = participant.as_mut().expect(OVER);
            let Poll::Ready(head) = this.poll_head(cx) else {
                ready!(this.timer.poll(cx));
                let error = this.late();
                *participant = None;
                return Poll::Ready(Err(error));
            };
            let missed = match head {
                Ok((head, length)) => {
                    let participant = participant.take().expect(OVER);
                    let body = Body::sharing(participant, length);
                    return Poll::Ready(Ok(head.map(|()| body)));
                }
                Err(missed) => missed,
            };
            let is_past = this.attempt.call().deadline().is_past(now());
            match again.take() {
                Some(made) if is_its_own(&missed) && !is_past => {
                    let Again { mut service, request } = *made;
                    let (policy, key, attempt) = this.apart();
                    // The one that it was in is closed: this is another, or the first in one.
                    let (next, more) = take_part(&policy, &mut service, key, attempt, request);
                    (*participant, *again) = (Some(Box::new(next)), more);
                }
                _ => {
                    let error = this.failed(missed);
                    *participant = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
