//! The body of an answer on its way to a socket.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::wire::Fate;
use crate::provider::{Body, Lost, Why};

/// The events before a fault have to be written before it, but hyper drops what it has not written when a body
/// fails, and a task of its own writes the frames of HTTP/2. So a fault waits this long, and again until
/// something was flushed behind the last event.
const BEFORE_A_FAULT: Duration = Duration::from_millis(2);
/// How often it waits at most: a client may have stopped reading.
const WAITS: u32 = 200;

/// What no chunk begins with.
const NO_CHUNK: &[u8] = b"this is no chunk\r\n";

/// A body that makes its faults those of the connection.
#[derive(Debug)]
pub(super) struct SentBody {
    body: Body,
    fate: Arc<Fate>,
    is_http2: bool,
    /// How many flushes there were at the last event.
    flushes: u64,
    failing: Option<Failing>,
}

/// A fault that is to come.
#[derive(Debug)]
struct Failing {
    lost: Lost,
    wait: Pin<Box<Sleep>>,
    waits: u32,
}

impl SentBody {
    pub(super) fn new(body: Body, fate: Arc<Fate>, is_http2: bool) -> Self {
        let flushes = fate.flushes();
        Self { body, fate, is_http2, flushes, failing: None }
    }
}

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let this = &mut *self;
        if this.failing.is_none() {
            let lost = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Err(lost)) => lost,
                frame => {
                    this.flushes = this.fate.flushes();
                    return Poll::Ready(frame);
                }
            };
            if !this.is_http2 {
                match lost.why() {
                    Why::Reset => this.fate.reset(),
                    Why::NotHttp => this.fate.write_raw(Bytes::from_static(NO_CHUNK)),
                    _ => {}
                }
            }
            this.failing = Some(Failing { lost, wait: Box::pin(sleep(BEFORE_A_FAULT)), waits: 0 });
        }
        if let Some(failing) = &mut this.failing {
            loop {
                ready!(failing.wait.as_mut().poll(cx));
                failing.waits += 1;
                if this.fate.flushes() > this.flushes || failing.waits >= WAITS {
                    break;
                }
                failing.wait = Box::pin(sleep(BEFORE_A_FAULT));
            }
        }
        Poll::Ready(this.failing.take().map(|failing| Err(failing.lost)))
    }

    fn is_end_stream(&self) -> bool {
        self.failing.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
