//! From route to route, until one has served the call.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use battlement_core::{
    Code, Signals, Verdict,
    attempts::Role,
    budget::Purpose,
    fallback::{Journey, Then},
};
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::timeout;
use tower_service::Service;

use super::{
    Body, Either, Exhausted, Served, Visit, Why, layer::Others, lease::Lease, other::when_ready,
    roster::Roster,
};
use crate::{
    call::{Attempt, Call, Place, Unreadable, take_bytes},
    clock::now,
    error::{BoxError, explain, no_answer},
    events::Event,
    finish::{Action, Policy},
    observe::{self, Settling, judge, watch},
    retry::{replay::Replay, ticket::tokens, why},
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// How much of an answer is held that nobody below has held, until there is output; as in `finish`.
const MOST_HELD: usize = 1 << 20;

/// How much of an error is read to learn what it means, and for how long; as in `retry`.
const MOST_OF_AN_ERROR: usize = 64 * 1024;
const LONGEST_FOR_AN_ERROR: Duration = Duration::from_secs(1);

/// The way of one call.
pub(super) struct Walk<S, B> {
    pub(super) roster: Arc<Roster>,
    pub(super) others: Others<B>,
    /// For the first route, where the way may come by.
    pub(super) service: S,
    /// That of the request as it came.
    pub(super) attempt: Attempt,
    /// Whether no attempt was made yet.
    pub(super) is_new: bool,
    pub(super) journey: Journey,
    pub(super) trail: Vec<Visit>,
    pub(super) way: Way<B>,
}

/// What requests are made of.
pub(super) enum Way<B> {
    /// The request as it came, as often as it takes.
    Replay(Replay),
    /// The request as it came: it goes nowhere else.
    Once(Option<Request<B>>),
}

/// What became of an attempt on a route.
struct Failure {
    code: Code,
    /// Whether anything was sent, or may have been.
    sent: bool,
}

impl Served {
    /// Goes with this answer.
    #[inline(always)]
    pub(super) fn with<R>(
        self,
        mut response: Response<observe::Body<Either<R>, Lease>>,
    ) -> Response<Body<R>>
    where
        R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        response.body().attempt().call().report(&Event::Served { served: &self });
        response.extensions_mut().insert(self);
        response.map(Body::new)
    }
}

impl<S, B> Walk<S, B> {
    fn call(&self) -> &Call {
        self.attempt.call()
    }

    /// This is the answer, of this route.
    fn serve<R>(mut self, route: usize, mut response: Response<Body<R>>) -> Response<Body<R>>
    where
        R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let route = self.roster.entries[route].route.name.clone();
        // An error that nothing could be done about is the answer as well.
        self.trail.retain(|visit| visit.route != route);
        let served = Served { route, trail: self.trail };
        self.attempt.call().report(&Event::Served { served: &served });
        response.extensions_mut().insert(served);
        response
    }

    /// This is the error, if several routes have part in it with what happened on each.
    fn tell(self, source: BoxError) -> BoxError {
        if self.trail.len() < 2 {
            return source;
        }
        let trail = self.call().trail();
        Exhausted { routes: self.trail, trail, source }.into()
    }

    /// The next route, unless there is a reason to go nowhere.
    fn next(&mut self, from: usize, failure: &Failure) -> Result<usize, Option<&'static str>> {
        let (call, roster) = (self.attempt.call(), &self.roster);
        if call.deadline().is_past(now()) {
            return Err(Some("deadline"));
        }
        let standings = roster.standings();
        let next = roster.choose(call, &mut self.journey, &standings, &mut self.trail);
        let next = next.ok_or("routes").map_err(Some)?;
        let tokens = tokens(call.facts());
        call.ledger().check(Role::Fallback, tokens).map_err(|refused| Some(why(refused)))?;
        if let Some(budget) = roster.budget.as_ref().filter(|_| failure.sent) {
            // It is spent for good: the attempt is made at once.
            let _spent = budget
                .withdraw(Purpose::Fallback, tokens, now())
                .map_err(|_refused| Some("budget"))?;
        }
        let name = |route: usize| &*roster.entries[route].route.name;
        let code = failure.code;
        call.report(&Event::FallingBack { from: name(from), to: name(next), code });
        Ok(next)
    }

    /// Takes note of a failure; says whether it moves the call on.
    fn note(&mut self, route: usize, failure: &Failure, attempt: &Attempt) -> bool {
        let entry = &self.roster.entries[route];
        let Failure { code, sent } = *failure;
        let why = if sent { Why::Failed(code) } else { Why::TurnedAway(code) };
        self.trail.push(Visit { route: entry.route.name.clone(), why });
        if !sent && attempt.is_counted() {
            // Nothing was tried, so that it takes nothing from the routes to come.
            self.call().ledger().excuse();
        }
        let then = self.roster.policy.then(code);
        let asked = self.call().facts().input_tokens;
        self.journey.failed(then, entry.route.can.context, asked) != Then::End
    }
}

