//! The layer around the ledger.

use std::{
    fmt,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use battlement_core::hint;
use tower_layer::Layer;

use super::{
    Config, InvalidConfig, Limits, Rejected,
    book::{Book, Held},
};
use crate::{
    call::{Attempt, Call, Key, Place, Progress, Reads},
    clock::{date, now},
    error::BoxError,
    events::Event,
    gate::{Admitted, Gate, Gated, Turn},
    line::{Entered, Line, Lines, Supply, Waiting},
    observe::Head,
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

    /// Gives a ledger of its own to each model on each account: to each [key of a call](Key::of).
    pub fn per_model(mut self) -> Self {
        self.limits.lines.set_usual_key();
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
        Reads::before(Gated::new(inner, self.clone()))
    }
}

/// Keeps calls within the limits of a provider; see the [module documentation](super).
pub type RateLimit<S> = Gated<S, RateLimitLayer>;

impl Gate for RateLimitLayer {
    type Held = Reserved;
    type Turn = InLine;

    fn places() -> impl Iterator<Item = Place> {
        [Place::RateLimit].into_iter()
    }

    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> Admitted<Self> {
        let call = attempt.call();
        let line = self.limits.lines.of(call, now);
        match line.enter(now, |book| book.ask(attempt, now)) {
            Ok(Entered::Now(held)) => Admitted::Go(Reserved { line, held, waited: false, told: 0 }),
            Ok(Entered::Waits(seat, until)) => {
                let turn = InLine(Waiting::new(line, seat));
                attempt.report(&Event::Waiting { layer: "rate_limit", until });
                Admitted::Wait(turn)
            }
            Err(missed) => Admitted::Reject(Rejected::new(missed, now).into()),
        }
    }

    fn is_short(&self, attempt: &Attempt, now: Instant) -> bool {
        let Some(least) = attempt.spare() else { return false };
        let line = self.limits.lines.of(attempt.call(), now);
        line.inspect(|book, _waiting| book.ledger.headroom(now)) < least
    }

    fn give_back(&self, reserved: Reserved, _attempt: &Attempt, now: Instant) {
        let Reserved { line, held, .. } = reserved;
        line.change(now, |book, _queue| book.put_back(held, now));
    }

    fn head(&self, reserved: &mut Reserved, attempt: &Attempt, head: Head<'_>) {
        let provider = attempt.call().facts().provider;
        let told = hint::rate_limits(head.headers, provider, date());
        if !told.is_empty() {
            let now = now();
            let reservation = &reserved.held.reservation;
            reserved.line.change(now, |book, _queue| book.ledger.heard(reservation, &told, now));
        }
    }

    fn progress(&self, reserved: &mut Reserved, attempt: &Attempt, _progress: Progress) {
        let Reserved { line, held, told, .. } = reserved;
        let output = if held.streams { attempt.output_told() } else { 0 };
        if output >= *told + STEP {
            *told = output;
            let (now, reservation) = (now(), &held.reservation);
            line.change(now, |book, _queue| book.ledger.streamed(reservation, output, now));
        }
    }

    fn settle(&self, reserved: Reserved, attempt: &Attempt) {
        let Reserved { line, held, waited, told: _ } = reserved;
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

/// A turn that is waited for.
#[derive(Debug)]
pub struct InLine(Waiting<Book>);

impl Turn for InLine {
    type Held = Reserved;

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

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserved").field("cost", &self.held.cost).finish_non_exhaustive()
    }
}
