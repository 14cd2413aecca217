//! The body of an answer on its way to a socket.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use super::wire::Fate;
use crate::provider::{Body, Lost, Why};

/// On HTTP/1.1 a fault waits this long, and again until something was flushed behind the last event.
const BEFORE_A_FAULT: Duration = Duration::from_millis(2);
/// How often it waits at most: a client may have stopped reading.
const WAITS: u32 = 200;

/// What no chunk begins with.
const NO_CHUNK: &[u8] = b"this is no chunk\r\n";

/// A body that makes its faults those of the connection.
///
/// The events before a fault have to be written before it, but hyper drops what it has not written when a body
/// fails. A connection of HTTP/1.1 has one answer at a time, so there a flush is one of its events. One of
/// HTTP/2 has many, and tells what became of an event only by dropping it.
#[derive(Debug)]
pub(super) struct SentBody {
    body: Body,
    fate: Arc<Fate>,
    is_http2: bool,
    /// How many flushes there were at the last event.
    flushes: u64,
    /// Over HTTP/2: closed when the last event is among the bytes for the socket.
    written: Option<oneshot::Receiver<()>>,
    failing: Option<Failing>,
}

/// A fault that is to come.
#[derive(Debug)]
struct Failing {
    lost: Lost,
    wait: Pin<Box<Sleep>>,
    waits: u32,
}

/// Bytes that tell when they are dropped.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    _written: Option<oneshot::Sender<()>>,
}

impl SentBody {
    pub(super) fn new(body: Body, fate: Arc<Fate>, is_http2: bool) -> Self {
        let flushes = fate.flushes();
        Self { body, fate, is_http2, flushes, written: None, failing: None }
    }

    fn told(&mut self, bytes: Bytes) -> Piece {
        let (sender, receiver) = oneshot::channel();
        self.written = Some(receiver);
        Piece { bytes, _written: Some(sender) }
    }

    fn piece(&mut self, bytes: Bytes) -> Piece {
        if self.is_http2 && self.body.may_fail() {
            return self.told(bytes);
        }
        self.flushes = self.fate.flushes();
        Piece { bytes, _written: None }
    }

    /// Waits until all that comes before a fault is with the socket, or will be before it.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(written) = &mut self.written {
            // Nothing is ever sent through it.
            return Pin::new(written).poll(cx).map(drop);
        }
        let Some(failing) = &mut self.failing else { return Poll::Ready(()) };
        loop {
            ready!(failing.wait.as_mut().poll(cx));
            failing.waits += 1;
            if self.fate.flushes() > self.flushes || failing.waits >= WAITS {
                return Poll::Ready(());
            }
            failing.wait = Box::pin(sleep(BEFORE_A_FAULT));
        }
    }
}

impl http_body::Body for SentBody {
    type Data = Piece;
    type Error = Lost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Lost>>> {
        let this = &mut *self;
        if this.failing.is_none() {
            let lost = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Err(lost)) => lost,
                Some(Ok(frame)) => {
                    return Poll::Ready(Some(Ok(frame.map_data(|bytes| this.piece(bytes)))));
                }
                None => return Poll::Ready(None),
            };
            if !this.is_http2 {
                match lost.why() {
                    Why::Reset => this.fate.reset(),
                    Why::NotHttp => this.fate.write_raw(Bytes::from_static(NO_CHUNK)),
                    _ => {}
                }
            }
            this.failing = Some(Failing { lost, wait: Box::pin(sleep(BEFORE_A_FAULT)), waits: 0 });
            if this.is_http2 && this.written.is_none() {
                // There was no event. An empty frame is written behind the head, and is nothing to a client.
                return Poll::Ready(Some(Ok(Frame::data(this.told(Bytes::new())))));
            }
        }
        ready!(this.poll_written(cx));
        Poll::Ready(this.failing.take().map(|failing| Err(failing.lost)))
    }

    fn is_end_stream(&self) -> bool {
        self.failing.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
