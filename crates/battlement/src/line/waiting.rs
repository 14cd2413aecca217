//! Waits for a turn.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

use super::{End, Line, Seat, Seen, Supply};
use crate::clock::now;

/// A call that waits for its turn.
///
/// It has a timer if it is the first and waits for time to pass, or for its deadline. Dropped before
/// its turn, it leaves the line.
pub(crate) struct Waiting<S: Supply> {
    line: Arc<Line<S>>,
    /// There until the wait is over.
    seat: Option<Seat>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S: Supply> Waiting<S> {
    pub(crate) fn new(line: Arc<Line<S>>, seat: Seat) -> Self {
        Self { line, seat: Some(seat), sleep: None }
    }

    pub(crate) fn line(&self) -> &Arc<Line<S>> {
        &self.line
    }

    /// Its turn comes, or will not come in time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End<S>> {
        loop {
            let seat = self.seat.take().expect("polled after it was over");
            match self.line.look(seat, cx.waker().clone(), now()) {
                Seen::Over(end) => return Poll::Ready(end),
                Seen::Until(seat, until) => {
                    self.seat = Some(seat);
                    ready!(self.poll_sleep(until, cx));
                }
            }
        }
    }

    /// Sleeps until then.
    fn poll_sleep(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until.map(tokio::time::Instant::from_std) else {
            self.sleep = None;
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<S: Supply> Drop for Waiting<S> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.line.leave(seat, now());
        }
    }
}

impl<S: Supply> fmt::Debug for Waiting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("seat", &self.seat).finish_non_exhaustive()
    }
}
