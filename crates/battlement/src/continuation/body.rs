//! The body of an answer: as it came, joined, or a stream that goes on where it has ended.

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use battlement_core::{
    FinishClass, Outcome,
    continuation::{Close, Splicer, Standing},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{
    Cause,
    again::{Asking, Rounds},
    told::{Diverged, Entry},
};
use crate::{call::Attempt, error::BoxError, hold::Held, observe};

/// A value that only its owner gets at, so that it need not be shareable for its owner to be: it is never locked.
pub(super) struct Alone<T>(Mutex<T>);

impl<T> Alone<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of one round.
type Round<R> = Held<observe::Body<R, Entry>>;

/// An answer of one round, or of several.
pub struct Spliced<R>
where
    R: http_body::Body<Data = Bytes>,
{
    // What is on its way is dropped first.
    source: Source<R>,
    splice: Option<Box<Splice<R>>>,
}

enum Source<R>
where
    R: http_body::Body<Data = Bytes>,
{
    /// An answer, the first or a further one.
    Round(Round<R>),
    /// A further one is asked for.
    Asking(Alone<Asking<R>>),
    /// All of it is there.
    Joined(Option<Bytes>),
    Over,
}

/// What it takes to go on.
struct Splice<R>
where
    R: http_body::Body<Data = Bytes>,
{
    splicer: Splicer,
    /// That of the present round.
    attempt: Attempt,
    /// `None` while it asks, and when nothing comes after this.
    rounds: Option<Alone<Box<dyn Rounds<R> + Send>>>,
    is_first: bool,
    /// How much text there was when the round began.
    known: usize,
    ready: VecDeque<Frame<Bytes>>,
    trailers: Option<Frame<Bytes>>,
    /// How the round has ended that broke off last.
    broke: Option<BoxError>,
}

impl<R> Spliced<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    /// An answer that stays as it is.
    pub(super) fn plain(round: Round<R>) -> Self {
        Self { source: Source::Round(round), splice: None }
    }

    /// An answer that was made of several.
    pub(super) fn joined(body: Bytes) -> Self {
        Self { source: Source::Joined(Some(body)), splice: None }
    }

    /// A stream that may go on.
    pub(super) fn stream(
        round: observe::Body<R, Entry>,
        splicer: Splicer,
        rounds: Box<dyn Rounds<R> + Send>,
    ) -> Self {
        let splice = Splice {
            splicer,
            attempt: round.attempt().clone(),
            rounds: Some(Alone::new(rounds)),
            is_first: true,
            known: 0,
            ready: VecDeque::new(),
            trailers: None,
            broke: None,
        };
        Self { source: Source::Round(Held::new(round)), splice: Some(Box::new(splice)) }
    }
}

impl<R> Splice<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    /// Takes a slice in; whether the round is of any more use.
    fn feed(&mut self, slice: &Bytes) -> bool {
        let passed = self.splicer.feed(slice);
        self.push(passed.before);
        if !passed.slice.is_empty() {
            self.ready.push_back(Frame::data(slice.slice(passed.slice)));
        }
        let is_lost = self.splicer.is_full() || self.splicer.is_foreign();
        !is_lost && self.splicer.diverged().is_none()
    }

    fn push(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.ready.push_back(Frame::data(bytes.into()));
        }
    }

    /// A round is over; the next, if there is one.
    fn over(&mut self, error: Option<BoxError>) -> Source<R> {
        let is_cut = self.splicer.standing() == Standing::Cut;
        let cause = self.cause(error.is_some());
        if error.is_some() || is_cut {
            self.broke = error;
        }
        let rounds = self.rounds.take().map(Alone::into_inner);
        let Some(mut rounds) = rounds else { return Source::Over };
        let text = self.splicer.text();
        let is_wanted = cause.filter(|cause| rounds.cares(*cause) && self.splicer.can_go_on());
        if let Some(cause) = is_wanted {
            rounds.spent(&self.attempt, text.get(self.known..).unwrap_or_default());
            self.known = text.len();
            return Source::Asking(Alone::new(rounds.ask(cause, text)));
        }
        self.close();
        Source::Over
    }

    /// Why there is a rest, if there is one.
    fn cause(&self, is_broken: bool) -> Option<Cause> {
        match self.splicer.standing() {
            Standing::Finished(FinishClass::Length) if !is_broken => Some(Cause::Length),
            Standing::Finished(_) => None,
            // An error that will not pass would come again.
            Standing::Failed | Standing::Cut => {
                let may_pass = self.attempt.verdict().is_none_or(|verdict| {
                    verdict.is_retryable() || matches!(verdict.outcome, Outcome::Cut)
                });
                may_pass.then_some(Cause::Cut)
            }
        }
    }

    /// No further round comes.
    fn close(&mut self) {
        self.rounds = None;
        match self.splicer.close() {
            Close::Ended(end) => {
                self.push(end);
                if !self.is_first {
                    self.broke = None;
                }
            }
            Close::Open(rest) => self.push(rest),
            Close::Diverged(from) => self.broke = Some(Diverged { from }.into()),
        }
        if self.broke.is_none() {
            self.ready.extend(self.trailers.take());
        }
    }
}

impl<R> http_body::Body for Spliced<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { source, splice } = &mut *self;
        let Some(splice) = splice else {
            return match source {
                Source::Round(round) => {
                    let frame = ready!(Pin::new(round).poll_frame(cx));
                    Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
                }
                Source::Joined(body) => {
                    let body = body.take().filter(|body| !body.is_empty());
                    Poll::Ready(body.map(|body| Ok(Frame::data(body))))
                }
                Source::Asking(_) | Source::Over => Poll::Ready(None),
            };
        };
        loop {
            if let Some(frame) = splice.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let error = match source {
                Source::Over | Source::Joined(_) => {
                    return Poll::Ready(splice.broke.take().map(Err));
                }
                Source::Asking(asking) => {
                    let (rounds, begun) = ready!(asking.get_mut().as_mut().poll(cx));
                    splice.rounds = Some(Alone::new(rounds));
                    *source = match begun.map(|begun| (begun.response, begun.overlap)) {
                        Some((response, Some(overlap))) => {
                            splice.splicer.go_on(overlap);
                            splice.is_first = false;
                            splice.attempt = response.body().attempt().clone();
                            Source::Round(Held::new(response.into_body()))
                        }
                        _ => {
                            splice.close();
                            Source::Over
                        }
                    };
                    continue;
                }
                Source::Round(round) => match ready!(Pin::new(round).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        match frame.into_data() {
                            Ok(data) => {
                                if !splice.feed(&data) {
                                    // Dropped here: nothing of the rest is of use.
                                    *source = Source::Over;
                                    splice.close();
                                }
                            }
                            Err(trailers) => splice.trailers = Some(trailers),
                        }
                        continue;
                    }
                    Some(Err(error)) => Some(error.into()),
                    None => None,
                },
            };
            // The connection is free before the next round begins.
            drop(mem::replace(source, Source::Over));
            *source = splice.over(error);
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.source, &self.splice) {
            (Source::Round(round), None) => round.is_end_stream(),
            (Source::Joined(body), _) => body.is_none(),
            (Source::Over, Some(splice)) => splice.ready.is_empty() && splice.broke.is_none(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.source, &self.splice) {
            (Source::Round(round), None) => round.size_hint(),
            (Source::Joined(body), _) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}

impl<R> fmt::Debug for Spliced<R>
where
    R: http_body::Body<Data = Bytes>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_stream = self.splice.is_some();
        f.debug_struct("Spliced").field("is_stream", &is_stream).finish_non_exhaustive()
    }
}
