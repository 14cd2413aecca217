//! What a gate is, and what becomes of those who come to it.

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use crate::{
    call::{Attempt, Place, Progress},
    error::BoxError,
    observe::Head,
};

/// Lets attempts through.
pub trait Gate: Sized {
    /// What an attempt passes with, and has to give back.
    type Held;

    /// Waits for one's turn.
    type Turn: Turn<Held = Self::Held>;

    /// Where it belongs in a stack, from the outside to the inside.
    fn places() -> impl Iterator<Item = Place>;

    /// An attempt comes.
    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> Admitted<Self>;

    /// Whether this is no time for an attempt that goes out [beside another one](Attempt::is_spare): there is
    /// trouble, or the room that is left is for others.
    fn is_short(&self, _attempt: &Attempt, _now: Instant) -> bool {
        false
    }

    /// An attempt that was let through has not gone out, since it had to wait further in. It goes now, unless
    /// something was learned meanwhile that speaks against it.
    fn again(
        self: &Arc<Self>,
        held: Self::Held,
        _attempt: &Attempt,
        _now: Instant,
    ) -> Admitted<Self> {
        Admitted::Go(held)
    }

    /// Takes back what was not used, of an attempt that will come again.
    fn give_back(&self, held: Self::Held, attempt: &Attempt, now: Instant);

    /// The head of the answer is there: its status and its headers, before anything of the body. Not
    /// every attempt comes that far.
    fn head(&self, _held: &mut Self::Held, _attempt: &Attempt, _head: Head<'_>) {}

    /// The answer has shown something new.
    fn progress(&self, _held: &mut Self::Held, _attempt: &Attempt, _progress: Progress) {}

    /// The attempt is over, and [`Attempt::verdict`] says how; or [`Attempt::is_unsent`].
    fn settle(&self, held: Self::Held, attempt: &Attempt);
}

/// What becomes of an attempt that has come.
pub enum Admitted<G: Gate> {
    /// It passes.
    Go(G::Held),
    /// It waits.
    Wait(G::Turn),
    /// Its turn never comes, or too late.
    Reject(BoxError),
}

impl<G: Gate> fmt::Debug for Admitted<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Go(_) => "Go",
            Self::Wait(_) => "Wait",
            Self::Reject(_) => "Reject",
        })
    }
}

/// A turn that is waited for: what it brings is held for the time of the attempt.
///
/// Dropped before it comes, it gives its place to the next.
pub trait Turn {
    /// What is held.
    type Held;

    /// Comes, or will not come in time.
    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Held, BoxError>>;
}

/// For a gate at which nobody waits.
#[derive(Debug)]
pub struct NoTurn<H> {
    never: Infallible,
    _held: PhantomData<H>,
}

impl<H> Turn for NoTurn<H> {
    type Held = H;

    fn poll_turn(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<H, BoxError>> {
        match self.never {}
    }
}
