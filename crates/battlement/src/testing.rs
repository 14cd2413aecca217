//! A provider made of a script, for the tests of the layers.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, Sleep, sleep};
use tower_service::Service;

use crate::error::BoxError;

/// One answer of the script.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Piece>,
    head_after: Duration,
    fails: Option<io::ErrorKind>,
    panics: bool,
}

/// A part of a body.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Bytes(String),
    Wait(Duration),
    Break,
    /// Nothing more, ever.
    Hang,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".into())],
            pieces: vec![Piece::Bytes(body.into())],
            head_after: Duration::ZERO,
            fails: None,
            panics: false,
        }
    }

    /// A whole answer of OpenAI's chat API.
    pub(crate) fn ok() -> Self {
        Self::finish("stop")
    }

    /// One that ended for this reason.
    pub(crate) fn finish(reason: &str) -> Self {
        let body = format!(
            r#"{{"id":"c","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"{reason}"}}],"usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}}}"#
        );
        Self::new(200, &body)
    }

    /// An error with OpenAI's body.
    pub(crate) fn error(status: u16, kind: &str) -> Self {
        let body = format!(r#"{{"error":{{"type":"{kind}","code":"{kind}","message":"no"}}}}"#);
        Self::new(status, &body)
    }

    /// A stream with these deltas, its finish and its end.
    pub(crate) fn stream(deltas: &[&str]) -> Self {
        let mut pieces: Vec<_> = deltas.iter().map(|text| Piece::Bytes(delta(text))).collect();
        pieces.push(Piece::Bytes(finish_event("stop")));
        pieces.push(Piece::Bytes("data: [DONE]\n\n".into()));
        Self::streaming(pieces)
    }

    /// A stream of these pieces.
    pub(crate) fn streaming(pieces: Vec<Piece>) -> Self {
        let headers = vec![("content-type", "text/event-stream".into())];
        Self { headers, pieces, ..Self::new(200, "") }
    }

    /// No answer: the connection is lost.
    pub(crate) fn failing() -> Self {
        Self::failing_with(io::ErrorKind::ConnectionReset)
    }

    /// No answer, for this reason.
    pub(crate) fn failing_with(kind: io::ErrorKind) -> Self {
        Self { fails: Some(kind), ..Self::ok() }
    }

    /// No answer: the service panics in its future.
    pub(crate) fn panicking() -> Self {
        Self { panics: true, ..Self::ok() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With this content type, or none.
    pub(crate) fn kind(mut self, kind: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| *name != "content-type");
        self.headers.extend(kind.map(|kind| ("content-type", kind.into())));
        self
    }

    /// Its body does not end.
    pub(crate) fn then_hang(mut self) -> Self {
        self.pieces.push(Piece::Hang);
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn head_after(mut self, time: Duration) -> Self {
        self.head_after = time;
        self
    }
}

/// An event with a bit of text.
pub(crate) fn delta(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// An event that finishes the only choice.
pub(crate) fn finish_event(reason: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
    )
}

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) at: Instant,
    pub(crate) uri: http::Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A provider that answers by a script and then begins again. Panics when called unready.
#[derive(Debug)]
pub(crate) struct Provider {
    shared: Arc<Shared>,
    ready: bool,
}

#[derive(Debug)]
struct Shared {
    script: Vec<Answer>,
    next: AtomicUsize,
    arrived: Mutex<Vec<Arrived>>,
    /// Bodies and futures that are alive.
    alive: Arc<()>,
}

impl Provider {
    pub(crate) fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let shared = Shared {
            script: script.into_iter().collect(),
            next: AtomicUsize::new(0),
            arrived: Mutex::default(),
            alive: Arc::default(),
        };
        Self { shared: Arc::new(shared), ready: false }
    }

    /// The requests so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// How many answers are on their way.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.shared.alive) - 1
    }
}

impl Clone for Provider {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), ready: false }
    }
}

impl Service<Request<Full<Bytes>>> for Provider {
    type Response = Response<ScriptedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.shared.script[number % self.shared.script.len()].clone();
        let (shared, alive) = (self.shared.clone(), self.shared.alive.clone());
        Box::pin(async move {
            let at = Instant::now();
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            shared.arrived.lock().unwrap().push(Arrived {
                at,
                uri: parts.uri,
                headers: parts.headers,
                body,
            });
            sleep(answer.head_after).await;
            assert!(!answer.panics, "as the script says");
            if let Some(kind) = answer.fails {
                return Err(io::Error::from(kind).into());
            }
            let mut pieces = answer.pieces;
            pieces.reverse();
            let mut response = Response::new(ScriptedBody { pieces, sleep: None, _alive: alive });
            *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
            for (name, value) in answer.headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            Ok(response)
        })
    }
}

/// A body made of pieces.
#[derive(Debug)]
pub(crate) struct ScriptedBody {
    /// The next one last.
    pieces: Vec<Piece>,
    sleep: Option<Pin<Box<Sleep>>>,
    _alive: Arc<()>,
}

impl http_body::Body for ScriptedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            return Poll::Ready(match self.pieces.pop() {
                None => None,
                Some(Piece::Bytes(text)) => Some(Ok(Frame::data(text.into()))),
                Some(Piece::Break) => Some(Err("connection reset by peer".into())),
                Some(Piece::Wait(time)) => {
                    self.sleep = Some(Box::pin(sleep(time)));
                    continue;
                }
                Some(Piece::Hang) => {
                    self.pieces.push(Piece::Hang);
                    return Poll::Pending;
                }
            });
        }
    }
}

/// A request to OpenAI's chat API.
pub(crate) fn request() -> Request<Full<Bytes>> {
    request_for(r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Hi"}]}"#)
}

/// One for a stream.
pub(crate) fn stream_request() -> Request<Full<Bytes>> {
    request_for(
        r#"{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#,
    )
}

/// One that asks for the same answer each time.
pub(crate) fn fixed_request() -> Request<Full<Bytes>> {
    request_for(
        r#"{"model":"gpt-5-mini","temperature":0,"messages":[{"role":"user","content":"Hi"}]}"#,
    )
}

/// One for such a stream.
pub(crate) fn fixed_stream_request() -> Request<Full<Bytes>> {
    request_for(
        r#"{"model":"gpt-5-mini","temperature":0,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#,
    )
}

pub(crate) fn request_for(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("https://api.openai.com/v1/chat/completions").body(Full::from(body)).unwrap()
}

/// All of a body as text, or its error.
pub(crate) async fn text<R>(response: Response<R>) -> Result<String, R::Error>
where
    R: http_body::Body<Data = Bytes>,
{
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
