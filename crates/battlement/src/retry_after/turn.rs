//! Waiting for one's turn.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use super::{
    gates::{CoolingDown, Gates},
    line::{LineKey, Step},
    ticket::Ticket,
};
use crate::{call::Key, clock::now, error::BoxError, gate};

pin_project! {
    /// A call that waits for its turn. Dropped, it gives its place to the next.
    pub struct Turn {
        standing: Standing,
        own: Option<Box<Key>>,
        // `None` for who waits for others only.
        back: Option<Instant>,
        // Set at the first poll, and reset in place.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Turn {
    pub(super) fn new(standing: Standing, own: Option<Box<Key>>, back: Option<Instant>) -> Self {
        Self { standing, own, back, sleep: None }
    }
}

impl gate::Turn for Turn {
    type Held = Ticket;

    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Ticket, BoxError>> {
        let mut this = self.project();
        loop {
            let Standing { gates, line, serial } = this.standing;
            let waiting = serial.expect("polled after it was over");
            // It is looked at before the clock: whoever wakes it has changed something.
            match gates.act(|shared| shared.come_back(line, waiting, now(), cx.waker())) {
                Step::Go(pass) => {
                    *serial = None;
                    return Poll::Ready(Ok(Ticket::new(this.own.take(), pass, true)));
                }
                Step::Late(turn) => {
                    *serial = None;
                    return Poll::Ready(Err(CoolingDown::until(turn, line).into()));
                }
                Step::Wait { back, .. } => *this.back = back,
            }
            let Some(at) = this.back.map(Into::into) else { return Poll::Pending };
            match this.sleep.as_mut().as_pin_mut() {
                None => this.sleep.set(Some(sleep_until(at))),
                Some(sleep) if sleep.deadline() != at => sleep.reset(at),
                Some(_) => {}
            }
            ready!(this.sleep.as_mut().as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx)));
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("line", &self.standing.line).finish_non_exhaustive()
    }
}

/// Standing in a line, until it is over.
pub(super) struct Standing {
    gates: Gates,
    line: LineKey,
    serial: Option<u64>,
}

impl Standing {
    pub(super) fn new(gates: Gates, line: LineKey, serial: u64) -> Self {
        Self { gates, line, serial: Some(serial) }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(serial) = self.serial.take() {
            self.gates.act(|shared| shared.leave(&self.line, serial));
        }
    }
}
