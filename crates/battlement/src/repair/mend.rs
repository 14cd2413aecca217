//! Looks at an answer, and asks again.

use std::{fmt, future::poll_fn, sync::Arc, task::Poll};

use battlement_core::{FinishClass, Outcome, attempts::Role, budget::Purpose, repair};
use bytes::{Bytes, BytesMut};
use http::{
    Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use tower_service::Service;

use super::{
    Body, Invalid, Otherwise,
    check::{Check, Checked, Complaint},
    layer::Settings,
};
use crate::{
    call::Attempt,
    clock::now,
    context::Entry,
    error::BoxError,
    events::Event,
    fallback::when_ready,
    observe::{Settling, watch},
    replay::Replay,
    retry::{ticket::tokens, why},
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// Says of an answer that it was asked for again, or that it does not match; among the extensions of the
/// response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// How often the model was asked again.
    pub rounds: u32,
    /// Whether the answer matches its schema.
    pub is_valid: bool,
    /// Whether something around the JSON was left out.
    pub is_cleaned: bool,
}

/// What it takes to look at the answer to a call, and to ask again.
pub(super) struct Mend<S> {
    pub(super) service: S,
    pub(super) eye: Eye,
}

/// What it takes to look at the answer to a call, and to say how to ask again.
pub(super) struct Eye {
    pub(super) settings: Arc<Settings>,
    /// The first one.
    pub(super) attempt: Attempt,
    pub(super) replay: Replay,
}

impl<S> Mend<S> {
    /// Looks at an answer, and asks again until one is as it should be, or may not any more.
    pub(super) async fn answer<B, R>(self: Box<Self>, first: Response<Body<R>>) -> Answer<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes> + Unpin,
        R::Error: Into<BoxError>,
    {
        let Self { service, eye } = *self;
        if eye.wants_nothing() {
            return Ok(first);
        }
        let (mut response, mut round) = (first, 0);
        loop {
            let complaint = match eye.look(&mut response).await {
                Looked::Pass => return Ok(told(response, round, true, false)),
                Looked::Cleaned(body) => {
                    let (mut parts, _) = response.into_parts();
                    if parts.headers.contains_key(CONTENT_LENGTH) {
                        parts.headers.insert(CONTENT_LENGTH, body.len().into());
                    }
                    let response = Response::from_parts(parts, Body::made(vec![body]));
                    return Ok(told(response, round, true, true));
                }
                Looked::Wrong(complaint) => complaint,
            };
            let call = eye.attempt.call();
            call.report(&Event::Invalid { round, errors: complaint.errors });
            let next = match eye.again::<B, R>(&response, &complaint, round) {
                Ok((request, attempt)) => send(service.clone(), request, attempt).await,
                Err(reason) => {
                    call.report(&Event::GaveUp { reason });
                    None
                }
            };
            match next {
                Some(next) => (response, round) = (next, round + 1),
                None if eye.settings.otherwise == Otherwise::Pass => {
                    return Ok(told(response, round, false, false));
                }
                None => {
                    let (code, errors) = (complaint.code(), complaint.errors);
                    let places = complaint.places;
                    return Err(Invalid { code, rounds: round, errors, places }.into());
                }
            }
        }
    }
}

impl Eye {
    /// Whether there is no schema after all: only tools that the provider runs, for one.
    fn wants_nothing(&self) -> bool {
        let dialect = self.attempt.call().facts().dialect;
        let wanted = || dialect.map(|dialect| repair::wanted(dialect, self.replay.body()));
        self.settings.own.is_none() && wanted().is_none_or(|wanted| wanted.is_nothing())
    }

    /// Holds an answer until all of it is here, and looks at it.
    async fn look<R>(&self, response: &mut Response<Body<R>>) -> Looked
    where
        R: http_body::Body<Data = Bytes> + Unpin,
        R::Error: Into<BoxError>,
    {
        let unchecked = |reason| {
            self.attempt.call().report(&Event::Unchecked { reason });
            Looked::Pass
        };
        if response.headers().contains_key(CONTENT_ENCODING) {
            return unchecked("encoding");
        }
        let answered = response.extensions().get::<Attempt>().cloned();
        let answered = answered.unwrap_or_else(|| self.attempt.clone());
        let kind = response.headers().get(CONTENT_TYPE).cloned();
        let Some(body) = response.body_mut().held() else { return Looked::Pass };
        let (held, most) = (&mut body.held, self.settings.most_held);
        poll_fn(|cx| {
            while !held.is_whole() && held.bytes() <= most {
                if held.poll_more(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
        if !held.is_whole() {
            return unchecked("size");
        }
        // One that is a part is for others to continue or to fail, and what was declined stays so.
        let is_complete = answered.verdict().is_some_and(|verdict| {
            matches!(
                verdict.outcome,
                Outcome::Finished(
                    FinishClass::Complete | FinishClass::StopSequence | FinishClass::ToolCall
                )
            )
        });
        let Some(dialect) = self.attempt.call().facts().dialect.filter(|_| is_complete) else {
            return Looked::Pass;
        };
        let mut whole = BytesMut::with_capacity(held.bytes());
        held.data().for_each(|data| whole.extend_from_slice(data));
        let Settings { schemas, own, is_tolerant, .. } = &*self.settings;
        let (own, is_tolerant) = (own.as_ref(), *is_tolerant);
        let check = Check { schemas, own, is_tolerant, dialect, request: self.replay.body() };
        let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match check.answer(kind, &whole) {
            Checked::Fine => Looked::Pass,
            Checked::Cleaned(body) => Looked::Cleaned(body.into()),
            Checked::Unknown(reason) => unchecked(reason),
            Checked::Wrong(complaint) => Looked::Wrong(complaint),
        }
    }

    /// The request that asks again, and the attempt that it is, or why there is none.
    fn again<B: From<Bytes>, R: http_body::Body<Data = Bytes>>(
        &self,
        last: &Response<Body<R>>,
        complaint: &Complaint,
        round: u32,
    ) -> Result<(Request<B>, Attempt), &'static str> {
        let call = self.attempt.call();
        if round >= self.settings.rounds {
            return Err("rounds");
        }
        if call.deadline().is_past(now()) {
            return Err("deadline");
        }
        let dialect = call.facts().dialect.ok_or("form")?;
        // Of the first request each time, so that the prompt does not grow with the rounds.
        let (answer, complaint) = (&*complaint.answer, complaint.text());
        let body = repair::again(dialect, self.replay.body(), answer, &complaint);
        let body = Bytes::from(body.ok_or("form")?);
        let request: Request<Bytes> =
            self.replay.request(self.attempt.clone()).map_err(|_lost| "request")?;
        let (mut parts, _) = request.into_parts();
        if parts.headers.contains_key(CONTENT_LENGTH) {
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        let mut request = Request::from_parts(parts, B::from(body.clone()));
        let known = call.made_as(&request, &body, Some(call.facts().provider));
        let tokens = tokens(known.facts());
        {
            let mut ledger = call.ledger();
            // All of it was held here.
            ledger.take_back();
            ledger.check(Role::Repair, tokens).map_err(why)?;
        }
        let answered = last.extensions().get::<Attempt>().unwrap_or(&self.attempt);
        if !answered.is_counted() && call.ledger().attempts_left() < 2 {
            return Err("attempts");
        }
        if let Some(budget) = &self.settings.budget {
            // It is spent for good: the attempt is made at once.
            let _spent =
                budget.withdraw(Purpose::Fallback, tokens, now()).map_err(|_refused| "budget")?;
        }
        let attempt = self.attempt.at_call(known);
        if let Some(errand) = self.attempt.errand() {
            attempt.send(errand.clone());
        }
        request.extensions_mut().insert(attempt.clone());
        Ok((request, attempt))
    }
}

/// Asks again. `None` if that fails.
async fn send<S, B, R>(
    service: S,
    request: Request<B>,
    attempt: Attempt,
) -> Option<Response<Body<R>>>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    // There before the service is called, and dropped after its future: a panic gives it back.
    let mut settling = Settling::new(attempt.clone(), Entry::of(Role::Repair));
    match when_ready(service, request).await {
        Ok(response) => {
            let response = watch(response, settling).map(Body::came);
            response.status().is_success().then_some(response)
        }
        Err(error) => {
            attempt.failed(&error);
            settling.settle();
            None
        }
    }
}

/// What became of the look at an answer.
enum Looked {
    /// It goes on as it is.
    Pass,
    /// It goes on as this.
    Cleaned(Bytes),
    Wrong(Complaint),
}

/// The answer, with what was done about it, if anything was.
fn told<R>(
    mut response: Response<Body<R>>,
    rounds: u32,
    is_valid: bool,
    is_cleaned: bool,
) -> Response<Body<R>>
where
    R: http_body::Body<Data = Bytes>,
{
    if rounds > 0 || !is_valid || is_cleaned {
        response.extensions_mut().insert(Repaired { rounds, is_valid, is_cleaned });
    }
    response
}

impl<S> fmt::Debug for Mend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mend").field("attempt", &self.eye.attempt).finish_non_exhaustive()
    }
}
