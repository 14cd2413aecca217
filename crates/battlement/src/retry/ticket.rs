//! What the account of a call is owed for an attempt.

use std::{fmt, mem, sync::Arc, time::Instant};

use battlement_core::{
    ErrorClass, Kind, Outcome, Verdict,
    attempts::{self, Ending, Refused, Role},
    request::Facts,
};

use super::layer::Policy;
use crate::{
    call::{Attempt, Progress},
    clock::now,
    observe::Guard,
};

/// What the account of a call is owed for an attempt: to be told what became of it.
pub struct Ticket(Option<Owed>);

struct Owed {
    /// `None` once it is settled.
    running: Option<attempts::Attempt>,
    started: Instant,
    policy: Arc<Policy>,
    /// Whether the account was told that there is no way back.
    is_committed: bool,
}

/// What an attempt may cost.
pub(crate) fn tokens(facts: &Facts) -> u64 {
    let output = facts.max_output_tokens.unwrap_or(0).saturating_mul(facts.choices);
    facts.input_tokens.saturating_add(output)
}

impl Ticket {
    /// For an attempt that somebody else has entered.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Enters an attempt; says as what. The first of a call is that whatever it was meant to be.
    pub(super) fn begin(
        attempt: &Attempt,
        policy: &Arc<Policy>,
        role: Role,
    ) -> Result<(Self, Role), Refused> {
        let (started, call) = (now(), attempt.call());
        let tokens = tokens(call.facts());
        let route = attempt.errand().map(|errand| errand.route.clone());
        let (running, role) = {
            let mut ledger = call.ledger();
            let role = if ledger.attempts() == 0 { Role::First } else { role };
            let running = ledger.begin(role, route, tokens, started)?;
            let role = running.role();
            (running, role)
        };
        attempt.begun(running.number(), role);
        let policy = policy.clone();
        let running = Some(running);
        Ok((Self(Some(Owed { running, started, policy, is_committed: false })), role))
    }
}

impl Guard for Ticket {
    fn progress(&mut self, attempt: &Attempt, progress: Progress) {
        let Some(owed) = &mut self.0 else { return };
        if progress.has_output() && !mem::replace(&mut owed.is_committed, true) {
            let call = attempt.call();
            call.ledger().commit();
            let took = now().saturating_duration_since(owed.started);
            owed.policy.usual.learn(call.facts(), took);
        }
    }

    fn follow(&mut self, from: &Attempt, to: &Attempt) {
        // Whoever has made the other one beside it keeps the account of that.
        let Some(owed) = self.0.as_mut().filter(|_| from.is_outdone_by(to)) else { return };
        if let Some(running) = owed.running.take() {
            settle(running, from);
        }
    }

    fn settle(self, attempt: &Attempt) {
        let Some(Owed { running, started, policy, is_committed }) = self.0 else { return };
        let (call, verdict) = (attempt.call(), attempt.verdict());
        if !is_committed && verdict.is_some_and(|verdict| verdict.has_output) {
            // All of it came at once.
            let took = attempt.ended().saturating_duration_since(started);
            policy.usual.learn(call.facts(), took);
        }
        if let Some(running) = running {
            settle(running, attempt);
        }
    }
}

/// Writes down how an attempt has ended.
pub(crate) fn settle(running: attempts::Attempt, attempt: &Attempt) {
    let ending = attempt.verdict().map_or(Ending::Unsent, ending);
    attempt.call().ledger().settle(running, ending, attempt.ended());
}

pub(crate) fn ending(verdict: &Verdict) -> Ending {
    if verdict.outcome == Outcome::Failed(ErrorClass::Unreachable) {
        return Ending::Unsent;
    }
    let told = verdict.usage.as_ref().and_then(battlement_core::Usage::total);
    // A status that is an error comes instead of a generation.
    let tokens = told.or((verdict.kind == Kind::HttpError).then_some(0));
    Ending::Sent { outcome: verdict.outcome, code: verdict.code(), tokens }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            self.0.as_ref().and_then(|owed| owed.running.as_ref()).map(attempts::Attempt::number);
        f.debug_struct("Ticket").field("number", &number).finish_non_exhaustive()
    }
}