impl<S, B> Walk<S, B>
where
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Begins with this route.
    pub(super) async fn begin<R>(mut self, first: usize) -> Answer<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let made = self.make(first).await;
        self.go_on(made).await
    }

    /// A route has answered; and so on.
    pub(super) async fn go_on<R>(mut self, mut made: Made<R>) -> Answer<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        R::Error: Into<BoxError>,
    {
        // The latest answer that was really given, without the connection that it came on.
        let mut real: Option<Made<R>> = None;
        loop {
            if let Way::Once(_) = self.way {
                break;
            }
            let Some(failure) = made.weigh().await else { break };
            let moves = self.note(made.route, &failure, &made.attempt);
            match if moves { self.next(made.route, &failure) } else { Err(None) } {
                Ok(next) => {
                    let is_better = failure.sent || real.is_none();
                    real = made.kept().filter(|_| is_better).or(real);
                    made = self.make(next).await;
                }
                Err(reason) => {
                    if let Some(reason) = reason {
                        self.call().report(&Event::GaveUp { reason });
                    }
                    made = real.filter(|_| !failure.sent).unwrap_or(made);
                    break;
                }
            }
        }
        match made.answer {
            Ok(response) => Ok(self.serve(made.route, response)),
            Err(error) if matches!(self.way, Way::Once(_)) => Err(error),
            Err(error) => Err(self.tell(error)),
        }
    }

    /// Makes an attempt on this route, or on the next for which the request can be changed.
    async fn make<R>(&mut self, mut route: usize) -> Made<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let (request, attempt) = loop {
            match self.request(route) {
                Ok(made) => break made,
                Err(error) => match self.pass_by(route) {
                    Some(next) => route = next,
                    None => {
                        let attempt = self.attempt.clone();
                        attempt.failed(&error);
                        return Made { route, attempt, answer: Err(error) };
                    }
                },
            }
        };
        // There before the service is called, and dropped after its future: a panic gives it back.
        let lease = Lease::new(self.roster.clone(), route, Some(now()));
        let mut settling = Settling::new(attempt.clone(), lease);
        let answer = match route.checked_sub(1) {
            None => {
                let answer = when_ready(self.service.clone(), request).await;
                answer.map(|response| response.map(Either::Own))
            }
            Some(other) => {
                let answer = self.others[other].call(request).await;
                answer.map(|response| response.map(Either::Other))
            }
        };
        match answer {
            Ok(response) => Made::new(route, watch(response, settling)),
            Err(error) => {
                attempt.failed(&error);
                settling.settle();
                Made { route, attempt, answer: Err(error) }
            }
        }
    }

    /// The request for a route, and the attempt that it is.
    fn request(&mut self, route: usize) -> Result<(Request<B>, Attempt), BoxError> {
        let roster = self.roster.clone();
        let (call, entry) = (self.attempt.call(), &roster.entries[route]);
        let (mut parts, bytes, unread) = match &mut self.way {
            Way::Replay(replay) => {
                let request: Request<Bytes> = replay.request(self.attempt.clone())?;
                let (parts, bytes) = request.into_parts();
                (parts, Some(bytes), None)
            }
            Way::Once(request) => {
                let (parts, body) = request.take().ok_or_else(Unreadable::lost)?.into_parts();
                if call.is_held() {
                    (parts, Some(take_bytes(body)?), None)
                } else {
                    (parts, None, Some(body))
                }
            }
        };
        let is_plain = entry.route.is_plain(call);
        let bytes = match is_plain {
            true => bytes,
            false => entry.route.rewrite(&mut parts, bytes.as_ref(), call.facts())?,
        };
        let read = bytes.clone().unwrap_or_default();
        let body = unread.unwrap_or_else(|| B::from(bytes.unwrap_or_default()));
        let mut request = Request::from_parts(parts, body);
        let call = match is_plain {
            true => call.clone(),
            false => call.made_as(&request, &read, entry.route.answers()),
        };
        let attempt = match (std::mem::take(&mut self.is_new), is_plain) {
            (true, true) => self.attempt.clone(),
            (true, false) => self.attempt.becomes(call),
            (false, _) => self.attempt.at_call(call),
        };
        let has_next = matches!(self.way, Way::Replay(_))
            && roster.has_next(self.attempt.call(), &self.journey, &roster.standings());
        attempt.send(entry.errand(has_next));
        request.extensions_mut().insert(attempt.clone());
        Ok((request, attempt))
    }

    /// A route for which the request cannot be changed is left out; the next one.
    fn pass_by(&mut self, route: usize) -> Option<usize> {
        let roster = self.roster.clone();
        let (name, why) = (&roster.entries[route].route.name, Why::Unchangeable);
        self.call().report(&Event::PassedBy { route: name, why: &why });
        self.trail.push(Visit { route: name.clone(), why });
        if let Way::Once(_) = self.way {
            return None;
        }
        let standings = roster.standings();
        roster.choose(self.attempt.call(), &mut self.journey, &standings, &mut self.trail)
    }
}

