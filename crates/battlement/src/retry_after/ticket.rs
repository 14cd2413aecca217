//! What a gate is told of a call that it let through.

use std::{
    fmt, mem,
    time::{Duration, Instant},
};

use battlement_core::{
    Code, ErrorClass, Kind, Outcome, Verdict,
    cooldown::Pass,
    hint::{self, BodyHints, Dimension},
};

use super::{
    gates::Gates,
    line::{GateKey, LineKey},
};
use crate::{
    call::{Attempt, Call, Key, Progress},
    clock::{date, now},
    events::Event,
    observe::Head,
};

/// What a gate is owed for a call that it let through: to be told whether it was throttled.
pub struct Ticket {
    /// Whose gates; `None` for those of the key of the call.
    own: Option<Box<Key>>,
    pass: Pass,
    /// Whether a success would prove anything. When nothing was known at the start, what is known
    /// now is newer than the call.
    is_proof: bool,
    /// What a good answer says is used up all the same.
    exhausted: Option<Dimension>,
    /// What the head has told already. It is rare.
    told: Option<Box<Told>>,
}

/// A throttle that the head of an answer told.
#[derive(Debug)]
struct Told {
    throttle: Throttle,
    /// From after it, if it was what shut the gate: good for taking it back while nobody else was
    /// throttled.
    pass: Option<Pass>,
}

/// What an answer says about the time of the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Throttle {
    dimension: Dimension,
    hint: Option<Duration>,
}

impl Throttle {
    /// What is in the head of an answer already.
    fn of_head(head: Head<'_>, attempt: &Attempt) -> Option<Self> {
        let is_throttled = head.status == http::StatusCode::TOO_MANY_REQUESTS;
        if !is_throttled && !matches!(head.status.as_u16(), 503 | 529) {
            return None;
        }
        let provider = attempt.call().facts().provider;
        let hint = hint::wait(head.headers, &BodyHints::default(), provider, date());
        let dimension = match is_throttled {
            true => hint::rate_limits(head.headers, provider, date()).exhausted(),
            false => None,
        };
        (is_throttled || hint.is_some()).then(|| Self {
            dimension: dimension.unwrap_or_default(),
            hint: hint.map(|hint| hint.after),
        })
    }

    /// What the whole answer means.
    fn of(verdict: &Verdict) -> Option<Self> {
        let failure = verdict.failure.as_ref()?;
        let Outcome::Failed(class) = verdict.outcome else { return None };
        let hint = failure.hint.map(|hint| hint.after);
        let dimension = match class {
            // However long one waits, this request does not fit; others do.
            _ if failure.code == Code::RateLimitNeverFits => return None,
            ErrorClass::RateLimitRequests => Dimension::Requests,
            ErrorClass::RateLimitTokens => Dimension::Tokens,
            ErrorClass::RateLimitOther => Dimension::Other,
            ErrorClass::QuotaExhausted | ErrorClass::Overloaded | ErrorClass::ModelNotReady
                if hint.is_some() =>
            {
                Dimension::Other
            }
            _ => return None,
        };
        Some(Self { dimension, hint })
    }
}

impl Ticket {
    pub(super) fn new(own: Option<Box<Key>>, pass: Pass, is_proof: bool) -> Self {
        Self { own, pass, is_proof, exhausted: None, told: None }
    }

    fn gate(&self, attempt: &Attempt, dimension: Dimension) -> GateKey {
        let key = self.own.as_deref().unwrap_or_else(|| attempt.call().key());
        (key.clone(), dimension)
    }

    /// Whether nothing was heard since that keeps the call back.
    pub(super) fn is_in_force(&self, gates: &Gates, call: &Call, now: Instant) -> bool {
        let line = LineKey::of(self.own.as_deref(), call);
        call.is_forced()
            || gates.act(|shared| !shared.cooldown.was_shut_since(&line.gates(), &self.pass, now))
    }

    /// The call was not throttled.
    fn succeed(&mut self, gates: &Gates, attempt: &Attempt) {
        if mem::take(&mut self.is_proof) {
            let mut keys = LineKey::of(self.own.as_deref(), attempt.call()).gates();
            keys.retain(|(_, dimension)| Some(*dimension) != self.exhausted);
            gates.act(|shared| shared.succeed(&keys, &self.pass, now()));
        }
    }

    /// The call was throttled, says its head.
    fn throttle_at_head(&mut self, throttle: Throttle, gates: &Gates, attempt: &Attempt) {
        let gate = self.gate(attempt, throttle.dimension);
        // Without a hint it is shut for a moment, by a hint of our own: whether that counts as a wait
        // without a hint is decided when the body has not told one either.
        let hint = throttle.hint.or(Some(gates.unhinted));
        let (until, pass) = gates.act(|shared| shared.throttle(&gate, &self.pass, hint, now()));
        if pass.is_some() {
            attempt.call().report(&Event::Cooling { until });
        }
        self.told = Some(Box::new(Told { throttle, pass }));
    }

    /// What the head told is taken back, or completed, by what the whole answer says.
    fn amend(
        &self,
        told: Option<&Told>,
        throttle: Option<Throttle>,
        gates: &Gates,
        attempt: &Attempt,
    ) {
        if told.is_some_and(|told| adds_nothing(told.throttle, throttle)) {
            return;
        }
        let now = now();
        let taken_back = told
            .filter(|told| throttle.is_none_or(|it| it.dimension != told.throttle.dimension))
            .and_then(|told| {
                Some((self.gate(attempt, told.throttle.dimension), told.pass.as_ref()?))
            });
        let added =
            throttle.map(|throttle| (self.gate(attempt, throttle.dimension), throttle.hint));
        let pass = told.and_then(|told| told.pass.as_ref()).unwrap_or(&self.pass);
        let cooling = gates.act(|shared| {
            // In one go, so that nobody slips through in between.
            let added = added.map(|(gate, hint)| shared.throttle(&gate, pass, hint, now));
            if let Some((gate, pass)) = taken_back {
                shared.succeed(&[gate], pass, now);
            }
            added
        });
        if let Some((until, Some(_))) = cooling {
            attempt.call().report(&Event::Cooling { until });
        }
    }

    pub(super) fn head(&mut self, gates: &Gates, attempt: &Attempt, head: Head<'_>) {
        if let Some(throttle) = Throttle::of_head(head, attempt) {
            self.throttle_at_head(throttle, gates, attempt);
        } else if self.is_proof && head.status.is_success() {
            let provider = attempt.call().facts().provider;
            self.exhausted = hint::rate_limits(head.headers, provider, date()).exhausted();
        }
    }

    pub(super) fn progress(&mut self, gates: &Gates, attempt: &Attempt, progress: Progress) {
        if self.is_proof && progress.has_output() {
            self.succeed(gates, attempt);
        }
    }

    pub(super) fn settle(mut self, gates: &Gates, attempt: &Attempt) {
        let Some(verdict) = attempt.verdict() else { return };
        let throttle = Throttle::of(verdict);
        let told = self.told.take();
        if throttle.is_some() || (told.is_some() && verdict.kind == Kind::HttpError) {
            self.amend(told.as_deref(), throttle, gates, attempt);
        } else if matches!(verdict.outcome, Outcome::Finished(_)) {
            self.succeed(gates, attempt);
        }
    }
}

/// Whether the whole answer says no more than its head did.
fn adds_nothing(told: Throttle, throttle: Option<Throttle>) -> bool {
    throttle.is_some_and(|throttle| {
        throttle.dimension == told.dimension && told.hint.is_some() && throttle.hint <= told.hint
    })
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("pass", &self.pass).finish_non_exhaustive()
    }
}
