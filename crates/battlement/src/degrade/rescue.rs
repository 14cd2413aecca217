//! What is done about a call that has failed for good.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, UNIX_EPOCH},
};

use battlement_core::{
    Code, Dialect, Verdict,
    attempts::{Role, Step},
    budget::Purpose,
    degrade::Instead,
    write::{self, Text},
};
use bytes::Bytes;
use http::{Request, Response, Uri};
use tokio::time::timeout;
use tower_service::Service;

use super::{Body, layer::Settings};
use crate::{
    call::{Attempt, Errand},
    clock::{date, now},
    context::Entry,
    error::{BoxError, Error, explain, no_answer},
    events::Event,
    fallback::when_ready,
    hold::{MOST_OF_AN_ERROR, is_error},
    observe::{Settling, judge, watch},
    replay::Replay,
    retry::{ticket::tokens, why},
    source::Source,
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// For how long an error is read to learn what it means; as in `retry`.
const LONGEST_FOR_AN_ERROR: Duration = Duration::from_secs(1);

/// Says of an answer that it is less than what was asked for, and why; among the extensions of the response.
#[derive(Clone, Debug)]
pub struct Degraded {
    source: Source<'static>,
    error: Arc<Error>,
}

impl Degraded {
    /// What the caller got: [`Source::Simplified`] or [`Source::Static`].
    pub fn source(&self) -> Source<'static> {
        self.source
    }

    /// What the call has failed with.
    pub fn code(&self) -> Code {
        self.error.code()
    }

    /// The failure, as the caller would have got it.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// What was tried before.
    pub fn attempts(&self) -> &[Step] {
        self.error.attempts()
    }
}

/// What is kept of a call in case it fails.
pub(super) struct Rescue<S> {
    pub(super) settings: Arc<Settings>,
    pub(super) attempt: Attempt,
    pub(super) uri: Uri,
    /// What it takes to ask for less, if that may be.
    pub(super) again: Option<Box<(S, Replay)>>,
}

impl<S> Rescue<S> {
    /// Gives something instead of this failure, or passes it on.
    pub(super) async fn weigh<B, R>(mut self, answer: Answer<R>) -> Answer<R>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes> + Unpin,
        R::Error: Into<BoxError>,
    {
        let (answer, code) = match answer {
            Ok(mut response) => {
                let verdict = learn(&self.attempt, &mut response).await;
                // Made now, as its trail is to end with what has failed.
                let error = Error::told(verdict, self.attempt.call());
                let code = error.code();
                (Ok((response, error)), code)
            }
            Err(error) => {
                let code = code_of(&error);
                (Err(error), code)
            }
        };
        let instead = self.settings.policy.instead(code);
        if instead == Instead::Simplified {
            if let Some(response) = self.simplify::<B, R>().await {
                let error = answer.map_or_else(Error::from, |(_, error)| error);
                return Ok(self.with(response, Source::Simplified, error));
            }
        }
        let Some(say) = self.settings.say.clone().filter(|_| instead != Instead::Nothing) else {
            return answer.map(|(response, _)| response);
        };
        let (answer, error) = match answer {
            Ok((response, error)) => (Some(response), error),
            Err(error) => (None, error.into()),
        };
        match say(self.attempt.call(), &error).and_then(|text| self.say(&text)) {
            Some(response) => Ok(self.with(response, Source::Static, error)),
            None => answer.ok_or_else(|| error.into()),
        }
    }

    /// Asks for less, once, if there is an attempt and time for it. `None` if that fails too.
    async fn simplify<B, R>(&mut self) -> Option<Response<Body<R>>>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes>,
    {
        let (service, replay) = *self.again.take()?;
        let (request, attempt) = match self.simpler::<B>(&replay) {
            Ok(simpler) => simpler,
            Err(reason) => {
                self.attempt.call().report(&Event::GaveUp { reason });
                return None;
            }
        };
        // There before the service is called, and dropped after its future: a panic gives it back.
        let mut settling = Settling::new(attempt.clone(), Entry::of(Role::Simplified));
        match when_ready(service, request).await {
            Ok(response) => {
                let response = watch(response, settling).map(Body::came);
                (!is_error(&response)).then_some(response)
            }
            Err(error) => {
                attempt.failed(&error);
                settling.settle();
                None
            }
        }
    }

