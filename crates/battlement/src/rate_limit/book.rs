//! The ledger, and how long answers are expected to be: what is behind the lock of a line.

use std::time::{Duration, Instant};

use battlement_core::{
    ErrorClass, Outcome, Verdict,
    estimator::Estimator,
    lanes::Lane,
    ledger::{Actual, Estimate, Forecast, Ledger, Output, Refused, Reservation},
    queue::Waiter,
};

use super::{Config, InvalidConfig};
use crate::{
    call::{Attempt, Call},
    line::{NotNow, Supply},
};

/// What was spent of the limits of one key.
pub(super) struct Book {
    pub(super) ledger: Ledger,
    estimator: Estimator,
    /// Whether output is charged as it is produced.
    streams: bool,
    /// How long an answer usually takes: about the median, zero if nobody knows.
    usual: Duration,
}

/// What a call was let through with.
pub(super) struct Held {
    pub(super) reservation: Reservation,
    /// What it was expected to cost, by what tenants take turns.
    pub(super) cost: u64,
    pub(super) streams: bool,
    since: Instant,
}

impl Supply for Book {
    type Config = Config;
    type Invalid = InvalidConfig;
    type Ask = Estimate;
    type Grant = Held;
    type Never = Refused;

    fn new(config: &Config, now: Instant) -> Result<Self, InvalidConfig> {
        let Config { ledger, estimator, queue: _ } = config;
        let streams = ledger.charging.output == Output::AsProduced;
        let ledger = Ledger::new(ledger.clone(), now)?;
        let estimator = Estimator::new(*estimator)?;
        Ok(Self { ledger, estimator, streams, usual: Duration::ZERO })
    }

    fn take(&mut self, estimate: &Estimate, now: Instant) -> Result<Held, NotNow<Refused>> {
        match self.ledger.reserve(estimate, now) {
            Ok(reservation) => {
                let (cost, streams) = (self.cost(estimate), self.streams);
                Ok(Held { reservation, cost, streams, since: now })
            }
            Err(Refused::Wait { until, .. }) => Err(NotNow::Until(until)),
            Err(Refused::TooManyOpen { .. }) => Err(NotNow::Busy),
            Err(never) => Err(NotNow::Never(never)),
        }
    }

    fn put_back(&mut self, held: Held, now: Instant) {
        self.ledger.settle(held.reservation, Actual::Unsent, now);
    }

    fn never(&mut self, estimate: &Estimate, now: Instant) -> Option<Refused> {
        self.ledger.check(estimate, now).err().filter(|refused| {
            !matches!(refused, Refused::Wait { .. } | Refused::TooManyOpen { .. })
        })
    }

    fn cleared(&self, calls: usize, cost: u64, now: Instant) -> Option<Instant> {
        // What streams is not bounded by what it costs on admission.
        (!self.streams).then(|| self.ledger.cleared(calls, cost, now))
    }

    fn forecast(&mut self, now: Instant) -> Option<impl FnMut(&Estimate) -> Option<Instant>> {
        let mut forecast: Forecast = self.ledger.forecast(now);
        Some(move |estimate: &Estimate| forecast.next(estimate))
    }
}

impl Book {
    /// What an attempt is expected to cost, and how it waits.
    pub(super) fn ask(&mut self, attempt: &Attempt, now: Instant) -> (Estimate, Waiter) {
        let call = attempt.call();
        let facts = call.facts();
        let (output, max_output) = if facts.operation.generates() {
            let maximum = facts.max_output_tokens.map(|most| most.saturating_mul(facts.choices));
            (self.estimator.expected(&kind(call), maximum), maximum)
        } else {
            (0, Some(0))
        };
        let estimate =
            Estimate { input: facts.input_tokens, output, max_output, ..Estimate::default() };
        let waiter = Waiter {
            class: call.lane(),
            tenant: call.turn(),
            cost: self.cost(&estimate),
            deadline: attempt.latest_start(self.usual * 2, now),
        };
        (estimate, waiter)
    }

    fn learn(&mut self, took: Duration) {
        self.usual = match self.usual {
            Duration::ZERO => took,
            usual if took > usual => (usual + usual / 16).min(took),
            usual => (usual - usual / 16).max(took),
        };
    }

    /// By what tenants take turns. No less than any limit charges, so that the sum of a line bounds its
    /// wait.
    fn cost(&self, estimate: &Estimate) -> u64 {
        self.ledger.tokens(estimate).max(estimate.input.saturating_add(estimate.output))
    }

    /// An attempt is over. Says how much more it has cost than was expected, if that is known.
    pub(super) fn settle(&mut self, held: Held, attempt: &Attempt, now: Instant) -> i64 {
        let actual = actual(attempt);
        let cost = held.cost;
        self.ledger.settle(held.reservation, actual, now);
        let Actual::Used(usage) = actual else { return 0 };
        self.learn(now.saturating_duration_since(held.since));
        let call = attempt.call();
        if let Some(output) = usage.output.filter(|_| call.facts().operation.generates()) {
            self.estimator.learn(&kind(call), output);
        }
        usage.total().map_or(0, |total| {
            let more = i128::from(total) - i128::from(cost);
            more.clamp(i64::MIN.into(), i64::MAX.into()) as i64
        })
    }
}

/// Calls whose answers are alike in length.
fn kind(call: &Call) -> (Option<&str>, Lane) {
    (call.facts().model.as_deref(), call.lane())
}

/// What an attempt has cost.
pub(super) fn actual(attempt: &Attempt) -> Actual<'_> {
    if attempt.is_unsent() {
        return Actual::Unsent;
    }
    let Some(verdict) = attempt.verdict() else { return Actual::Unknown };
    match (&verdict.usage, verdict.outcome) {
        (Some(usage), Outcome::Finished(_)) => Actual::Used(usage),
        // Of an answer that broke off, this is what was told until then.
        (Some(usage), _) => Actual::AtLeast(usage),
        (None, Outcome::Failed(ErrorClass::Unreachable)) => Actual::Unsent,
        (None, Outcome::Failed(class)) if is_refusal(class, verdict) => Actual::Rejected,
        (None, _) => Actual::Unknown,
    }
}

/// Whether the provider turned the call away before any work.
fn is_refusal(class: ErrorClass, verdict: &Verdict) -> bool {
    let is_refusal = matches!(
        class,
        ErrorClass::RateLimitRequests
            | ErrorClass::RateLimitTokens
            | ErrorClass::RateLimitOther
            | ErrorClass::QuotaExhausted
            | ErrorClass::ContextLength
            | ErrorClass::RequestTooLarge
            | ErrorClass::ContentPolicy
            | ErrorClass::Auth
            | ErrorClass::Permission
            | ErrorClass::ModelNotFound
            | ErrorClass::InvalidRequest
            | ErrorClass::ModelNotReady
            | ErrorClass::Overloaded
            | ErrorClass::Conflict
    );
    // A stream that is overloaded in its middle has cost what it has cost.
    is_refusal && !verdict.has_output
}
