//! Decides whether a call is tried again, and when; and returns the last real answer if not.

use std::{mem, ops::ControlFlow, sync::Arc, time::Duration};

use battlement_core::{
    Code, Verdict,
    attempts::{self, Role},
    backoff::{Series, Trouble, Wait},
    budget::{Purpose, Withdrawal},
    deadline::Deadline,
    lanes::Lane,
};
use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{
    Body, GaveUp, Refused,
    layer::Policy,
    ticket::{Ticket, tokens},
};
use crate::{
    call::{Attempt, Unreadable},
    clock::now,
    drive::Drive,
    error::{BoxError, explain},
    events::Event,
    observe::{Attempted, Settling, judge},
    replay::Replay,
};

/// How an attempt ended, as the caller would see it.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// What a call has to make further attempts with.
pub(super) struct Tries<S, R: http_body::Body<Data = Bytes>> {
    policy: Arc<Policy>,
    /// The latest.
    attempt: Attempt,
    /// For the attempts to come.
    service: S,
    /// `None` if the body is not in memory.
    replay: Option<Replay>,
    series: Series,
    /// Whether the call was tried again after silence: the provider may still be at work.
    was_silent: bool,
    /// How often the call was tried again.
    stayed: u32,
    /// For the attempt that is waited for.
    payment: Option<Payment>,
    last: Option<Last<R>>,
}

/// What is returned if the attempt that is waited for is not made.
struct Last<R: http_body::Body<Data = Bytes>> {
    answer: Answer<R>,
    /// Whether the attempt was made, and not turned away on our side.
    is_real: bool,
}

/// What was taken from the budget; given back unless the attempt is made.
struct Payment {
    policy: Arc<Policy>,
    withdrawal: Option<Withdrawal>,
}

impl Drop for Payment {
    fn drop(&mut self) {
        if let Some(withdrawal) = self.withdrawal.take() {
            self.policy.budget.give_back(withdrawal, now());
        }
    }
}

/// A failure that may pass.
struct Failure {
    trouble: Trouble,
    /// What the provider asks for.
    hint: Option<Duration>,
}

