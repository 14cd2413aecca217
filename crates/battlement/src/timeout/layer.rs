//! The layer, and the error of an attempt that took too long.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use battlement_core::{Clock, Code, Verdict};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, InvalidTimeouts, ResponseFuture, Timeouts,
    body::Watch,
    clocks::{Clocks, Limit},
};
use crate::{
    call::{Attempt, Place, Reads},
    clock::now,
    drive::Drive,
    error::{BoxError, Explanation},
    observe::{Attempted, Settling},
};

/// Ends attempts that take too long; see the [module documentation](super).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TimeoutLayer {
    streaming: Timeouts,
    whole: Timeouts,
}

/// The usual limits: [`Timeouts::streaming`] and [`Timeouts::whole`].
impl Default for TimeoutLayer {
    fn default() -> Self {
        Self { streaming: Timeouts::streaming(), whole: Timeouts::whole() }
    }
}

impl TimeoutLayer {
    /// With limits for calls that ask for a stream, and for those that do not.
    ///
    /// # Errors
    ///
    /// When a limit is zero.
    pub fn new(streaming: Timeouts, whole: Timeouts) -> Result<Self, InvalidTimeouts> {
        streaming.check()?;
        whole.check()?;
        Ok(Self { streaming, whole })
    }

    /// The limits of streams, and those of answers that come as a whole.
    pub(crate) fn limits(&self) -> [Timeouts; 2] {
        [self.streaming, self.whole]
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Reads<Timeout<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Timeout { inner, limits: Arc::new(*self) })
    }
}

/// Ends attempts that take too long; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    limits: Arc<TimeoutLayer>,
}

impl<S, B, R> Service<Request<B>> for Timeout<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Timeout);
        let (call, now) = (attempt.call(), now());
        let (stream, deadline) = (call.facts().stream, call.deadline());
        let limits = if stream { self.limits.streaming } else { self.limits.whole };
        let watch = Watch::new(attempt.clone(), Clocks::new(limits, deadline, stream, now));
        if deadline.is_past(now) {
            let after = now.saturating_duration_since(call.started());
            let limit = Limit { clock: Clock::Total, after, is_deadline: true };
            attempt.turn_away(Code::DeadlineExceeded);
            let error = Elapsed::new(limit, attempt.clone()).into();
            return ResponseFuture::new(Attempted::rejected(&attempt, error), watch);
        }
        let settling = Settling::new(attempt, ());
        ResponseFuture::new(Attempted::new(Drive::start(&mut self.inner, request), settling), watch)
    }
}

/// An attempt took too long, and was given up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Elapsed {
    /// Which limit passed; [`Clock::Total`] if it was the deadline of the call.
    pub clock: Clock,
    /// How long that limit was; of a deadline, for how long the attempt had run.
    pub after: Duration,
    /// Whether it was the deadline of the call rather than a limit of this layer. There is no time
    /// left for another attempt then.
    pub is_deadline: bool,
    attempt: Attempt,
}

impl Elapsed {
    pub(super) fn new(limit: Limit, attempt: Attempt) -> Self {
        let Limit { clock, after, is_deadline } = limit;
        Self { clock, after, is_deadline, attempt }
    }

    /// What is known of the answer: whether there was output, and the tokens that it has told of so
    /// far, which the provider bills. `None` if the request was never sent.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.attempt.verdict()
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        let code = if self.is_deadline { Code::DeadlineExceeded } else { self.clock.code() };
        Explanation {
            code,
            retry_after: None,
            retryable: !self.is_deadline,
            sent: !self.attempt.is_unsent(),
            verdict: self.verdict(),
        }
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.after;
        if self.is_deadline {
            return write!(f, "the deadline of the call passed, {after:?} after the attempt began");
        }
        match self.clock {
            Clock::Head => write!(f, "no answer began within {after:?}"),
            Clock::Output => write!(f, "the model said nothing within {after:?}"),
            Clock::Idle => write!(f, "the answer fell silent for {after:?}"),
            Clock::Throughput => write!(f, "the answer was too slow for {after:?}"),
            _ => write!(f, "the attempt took longer than {after:?}"),
        }
    }
}

impl std::error::Error for Elapsed {}
