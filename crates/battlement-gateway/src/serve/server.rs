//! Connections: how they begin, and how all of them end.

use std::{
    convert::Infallible,
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::Current;
use crate::{config, gateway::Outgoing};

/// What a client may have on its way over one HTTP/2 connection.
const STREAMS: u32 = 1_000;

/// Headers of one request. SDKs send about twenty.
const HEADERS: usize = 100;

/// Serves whoever comes, until told to stop, and then those who are there.
pub(super) async fn serve(
    listener: TcpListener,
    current: Arc<Current>,
    stop: oneshot::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
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
            Ok((socket, _)) => {
                tokio::spawn(connection(socket, current.clone(), graceful.watcher()));
            }
            // There are no file descriptors left, most likely. Connections that end give some back.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    drop(listener);
    let time = current.get().config().server.drain_time.get();
    if timeout(time, graceful.shutdown()).await.is_err() {
        tracing::warn!("the time is over, and answers are cut off");
    }
}

async fn connection(
    socket: TcpStream,
    current: Arc<Current>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // A stream is many small writes, and each is to arrive when it is written.
    let _ = socket.set_nodelay(true);
    let server = current.get().config().server;
    // Which version it is is told by the first bytes, and hyper waits for them as long as it takes.
    if !matches!(timeout(server.head_time.get(), socket.peek(&mut [0])).await, Ok(Ok(1..))) {
        return;
    }
    let builder = builder(&server);
    let connection = builder.serve_connection(TokioIo::new(socket), Calls { current });
    // A connection that ends badly has ended: each call on it knows for itself.
    let _ = watcher.watch(connection).await;
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
