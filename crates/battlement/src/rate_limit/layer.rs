//! The layer around the ledger.

use std::{
    fmt, mem,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::hint;
use bytes::Bytes;
use http::{Request, Response, response::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Config, InvalidConfig, Limits, Rejected,
    book::{Book, Held},
};
use crate::{
    call::{Attempt, Call, Key, Place, Progress, Reads},
    clock::{date, now},
    error::BoxError,
    events::Event,
    line::{Entered, Line, Lines, Waiting},
    observe::{Body, Gated, Guard, Turn},
};

/// Keeps calls within the limits of a provider; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer {
    limits: Limits,
}

impl RateLimitLayer {
    /// With one ledger for all calls.
    ///
    /// # Errors
    ///
    /// When a setting is out of range, or nothing is limited.
    pub fn new(config: impl Into<Config>) -> Result<Self, InvalidConfig> {
        let config = config.into();
        let queue = config.queue;
        Ok(Self { limits: Limits { lines: Lines::new::<InvalidConfig>(config, queue)? } })
    }

    /// Gives a ledger of its own to each key: to each model, or to each of several accounts. They have
    /// the same limits, unless [`Limits::set_for`] says otherwise.
    pub fn key(mut self, key: impl Fn(&Call) -> Key + Send + Sync + 'static) -> Self {
        self.limits.lines.set_key(Arc::new(key));
        self
    }

    /// How many keys are kept, besides those with limits of their own. 1,024 by default; of more, the
    /// one that was not used for longest is forgotten, and with it what it has spent.
    pub fn most_keys(self, most: NonZeroUsize) -> Self {
        self.limits.lines.set_most(most);
        self
    }

    /// The limits, to look at them or to change them.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = Reads<RateLimit<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(RateLimit { inner, limits: self.limits.clone() })
    }
}

/// Keeps calls within the limits of a provider; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    limits: Limits,
}

impl<S, B, R> Service<Request<B>> for RateLimit<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<R, Reserved>>;
    type Error = BoxError;
    type Future = Gated<S, B, InLine>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::RateLimit);
        let line = self.limits.lines.of(attempt.call());
        let now = now();
        match line.enter(now, |book| book.ask(attempt.call(), now)) {
            Ok(Entered::Now(held)) => {
                let reserved = Reserved { line, held, waited: false, told: 0 };
                Gated::now(&mut self.inner, request, attempt, reserved)
            }
            Ok(Entered::Waits(seat, until)) => {
                let turn = InLine(Waiting::new(line, seat));
                attempt.call().report(&Event::Waiting { layer: "rate_limit", until });
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                Gated::wait(service, request, attempt, turn)
            }
            Err(missed) => Gated::rejected(&attempt, Rejected::new(missed, now).into()),
        }
    }
}

/// A turn that is waited for.
#[derive(Debug)]
pub struct InLine(Waiting<Book>);

impl Turn for InLine {
    type Guard = Reserved;

    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reserved, BoxError>> {
        Poll::Ready(match ready!(self.0.poll(cx)) {
            Ok(held) => Ok(Reserved { line: self.0.line().clone(), held, waited: true, told: 0 }),
            Err(missed) => Err(Rejected::new(missed, now()).into()),
        })
    }
}

/// What a call has reserved, until it is known what it has cost.
pub struct Reserved {
    line: Arc<Line<Book>>,
    held: Held,
    /// Whether it had to wait.
    waited: bool,
    /// Tokens of output that the ledger was told of.
    told: u64,
}

/// Output is reported in steps of so many tokens, since each report takes the lock.
const STEP: u64 = 64;

impl Guard for Reserved {
    fn head(&mut self, attempt: &Attempt, head: &Parts) {
        let provider = attempt.call().facts().provider;
        let told = hint::rate_limits(&head.headers, provider, date());
        if !told.is_empty() {
            let now = now();
            let reservation = &self.held.reservation;
            self.line.change(now, |book, _queue| book.ledger.heard(reservation, &told, now));
        }
    }

    fn progress(&mut self, attempt: &Attempt, _progress: Progress) {
        let output = if self.held.streams { attempt.output_told() } else { 0 };
        if output >= self.told + STEP {
            self.told = output;
            let now = now();
            let reservation = &self.held.reservation;
            self.line.change(now, |book, _queue| book.ledger.streamed(reservation, output, now));
        }
    }

    fn settle(self, attempt: &Attempt) {
        let Self { line, held, waited, told: _ } = self;
        let (now, call) = (attempt.ended(), attempt.call());
        line.change(now, |book, queue| {
            let more = book.settle(held, attempt, now);
            // Whoever did not wait took nothing from anybody.
            if waited && more != 0 && !queue.is_empty() {
                queue.charge(call.lane(), call.turn(), more);
            }
        });
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserved").field("estimate", &self.held.estimate).finish_non_exhaustive()
    }
}
