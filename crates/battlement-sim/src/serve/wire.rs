//! A socket that can be told to end badly.
//!
//! hyper writes HTTP that is right. What is wrong on purpose goes around it: bytes that it did not write, and a
//! reset in the place of an end. That way every connection is served by the same code, and a fault may
//! come in the middle of any answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How a connection is to end, shared by the socket and those who write answers to it.
#[derive(Debug, Default)]
pub(super) struct Fate {
    is_reset: AtomicBool,
    /// How often all that hyper had written was with the socket.
    flushes: AtomicU64,
    has_raw: AtomicBool,
    raw: Mutex<Bytes>,
}

impl Fate {
    /// The connection ends with a reset.
    pub(super) fn reset(&self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }

    /// How often all that hyper had written was with the socket.
    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// These bytes are written behind all that has been.
    pub(super) fn write_raw(&self, bytes: Bytes) {
        *self.raw.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        self.has_raw.store(true, Ordering::Release);
    }
}

/// A socket with a fate.
pub(super) struct Wire<C> {
    socket: C,
    fate: Arc<Fate>,
    /// Makes a reset of the end of a socket.
    reset: fn(&C),
}

impl<C: AsyncWrite + Unpin> Wire<C> {
    pub(super) fn new(socket: C, fate: Arc<Fate>, reset: fn(&C)) -> Self {
        Self { socket, fate, reset }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.fate.has_raw.load(Ordering::Acquire) {
            let mut raw = self.fate.raw.lock().unwrap_or_else(PoisonError::into_inner);
            if raw.is_empty() {
                self.fate.has_raw.store(false, Ordering::Release);
                break;
            }
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &raw))?;
            raw.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<C> Drop for Wire<C> {
    fn drop(&mut self) {
        if self.fate.is_reset.load(Ordering::Relaxed) {
            (self.reset)(&self.socket);
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Wire<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Wire<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes once all that it wrote is with the socket: the place for what it did not write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_raw(cx))?;
        self.fate.flushes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
