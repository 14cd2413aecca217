//! Passes an answer on, and keeps back an end that would be a lie.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::{Code, Dialect, Signals};
use bytes::Bytes;
use http::{
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body::{Frame, SizeHint};

use super::{
    AfterCommit, Unusable,
    future::{fails, is_fine, withheld},
    layer::Settings,
};
use crate::{
    call::Attempt,
    error::BoxError,
    hold::{Held, weight},
    observe,
};

/// The body of an answer that may end with an error; see the [module documentation](super).
pub struct Body<R: http_body::Body<Data = Bytes>> {
    inner: Held<observe::Body<R>>,
    /// `None` if its end is decided on. In a box, since whatever is further out moves it on.
    watch: Option<Box<Watch>>,
}

/// What it takes to decide on the end of an answer that is on its way.
pub(super) struct Watch {
    attempt: Attempt,
    settings: Arc<Settings>,
    is_document: bool,
    event: Option<ErrorEvent>,
    /// What is kept back: from the frame on that brought the end.
    tail: VecDeque<Frame<Bytes>>,
    tail_bytes: usize,
    keeping: Keeping,
    /// The provider's own error was passed on.
    error_passed: bool,
    /// The end, and its error.
    end: Option<Option<BoxError>>,
}

/// Whether frames are kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    NotYet,
    Now,
    /// The end has come, or too much came after it.
    NoMore,
}

/// More than this does not come after the end of an honest answer, so it is not the end.
const MOST_TAIL: usize = 64 * 1024;

/// What an error looks like to the client of a stream.
struct ErrorEvent {
    dialect: Dialect,
    content_type: Box<str>,
    /// The last four bytes that passed.
    last: u32,
}

impl Watch {
    pub(super) fn new(
        parts: &Parts,
        attempt: Attempt,
        is_document: bool,
        settings: Arc<Settings>,
    ) -> Self {
        let writes = settings.after_commit == AfterCommit::ErrorEvent
            && !parts.headers.contains_key(CONTENT_LENGTH);
        let event = writes.then(|| ErrorEvent::new(parts, &attempt)).flatten();
        Self {
            attempt,
            settings,
            is_document,
            event,
            tail: VecDeque::new(),
            tail_bytes: 0,
            keeping: Keeping::NotYet,
            error_passed: false,
            end: None,
        }
    }

    /// Takes a frame from below; gives what may pass.
    fn frame(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let signals = self.attempt.progress().signals();
        if self.keeping == Keeping::NotYet && self.is_end(signals) {
            self.keeping = Keeping::Now;
        }
        if self.keeping == Keeping::Now {
            self.tail_bytes += weight(&frame);
            self.tail.push_back(frame);
            if self.tail_bytes > MOST_TAIL {
                self.keeping = Keeping::NoMore;
            }
            return None;
        }
        self.pass(&frame);
        Some(frame)
    }

    /// Whether the end has come, of an answer that may fail.
    fn is_end(&self, signals: Signals) -> bool {
        let has = |signal| signals.contains(signal);
        let ends = has(Signals::END)
            || (self.is_document && (has(Signals::FINISH) || has(Signals::ERROR)));
        ends && !is_fine(&self.attempt, &self.settings)
    }

    fn pass(&mut self, frame: &Frame<Bytes>) {
        self.error_passed |= self.attempt.progress().signals().contains(Signals::ERROR);
        if let (Some(event), Some(data)) = (&mut self.event, frame.data_ref()) {
            event.pass(data);
        }
    }

    /// The next frame that was kept back, if it may go.
    fn kept(&mut self) -> Option<Frame<Bytes>> {
        if self.keeping == Keeping::Now {
            return None;
        }
        let frame = self.tail.pop_front()?;
        self.pass(&frame);
        Some(frame)
    }

