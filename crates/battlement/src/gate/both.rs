//! Two gates, one behind the other.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use battlement_core::Verdict;
use pin_project_lite::pin_project;

use super::{Admitted, Gate, Passed, Turn, future::HeldBack};
use crate::{
    call::{Attempt, Place, Progress},
    clock::now,
    error::BoxError,
    observe::{Head, Settling},
};

/// Two gates: who has passed the first comes to the second.
#[derive(Debug)]
pub struct Both<A, B> {
    first: Arc<A>,
    second: Arc<B>,
}

impl<A, B> Both<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        Self { first: Arc::new(first), second: Arc::new(second) }
    }
}

/// What was let through by a gate and is given back to it at the latest when this is dropped.
struct Owed<'a, G: Gate> {
    gate: &'a Arc<G>,
    held: Option<G::Held>,
    attempt: &'a Attempt,
}

impl<'a, G: Gate> Owed<'a, G> {
    fn new(gate: &'a Arc<G>, held: G::Held, attempt: &'a Attempt) -> Self {
        Self { gate, held: Some(held), attempt }
    }

    /// It is somebody else's from here on.
    fn release(mut self) -> G::Held {
        self.held.take().expect("there until it is dropped")
    }
}

impl<G: Gate> Drop for Owed<'_, G> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.attempt.conclude(Verdict::abandoned);
            self.gate.settle(held, self.attempt);
        }
    }
}

impl<A: Gate, B: Gate> Gate for Both<A, B> {
    type Held = (A::Held, B::Held);
    type Turn = BothTurn<A, B>;

    fn places() -> impl Iterator<Item = Place> {
        A::places().chain(B::places())
    }

    fn admit(self: &Arc<Self>, attempt: &Attempt, now: Instant) -> Admitted<Self> {
        match self.first.admit(attempt, now) {
            Admitted::Go(held) => {
                let first = Owed::new(&self.first, held, attempt);
                let admitted = self.second.admit(attempt, now);
                let held = first.release();
                match admitted {
                    Admitted::Go(second) => Admitted::Go((held, second)),
                    Admitted::Wait(turn) => {
                        let state = State::second(turn, self, attempt, held);
                        Admitted::Wait(BothTurn { state })
                    }
                    Admitted::Reject(error) => {
                        attempt.failed(&error);
                        self.first.settle(held, attempt);
                        Admitted::Reject(error)
                    }
                }
            }
            Admitted::Wait(turn) => {
                Admitted::Wait(BothTurn { state: State::first(turn, self, attempt) })
            }
            Admitted::Reject(error) => Admitted::Reject(error),
        }
    }

    fn is_short(&self, attempt: &Attempt, now: Instant) -> bool {
        self.first.is_short(attempt, now) || self.second.is_short(attempt, now)
    }

    fn again(
        self: &Arc<Self>,
        (first, second): Self::Held,
        attempt: &Attempt,
        now: Instant,
    ) -> Admitted<Self> {
        match self.first.again(first, attempt, now) {
            Admitted::Go(first) => match self.second.again(second, attempt, now) {
                Admitted::Go(second) => Admitted::Go((first, second)),
                Admitted::Wait(turn) => {
                    let state = State::second(turn, self, attempt, first);
                    Admitted::Wait(BothTurn { state })
                }
                Admitted::Reject(error) => {
                    self.first.give_back(first, attempt, now);
                    Admitted::Reject(error)
                }
            },
            Admitted::Wait(turn) => {
                self.second.give_back(second, attempt, now);
                Admitted::Wait(BothTurn { state: State::first(turn, self, attempt) })
            }
            Admitted::Reject(error) => {
                self.second.give_back(second, attempt, now);
                Admitted::Reject(error)
            }
        }
    }

    fn give_back(&self, (first, second): Self::Held, attempt: &Attempt, now: Instant) {
        self.second.give_back(second, attempt, now);
        self.first.give_back(first, attempt, now);
    }

    fn head(&self, (first, second): &mut Self::Held, attempt: &Attempt, head: Head<'_>) {
        self.second.head(second, attempt, head);
        self.first.head(first, attempt, head);
    }

    fn progress(&self, (first, second): &mut Self::Held, attempt: &Attempt, progress: Progress) {
        self.second.progress(second, attempt, progress);
        self.first.progress(first, attempt, progress);
    }

    fn settle(&self, (first, second): Self::Held, attempt: &Attempt) {
        // Given back even if an observer panics.
        let _first = Owed::new(&self.first, first, attempt);
        self.second.settle(second, attempt);
    }
}

pin_project! {
    /// Waits at the first gate, and then at the second.
    pub struct BothTurn<A, B>
    where
        A: Gate,
        B: Gate,
    {
        #[pin]
        state: State<A, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<A, B>
    where
        A: Gate,
        B: Gate,
    {
        First { #[pin] turn: A::Turn, gates: Arc<Both<A, B>>, attempt: Attempt },
        // In the order in which they are to be dropped.
        Second {
            #[pin]
            turn: B::Turn,
            gates: Arc<Both<A, B>>,
            back: Option<HeldBack>,
            first: Option<Settling<Passed<A>>>,
        },
    }
}

impl<A: Gate, B: Gate> State<A, B> {
    fn first(turn: A::Turn, gates: &Arc<Both<A, B>>, attempt: &Attempt) -> Self {
        Self::First { turn, gates: gates.clone(), attempt: attempt.clone() }
    }

    fn second(turn: B::Turn, gates: &Arc<Both<A, B>>, attempt: &Attempt, first: A::Held) -> Self {
        let passed = Passed { gate: gates.first.clone(), held: first };
        let first = Some(Settling::new(attempt.clone(), passed));
        let back = Some(HeldBack::new(attempt.clone()));
        Self::Second { turn, gates: gates.clone(), back, first }
    }
}

impl<A: Gate, B: Gate> Turn for BothTurn<A, B> {
    type Held = (A::Held, B::Held);

    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Held, BoxError>> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::First { turn, gates, attempt } => {
                    let held = ready!(turn.poll_turn(cx))?;
                    let first = Owed::new(&gates.first, held, attempt);
                    let admitted = gates.second.admit(attempt, now());
                    let held = first.release();
                    match admitted {
                        Admitted::Go(second) => return Poll::Ready(Ok((held, second))),
                        Admitted::Wait(turn) => State::second(turn, gates, attempt, held),
                        Admitted::Reject(error) => {
                            attempt.failed(&error);
                            gates.first.settle(held, attempt);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StateProjection::Second { turn, gates, back, first } => {
                    let turn = ready!(turn.poll_turn(cx));
                    let attempt = back.take().expect("polled after it was over").release();
                    let mut settling = first.take().expect("polled after it was over");
                    let second = match turn {
                        Ok(second) => second,
                        Err(error) => {
                            attempt.failed(&error);
                            settling.settle();
                            return Poll::Ready(Err(error));
                        }
                    };
                    let first = settling.take().expect("there until it is settled").held;
                    let second = Owed::new(&gates.second, second, &attempt);
                    let now = now();
                    match gates.first.again(first, &attempt, now) {
                        Admitted::Go(first) => return Poll::Ready(Ok((first, second.release()))),
                        // It comes to the second gate again, and behind others.
                        Admitted::Wait(turn) => {
                            gates.second.give_back(second.release(), &attempt, now);
                            State::first(turn, gates, &attempt)
                        }
                        Admitted::Reject(error) => {
                            gates.second.give_back(second.release(), &attempt, now);
                            attempt.failed(&error);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<A: Gate, B: Gate> fmt::Debug for BothTurn<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BothTurn").finish_non_exhaustive()
    }
}
