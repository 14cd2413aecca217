//! The one ledger of a call: how often it was tried, how long it waited, what it cost.
//!
//! Retries, hedges and fallbacks that count for themselves multiply: three attempts, hedged, on two
//! routes are twelve. So a call has one [`Ledger`], and whoever wants to send asks it first. It
//! refuses when the attempts or the tokens are used up, and it keeps two promises that no single
//! layer could:
//!
//! - **Nothing is tried again once output went down** ([`Ledger::commit`]). A second answer behind
//!   the first half of another would be garbage. Only a continuation, which builds on what was
//!   delivered, may follow.
//! - **What may not be repeated is sent at most once.** An attempt that never left, such as a
//!   refused connection, does not count as sent.
//!
//! Tokens are reserved when an attempt begins and settled when it ends. An attempt that ends
//! without a count, or is dropped without an end, keeps its reservation: the provider may have
//! billed it, so what is uncertain is never given back.
//!
//! What happened stays in a [`trail`](Ledger::trail) for error messages and spans. It is bounded:
//! of a long call it keeps the first attempt and the latest ones.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::{
//!     Code, ErrorClass, Outcome,
//!     attempts::{Ending, Ledger, Limits, Refused, Role},
//! };
//!
//! let now = Instant::now();
//! let mut ledger = Ledger::new(Limits::new(2)?.tokens(10_000));
//!
//! let first = ledger.begin(Role::First, None, 4_000, now)?;
//! let overloaded = Ending::Sent {
//!     outcome: Outcome::Failed(ErrorClass::Overloaded),
//!     code: Some(Code::Overloaded),
//!     tokens: Some(0),
//! };
//! ledger.settle(first, overloaded, now + Duration::from_secs(2));
//! ledger.wait(Duration::from_millis(700))?;
//! let _second = ledger.begin(Role::Retry, None, 4_000, now)?;
//!
//! let third = ledger.begin(Role::Fallback, None, 4_000, now);
//! assert_eq!(third.unwrap_err(), Refused::Attempts { limit: 2 });
//! let trail: Vec<String> = ledger.trail().map(ToString::to_string).collect();
//! assert_eq!(trail[0], "1 first: overloaded after 2s");
//! assert_eq!(trail[1], "2 retry, waited 700ms: running");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod limits;
#[cfg(test)]
mod tests;
mod trail;

pub use limits::{InvalidLimits, Limits, MOST_ATTEMPTS};
pub use trail::{Role, Step, TRAIL};

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use self::trail::Trail;
use crate::{Code, Outcome};

/// What one call has used up so far.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    begun: u32,
    /// Attempts that do not count towards the limit.
    excused: u32,
    /// Attempts that are kept for the end of the call.
    kept: u32,
    /// Attempts that are running, dropped without an end, or ended after they were sent.
    maybe_sent: u32,
    running: u32,
    committed: bool,
    /// A continuation begins with the next attempt.
    resumes: bool,
    waited: Duration,
    spent: u64,
    reserved: u64,
    trail: Trail,
}

/// A running attempt, ended through [`Ledger::settle`].
#[must_use = "an attempt that is not settled counts as sent and keeps its tokens"]
#[derive(Debug)]
pub struct Attempt {
    number: u32,
    role: Role,
    reserved: u64,
}

impl Attempt {
    /// As what it was entered.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Which attempt of the call it is, from one.
    pub const fn number(&self) -> u32 {
        self.number
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The request never left: it cost nothing, and repeats nothing when it is tried again.
    Unsent,
    /// The request left, or may have.
    Sent {
        /// What became of it.
        outcome: Outcome,
        /// The name of the failure.
        code: Option<Code>,
        /// What it cost; `None` when that is not known.
        tokens: Option<u64>,
    },
}

/// Why a call may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Every attempt is used up.
    #[error("all {limit} attempts of the call are used up")]
    Attempts {
        /// How many there were.
        limit: u32,
    },
    /// The attempt could cost more than is left.
    #[error("the attempt may cost {needed} tokens and {left} are left of the call's limit")]
    Tokens {
        /// What was asked for.
        needed: u64,
        /// What is left, running attempts at their full reservation.
        left: u64,
    },
    /// The wait is longer than what is left.
    #[error("a wait of {needed:?} is asked for and {left:?} are left of the call's limit")]
    Waiting {
        /// What was asked for.
        needed: Duration,
        /// What is left.
        left: Duration,
    },
    /// Output went down already.
    #[error("part of an answer was delivered")]
    Committed,
    /// The request may not be repeated, and may have been sent.
    #[error("the request may not be repeated and may have been sent")]
    NotRepeatable,
}