    /// The body is over.
    fn ends(&mut self, error: Option<BoxError>) {
        self.keeping = Keeping::NoMore;
        let Some(verdict) = fails(&self.attempt, &self.settings) else {
            self.end = Some(error);
            return;
        };
        self.tail.clear();
        let error = withheld(&self.attempt, verdict.clone(), error);
        let told = match &self.event {
            // The client was told in the provider's words.
            Some(event) if self.error_passed && event.is_possible() => Some(None),
            Some(event) => event.of(&error).map(Some),
            None => None,
        };
        self.end = Some(match told {
            Some(event) => {
                self.tail.extend(event);
                None
            }
            None => Some(error),
        });
    }

    /// Whether nothing more comes, with a body below that is over.
    fn is_over(&self) -> bool {
        self.tail.is_empty()
            && match &self.end {
                Some(error) => error.is_none(),
                None => self.attempt.is_over() && fails(&self.attempt, &self.settings).is_none(),
            }
    }
}

impl ErrorEvent {
    /// `None` if there is none in this stream.
    fn new(parts: &Parts, attempt: &Attempt) -> Option<Self> {
        let facts = attempt.call().facts();
        let dialect = facts.dialect.or_else(|| facts.provider.usual_dialect());
        let dialect = dialect.unwrap_or(Dialect::OpenAiChat);
        let content_type = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let is_written = dialect.error_event(content_type, Code::StreamCut, "").is_some();
        is_written.then(|| Self {
            dialect,
            content_type: content_type.into(),
            last: u32::from_be_bytes(*b"\n\n\n\n"),
        })
    }

    fn pass(&mut self, data: &[u8]) {
        for byte in &data[data.len().saturating_sub(4)..] {
            self.last = self.last << 8 | u32::from(*byte);
        }
    }

    /// Whether what has passed ends with a whole event.
    fn is_possible(&self) -> bool {
        let last = self.last.to_be_bytes();
        [&b"\n\n"[..], b"\r\r", b"\r\n\r\n"].iter().any(|end| last.ends_with(end))
            || (last.ends_with(b"\n") && self.content_type.contains("ndjson"))
    }

    fn of(&self, error: &BoxError) -> Option<Frame<Bytes>> {
        let unusable = error.downcast_ref::<Unusable>().filter(|_| self.is_possible())?;
        // The client is who it was meant for, so it may have the provider's message.
        let failure = unusable.verdict.failure.as_ref();
        let message = match failure.and_then(|failure| failure.report.message.as_deref()) {
            Some(message) => format!("{unusable} The provider says: {message}"),
            None => unusable.to_string(),
        };
        let event = self.dialect.error_event(&self.content_type, unusable.code(), &message)?;
        Some(Frame::data(event.into()))
    }
}

impl<R> Body<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(inner: Held<observe::Body<R>>, watch: Option<Watch>) -> Self {
        Self { inner, watch: watch.map(Box::new) }
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(watch) = &mut this.watch else {
            let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        };
        loop {
            if let Some(frame) = watch.kept() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if let Some(error) = &mut watch.end {
                return Poll::Ready(error.take().map(Err));
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Some(frame) = watch.frame(frame) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Some(Err(error)) => watch.ends(Some(error.into())),
                None => watch.ends(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.watch {
            None => self.inner.is_end_stream(),
            Some(watch) if watch.end.is_some() => watch.is_over(),
            Some(watch) => self.inner.is_end_stream() && watch.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let Some(watch) = &self.watch else { return self.inner.size_hint() };
        let kept = watch.tail.iter().filter_map(Frame::data_ref);
        let kept: u64 = kept.map(|data| data.len() as u64).sum();
        if watch.end.is_some() {
            return SizeHint::with_exact(kept);
        }
        if watch.event.is_some() {
            // The end may be replaced by something shorter or longer.
            return SizeHint::default();
        }
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(kept));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint
    }
}

impl<R: http_body::Body<Data = Bytes>> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("is_decided", &self.watch.is_none()).finish_non_exhaustive()
    }
}
