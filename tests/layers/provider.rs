//! A provider that sends a captured answer, in whatever pieces.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, Ready, ready},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use battlement::{BoxError, call::Options};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;

use crate::expected::Capture;

/// Answers once.
#[derive(Clone)]
pub(crate) struct Provider {
    response: Option<Response<Pieces>>,
}

/// A body in pieces, ready at once.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    breaks: bool,
}

impl Provider {
    /// Sends these bytes under the head of the capture, and then breaks the connection or does not.
    pub(crate) fn new(capture: &Capture, pieces: &[&[u8]], breaks: bool) -> Self {
        let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        let mut response = Response::new(Pieces { pieces, breaks });
        *response.status_mut() = capture.status;
        *response.headers_mut() = capture.headers.clone();
        Self { response: Some(response) }
    }
}

impl Service<Request<Full<Bytes>>> for Provider {
    type Response = Response<Pieces>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(self.response.take().expect("called once")))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.pieces.pop_front() {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None => std::mem::take(&mut self.breaks)
                .then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset))),
        })
    }
}

const STREAMED: [(&str, &str); 3] = [
    (":generateContent", ":streamGenerateContent"),
    ("/converse", "/converse-stream"),
    ("/invoke", "/invoke-with-response-stream"),
];

/// The request that a capture answers, as far as it matters.
pub(crate) fn request(capture: &Capture) -> Request<Full<Bytes>> {
    let mut path = capture.endpoint.replace(['{', '}'], "");
    // Captures that were made from others name the endpoint that is not streamed.
    for (whole, streamed) in STREAMED.iter().filter(|_| capture.stream) {
        if path.ends_with(whole) {
            path = path.replace(whole, streamed);
        }
    }
    let body = format!(r#"{{"model":"m","messages":[],"stream":{}}}"#, capture.stream);
    Request::post(format!("https://api.example.com{path}"))
        .extension(Options::default().dialect(capture.dialect).provider(capture.provider))
        .body(Full::from(body))
        .unwrap()
}

/// All that a body gives, and its error.
pub(crate) fn collect<R>(body: R) -> (Vec<u8>, Option<BoxError>)
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let hint = body.size_hint();
        assert!(hint.upper().is_none_or(|upper| hint.lower() <= upper));
        let ended = body.is_end_stream();
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => panic!("waits for what is there"),
            Poll::Ready(None) => return (bytes, None),
            Poll::Ready(Some(Err(error))) => return (bytes, Some(error.into())),
            Poll::Ready(Some(Ok(frame))) => {
                assert!(!ended, "more after its end");
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
}

/// What a future that has nothing to wait for gives.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits for what is there"),
    }
}
