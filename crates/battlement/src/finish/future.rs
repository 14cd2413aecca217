//! Holds an answer back until it may go, or may not.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::{Code, FinishClass, Outcome, Signals, Verdict};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE, response::Parts};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Action, Beyond, Body, Hold, Tag, TooLong, Unusable, body::Watch, error::Found, layer::Settings,
};
use crate::{
    call::Attempt,
    error::BoxError,
    events::Event,
    hold::Held,
    observe::{self, Attempted},
};

pin_project! {
    /// The future of [`Finish`](super::Finish).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        #[pin]
        attempted: Attempted<S, B, ()>,
        // In a box, since whatever is further out moves it on.
        holding: Option<Box<Holding<R>>>,
        settings: Arc<Settings>,
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn new(attempted: Attempted<S, B, ()>, settings: Arc<Settings>) -> Self {
        Self { attempted, holding: None, settings }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(holding) = this.holding {
            let decided = ready!(holding.poll_decided(cx, this.settings));
            let holding = this.holding.take().expect("looked at above");
            return Poll::Ready(holding.release(decided, this.settings));
        }
        let mut holding = Holding::new(ready!(this.attempted.poll(cx))?);
        match holding.poll_decided(cx, this.settings) {
            Poll::Ready(decided) => Poll::Ready(holding.release(decided, this.settings)),
            Poll::Pending => {
                *this.holding = Some(Box::new(holding));
                Poll::Pending
            }
        }
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// An answer that is held back.
struct Holding<R: http_body::Body<Data = Bytes>> {
    parts: Parts,
    body: Held<observe::Body<R>>,
    attempt: Attempt,
    is_document: bool,
}

/// What is done with it.
enum Decided {
    /// It is none of our business.
    Ignore,
    /// It may go; its end is not known yet.
    Commit,
    /// All of it is there.
    Judge,
    /// It is longer than may be held.
    TooLong,
}

impl<R> Holding<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    fn new(response: Response<observe::Body<R>>) -> Self {
        let (parts, body) = response.into_parts();
        let attempt = body.attempt().clone();
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        let is_json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
        // Streams of Gemini can be JSON, too, and are asked for.
        let is_document = is_json && !attempt.call().facts().stream;
        Self { parts, body: Held::new(body), attempt, is_document }
    }

    fn poll_decided(&mut self, cx: &mut Context<'_>, settings: &Settings) -> Poll<Decided> {
        if !self.parts.status.is_success() {
            return Poll::Ready(Decided::Ignore);
        }
        if settings.hold == Hold::Not || self.attempt.progress().is_unread() {
            return Poll::Ready(Decided::Commit);
        }
        while !self.body.is_whole() {
            if self.may_go(settings) {
                return Poll::Ready(Decided::Commit);
            }
            if self.body.bytes() >= settings.hold.most() {
                return Poll::Ready(match settings.hold {
                    Hold::Complete { beyond: Beyond::Fail, .. } => Decided::TooLong,
                    _ => Decided::Commit,
                });
            }
            ready!(self.body.poll_more(cx));
        }
        Poll::Ready(Decided::Judge)
    }

    /// Whether there is output, and the end is not near.
    fn may_go(&self, settings: &Settings) -> bool {
        let signals = self.attempt.progress().signals();
        let has = |signal| signals.contains(signal);
        if self.is_document
            || matches!(settings.hold, Hold::Complete { .. })
            || !has(Signals::OUTPUT)
            || has(Signals::ERROR)
        {
            return false;
        }
        // Where only the reason for stopping is there, the end is near: it is worth to wait for.
        if has(Signals::END) { is_fine(&self.attempt, settings) } else { !has(Signals::FINISH) }
    }

    /// Lets it go, or does not.
    fn release(
        mut self,
        decided: Decided,
        settings: &Arc<Settings>,
    ) -> Result<Response<Body<R>>, BoxError> {
        let (watch, found) = match decided {
            Decided::Ignore => {
                return Ok(Response::from_parts(self.parts, Body::new(self.body, None)));
            }
            Decided::TooLong => {
                self.attempt.give_up(Code::AnswerTooLong);
                return Err(TooLong { most: settings.hold.most() }.into());
            }
            Decided::Judge => (None, self.judge(settings)?),
            Decided::Commit => {
                let attempt = self.attempt.clone();
                (Some(Watch::new(&self.parts, attempt, self.is_document, settings.clone())), None)
            }
        };
        if settings.policy.tags() {
            self.parts.extensions.insert(Tag::new(self.attempt, settings.policy, found));
        }
        Ok(Response::from_parts(self.parts, Body::new(self.body, watch)))
    }

    /// Judges an answer that is all there. If it may go, what a closer look has found that is to be
    /// tagged.
    fn judge(&mut self, settings: &Settings) -> Result<Option<Verdict>, BoxError> {
        let Some(verdict) = self.attempt.verdict() else { return Ok(None) };
        if let Some(found) = self.look_closer(verdict, settings) {
            let worse = found.told(verdict);
            return match found.action(&settings.policy) {
                Action::Pass => Ok(None),
                Action::Tag => Ok(Some(worse)),
                Action::Fail => Err(withheld(&self.attempt, worse, None)),
            };
        }
        match settings.policy.action(verdict) {
            Action::Pass | Action::Tag => Ok(None),
            Action::Fail => {
                let cause = self.body.take_error().map(Into::into);
                Err(withheld(&self.attempt, verdict.clone(), cause))
            }
        }
    }

    /// Looks at what a provider calls a success.
    fn look_closer(&self, verdict: &Verdict, settings: &Settings) -> Option<Found> {
        let ended = matches!(
            verdict.outcome,
            Outcome::Finished(FinishClass::Complete | FinishClass::StopSequence)
        );
        if !ended || !self.attempt.call().facts().operation.generates() {
            return None;
        }
        if !verdict.has_output {
            return Some(Found::Silence);
        }
        // Of a stream the first output is mostly gone by now, so no stream is looked at.
        let looks = self.is_document || matches!(settings.hold, Hold::Complete { .. });
        let refuses = looks && settings.phrases.open(self.body.data().map(|data| &**data));
        refuses.then_some(Found::Refusal)
    }
}

/// Whether an answer that ended now would be passed on.
pub(super) fn is_fine(attempt: &Attempt, settings: &Settings) -> bool {
    attempt.told().is_some_and(|class| settings.policy.of_finish(class) != Action::Fail)
}

/// The verdict, if it is there and the answer fails by it.
pub(super) fn fails<'a>(attempt: &'a Attempt, settings: &Settings) -> Option<&'a Verdict> {
    attempt.verdict().filter(|verdict| settings.policy.action(verdict) == Action::Fail)
}

/// Makes the error that the caller gets instead of the answer, or of its end.
pub(super) fn withheld(attempt: &Attempt, verdict: Verdict, cause: Option<BoxError>) -> BoxError {
    attempt.call().report(&Event::Withheld { verdict: &verdict });
    Unusable::new(verdict, cause).into()
}