    /// The simpler request and the attempt that it is, or why there is none.
    fn simpler<B: From<Bytes>>(
        &self,
        replay: &Replay,
    ) -> Result<(Request<B>, Attempt), &'static str> {
        let call = self.attempt.call();
        call.ledger().release();
        if call.deadline().is_past(now()) {
            return Err("deadline");
        }
        let route = self.settings.simpler.as_ref().ok_or("routes")?;
        let request: Request<Bytes> =
            replay.request(self.attempt.clone()).map_err(|_lost| "request")?;
        let (mut parts, body) = request.into_parts();
        let changed = route.rewrite(&mut parts, Some(&body), call.facts());
        let body = changed.map_err(|_unchangeable| "request")?.unwrap_or(body);
        let mut request = Request::from_parts(parts, B::from(body.clone()));
        let known = call.made_as(&request, &body, route.answers());
        let tokens = tokens(known.facts());
        call.ledger().check(Role::Simplified, tokens).map_err(why)?;
        // The account learns of an attempt that nobody has claimed when its answer is dropped.
        if !self.attempt.is_counted()
            && !self.attempt.is_unsent()
            && call.ledger().attempts_left() < 2
        {
            return Err("attempts");
        }
        if let Some(budget) = &self.settings.budget {
            // It is spent for good: the attempt is made at once.
            let _spent =
                budget.withdraw(Purpose::Fallback, tokens, now()).map_err(|_refused| "budget")?;
        }
        let attempt = self.attempt.at_call(known);
        attempt.send(Arc::new(Errand { route: route.name.clone(), in_place: None }));
        request.extensions_mut().insert(attempt.clone());
        Ok((request, attempt))
    }

    /// An answer that says this, in the form that was asked for.
    fn say<R>(&self, text: &str) -> Option<Response<Body<R>>>
    where
        R: http_body::Body<Data = Bytes>,
    {
        let facts = self.attempt.call().facts();
        let dialect = facts.dialect.or_else(|| facts.provider.usual_dialect());
        let dialect = dialect.unwrap_or(Dialect::OpenAiChat);
        let created = date().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = Text::answering(text, facts, &self.uri).id("static").created(created.as_secs());
        let written = write::answer(dialect, &text)?;
        let mut response = Response::new(Body::made(written.frames));
        *response.status_mut() = written.status;
        *response.headers_mut() = written.headers;
        Some(response)
    }

    /// The answer, with why it is less.
    fn with<R>(
        &self,
        mut response: Response<Body<R>>,
        source: Source<'static>,
        error: Error,
    ) -> Response<Body<R>>
    where
        R: http_body::Body<Data = Bytes>,
    {
        self.attempt.call().report(&Event::Degraded { source, code: error.code() });
        response.extensions_mut().insert(Degraded { source, error: Arc::new(error) });
        response
    }
}

fn code_of(error: &BoxError) -> Code {
    match explain(error) {
        Some(told) => told.code,
        None => Verdict::no_answer(no_answer(error)).code().unwrap_or(Code::Disconnected),
    }
}

/// What an error means. As much of it is read as that takes.
async fn learn<R>(attempt: &Attempt, response: &mut Response<Body<R>>) -> Verdict
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let limit = attempt.call().deadline().within(LONGEST_FOR_AN_ERROR, now());
    let limit = limit.remaining(now()).unwrap_or(LONGEST_FOR_AN_ERROR);
    // A layer in between may have made another attempt, and this is the answer to that.
    let answered = response.extensions().get::<Attempt>().cloned();
    let (status, headers) = (response.status(), response.headers().clone());
    let Some(body) = response.body_mut().held() else { return Verdict::abandoned() };
    let held = &mut body.held;
    let hold = poll_fn(|cx| {
        while !held.is_whole() && held.bytes() < MOST_OF_AN_ERROR {
            if held.poll_more(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    });
    let _in_time = timeout(limit, hold).await;
    let told = answered.as_ref().unwrap_or(attempt).verdict().cloned();
    told.unwrap_or_else(|| judge(attempt.call().facts(), status, &headers, body.held.data()))
}

impl<S> fmt::Debug for Rescue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rescue").field("asks_again", &self.again.is_some()).finish_non_exhaustive()
    }
}
