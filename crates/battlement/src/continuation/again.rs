//! Asks for the rest.

use std::{pin::Pin, sync::Arc};

use battlement_core::{
    attempts::Role,
    continuation::{Overlap, Prefill, followed_up, prefilled},
    models,
    request::{estimate, rewrite::Edit},
};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH, request::Parts};
use tower_service::Service;

use super::{
    Cause, Way,
    future::form,
    settings::Settings,
    told::{Continued, Entry},
};
use crate::{
    call::Attempt,
    clock::now,
    error::BoxError,
    events::Event,
    fallback::when_ready,
    observe::{self, Settling, watch},
    replay::Replay,
    retry::{ticket::tokens, why},
};

/// An output limit that every model takes.
const SMALL: u64 = 4096;

/// What it takes to ask for the rest.
pub(super) struct Again<S> {
    pub(super) service: S,
    /// That of the whole answer.
    pub(super) attempt: Attempt,
    pub(super) replay: Replay,
    pub(super) settings: Arc<Settings>,
    pub(super) continued: Continued,
    /// How many further rounds were asked for.
    asked: u32,
    /// How many tokens the rounds so far have told of, or are thought to have.
    output: u64,
    /// How many of them are of the round that is over.
    last: u64,
    /// How much of the limit is used up by rounds that broke off, one after the other.
    used: u64,
    /// A round has ended at its limit: begun again, the answer would end there again.
    is_limited: bool,
    /// The limit of the last round, if it was raised.
    cap: Option<u64>,
}

/// A further round that has begun to come.
pub(super) struct Begun<R>
where
    R: http_body::Body<Data = Bytes>,
{
    pub(super) response: Response<observe::Body<R, Entry>>,
    /// What it may say again; `None` if it takes the place of all that was said.
    pub(super) overlap: Option<Overlap>,
}

/// A round that is asked for, and whoever asks for the next.
pub(super) type Asking<R> =
    Pin<Box<dyn Future<Output = (Box<dyn Rounds<R> + Send>, Option<Begun<R>>)> + Send>>;

/// Asks for the rest, whatever the service is: the body of an answer does not say.
pub(super) trait Rounds<R>
where
    R: http_body::Body<Data = Bytes>,
{
    /// Asks for one more round.
    fn ask(self: Box<Self>, cause: Cause, text: String) -> Asking<R>;

    /// Whether anything is done about this.
    fn cares(&self, cause: Cause) -> bool;

    /// A round is over; what it has cost, or the text that came.
    fn spent(&mut self, attempt: &Attempt, text: &str);
}

/// What is asked for in one round.
struct Asked {
    body: Vec<u8>,
    prefill: Option<Prefill>,
    overlap: Option<Overlap>,
}

