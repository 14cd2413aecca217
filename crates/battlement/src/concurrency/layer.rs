//! The layer around the permits.

use std::{
    fmt, mem,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use battlement_core::{
    ErrorClass, Outcome,
    adaptive::{Permit, Signal},
};
use tower_layer::Layer;

use super::{
    Config, Handle, InvalidConfig, Rejected,
    permits::{Permits, waiter},
};
use crate::{
    call::{Attempt, Call, Key, Place, Progress, Reads},
    clock::now,
    error::BoxError,
    events::Event,
    gate::{Admitted, Gate, Gated, Turn},
    line::{Entered, Line, Supply, Waiting},
};

/// Bounds how many calls run at once; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct ConcurrencyLayer {
    handle: Handle,
}

impl ConcurrencyLayer {
    /// With one limit for all calls: a number, or the settings of one that adapts.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: impl Into<Config>) -> Result<Self, InvalidConfig> {
        Ok(Self { handle: Handle::new(&config.into())? })
    }

    /// Gives a limit of its own to each key. One that adapts should be of one model on one account.
    pub fn key(mut self, key: impl Fn(&Call) -> Key + Send + Sync + 'static) -> Self {
        self.handle.lines.set_key(Arc::new(key));
        self
    }

    /// Gives a limit of its own to each model on each account: to each [key of a call](Key::of).
    pub fn per_model(mut self) -> Self {
        self.handle.lines.set_usual_key();
        self
    }

    /// How many keys are kept. 1,024 by default; of more, the one that was not used for longest is
    /// forgotten.
    pub fn most_keys(self, most: NonZeroUsize) -> Self {
        self.handle.lines.set_most(most);
        self
    }

    /// The limit, to look at it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = Reads<Concurrency<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Gated::new(inner, self.clone()))
    }
}

/// Bounds how many calls run at once; see the [module documentation](super).
pub type Concurrency<S> = Gated<S, ConcurrencyLayer>;

impl Gate for ConcurrencyLayer {
    type Held = Running;
    type Turn = InLine;

    fn places() -> impl Iterator<Item = Place> {
        [Place::Concurrency].into_iter()
    }

    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> Admitted<Self> {
        let (call, Handle { lines, adapts }) = (attempt.call(), &self.handle);
        let line = lines.of(call, now);
        let deadline = call.deadline().instant();
        match line.enter(now, |permits| (deadline, waiter(attempt, permits, now))) {
            Ok(Entered::Now(permit)) => Admitted::Go(Running { line, permit, speaks: !adapts }),
            Ok(Entered::Waits(seat, until)) => {
                let turn = InLine { waiting: Waiting::new(line, seat), adapts: *adapts };
                attempt.report(&Event::Waiting { layer: "concurrency", until });
                Admitted::Wait(turn)
            }
            Err(missed) => Admitted::Reject(Rejected::new(missed).into()),
        }
    }

    fn give_back(&self, running: Running, attempt: &Attempt, now: Instant) {
        let Running { line, permit, .. } = running;
        change(&line, attempt, now, |permits| permits.put_back(permit, now));
    }

    fn progress(&self, running: &mut Running, attempt: &Attempt, progress: Progress) {
        if progress.has_output() && !mem::replace(&mut running.speaks, true) {
            let (now, permit) = (now(), &mut running.permit);
            change(&running.line, attempt, now, |permits| permits.limit.first_content(permit, now));
        }
    }

    fn settle(&self, running: Running, attempt: &Attempt) {
        let Running { line, mut permit, speaks: _ } = running;
        let now = attempt.ended();
        let verdict = attempt.verdict();
        let signal = verdict.map_or(Signal::Neutral, |verdict| Signal::of(verdict.outcome));
        // A provider that has no room may also just be silent.
        let is_overdue = verdict.is_some_and(|verdict| {
            verdict.outcome == Outcome::Failed(ErrorClass::Overdue) && !verdict.has_output
        });
        change(&line, attempt, now, |permits| {
            if is_overdue {
                permits.limit.overdue(&mut permit, now);
            }
            permits.limit.release(permit, signal, now);
        });
    }
}

/// A turn that is waited for.
#[derive(Debug)]
pub struct InLine {
    waiting: Waiting<Permits>,
    adapts: bool,
}

impl Turn for InLine {
    type Held = Running;

    fn poll_turn(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Running, BoxError>> {
        Poll::Ready(match ready!(self.waiting.poll(cx)) {
            Ok(permit) => {
                Ok(Running { line: self.waiting.line().clone(), permit, speaks: !self.adapts })
            }
            Err(missed) => Err(Rejected::new(missed).into()),
        })
    }
}

/// A place among the calls that run, given back when the answer has ended.
pub struct Running {
    line: Arc<Line<Permits>>,
    permit: Permit,
    /// Whether the limit need not be told of the first output: it was, or does not care.
    speaks: bool,
}

/// Does something to the limit, and tells whoever watches if that moved it.
fn change(line: &Line<Permits>, attempt: &Attempt, now: Instant, act: impl FnOnce(&mut Permits)) {
    let (before, limit) = line.change(now, |permits, _queue| {
        let before = permits.limit.limit();
        act(permits);
        (before, permits.limit.limit())
    });
    if before != limit {
        attempt.call().report(&Event::Concurrency { limit });
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("permit", &self.permit).finish_non_exhaustive()
    }
}
