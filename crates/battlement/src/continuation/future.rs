//! The first round, and what is made of it.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::continuation::Splicer;
use bytes::Bytes;
use http::{
    HeaderMap, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Body,
    again::{Again, Asker},
    body::Spliced,
    joined::join,
    told::Entry,
};
use crate::{
    error::BoxError,
    hold::Held,
    observe::{self, Attempted, Settling, watch},
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

pin_project! {
    /// The future of [`Continuation`](super::Continuation).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        // In the order in which they are to be dropped.
        #[pin]
        state: State<S, B, R>,
        // That of the whole answer.
        settling: Option<Settling<()>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        First {
            #[pin]
            attempted: Attempted<S, B, Entry>,
            // `None` if it stays the only one. In a box, as it has room for the whole request.
            again: Option<Box<Again<S>>>,
        },
        // In a box, as it is slow anyway: all of the answer is waited for.
        Joining { future: Pin<Box<dyn Future<Output = Response<Spliced<R>>> + Send>> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn new(
        attempted: Attempted<S, B, Entry>,
        settling: Settling<()>,
        again: Option<Box<Again<S>>>,
    ) -> Self {
        Self { state: State::First { attempted, again }, settling: Some(settling) }
    }
}

/// In which form an answer comes that may be continued.
pub(super) enum Form {
    Stream,
    Document,
}

pub(super) fn form(headers: &HeaderMap, is_stream: bool) -> Option<Form> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (&*kind, is_stream) {
        ("text/event-stream", true) => Some(Form::Stream),
        ("application/json", false) => Some(Form::Document),
        _ => None,
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: From<Bytes> + Send + 'static,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError> + Send,
{
    type Output = Answer<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const OVER: &str = "polled after it was over";
        let mut this = self.project();
        loop {
            let (again, response) = match this.state.as_mut().project() {
                StateProjection::Joining { future } => {
                    let response = ready!(future.as_mut().poll(cx));
                    let settling = this.settling.take().expect(OVER);
                    return Poll::Ready(Ok(watch(response, settling)));
                }
                StateProjection::First { attempted, again } => {
                    match (ready!(attempted.poll(cx)), again.take()) {
                        (Ok(response), Some(again)) => (again, response),
                        (Ok(response), None) => {
                            let settling = this.settling.take().expect(OVER);
                            return Poll::Ready(Ok(plain(response, settling)));
                        }
                        (Err(error), _) => {
                            let mut settling = this.settling.take().expect(OVER);
                            settling.attempt().failed(&error);
                            settling.settle();
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            };
            let attempt = response.body().attempt().clone();
            let facts = attempt.call().facts();
            let form = form(response.headers(), facts.stream);
            match form.filter(|_| response.status().is_success()) {
                Some(Form::Document) => {
                    let continued = again.continued.clone();
                    let mut response = response;
                    response.extensions_mut().insert(continued);
                    let future = Box::pin(join::<S, B, R>(*again, response));
                    this.state.set(State::Joining { future });
                }
                Some(Form::Stream) => {
                    let most = again.settings.most_text;
                    let splicer = facts.dialect.and_then(|dialect| Splicer::new(dialect, most));
                    let settling = this.settling.take().expect(OVER);
                    let Some(splicer) = splicer else {
                        return Poll::Ready(Ok(plain(response, settling)));
                    };
                    let mut response = response;
                    response.extensions_mut().insert(again.continued.clone());
                    let asker = Box::new(Asker { again: *again, _request: PhantomData::<fn(B)> });
                    let response = response.map(|body| Spliced::stream(body, splicer, asker));
                    return Poll::Ready(Ok(watch(response, settling)));
                }
                None => {
                    let settling = this.settling.take().expect(OVER);
                    return Poll::Ready(Ok(plain(response, settling)));
                }
            }
        }
    }
}

/// An answer that stays as it is.
fn plain<R>(
    response: Response<observe::Body<R, Entry>>,
    settling: Settling<()>,
) -> Response<Body<R>>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    watch(response.map(|body| Spliced::plain(Held::new(body))), settling)
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