impl<S, R> Tries<S, R>
where
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn new(
        policy: Arc<Policy>,
        attempt: Attempt,
        service: S,
        replay: Option<Replay>,
    ) -> Self {
        let (series, was_silent, stayed) = (Series::default(), false, 0);
        let (payment, last) = (None, None);
        Self { policy, attempt, service, replay, series, was_silent, stayed, payment, last }
    }

    /// This is the attempt that was answered, if something below has made several.
    pub(super) fn follow(&mut self, answered: &Attempt) {
        self.attempt = answered.clone();
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.attempt.call().deadline()
    }

    /// The attempt has failed: after how long to make another one, or what to return.
    ///
    /// Decided before the wait, with everything known by then. During the wait nothing is held but what
    /// is in memory already: whole answers are kept, others are dropped.
    pub(super) fn next(&mut self, answer: Answer<R>) -> ControlFlow<Answer<R>, Duration> {
        let Some(failure) = self.failure(&answer) else {
            return ControlFlow::Break(self.give_up(answer));
        };
        match self.decide(failure) {
            Ok(wait) => {
                self.keep(answer);
                ControlFlow::Continue(wait)
            }
            Err(reason) => {
                self.attempt.call().report(&Event::GaveUp { reason });
                ControlFlow::Break(self.give_up(answer))
            }
        }
    }

    /// The next attempt, or what to return without it.
    pub(super) fn again<B>(&mut self) -> ControlFlow<Answer<R>, Attempted<S, B, Ticket>>
    where
        S: Service<Request<B>> + Clone,
        B: From<Bytes>,
    {
        let attempt = self.attempt.again();
        // Nobody below makes attempts of its own.
        attempt.count();
        match self.prepare(&attempt) {
            Ok((request, ticket)) => {
                if let Some(mut payment) = self.payment.take() {
                    payment.withdrawal = None;
                }
                self.attempt = attempt.clone();
                let settling = Settling::new(attempt, ticket);
                let drive = Drive::owned(self.service.clone(), request);
                ControlFlow::Continue(Attempted::new(drive, settling))
            }
            Err((reason, error)) => {
                self.payment = None;
                self.attempt.call().report(&Event::GaveUp { reason });
                let last = self.last.take();
                ControlFlow::Break(self.tell(last.map_or(Err(error), |last| last.answer)))
            }
        }
    }

    fn prepare<B: From<Bytes>>(
        &self,
        attempt: &Attempt,
    ) -> Result<(Request<B>, Ticket), (&'static str, BoxError)> {
        let replay = self.replay.as_ref().ok_or_else(|| (NOT_HELD, Unreadable::lost().into()))?;
        let request =
            replay.request(attempt.clone()).map_err(|error| (NOT_HELD, BoxError::from(error)))?;
        let (ticket, _) = Ticket::begin(attempt, &self.policy, Role::Retry)
            .map_err(|source| (why(source), BoxError::from(Refused { source })))?;
        Ok((request, ticket))
    }

    /// What there is to try again for, if anything.
    fn failure(&self, answer: &Answer<R>) -> Option<Failure> {
        match answer {
            Ok(response) => {
                let facts = self.attempt.call().facts();
                match self.attempt.verdict() {
                    Some(verdict) => self.weigh(verdict),
                    None => {
                        let (status, headers) = (response.status(), response.headers());
                        let beginning = response.body().held.data();
                        self.weigh(&judge(facts, status, headers, beginning))
                    }
                }
            }
            Err(error) => match explain(error) {
                // Whoever turned the call away has waited as long as it makes sense, or has its
                // reasons not to. A breaker's is that the caller should know at once; where nobody
                // watches, its next probe can be waited for.
                Some(rejected) if !rejected.sent => {
                    let is_watched = self.attempt.call().lane() == Lane::Interactive;
                    let is_open = rejected.code == Code::CircuitOpen;
                    let hint = rejected.retry_after.filter(|_| is_open && !is_watched)?;
                    Some(Failure { trouble: Trouble::Unsent, hint: Some(hint) })
                }
                Some(explanation) if explanation.verdict.is_some() => {
                    self.weigh(explanation.verdict?)
                }
                _ => self.weigh(self.attempt.verdict()?),
            },
        }
    }

    fn weigh(&self, verdict: &Verdict) -> Option<Failure> {
        let trouble = self.policy.trouble(verdict)?;
        let hint = verdict.failure.as_ref().and_then(|failure| failure.hint);
        Some(Failure { trouble, hint: hint.map(|hint| hint.after) })
    }

    /// Whether there will be another attempt, and after how long; if not, why not.
    fn decide(&mut self, Failure { trouble, hint }: Failure) -> Result<Duration, &'static str> {
        let (call, policy) = (self.attempt.call(), &self.policy);
        let (facts, now) = (call.facts(), now());
        let tokens = tokens(facts);
        if self.replay.is_none() {
            return Err(NOT_HELD);
        }
        if let Some(in_place) = self.attempt.errand().and_then(|errand| errand.in_place) {
            // One attempt is kept for the next route.
            let is_last = call.ledger().attempts_left() < 2;
            if is_last || !in_place.stays(trouble, hint, self.stayed) {
                return Err("fallback");
            }
        }
        call.ledger().check(Role::Retry, tokens).map_err(why)?;
        if trouble == Trouble::Silent && mem::replace(&mut self.was_silent, true) {
            return Err("silent");
        }
        let wait = policy.backoff.wait(&mut self.series, trouble, hint, &mut &*policy.random);
        let Wait::For(wait) = wait else { return Err("patience") };
        call.deadline()
            .room(wait, policy.usual.time(facts), now)
            .map_err(|_too_late| "deadline")?;
        let withdrawal = policy
            .budget
            .withdraw(Purpose::Retry(trouble), tokens, now)
            .map_err(|_refused| "budget")?;
        let payment = Payment { policy: policy.clone(), withdrawal: Some(withdrawal) };
        call.ledger().wait(wait).map_err(why)?;
        call.report(&Event::Retrying { trouble, wait });
        self.payment = Some(payment);
        self.stayed += 1;
        Ok(wait)
    }

    /// Keeps what can be returned later without holding a connection for it.
    fn keep(&mut self, mut answer: Answer<R>) {
        let is_real = !self.attempt.is_unsent();
        let has_better = self.last.as_ref().is_some_and(|last| last.is_real && !is_real);
        if let Ok(response) = &mut answer {
            let held = &mut response.body_mut().held;
            held.release();
            if !held.is_whole() {
                return;
            }
        }
        if !has_better {
            self.last = Some(Last { answer, is_real });
        }
    }

    /// This, or the answer of an earlier attempt if this is none.
    fn give_up(&mut self, answer: Answer<R>) -> Answer<R> {
        let earlier = self.last.take().filter(|last| last.is_real && self.attempt.is_unsent());
        self.tell(earlier.map_or(answer, |last| last.answer))
    }

    /// With the trail, where that is not in the response.
    fn tell(&self, answer: Answer<R>) -> Answer<R> {
        let call = self.attempt.call();
        answer.map_err(|source| match call.attempts() {
            0 | 1 => source,
            _ => GaveUp { trail: call.trail(), source }.into(),
        })
    }
}

const NOT_HELD: &str = "body";

pub(crate) const fn why(refused: attempts::Refused) -> &'static str {
    match refused {
        attempts::Refused::Attempts { .. } => "attempts",
        attempts::Refused::Tokens { .. } => "tokens",
        attempts::Refused::Waiting { .. } => "waiting",
        attempts::Refused::Committed => "output",
        attempts::Refused::NotRepeatable => "not_repeatable",
        _ => "account",
    }
}