/// An attempt that was made on a route.
pub(super) struct Made<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    route: usize,
    /// The one that was answered.
    attempt: Attempt,
    answer: Answer<R>,
}

impl<R> Made<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    pub(super) fn new(route: usize, response: Response<observe::Body<Either<R>, Lease>>) -> Self {
        let attempt = response.body().attempt().clone();
        Self { route, attempt, answer: Ok(response.map(Body::new)) }
    }

    pub(super) fn failed(route: usize, attempt: Attempt, error: BoxError) -> Self {
        Self { route, attempt, answer: Err(error) }
    }

    /// What it failed with, if it did. As much of the answer is read as that takes.
    async fn weigh(&mut self) -> Option<Failure> {
        let response = match &mut self.answer {
            Ok(response) => response,
            Err(error) => return Some(Failure::of(error)),
        };
        let (attempt, code) = (&self.attempt, |verdict: &Verdict| verdict.code());
        let code = if is_error(response) {
            let limit = attempt.call().deadline().within(LONGEST_FOR_AN_ERROR, now());
            let limit = limit.remaining(now()).unwrap_or(LONGEST_FOR_AN_ERROR);
            let _in_time = timeout(limit, hold(response, |bytes| bytes >= MOST_OF_AN_ERROR)).await;
            let facts = attempt.call().facts();
            attempt.verdict().map_or_else(
                || {
                    let (status, headers) = (response.status(), response.headers());
                    code(&judge(facts, status, headers, response.body().held.data()))
                },
                code,
            )
        } else if was_held(attempt) {
            None
        } else {
            hold(response, |bytes| bytes >= MOST_HELD || has_begun(attempt)).await;
            let verdict = attempt.verdict().filter(|_| response.body().held.is_whole());
            verdict
                .filter(|verdict| Policy::default().action(verdict) == Action::Fail)
                .and_then(code)
        };
        code.map(|code| Failure { code, sent: true })
    }

    /// What can be returned later without holding a connection for it.
    fn kept(mut self) -> Option<Self> {
        if let Ok(response) = &mut self.answer {
            let held = &mut response.body_mut().held;
            held.release();
            if !held.is_whole() {
                return None;
            }
        }
        Some(self)
    }
}

impl Failure {
    fn of(error: &BoxError) -> Self {
        match explain(error) {
            Some(explanation) => Self { code: explanation.code, sent: explanation.sent },
            None => {
                let code = Verdict::no_answer(no_answer(error)).code();
                Self { code: code.unwrap_or(Code::Disconnected), sent: true }
            }
        }
    }
}

/// Reads an answer until this is enough of it, or it is whole.
async fn hold<R>(response: &mut Response<Body<R>>, is_enough: impl Fn(usize) -> bool)
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    poll_fn(|cx| {
        let held = &mut response.body_mut().held;
        while !held.is_whole() && !is_enough(held.bytes()) {
            if held.poll_more(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Whether an answer may go as it is: it is no error, and somebody below has held it.
#[inline(always)]
pub(super) fn passes<R>(response: &Response<observe::Body<Either<R>, Lease>>) -> bool
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    !is_error(response) && was_held(response.body().attempt())
}

/// Whether a layer below has held the answer until it may go, or nobody can read it.
fn was_held(attempt: &Attempt) -> bool {
    attempt.has_passed(Place::Finish) || attempt.progress().is_unread()
}

/// Whether a stream has output, and no error with it. Other answers are waited for.
fn has_begun(attempt: &Attempt) -> bool {
    let signals = attempt.progress().signals();
    attempt.call().facts().stream
        && signals.contains(Signals::OUTPUT)
        && !signals.contains(Signals::ERROR)
}

fn is_error<R>(response: &Response<R>) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}
