//! The service under all of them, and how a call is made.

use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Future, Ready, ready},
    hint::black_box,
    pin::{Pin, pin},
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;

pub(super) type Ask = Request<Full<Bytes>>;

const QUESTION: &[u8] = br#"{"model":"gpt-5-mini","max_tokens":500,"messages":[{"role":"user","content":"Name three rivers."}]}"#;

const ANSWER: &[u8] = br#"{"id":"c","object":"chat.completion","model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Rhine, Elbe, Danube."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#;

/// A small request, as a client makes it.
pub(super) fn ask() -> Ask {
    let mut request = Request::new(Full::new(Bytes::from_static(QUESTION)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("https://api.openai.com/v1/chat/completions");
    let headers = request.headers_mut();
    headers.insert("authorization", HeaderValue::from_static("Bearer sk-0123456789abcdef"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    request
}

/// A small request that asks for the same answer each time.
pub(super) fn ask_fixed() -> Ask {
    const QUESTION: &[u8] = br#"{"model":"gpt-5-mini","temperature":0,"max_tokens":500,"messages":[{"role":"user","content":"Name three rivers."}]}"#;
    let mut request = ask();
    *request.body_mut() = Full::new(Bytes::from_static(QUESTION));
    request
}

/// The length of an answer of 4 KiB.
pub(super) const LONG_BYTES: usize = 4_096;

/// That answer.
static LONG_ANSWER: LazyLock<Bytes> = LazyLock::new(|| {
    let (before, after) = (
        r#"{"id":"c","object":"chat.completion","model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":""#,
        r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":900,"total_tokens":912}}"#,
    );
    let words = "Rhine, Elbe, Danube. ".repeat(LONG_BYTES);
    let words = &words[..LONG_BYTES - before.len() - after.len()];
    Bytes::from([before, words, after].concat())
});

/// Answers at once, with 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long;

impl Service<Ask> for Long {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Ask) -> Self::Future {
        black_box(request);
        let mut response = Response::new(Full::new(LONG_ANSWER.clone()));
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert("content-type", kind);
        ready(Ok(response))
    }
}

/// Answers at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare;

impl Service<Ask> for Bare {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Ask) -> Self::Future {
        black_box(request);
        let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert("content-type", kind);
        ready(Ok(response))
    }
}

/// Makes a call that need not wait, and reads its answer; how many bytes that was.
pub(super) fn call<S, R>(service: &mut S, request: Ask) -> usize
where
    S: Service<Ask, Response = Response<R>>,
    S::Error: Debug,
    R: Body<Data = Bytes>,
    R::Error: Debug,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(ready) = service.poll_ready(&mut cx) else { panic!("not ready") };
    ready.expect("ready");
    let mut future = pin!(service.call(request));
    // Some yield to the runtime once.
    let response = loop {
        if let Poll::Ready(response) = future.as_mut().poll(&mut cx) {
            break response.expect("answered");
        }
    };
    let mut body = pin!(response.into_body());
    let mut bytes = 0;
    while let Some(length) = frame(body.as_mut(), &mut cx) {
        bytes += length;
    }
    bytes
}

/// The length of the next frame, which need not be waited for.
pub(super) fn frame<R>(body: Pin<&mut R>, cx: &mut Context<'_>) -> Option<usize>
where
    R: Body<Data = Bytes>,
    R::Error: Debug,
{
    let Poll::Ready(frame) = body.poll_frame(cx) else { panic!("waits") };
    let frame = frame?.expect("a frame");
    Some(frame.data_ref().map_or(0, Bytes::len))
}

/// The answer of [`Bare`].
pub(super) const ANSWERED: usize = ANSWER.len();

/// Streams so many events.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) events: Vec<Bytes>,
    /// Whether it goes on for ever after them.
    pub(super) hangs: bool,
}

impl Streams {
    /// Deltas of about 300 bytes, and the end.
    pub(super) fn new(events: usize) -> Self {
        let delta = |index: usize| {
            let text = format!(
                r#"data: {{"id":"chatcmpl-BxYzAbCdEfGhIjKlMnOpQrStUv","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini-2026-08-07","service_tier":"default","system_fingerprint":"fp_1234567890","choices":[{{"index":0,"delta":{{"content":" word{index}"}},"logprobs":null,"finish_reason":null}}],"obfuscation":"abcdefgh"}}"#
            );
            Bytes::from(text + "\n\n")
        };
        let mut all: Vec<_> = (0..events).map(delta).collect();
        let finish = r#"data: {"id":"chatcmpl-BxYzAbCdEfGhIjKlMnOpQrStUv","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        all.push(Bytes::from(format!("{finish}\n\n")));
        all.push(Bytes::from_static(b"data: [DONE]\n\n"));
        Self { events: all, hangs: false }
    }

    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(Bytes::len).sum()
    }
}

impl Service<Ask> for Streams {
    type Response = Response<Events>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Ask) -> Self::Future {
        black_box(request);
        let events = self.events.clone().into_iter();
        let mut response = Response::new(Events { events, hangs: self.hangs });
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert("content-type", kind);
        ready(Ok(response))
    }
}

/// The body of a stream.
#[derive(Debug)]
pub(super) struct Events {
    events: std::vec::IntoIter<Bytes>,
    hangs: bool,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.events.next() {
            Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
            None if self.hangs => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
