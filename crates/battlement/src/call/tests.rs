//! Requests whose bodies are still on their way in.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement_core::Code;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, ServiceExt, service_fn};

use super::{Attempt, CallLayer, Options};
use crate::Error;

const SECOND: Duration = Duration::from_secs(1);
const ASK: &str = r#"{"model":"gpt-5-mini","messages":[]}"#;

/// A body that comes as a whole after a while.
struct Upload {
    sleep: Option<Pin<Box<Sleep>>>,
    bytes: Option<Bytes>,
}

impl Upload {
    fn taking(time: Duration) -> Self {
        Self { sleep: Some(Box::pin(sleep(time))), bytes: Some(ASK.into()) }
    }
}

impl From<Bytes> for Upload {
    fn from(bytes: Bytes) -> Self {
        Self { sleep: None, bytes: Some(bytes) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Uploads for so long, with so much time for the call: how much of it was left when it was sent.
async fn left(upload: Duration, time: Duration) -> Result<Duration, Error> {
    let client = service_fn(|request: Request<Upload>| async move {
        let call = request.extensions().get::<Attempt>().expect("put there").call().clone();
        assert_eq!(call.facts().model.as_deref(), Some("gpt-5-mini"));
        let left = call.deadline().remaining(crate::clock::now()).expect("it has one");
        Ok::<_, Infallible>(Response::builder().extension(left).body(Full::<Bytes>::default()))
    })
    .map_result(|answer: Result<_, _>| answer.map(|built| built.expect("in order")));
    let request = Request::post("https://api.openai.com/v1/chat/completions")
        .extension(Options::default().time(time))
        .body(Upload::taking(upload))
        .expect("in order");
    let response = CallLayer::new().layer(client).oneshot(request).await?;
    Ok(*response.extensions().get::<Duration>().expect("put there"))
}

#[tokio::test(start_paused = true)]
async fn an_upload_takes_its_time_of_that_of_the_call() {
    assert_eq!(left(4 * SECOND, 10 * SECOND).await.unwrap(), 6 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_upload_ends_at_the_deadline_and_nothing_was_sent() {
    let start = Instant::now();
    let error = left(60 * SECOND, 10 * SECOND).await.unwrap_err();
    assert_eq!(start.elapsed(), 10 * SECOND);
    assert_eq!((error.code(), error.is_retryable()), (Code::DeadlineExceeded, false));
    assert!(error.to_string().contains("before it was sent"), "{error}");
}
