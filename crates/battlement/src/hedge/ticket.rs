//! What is owed for an attempt: what it teaches, its entry in the account, and what was paid for it.

use std::{fmt, sync::Arc, time::Instant};

use battlement_core::{
    ErrorClass, Outcome,
    attempts::{self, Refused, Role},
    hedge::Permit,
};

use super::learned::{Policy, prompt};
use crate::{
    call::{Attempt, Call, Progress},
    clock::now,
    observe::Guard,
    retry::ticket::{settle, tokens},
};

/// What is owed for an attempt.
pub struct Ticket(Option<Owed>);

struct Owed {
    policy: Arc<Policy>,
    started: Instant,
    /// Whether its time is still to be learnt.
    teaches: bool,
    /// `None` if somebody else keeps the account of it.
    running: Option<attempts::Attempt>,
    payment: Option<Payment>,
}

/// What was paid for a second attempt; given back if it is not sent.
pub(super) struct Payment {
    policy: Arc<Policy>,
    call: Call,
    permit: Option<Permit>,
}

impl Payment {
    pub(super) fn new(policy: &Arc<Policy>, call: &Call, permit: Permit) -> Self {
        Self { policy: policy.clone(), call: call.clone(), permit: Some(permit) }
    }

    /// It was sent.
    fn spend(mut self) {
        self.permit = None;
    }
}

impl Drop for Payment {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let Policy { budget, .. } = &*self.policy;
            self.policy.of(&self.call, |decision| decision.give_back(permit, budget, now()));
        }
    }
}

impl Ticket {
    /// For an attempt that is none of our business.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// For the first attempt. Enters it in the account, if nobody else has.
    pub(super) fn first(
        policy: &Arc<Policy>,
        attempt: &Attempt,
        started: Instant,
    ) -> Result<Self, Refused> {
        let running = if attempt.count() { Some(enter(attempt, None, started)?) } else { None };
        let policy = policy.clone();
        Ok(Self(Some(Owed { policy, started, teaches: true, running, payment: None })))
    }

    /// For one that goes out beside it.
    pub(super) fn beside(
        policy: &Arc<Policy>,
        attempt: &Attempt,
        payment: Payment,
        started: Instant,
    ) -> Result<Self, Refused> {
        let running = Some(enter(attempt, Some(Role::Hedge), started)?);
        let (policy, payment) = (policy.clone(), Some(payment));
        Ok(Self(Some(Owed { policy, started, teaches: false, running, payment })))
    }
}

/// Enters an attempt in the account of its call.
fn enter(
    attempt: &Attempt,
    role: Option<Role>,
    started: Instant,
) -> Result<attempts::Attempt, Refused> {
    let call = attempt.call();
    let route = attempt.errand().map(|errand| errand.route.clone());
    let (running, role) = {
        let mut ledger = call.ledger();
        let role = role.unwrap_or(match (ledger.attempts(), &route) {
            (0, _) => Role::First,
            // What others have made before was made elsewhere, where there is a choice.
            (_, Some(_)) => Role::Fallback,
            (_, None) => Role::Retry,
        });
        let running = ledger.begin(role, route, tokens(call.facts()), started)?;
        let role = running.role();
        (running, role)
    };
    attempt.begun(running.number(), role);
    Ok(running)
}

impl Owed {
    /// It has taken so long until its first output, or was given up after that.
    fn teach(&mut self, attempt: &Attempt, at: Instant) {
        // Who stood in a line of ours says nothing about the provider.
        if std::mem::take(&mut self.teaches) && !attempt.was_held_back() {
            let (call, took) = (attempt.call(), at.saturating_duration_since(self.started));
            self.policy.of(call, |decision| decision.observe(prompt(call), took));
        }
    }
}

impl Guard for Ticket {
    fn progress(&mut self, attempt: &Attempt, progress: Progress) {
        let Some(owed) = &mut self.0 else { return };
        if owed.teaches && progress.has_output() && attempt.call().facts().stream {
            owed.teach(attempt, now());
        }
    }

    fn settle(self, attempt: &Attempt) {
        let Some(mut owed) = self.0 else { return };
        if let Some(verdict) = attempt.verdict() {
            // Of those that were given up it is known that they are later than that. Leaving them out would
            // teach that nothing is late.
            let is_late = verdict.outcome == Outcome::Failed(ErrorClass::Overdue)
                || verdict.code() == Some(battlement_core::Code::Outpaced);
            if verdict.has_output || is_late {
                owed.teach(attempt, attempt.ended());
            }
        }
        if let Some(running) = owed.running.take() {
            settle(running, attempt);
        }
        if let Some(payment) = owed.payment.take() {
            if attempt.is_unsent() {
                // It takes nothing from the attempts to come: nobody sends a second one twice.
                attempt.call().ledger().excuse();
            } else {
                payment.spend();
            }
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let teaches = self.0.as_ref().is_some_and(|owed| owed.teaches);
        f.debug_struct("Ticket").field("teaches", &teaches).finish_non_exhaustive()
    }
}