impl<S> Again<S> {
    pub(super) fn new(
        service: S,
        attempt: Attempt,
        replay: Replay,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            service,
            attempt,
            replay,
            settings,
            continued: Continued::default(),
            asked: 0,
            output: 0,
            last: 0,
            used: 0,
            is_limited: false,
            cap: None,
        }
    }

    /// A round is over; what it has cost, or the text that came.
    pub(super) fn note(&mut self, attempt: &Attempt, text: &str) {
        let told = attempt.verdict().and_then(|verdict| verdict.usage?.output);
        self.last = told.unwrap_or_else(|| estimate::text(text));
        self.output = self.output.saturating_add(self.last);
    }

    /// One more round, in the first way that works; `None` if there is none.
    pub(super) async fn next<B, R>(&mut self, cause: Cause, text: &str) -> Option<Begun<R>>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes>,
    {
        let was_committed = self.attempt.call().ledger().is_committed();
        let begun = self.first_that_works::<B, R>(cause, text).await;
        if begun.is_none() && was_committed {
            // What went down before is still there.
            self.attempt.call().ledger().commit();
        }
        begun
    }

    async fn first_that_works<B, R>(&mut self, cause: Cause, text: &str) -> Option<Begun<R>>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes>,
    {
        self.used = match cause {
            Cause::Length => 0,
            Cause::Cut => self.used.saturating_add(self.last),
        };
        self.is_limited |= cause == Cause::Length;
        for &way in &*self.settings.ways(cause) {
            let (parts, original) = self.original()?;
            let Some(asked) = self.asked(way, cause, &parts, &original, text) else { continue };
            if let Err(reason) = self.may_ask() {
                self.attempt.call().report(&Event::GaveUp { reason });
                return None;
            }
            let response = self.send::<B, R>(parts, asked.body).await?;
            let is_refused = matches!(response.status().as_u16(), 400 | 422);
            if is_refused && way == Way::Prefill {
                // A model that does not take it after all. What else may be wrong is so for every other way, too.
                continue;
            }
            if !response.status().is_success() {
                return None;
            }
            let (served, own) = (response.body().attempt().call().facts(), self.attempt.call());
            if served.dialect != own.facts().dialect
                || form(response.headers(), own.facts().stream).is_none()
            {
                // It cannot be joined, whatever it says.
                continue;
            }
            if let Some(prefill) = asked.prefill {
                // It may have been served by somebody else than was asked, who has answered anew.
                let served = response.body().attempt().call();
                let (parts, _) = self.original()?;
                if self.settings.prefill(served, &parts.uri) != Some(prefill) {
                    continue;
                }
            }
            let round = self.continued.rounds() + 1;
            self.attempt.call().report(&Event::Continued { round, way, cause });
            return Some(Begun { response, overlap: asked.overlap });
        }
        None
    }

    fn original(&self) -> Option<(Parts, Bytes)> {
        let request: Request<Bytes> = self.replay.request(self.attempt.clone()).ok()?;
        Some(request.into_parts())
    }

    /// Whether there may be one more round; if not, why not.
    fn may_ask(&self) -> Result<(), &'static str> {
        let call = self.attempt.call();
        if self.asked >= self.settings.rounds {
            return Err("rounds");
        }
        if self.output >= self.settings.tokens {
            return Err("tokens");
        }
        if call.deadline().is_past(now()) {
            return Err("deadline");
        }
        call.ledger().check(Role::Continuation, tokens(call.facts())).map_err(why)
    }

    /// The body of a request for the rest; `None` if it cannot be asked for in this way.
    fn asked(
        &mut self,
        way: Way,
        cause: Cause,
        parts: &Parts,
        original: &[u8],
        text: &str,
    ) -> Option<Asked> {
        let call = self.attempt.call();
        let (facts, dialect) = (call.facts(), call.facts().dialect?);
        let left = self.settings.tokens.saturating_sub(self.output).max(1);
        let cap = self.cap.or(facts.max_output_tokens);
        let model = facts.model.as_deref().unwrap_or_default();
        let most = models::limits(facts.provider, model).and_then(|known| known.output);
        // Many refuse a limit above their own. So where that is not known, only one that is below all of them is set.
        let own = most.map(|most| most.min(left)).or((left <= SMALL).then_some(left));
        // What was generated before it broke off is taken from the limit.
        let rest = cap.map(|cap| cap.saturating_sub(self.used).clamp(1, left)).or(own);
        let limited = |body: Vec<u8>, cap: Option<u64>| {
            let edit = Edit { max_output_tokens: cap, ..Edit::default() };
            let edited = edit.apply(dialect, facts.provider, &body).ok()?;
            Some(edited.into_owned())
        };
        match way {
            Way::Prefill => {
                let prefill = self.settings.prefill(call, &parts.uri)?;
                let body = prefilled(dialect, original, prefill, text).ok()?;
                let overlap = Some(prefill.overlap());
                Some(Asked { body: limited(body, rest)?, prefill: Some(prefill), overlap })
            }
            Way::FollowUp => {
                let body = followed_up(dialect, original, text, &self.settings.wish).ok()?;
                let overlap = Some(Overlap::Blanks);
                Some(Asked { body: limited(body, rest)?, prefill: None, overlap })
            }
            Way::Restart if cause == Cause::Cut && !self.is_limited => {
                let overlap = Some(Overlap::All);
                // All of it is generated again.
                let body = match cap.map(|cap| cap.min(left)).or(own) {
                    Some(all) if facts.max_output_tokens != Some(all) => {
                        limited(original.to_vec(), Some(all))?
                    }
                    _ => original.to_vec(),
                };
                Some(Asked { body, prefill: None, overlap })
            }
            Way::Raise if cause == Cause::Length && !facts.stream => {
                let cap = cap?;
                let raised = cap.saturating_mul(4).min(left).min(most.unwrap_or(u64::MAX));
                if raised <= cap {
                    return None;
                }
                let body = limited(original.to_vec(), Some(raised))?;
                self.cap = Some(raised);
                Some(Asked { body, prefill: None, overlap: None })
            }
            Way::Restart | Way::Raise => None,
        }
    }

    /// Sends a request for the rest; its answer, if there is one.
    async fn send<B, R>(
        &mut self,
        mut parts: Parts,
        body: Vec<u8>,
    ) -> Option<Response<observe::Body<R, Entry>>>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
        R: http_body::Body<Data = Bytes>,
    {
        let (call, body) = (self.attempt.call(), Bytes::from(body));
        if parts.headers.contains_key(CONTENT_LENGTH) {
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        // It stands for the first request, whose answer would come again, or an error as the body is another.
        parts.headers.remove("idempotency-key");
        let mut request = Request::from_parts(parts, B::from(body.clone()));
        let known = call.made_as(&request, &body, Some(call.facts().provider));
        let attempt = self.attempt.part(known);
        request.extensions_mut().insert(attempt.clone());
        call.ledger().resume();
        self.asked += 1;
        // There before the service is called, and dropped after its future: a panic gives it back.
        let mut settling = Settling::new(attempt.clone(), Entry { started: Some(now()) });
        match when_ready(self.service.clone(), request).await {
            Ok(response) => Some(watch(response, settling)),
            Err(error) => {
                attempt.failed(&error);
                settling.settle();
                None
            }
        }
    }
}

/// [`Again`] for requests of one type.
pub(super) struct Asker<S, B> {
    pub(super) again: Again<S>,
    pub(super) _request: std::marker::PhantomData<fn(B)>,
}

impl<S, B, R> Rounds<R> for Asker<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: From<Bytes> + Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    fn ask(mut self: Box<Self>, cause: Cause, text: String) -> Asking<R> {
        Box::pin(async move {
            let begun = self.again.next::<B, R>(cause, &text).await;
            if begun.is_some() {
                self.again.continued.add();
            }
            (self as Box<dyn Rounds<R> + Send>, begun)
        })
    }

    fn cares(&self, cause: Cause) -> bool {
        !self.again.settings.ways(cause).is_empty()
    }

    fn spent(&mut self, attempt: &Attempt, text: &str) {
        self.again.note(attempt, text);
    }
}
