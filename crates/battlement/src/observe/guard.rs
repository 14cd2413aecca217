//! What a layer has to give back when an attempt is over.

use http::{HeaderMap, StatusCode};

use crate::call::{Attempt, Progress};

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
}

/// What a layer owns for the time of an attempt: a permit, a reservation, a ticket.
pub trait Guard {
    /// The head of the answer is there: its status and its headers, before anything of the body. Not
    /// every attempt comes that far.
    fn head(&mut self, _attempt: &Attempt, _head: Head<'_>) {}

    /// The answer has shown something new.
    fn progress(&mut self, _attempt: &Attempt, _progress: Progress) {}

    /// From here on it is about another attempt at the same call: the one that was answered, as a layer
    /// in between may have made several.
    fn follow(&mut self, _from: &Attempt, _to: &Attempt) {}

    /// The attempt is over, and [`Attempt::verdict`] says how; or [`Attempt::is_unsent`].
    fn settle(self, attempt: &Attempt);
}

impl Guard for () {
    fn settle(self, _attempt: &Attempt) {}
}

/// A guard that is settled once: at the end of the answer, or when it is dropped.
///
/// Whoever holds it keeps it behind the future or body that belongs to it, since fields are dropped in
/// their order: so the reader has said what became of the attempt before.
#[derive(Debug)]
pub(crate) struct Settling<G: Guard> {
    attempt: Attempt,
    guard: Option<G>,
    seen: Progress,
}

impl<G: Guard> Settling<G> {
    #[inline(always)]
    pub(crate) fn new(attempt: Attempt, guard: G) -> Self {
        Self { attempt, guard: Some(guard), seen: Progress::default() }
    }

    /// The guard, until it is settled.
    pub(crate) fn guard(&self) -> Option<&G> {
        self.guard.as_ref()
    }

    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// From here on it is about another attempt at the same call: the one that was answered, as a layer
    /// in between may have made several.
    pub(crate) fn follow(&mut self, attempt: Attempt) {
        if let Some(guard) = &mut self.guard {
            guard.follow(&self.attempt, &attempt);
        }
        self.attempt = attempt;
    }

    /// Shows the guard the head of the answer.
    pub(crate) fn head(&mut self, head: Head<'_>) {
        if let Some(guard) = &mut self.guard {
            guard.head(&self.attempt, head);
        }
    }

    /// Shows the guard what is new.
    #[inline(always)]
    pub(crate) fn look(&mut self) {
        let progress = self.attempt.progress();
        if progress != self.seen {
            self.seen = progress;
            if let Some(guard) = &mut self.guard {
                guard.progress(&self.attempt, progress);
            }
        }
    }

    /// Takes the guard away: it is somebody else's from here on.
    pub(crate) fn take(&mut self) -> Option<G> {
        self.guard.take()
    }

    /// The attempt is over.
    pub(crate) fn settle(&mut self) {
        if let Some(guard) = self.guard.take() {
            // Nobody has said what became of it: the caller went away.
            self.attempt.conclude(battlement_core::Verdict::abandoned);
            guard.settle(&self.attempt);
        }
    }
}

impl<G: Guard> Drop for Settling<G> {
    fn drop(&mut self) {
        self.settle();
    }
}
