//! An upstream on a loopback socket that does what it is told, and writes down what it sees.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

/// One thing to do on a raw connection, after the request was read.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Writes this, whatever it is.
    Write(String),
    Wait(Duration),
    /// Closes in good order.
    Close,
    /// Closes with a reset.
    Reset,
    /// Does nothing until the other side goes away.
    Stall,
}

/// What an upstream has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    requests: usize,
    /// When a connection, or a stream on it, was given up by the other side.
    closed: Vec<Instant>,
}

impl Seen {
    pub(crate) fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    /// When the other side first went away; waits for it for a second.
    pub(crate) async fn closed(&self) -> Instant {
        let poll = async {
            loop {
                if let Some(at) = self.0.lock().unwrap().closed.first() {
                    return *at;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(1), poll).await.expect("the other side went away")
    }

    fn arrived(&self) {
        self.0.lock().unwrap().requests += 1;
    }

    fn gone(&self) {
        self.0.lock().unwrap().closed.push(Instant::now());
    }
}

/// The head of a whole answer of this length.
pub(crate) fn whole(body: &str) -> Act {
    let length = body.len();
    Act::Write(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// The head of a stream.
pub(crate) fn stream_head() -> Act {
    Act::Write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .into(),
    )
}

/// A chunk of a stream.
pub(crate) fn chunk(text: &str) -> Act {
    Act::Write(format!("{:x}\r\n{text}\r\n", text.len()))
}

/// The end of a stream, with trailers.
pub(crate) fn last_chunk(trailers: &str) -> Act {
    Act::Write(format!("0\r\n{trailers}\r\n"))
}

/// An event with a bit of text.
pub(crate) fn delta(text: &str) -> String {
    format!(
        r#"data: {{"id":"c","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    ) + "\n\n"
}

/// The events that end an answer.
pub(crate) fn finish() -> String {
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned()
        + "\n\ndata: [DONE]\n\n"
}

/// An upstream on HTTP/1.1 that is made of bytes: each connection serves one request, by the next
/// script; the last one is used again and again.
pub(crate) async fn raw(scripts: Vec<Vec<Act>>) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((socket, _)) = listener.accept().await else { return };
            let script = scripts[number.min(scripts.len() - 1)].clone();
            tokio::spawn(perform(socket, script, log.clone()));
        }
    });
    (address, seen)
}

async fn perform(mut socket: TcpStream, script: Vec<Act>, seen: Seen) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return seen.gone(),
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    seen.arrived();
    for act in script {
        match act {
            Act::Write(text) => {
                if socket.write_all(text.as_bytes()).await.is_err() {
                    return seen.gone();
                }
            }
            Act::Wait(time) => {
                tokio::select! {
                    () = sleep(time) => {}
                    _ = socket.read(&mut buffer) => return seen.gone(),
                }
            }
            Act::Stall => {
                let _ = socket.read(&mut buffer).await;
                return seen.gone();
            }
            Act::Close => return,
            Act::Reset => {
                let _ = socket.set_zero_linger();
                return;
            }
        }
    }
    // Kept alive for nobody: the next request comes on another connection.
    let _ = socket.shutdown().await;
}

/// Whether a request has arrived, its body included.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0) <= body.len()
}

/// What an upstream on HTTP/2 sends: the status after some time, and then pieces of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Streamed {
    pub(crate) head_after: Duration,
    pub(crate) pieces: Vec<Result<String, Duration>>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// An upstream on HTTP/2 (or HTTP/1.1, as the client begins).
pub(crate) async fn hyper(answer: Streamed) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else { return };
            let (answer, seen) = (answer.clone(), log.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, seen) = (answer.clone(), seen.clone());
                    async move { Ok::<_, Infallible>(reply(request, answer, seen).await) }
                });
                let _ = conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    (address, seen)
}

async fn reply(request: Request<Incoming>, answer: Streamed, seen: Seen) -> Response<Pieces> {
    let _ = request.into_body().collect().await;
    seen.arrived();
    let mut watch = Watch { seen, armed: true };
    sleep(answer.head_after).await;
    let (sleep, pieces) = (None, answer.pieces.into_iter());
    watch.armed = false;
    let watch = Watch { seen: watch.seen.clone(), armed: true };
    let mut response = Response::new(Pieces { pieces, sleep, trailers: answer.trailers, watch });
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    response
}

/// Notes when it is dropped before its end: the stream was reset.
#[derive(Debug)]
struct Watch {
    seen: Seen,
    armed: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.armed {
            self.seen.gone();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: std::vec::IntoIter<Result<String, Duration>>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    trailers: Option<HeaderMap>,
    watch: Watch,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.pieces.next() {
                Some(Ok(text)) => return Poll::Ready(Some(Ok(Frame::data(text.into())))),
                Some(Err(time)) => self.sleep = Some(Box::pin(sleep(time))),
                None => {
                    self.watch.armed = false;
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
    }
}

/// An upstream that turns a request away after its head, before its body has arrived.
pub(crate) async fn early() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = socket.read(&mut buffer).await;
            let answer = "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = socket.write_all(answer.as_bytes()).await;
            // Reads on, so that the answer is not lost to a reset.
            while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        }
    });
    (address, seen)
}
