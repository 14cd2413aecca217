//! The second attempt, with a shorter conversation.

use std::{
    fmt,
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    attempts::Role,
    context::{self, Dropped},
};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH, request::Parts};
use tokio::time::timeout;
use tower_service::Service;

use super::Body;
use crate::{
    call::{Attempt, Call},
    clock::now,
    error::{BoxError, explain},
    events::Event,
    fallback::when_ready,
    observe::{Guard, Settling, judge, watch},
    replay::Replay,
    retry::{
        ticket::{ending, tokens},
        why,
    },
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// How much of an error is read to learn what it means, and for how long; as in `retry`.
const MOST_HELD: usize = 64 * 1024;
const LONGEST_HELD: Duration = Duration::from_secs(1);

/// What the account of a call is owed for an attempt, where no retry below keeps it.
pub struct Entry {
    role: Role,
    /// When it began; with the call, if it is not said.
    started: Option<Instant>,
}

impl Entry {
    pub(crate) fn first() -> Self {
        Self { role: Role::Retry, started: None }
    }

    /// For an attempt that begins now. The first of a call is that whatever it was meant to be.
    pub(crate) fn of(role: Role) -> Self {
        Self { role, started: Some(now()) }
    }
}

impl Guard for Entry {
    fn settle(self, attempt: &Attempt) {
        if attempt.is_unsent() || !attempt.count() {
            return;
        }
        let call = attempt.call();
        let mut ledger = call.ledger();
        let role = if ledger.attempts() == 0 { Role::First } else { self.role };
        let started = self.started.unwrap_or_else(|| call.started());
        let entered = ledger.enter(role, None, tokens(call.facts()), started);
        if let Some(verdict) = attempt.verdict() {
            ledger.settle(entered, ending(verdict), attempt.ended());
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// A request with a shorter body, and the call that it is.
pub(super) fn shortened<B: From<Bytes>>(
    call: &Call,
    mut parts: Parts,
    body: Vec<u8>,
) -> (Request<B>, Call) {
    let body = Bytes::from(body);
    if parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let request = Request::from_parts(parts, B::from(body.clone()));
    let known = call.made_as(&request, &body, Some(call.facts().provider));
    (request, known)
}

/// What it takes to make the call again.
pub(super) struct Again<S> {
    pub(super) service: S,
    /// That of the first attempt.
    pub(super) attempt: Attempt,
    pub(super) replay: Replay,
    /// How large the prompt may be, as far as that is known.
    pub(super) room: Option<u64>,
}

/// Whether a failure says that the prompt is too long.
fn is_overflow(code: Option<Code>) -> bool {
    matches!(code, Some(Code::ContextLength | Code::ContextWindow))
}

/// Whether an answer may be such a failure.
pub(super) fn may_be_overflow<R>(answer: &Answer<R>) -> bool
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    match answer {
        Ok(response) => response.status().is_client_error(),
        Err(error) => explain(error).is_some_and(|told| told.sent && is_overflow(Some(told.code))),
    }
}

impl<S> Again<S> {
    /// Makes the call again if that is what it takes, with what was dropped before.
    pub(super) async fn weigh<B, R>(
        self,
        mut answer: Answer<R>,
        dropped: Option<Dropped>,
    ) -> Answer<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes> + Unpin,
        R::Error: Into<BoxError>,
    {
        let is_overflow = match &mut answer {
            Ok(response) => is_overflow(learn(&self.attempt, response).await),
            Err(_) => true,
        };
        let shorter = if is_overflow { self.shorter() } else { None };
        let Some((request, attempt, more)) = shorter else {
            return answer.map(|response| with(response, dropped));
        };
        // The connection that it came on is free for the next.
        drop(answer);
        let dropped = dropped.map_or(more, |before| before.and(more));
        // There before the service is called, and dropped after its future: a panic gives it back.
        let mut settling = Settling::new(attempt.clone(), Entry::of(Role::Retry));
        match when_ready(self.service, request).await {
            Ok(response) => Ok(with(watch(response, settling).map(Body::new), Some(dropped))),
            Err(error) => {
                attempt.failed(&error);
                settling.settle();
                Err(error)
            }
        }
    }

    /// A shorter request, the attempt that it is, and what is missing; unless there is to be none.
    fn shorter<B: From<Bytes>>(&self) -> Option<(Request<B>, Attempt, Dropped)> {
        let call = self.attempt.call();
        let gave_up = |reason: &'static str| call.report(&Event::GaveUp { reason });
        if call.deadline().is_past(now()) {
            gave_up("deadline");
            return None;
        }
        if let Err(refused) = call.ledger().check(Role::Retry, tokens(call.facts())) {
            gave_up(why(refused));
            return None;
        }
        // The account learns of an attempt that nobody has claimed when its answer is dropped.
        if !self.attempt.is_counted() && call.ledger().attempts_left() < 2 {
            gave_up("attempts");
            return None;
        }
        let (dialect, tokens) = (call.facts().dialect?, call.facts().input_tokens);
        let room = self.room.unwrap_or(tokens).min(tokens);
        let request: Request<Bytes> = self.replay.request(self.attempt.clone()).ok()?;
        let (parts, body) = request.into_parts();
        let Ok(Some(trimmed)) = context::trim(dialect, &body, room - room / 4) else {
            gave_up("context");
            return None;
        };
        let (mut request, known) = shortened::<B>(call, parts, trimmed.body);
        let attempt = self.attempt.at_call(known);
        if let Some(errand) = self.attempt.errand() {
            attempt.send(errand.clone());
        }
        request.extensions_mut().insert(attempt.clone());
        call.report(&Event::Trimmed { dropped: &trimmed.dropped });
        Some((request, attempt, trimmed.dropped))
    }
}

/// What an error is called. As much of it is read as that takes.
async fn learn<R>(attempt: &Attempt, response: &mut Response<Body<R>>) -> Option<Code>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let limit = attempt.call().deadline().within(LONGEST_HELD, now());
    let limit = limit.remaining(now()).unwrap_or(LONGEST_HELD);
    let held = &mut response.body_mut().held;
    let hold = poll_fn(|cx| {
        while !held.is_whole() && held.bytes() < MOST_HELD {
            if held.poll_more(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    });
    let _in_time = timeout(limit, hold).await;
    let facts = attempt.call().facts();
    let (status, headers) = (response.status(), response.headers());
    judge(facts, status, headers, response.body().held.data()).code()
}

/// The answer, with what was dropped.
pub(super) fn with<R>(mut response: Response<R>, dropped: Option<Dropped>) -> Response<R> {
    if let Some(dropped) = dropped {
        response.extensions_mut().insert(dropped);
    }
    response
}
