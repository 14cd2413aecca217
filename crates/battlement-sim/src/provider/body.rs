//! The body of an answer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    lost::{Lost, Why},
    plan::{Plan, Tail},
    record::{End, Ticket},
    site::{Making, Progress},
};

/// The body of an answer: whole, paced, or broken as its script says.
///
/// Each event is a frame. Dropping it before its end counts as a caller who went away.
pub struct Body {
    pieces: std::vec::IntoIter<Bytes>,
    tail: Tail,
    /// When the next piece may go out, if it has to wait.
    due: Option<Instant>,
    every: Duration,
    /// Only answers that wait have one.
    sleep: Option<Pin<Box<Sleep>>>,
    is_whole: bool,
    /// What the last piece waits for.
    making: Making,
    ticket: Ticket,
}

impl Body {
    /// What follows a head that goes out now.
    pub(super) fn new(plan: Plan, making: Making, ticket: Ticket, now: Instant) -> Self {
        let Plan { pieces, tail, first_after, every, is_whole, .. } = plan;
        let is_paced = !first_after.is_zero() || !every.is_zero();
        let due = is_paced.then(|| now + first_after);
        let (pieces, sleep) = (pieces.into_iter(), None);
        let mut body = Self { pieces, tail, due, every, sleep, is_whole, making, ticket };
        body.finish();
        body
    }

    /// Notes the end, if this is it: whoever asks `is_end_stream` does not come again.
    fn finish(&mut self) {
        if self.is_over() {
            self.ticket.end(End::Finished);
        }
    }

    /// Whether it may still end in an error.
    #[cfg(feature = "serve")]
    pub(crate) fn may_fail(&self) -> bool {
        matches!(self.tail, Tail::Fails(_)) || self.making.is_underway()
    }

    fn is_over(&self) -> bool {
        self.pieces.as_slice().is_empty() && self.tail == Tail::End
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let this = &mut *self;
        let is_last = this.pieces.as_slice().len() == 1;
        if is_last && ready!(this.making.poll_done(cx)) == Progress::Broken {
            this.pieces = Vec::new().into_iter();
            this.tail = Tail::Fails(Why::Closed);
        }
        if this.pieces.as_slice().is_empty() {
            return match this.tail {
                Tail::End => Poll::Ready(None),
                Tail::Stalls => Poll::Pending,
                Tail::Fails(why) => {
                    this.tail = Tail::End;
                    this.ticket.end(End::Broken);
                    Poll::Ready(Some(Err(Lost::new(why))))
                }
            };
        }
        if let Some(due) = this.due {
            if due > Instant::now() {
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
                if sleep.deadline() != due {
                    sleep.as_mut().reset(due);
                }
                ready!(sleep.as_mut().poll(cx));
            }
            this.due = Some(due + this.every);
        }
        let piece = this.pieces.next();
        this.ticket.event();
        this.finish();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_whole && self.tail == Tail::End {
            let left = self.pieces.as_slice().iter().map(|piece| piece.len() as u64).sum();
            return SizeHint::with_exact(left);
        }
        SizeHint::default()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.pieces.as_slice().len();
        f.debug_struct("Body")
            .field("left", &left)
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}
