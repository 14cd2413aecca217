//! The race of a call: whether another attempt goes out, and who has won.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    attempts::Role,
    hedge::{Contender, Failed, Output, Race as Decision, Reason, Situation},
};
use bytes::Bytes;
use http::{Request, Response};
use smallvec::SmallVec;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use super::{
    learned::Policy,
    runner::{Answer, Came, Runner},
    ticket::{Payment, Ticket},
};
use crate::{
    call::{Attempt, Call},
    clock::now,
    drive::Drive,
    error::BoxError,
    events::Event,
    observe::{Attempted, Settling},
    replay::Replay,
    retry::{ticket::tokens, why},
};

/// What a call has to send other attempts with.
pub(super) struct Race<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    policy: Arc<Policy>,
    /// For the attempts to come.
    service: S,
    replay: Replay,
    /// When the call is late; `None` if there are enough attempts.
    due: Option<Instant>,
    delay: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    decision: Decision,
    /// All attempts, from the first on.
    runs: SmallVec<[Run; 2]>,
    /// Those that go out beside the first.
    others: Vec<Pin<Box<Runner<S, B, R>>>>,
}

struct Run {
    attempt: Attempt,
    /// `None` once it has come to something.
    contender: Option<Contender>,
}

impl<S, B, R> Race<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    /// The first attempt sets off, and is late at this time.
    pub(super) fn new(
        policy: Arc<Policy>,
        service: S,
        replay: Replay,
        attempt: Attempt,
        started: Instant,
        due: Instant,
    ) -> Self {
        let (decision, contender) = Decision::start();
        let delay = due.saturating_duration_since(started);
        let runs = SmallVec::from_iter([Run { attempt, contender: Some(contender) }]);
        let (due, sleep, others) = (Some(due), None, Vec::new());
        Self { policy, service, replay, due, delay, sleep, decision, runs, others }
    }

    pub(super) fn call(&self) -> &Call {
        self.runs[0].attempt.call()
    }

    /// Whether there is more than one attempt.
    pub(super) fn is_on(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether another attempt is due.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        // Only who has to wait has a timer.
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        ready!(sleep.as_mut().poll(cx));
        (self.due, self.sleep) = (None, None);
        Poll::Ready(())
    }
}

impl<S, B, R> Race<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: From<Bytes>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    /// Sends another attempt, or says why not.
    pub(super) fn send(&mut self) -> Result<(), &'static str> {
        let (first, policy, now) = (&self.runs[0].attempt, &self.policy, now());
        let call = first.call();
        let cost = tokens(call.facts());
        {
            let ledger = call.ledger();
            ledger.check(Role::Hedge, cost).map_err(why)?;
            // One attempt is kept for the next route.
            let has_next = first.errand().is_some_and(|errand| errand.in_place.is_some());
            if has_next && ledger.attempts_left() < 2 {
                return Err("fallback");
            }
        }
        let situation = Situation {
            repeatable: call.is_repeatable() && call.is_held(),
            has_output: self.runs.iter().any(|run| run.attempt.has_output()),
            // It stands in a line of ours, or has: a second one would stand there, too.
            overloaded: self.runs.iter().any(|run| run.attempt.was_held_back()),
            headroom: None,
            running: self.runs.len() as u32,
            deadline: call.deadline(),
        };
        let permit =
            policy.of(call, |decision| decision.fire(&situation, &policy.budget, cost, now));
        let permit = permit.ok_or("unlearned")?.map_err(|reason| word(&reason))?;
        let payment = Payment::new(policy, call, permit);
        let attempt = first.again();
        // Nobody below keeps account of it, or races it again; and no gate makes it wait.
        attempt.count();
        attempt.race();
        attempt.make_spare(policy.config.headroom);
        let request = self.replay.request(attempt.clone()).map_err(|_lost| "body")?;
        let contender = self.decision.join().ok_or("attempts")?;
        call.report(&Event::Hedging { after: self.delay });
        let ticket = Ticket::beside(policy, &attempt, payment, now).map_err(why)?;
        let settling = Settling::new(attempt.clone(), ticket);
        let attempted = Attempted::new(Drive::owned(self.service.clone(), request), settling);
        self.others.push(Box::pin(Runner::Calling { attempted }));
        self.runs.push(Run { attempt, contender: Some(contender) });
        if self.runs.len() < self.policy.config.attempts as usize {
            self.due = now.checked_add(self.delay);
        }
        Ok(())
    }

    /// Lets all of them run, until one has won or none is left.
    pub(super) fn poll(
        &mut self,
        mut first: Pin<&mut Runner<S, B, R>>,
        cx: &mut Context<'_>,
    ) -> Poll<Answer<R>> {
        for index in 0..self.runs.len() {
            let came = match self.runner(first.as_mut(), index).poll(cx) {
                Poll::Ready(came) => came,
                Poll::Pending => continue,
            };
            let Some(contender) = self.runs[index].contender.take() else { continue };
            match came {
                Came::Answered(response) => {
                    if let Output::Won { losers } = self.decision.output(contender) {
                        self.end(first, index, losers);
                        return Poll::Ready(Ok(response));
                    }
                }
                Came::Failed { sent } => {
                    if let Failed::All { error } = self.decision.failed(contender, sent) {
                        let answer = self.runner(first, error).take();
                        self.others.clear();
                        return Poll::Ready(answer.expect("whoever has failed has an answer"));
                    }
                }
            }
        }
        Poll::Pending
    }

    fn runner<'a>(
        &'a mut self,
        first: Pin<&'a mut Runner<S, B, R>>,
        index: usize,
    ) -> Pin<&'a mut Runner<S, B, R>> {
        match index.checked_sub(1) {
            None => first,
            Some(other) => self.others[other].as_mut(),
        }
    }

    /// One has won: the others are dropped, before anything of its answer goes down.
    fn end(
        &mut self,
        mut first: Pin<&mut Runner<S, B, R>>,
        winner: usize,
        losers: impl Iterator<Item = usize>,
    ) {
        let mut lost = 0_u64;
        for index in losers {
            let attempt = &self.runs[index].attempt;
            attempt.give_up(Code::Outpaced);
            // What it has cost nobody tells, as nobody waits for that.
            lost = lost.saturating_add(tokens(attempt.call().facts()));
        }
        first.set(Runner::Gone);
        self.others.clear();
        let call = self.runs[winner].attempt.call();
        call.report(&Event::Hedged {
            winner: winner as u32,
            attempts: self.runs.len() as u32,
            lost,
        });
    }
}

const fn word(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotRepeatable => "not_repeatable",
        Reason::HasOutput => "output",
        Reason::Overloaded => "overloaded",
        Reason::Headroom => "headroom",
        Reason::Running => "attempts",
        Reason::Deadline => "deadline",
        Reason::Unlearned => "unlearned",
        Reason::Share => "share",
        Reason::Budget(_) => "budget",
        _ => "decision",
    }
}
