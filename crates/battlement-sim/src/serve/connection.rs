//! One connection.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, Version};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use pin_project_lite::pin_project;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tower_service::Service as _;

use super::{
    body::SentBody,
    wire::{Fate, Wire},
};
use crate::provider::{Answering, Lost, Provider, Why};

/// More than one client has at once. Who wants a limit sets one in the script.
const STREAMS: u32 = 10_000;

/// Answers requests on a socket until one side has enough.
pub(super) async fn serve_socket(socket: TcpStream, provider: Provider) {
    // Events go out as they come.
    let _ = socket.set_nodelay(true);
    serve(socket, provider, |socket| {
        // Without it the other side sees an end where it should see a reset: nothing worse.
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    })
    .await;
}

/// Answers requests until one side has enough.
pub(super) async fn serve<C>(connection: C, provider: Provider, reset: fn(&C))
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let fate = Arc::new(Fate::default());
    let wire = TokioIo::new(Wire::new(connection, fate.clone(), reset));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(STREAMS);
    // A connection ends badly when the script or its client wants it to.
    let _ = server.serve_connection(wire, Calls { provider, fate }).await;
}

/// The provider as hyper calls it.
struct Calls {
    provider: Provider,
    fate: Arc<Fate>,
}

impl Service<Request<Incoming>> for Calls {
    type Response = Response<SentBody>;
    type Error = Unanswered;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let is_http2 = request.version() == Version::HTTP_2;
        let answering = self.provider.clone().call(request);
        Answer { answering, fate: self.fate.clone(), is_http2 }
    }
}

pin_project! {
    /// The head of an answer, or the end of the connection.
    struct Answer {
        #[pin]
        answering: Answering<Incoming>,
        fate: Arc<Fate>,
        is_http2: bool,
    }
}

/// Why there is no answer. Over HTTP/2 the stream is reset for the reason that is in here.
#[derive(Debug, thiserror::Error)]
#[error("{lost}")]
struct Unanswered {
    lost: Lost,
    source: Option<h2::Error>,
}

impl Future for Answer {
    type Output = Result<Response<SentBody>, Unanswered>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (fate, is_http2) = (this.fate, *this.is_http2);
        Poll::Ready(match ready!(this.answering.poll(cx)) {
            Ok(response) => Ok(response.map(|body| SentBody::new(body, fate.clone(), is_http2))),
            Err(lost) => {
                if !is_http2 {
                    // A stream can be reset, a call over HTTP/1.1 only with its connection.
                    fate.reset();
                }
                let is_refused = lost.why() == Why::Unreachable;
                let source = is_refused.then(|| h2::Reason::REFUSED_STREAM.into());
                Err(Unanswered { lost, source })
            }
        })
    }
}