impl Ledger {
    /// A new call.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            begun: 0,
            excused: 0,
            kept: 0,
            maybe_sent: 0,
            running: 0,
            committed: false,
            resumes: false,
            waited: Duration::ZERO,
            spent: 0,
            reserved: 0,
            trail: Trail::default(),
        }
    }

    /// Asks to send an attempt that may cost so many tokens. `route` names where to, for the trail.
    pub fn begin(
        &mut self,
        role: Role,
        route: Option<Arc<str>>,
        tokens: u64,
        now: Instant,
    ) -> Result<Attempt, Refused> {
        self.check(role, tokens)?;
        Ok(self.enter(role, route, tokens, now))
    }

    /// Takes account of an attempt that is made already, whether it may be or not: whoever made it left that to
    /// others, and none of them has.
    pub fn enter(
        &mut self,
        role: Role,
        route: Option<Arc<str>>,
        tokens: u64,
        now: Instant,
    ) -> Attempt {
        let role = if mem::take(&mut self.resumes) { Role::Continuation } else { role };
        self.begun += 1;
        self.maybe_sent += 1;
        self.running += 1;
        self.reserved = self.reserved.saturating_add(tokens);
        self.trail.begin(self.begun, role, route, tokens, now);
        Attempt { number: self.begun, role, reserved: tokens }
    }

    /// Whether [`Ledger::begin`] would agree; changes nothing.
    ///
    /// Ask before a wait, so that nobody waits for an attempt that is refused.
    pub fn check(&self, role: Role, tokens: u64) -> Result<(), Refused> {
        if self.committed && role != Role::Continuation {
            return Err(Refused::Committed);
        }
        if self.maybe_sent > 0 && !self.limits.repeatable {
            return Err(Refused::NotRepeatable);
        }
        if self.attempts_left() == 0 {
            return Err(Refused::Attempts { limit: self.limits.attempts });
        }
        match self.limits.tokens {
            // The sum and not what is left: an overrun refuses even an attempt that costs nothing.
            Some(limit) if self.tokens().saturating_add(tokens) > limit => {
                Err(Refused::Tokens { needed: tokens, left: limit.saturating_sub(self.tokens()) })
            }
            _ => Ok(()),
        }
    }

    /// Writes down how an attempt ended.
    pub fn settle(&mut self, attempt: Attempt, ending: Ending, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(attempt.reserved);
        let cost = match ending {
            Ending::Unsent => {
                self.maybe_sent = self.maybe_sent.saturating_sub(1);
                0
            }
            Ending::Sent { tokens, .. } => tokens.unwrap_or(attempt.reserved),
        };
        self.spent = self.spent.saturating_add(cost);
        self.trail.end(attempt.number, ending, cost, now);
    }

    /// Takes a wait into account, before it is waited. It is shown with the next attempt.
    pub fn wait(&mut self, wait: Duration) -> Result<(), Refused> {
        let waited = self.waited.saturating_add(wait);
        if let Some(limit) = self.limits.waiting {
            if waited > limit {
                let left = limit.saturating_sub(self.waited);
                return Err(Refused::Waiting { needed: wait, left });
            }
        }
        self.waited = waited;
        self.trail.wait(wait);
        Ok(())
    }

    /// The latest attempt was turned away on our side, and the call goes elsewhere: it does not count
    /// towards the limit.
    ///
    /// Only for whoever asks no route twice. An attempt that may be made again must count, or there
    /// would be no end.
    pub fn excuse(&mut self) {
        self.excused = self.excused.saturating_add(1).min(self.begun);
    }

    /// How many more attempts there may be.
    pub const fn attempts_left(&self) -> u32 {
        let counted = self.begun.saturating_sub(self.excused);
        self.limits.attempts.saturating_sub(counted + self.kept)
    }

    /// Keeps one attempt for the end of the call, out of the reach of everybody else, until
    /// [`Ledger::release`]. Not the only one.
    pub const fn keep(&mut self) {
        if self.limits.attempts > 1 {
            self.kept = 1;
        }
    }

    /// The attempt that was kept may be made.
    pub const fn release(&mut self) {
        self.kept = 0;
    }

    /// Output of the model went down to the caller: from here on only a continuation may follow.
    pub fn commit(&mut self) {
        self.committed = true;
    }

    /// The output went no further than to whoever says this, who has held all of it back: nothing was
    /// delivered after all, and the call may be tried again.
    pub fn take_back(&mut self) {
        self.committed = false;
    }

    /// A continuation begins, which builds on what went down: the next attempt is entered as one, whatever it is called. Until
    /// it has output of its own it may be made again, elsewhere or a second time, like any other.
    ///
    /// Only for whoever sees to it that the output of the next attempt is not taken for the beginning of another answer.
    pub fn resume(&mut self) {
        self.committed = false;
        self.resumes = true;
    }

    /// Whether output went down.
    pub const fn is_committed(&self) -> bool {
        self.committed
    }

    /// How many attempts were begun.
    pub const fn attempts(&self) -> u32 {
        self.begun
    }

    /// How many attempts are running, dropped ones included.
    pub const fn running(&self) -> u32 {
        self.running
    }

    /// How long the call has waited between attempts.
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// What the attempts cost so far, running ones at their reservation.
    pub const fn tokens(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }

    /// How many more tokens may be reserved; `None` without a limit.
    pub fn tokens_left(&self) -> Option<u64> {
        Some(self.limits.tokens?.saturating_sub(self.tokens()))
    }

    /// What happened, from the first attempt on; at most [`TRAIL`] steps of it.
    pub fn trail(&self) -> impl ExactSizeIterator<Item = &Step> {
        self.trail.steps()
    }

    /// How many steps the trail has left out, after its first.
    pub fn left_out(&self) -> u32 {
        self.begun.saturating_sub(self.trail.steps().len() as u32)
    }
}
