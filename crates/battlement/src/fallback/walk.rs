//! From route to route, until one has served the call.

use std::sync::Arc;

use battlement_core::{
    attempts::Role,
    budget::Purpose,
    fallback::{Journey, Then},
};
use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{
    Body, Either, Exhausted, Served, Visit, Why,
    layer::Others,
    lease::Lease,
    made::{Answer, Failure, Made},
    other::when_ready,
    roster::Roster,
};
use crate::{
    call::{Attempt, Call, Unreadable, take_bytes},
    clock::now,
    error::BoxError,
    events::Event,
    observe::{Settling, watch},
    replay::Replay,
    retry::{ticket::tokens, why},
};

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
    fn next(
        &mut self,
        from: usize,
        failure: &Failure,
        attempt: &Attempt,
    ) -> Result<usize, Option<&'static str>> {
        let (call, roster) = (self.attempt.call(), &self.roster);
        if call.deadline().is_past(now()) {
            return Err(Some("deadline"));
        }
        let standings = roster.standings();
        let next = roster.choose(call, &mut self.journey, &standings, &mut self.trail);
        let next = next.ok_or("routes").map_err(Some)?;
        let tokens = tokens(call.facts());
        call.ledger().check(Role::Fallback, tokens).map_err(|refused| Some(why(refused)))?;
        // The account learns of an attempt that nobody has claimed when its answer is dropped.
        if failure.sent && !attempt.is_counted() {
            if !call.is_repeatable() {
                return Err(Some("not_repeatable"));
            }
            if call.ledger().attempts_left() < 2 {
                return Err(Some("attempts"));
            }
        }
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
        let Failure { code, sent, .. } = *failure;
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
        // What the caller is told if nothing better comes, without the connection that it came on.
        let mut earlier: Option<(Failure, Made<R>)> = None;
        loop {
            if let Way::Once(_) = self.way {
                break;
            }
            let Some(failure) = made.weigh().await else { break };
            let moves = self.note(made.route, &failure, &made.attempt);
            let next = match moves {
                true => self.next(made.route, &failure, &made.attempt),
                false => Err(None),
            };
            match next {
                Ok(next) => {
                    if earlier.as_ref().is_none_or(|(earlier, _)| failure.tells_more_than(earlier))
                    {
                        earlier = made.kept().map(|made| (failure, made)).or(earlier);
                    }
                    made = self.make(next).await;
                }
                Err(reason) => {
                    if let Some(reason) = reason {
                        self.call().report(&Event::GaveUp { reason });
                    }
                    if let Some((_, earlier)) =
                        earlier.filter(|(earlier, _)| !failure.tells_more_than(earlier))
                    {
                        made = earlier;
                    }
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
