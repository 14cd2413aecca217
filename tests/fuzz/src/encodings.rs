//! Encoded answers: they pass unchanged whatever they hold, and take little memory to read.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    io::Write,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use battlement::{call::Attempt, observe::ObserveLayer};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::{entropy::Entropy, memory, mutate::mutate};

/// A Brotli window, 16 MiB, and the rings and tables beside it. The others take less.
const MOST_MEMORY: usize = 40 << 20;

/// Runs one input: a choice of encoding and damage, then what is encoded, or the encoded bytes.
///
/// # Panics
///
/// When something does not hold.
pub fn check(input: &[u8]) {
    let mut entropy = Entropy::new(input);
    let encoding = entropy.pick(&["gzip", "br", "zstd", "gzip, br", "identity", "?"]);
    let status = entropy.pick(&[200, 200, 200, 429, 500]);
    let kind = entropy.pick(&["text/event-stream", "application/json", "text/plain"]);
    let (repeats, damages) = (entropy.below(3) * 4000, entropy.below(3));
    let size = entropy.below(5000) + 1;
    let is_encoded = entropy.one_in(2);
    let rest = entropy.rest();
    let (damage, content) = rest.split_at(rest.len().min(damages * 4));
    let mut body = content.to_vec();
    if is_encoded {
        body = encode(encoding, body.repeat(1 + repeats / body.len().max(1)));
        let mut entropy = Entropy::new(damage);
        for _ in 0..damages {
            mutate(&mut body, &mut entropy);
        }
    }
    let slices: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let ((), peak) = memory::peak(|| pass(&slices, status, encoding, kind));
    assert!(peak < MOST_MEMORY + 2 * body.len(), "{peak} bytes");
}

fn encode(encoding: &str, body: Vec<u8>) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&body).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(&body[..], 1).unwrap(),
        _ => body,
    }
}

/// Lets an answer pass, and compares what comes out.
fn pass(slices: &[Bytes], status: u16, encoding: &str, kind: &str) {
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_ENCODING, encoding)
        .header(header::CONTENT_TYPE, kind)
        .body(Slices(Vec::from(slices).into_iter()))
        .unwrap();
    let mut service = ObserveLayer::new().layer(Answers(Some(response)));
    let request = Request::post("https://api.openai.com/v1/chat/completions");
    let body = Bytes::from_static(br#"{"model":"m","stream":true,"messages":[]}"#);
    let request = request.body(Slices::from(body)).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(answered) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("it is there")
    };
    let response = answered.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    let mut body = pin!(response.into_body());
    for slice in slices {
        let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) else {
            panic!("it is there")
        };
        assert_eq!(frame.data_ref(), Some(slice));
    }
    assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(None)));
    let verdict = attempt.verdict().expect("the body has ended");
    assert!(status == 200 || !verdict.is_success(), "{verdict:?}");
}

#[derive(Clone)]
struct Answers(Option<Response<Slices>>);

impl Service<Request<Slices>> for Answers {
    type Response = Response<Slices>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Slices>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Slices>) -> Self::Future {
        ready(Ok(self.0.take().expect("called once")))
    }
}

#[derive(Clone)]
struct Slices(std::vec::IntoIter<Bytes>);

impl From<Bytes> for Slices {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes].into_iter())
    }
}

impl Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_slice().iter().map(|bytes| bytes.len() as u64).sum())
    }
}
