//! Services under the layers: well-behaved ones that are strict, and some that are not.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use battlement::BoxError;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;

pub(crate) type Ask = Request<Full<Bytes>>;

pub(crate) const EVENTS: [&str; 4] = [
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" world\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
];

pub(crate) fn ask() -> Ask {
    let body = r#"{"model":"gpt-5-mini","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#;
    Request::post("https://api.openai.com/v1/chat/completions").body(Full::from(body)).unwrap()
}

/// What the provider does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Streams an answer, and is pending once before the head and before every frame.
    Answer,
    /// Answers with this status.
    Status(u16),
    /// Fails without an answer.
    Fail,
    /// Panics when it is called, before there is a future.
    PanicAtOnce,
    /// Panics when its future is polled.
    PanicLater,
    /// Panics in the middle of its body.
    PanicInBody,
    /// Breaks in the middle of its body.
    Break,
}

/// A provider that panics when it is called without being ready, and counts what is alive.
#[derive(Debug)]
pub(crate) struct Strict {
    shared: Arc<Shared>,
    ready: bool,
}

#[derive(Debug)]
struct Shared {
    deed: Mutex<Deed>,
    /// Futures and bodies hold it.
    alive: Arc<()>,
    calls: AtomicUsize,
}

impl Strict {
    pub(crate) fn new(deed: Deed) -> Self {
        let shared =
            Shared { deed: Mutex::new(deed), alive: Arc::default(), calls: AtomicUsize::new(0) };
        Self { shared: Arc::new(shared), ready: false }
    }

    /// From now on it does this.
    pub(crate) fn set(&self, deed: Deed) {
        *self.shared.deed.lock().unwrap() = deed;
    }

    /// How many futures and bodies of it there are.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.shared.alive) - 1
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), ready: false }
    }
}

impl Service<Ask> for Strict {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send + Sync>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Ask) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let deed = *self.shared.deed.lock().unwrap();
        assert!(deed != Deed::PanicAtOnce, "as it was told");
        let alive = self.shared.alive.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let (status, frames) = match deed {
                Deed::Fail => return Err("connection reset".into()),
                Deed::PanicLater => panic!("as it was told"),
                Deed::Status(status) => (status, 1),
                _ => (200, EVENTS.len()),
            };
            let mut response =
                Response::new(Answer { deed, next: 0, frames, pending: true, _alive: alive });
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let kind = if status == 200 { "text/event-stream" } else { "application/json" };
            response.headers_mut().insert("content-type", kind.parse().unwrap());
            Ok(response)
        })
    }
}

/// The body of an answer; pending once before each frame.
#[derive(Debug)]
pub(crate) struct Answer {
    deed: Deed,
    next: usize,
    frames: usize,
    pending: bool,
    _alive: Arc<()>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.pending = !self.pending;
        if !self.pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.next == 2 {
            assert!(self.deed != Deed::PanicInBody, "as it was told");
            if self.deed == Deed::Break {
                return Poll::Ready(Some(Err("connection reset".into())));
            }
        }
        let next = self.next;
        self.next += 1;
        if next >= self.frames {
            return Poll::Ready(None);
        }
        let text = match self.deed {
            Deed::Status(_) => r#"{"error":{"type":"server_error","message":"no"}}"#,
            _ => EVENTS[next],
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }
}

/// Never ready, or ready to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unready {
    Pending,
    Failing,
}

impl Service<Ask> for Unready {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Response<Answer>, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Pending => Poll::Pending,
            Self::Failing => Poll::Ready(Err("the pool is closed".into())),
        }
    }

    fn call(&mut self, _request: Ask) -> Self::Future {
        panic!("called without being ready")
    }
}
