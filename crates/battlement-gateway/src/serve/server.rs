//! Connections: how they begin, and how all of them end.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io::{self, Cursor},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response, Version};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use super::Current;
use crate::{config, gateway::Outgoing};

/// What a client may have on its way over one HTTP/2 connection.
const STREAMS: u32 = 1_000;

/// What HTTP/2 begins with, and nothing else does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection may take to its first byte once the gateway was told to end: as long as one takes to be read that
/// is there.
const LAST: Duration = Duration::from_millis(100);

/// Headers of one request. SDKs send about twenty.
const HEADERS: usize = 100;

/// Serves whoever comes, until told to stop, and then those who are there.
pub(super) async fn serve(
    listener: TcpListener,
    current: Arc<Current>,
    stop: oneshot::Receiver<()>,
) {
    let (end, ending) = watch::channel(());
    let begin = |socket| {
        tokio::spawn(connection(socket, current.clone(), ending.clone()));
    };
    let mut stopped = pin!(async {
        if stop.await.is_err() {
            // Whoever has started it has gone away, which is no reason to stop.
            pending::<()>().await;
        }
    });
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        match socket {
            Ok((socket, _)) => begin(socket),
            // There are no file descriptors left, most likely. Connections that end give some back.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    last(listener).into_iter().for_each(begin);
    let _ = end.send(());
    // Each connection has one of its own until it is over.
    drop(ending);
    let time = current.get().config().server.drain_time.get();
    if timeout(time, end.closed()).await.is_err() {
        tracing::warn!("the time is over, and answers are cut off");
    }
}

/// Those who have come already: with the listener, the system would send them away in the middle of their request.
fn last(listener: TcpListener) -> Vec<TcpStream> {
    // It does not block, and unlike the runtime it knows at once who is there.
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    std::iter::from_fn(|| listener.accept().ok())
        .filter_map(|(socket, _)| {
            socket.set_nonblocking(true).ok()?;
            TcpStream::from_std(socket).ok()
        })
        .collect()
}

async fn connection(mut socket: TcpStream, current: Arc<Current>, mut ending: watch::Receiver<()>) {
    // A stream is many small writes, and each is to arrive when it is written.
    let _ = socket.set_nodelay(true);
    let server = current.get().config().server;
    let mut first = Vec::with_capacity(PREFACE.len());
    let begun = tokio::select! {
        begun = timeout(server.head_time.get(), version(&mut socket, &mut first)) => begun,
        // Nobody waits for the end of one on which nothing was said.
        () = async {
            let _ = ending.clone().changed().await;
            sleep(LAST).await;
        } => return,
    };
    let Ok(Ok(version)) = begun else { return };
    let (reader, writer) = socket.into_split();
    let socket = TokioIo::new(tokio::io::join(Cursor::new(first).chain(reader), writer));
    let builder = match version {
        Version::HTTP_2 => builder(&server).http2_only(),
        _ => builder(&server).http1_only(),
    };
    let mut connection = pin!(builder.serve_connection(socket, Calls { current }));
    tokio::select! {
        // A request that is there is read first, or the connection would be taken for an idle one.
        biased;
        _ = connection.as_mut() => return,
        _ = ending.changed() => connection.as_mut().graceful_shutdown(),
    }
    // A connection that ends badly has ended: each call on it knows for itself.
    let _ = connection.await;
}

/// Which version it is is told by the first bytes, and hyper waits for them as long as it takes.
async fn version(socket: &mut TcpStream, first: &mut Vec<u8>) -> io::Result<Version> {
    while PREFACE.starts_with(first) {
        if first.len() == PREFACE.len() {
            return Ok(Version::HTTP_2);
        }
        let left = (PREFACE.len() - first.len()) as u64;
        if (&mut *socket).take(left).read_buf(first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Version::HTTP_11)
}

fn builder(server: &config::Server) -> auto::Builder<TokioExecutor> {
    let most_head = server.max_head.get();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(server.head_time.get())
        // Less is not taken by hyper.
        .max_buf_size(most_head.max(8 * 1024))
        .max_headers(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(most_head).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// The gateway as hyper calls it.
struct Calls {
    current: Arc<Current>,
}

impl Service<Request<Incoming>> for Calls {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let gateway = self.current.get();
        Box::pin(async move { Ok(gateway.answer(request).await) })
    }
}

/// Waits until somebody wants the process to end.
pub(super) async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Without handlers there is nothing to wait for, and the process ends as any other.
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        pending().await
    }
}
