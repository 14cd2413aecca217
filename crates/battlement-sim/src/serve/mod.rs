//! The provider on a socket of this machine.
//!
//! What a client in another language does, or a proxy, or one's own program when it is started as a whole,
//! is seen on a socket only. So is what a connection does to an answer: a reset is a reset here, and a
//! chunk that is none breaks the parser of the client.
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream};
//!
//! use battlement_sim::{Provider, serve::Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a thread of its own, so that blocking code can call it.
//! let provider = Provider::script("503; ok")?;
//! let server = Server::in_own_thread(&provider)?;
//!
//! let mut socket = TcpStream::connect(server.address())?;
//! let body = r#"{"model": "gpt-5-mini", "messages": []}"#;
//! write!(socket, "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
//!     content-length: {}\r\n\r\n{body}", body.len())?;
//! let mut answer = String::new();
//! socket.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 503 "));
//! assert_eq!(provider.counts().errors, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is real
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge, told apart by the first bytes; no TLS. The time is real, too: a
//! paused clock and a socket do not go together. How a script shows on the wire:
//!
//! | script | HTTP/1.1 | HTTP/2 |
//! |---|---|---|
//! | `cut`, `torn` | the connection is closed between chunks, or in one's content | the stream is reset: `INTERNAL_ERROR` |
//! | `wrong length` | `content-length` is too large, and the connection is closed | the stream is reset |
//! | `reset` | RST instead of FIN, before or behind the head | the stream is reset: `INTERNAL_ERROR` |
//! | `bad chunk` | bytes that are no chunk, and the connection is closed | the stream is reset |
//! | `unreachable` | RST, with the request unread | the stream is refused: `REFUSED_STREAM` |
//! | `stall`, `never` | silence on an open connection | silence on an open stream |
//!
//! A caller who goes away closes the connection or resets the stream. The server notices at once, and the
//! record says so, unless the caller had sent another request behind this one on HTTP/1.1.

mod body;
mod connection;
mod wire;

use std::{
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    runtime,
    sync::oneshot,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::provider::Provider;

/// A provider on a socket. It stops when it is dropped: nobody listens from then on, so another one may have its
/// address at once, and its connections are dropped as soon as their runtime comes to it.
#[derive(Debug)]
#[must_use = "a server that is dropped stops"]
pub struct Server {
    address: SocketAddr,
    url: String,
    _running: Running,
}

/// What keeps a server going.
#[derive(Debug)]
enum Running {
    Task { task: AbortHandle, door: Door },
    Thread { stop: Option<oneshot::Sender<()>>, thread: Option<JoinHandle<()>> },
}

impl Provider {
    /// Puts the provider on a free port of 127.0.0.1, in tasks of the present runtime.
    ///
    /// Unless its clock was [set](Self::clock_at), the dates in answers are those of the machine.
    ///
    /// # Errors
    ///
    /// When there is no port.
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub async fn listen(&self) -> io::Result<Server> {
        self.listen_on((Ipv4Addr::LOCALHOST, 0)).await
    }

    /// Puts the provider on this address, see [`listen`](Self::listen).
    ///
    /// # Errors
    ///
    /// When the address is taken, or is none.
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub async fn listen_on(&self, address: impl ToSocketAddrs) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let door = Door::new(listener);
        let task = tokio::spawn(accept(door.clone(), self.clone().with_real_clock()));
        Ok(Server::new(address, Running::Task { task: task.abort_handle(), door }))
    }

    /// Answers the requests on a connection that somebody else has accepted, until it ends: a pipe in memory, a
    /// simulated network, TLS. HTTP/1.1 or HTTP/2, as on a socket.
    ///
    /// Time may be paused here, as nothing real is waited for. The clock of the provider is not set to that of the
    /// machine, and where the script says `reset`, the connection is only dropped.
    ///
    /// ```
    /// use battlement_sim::Provider;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let provider = Provider::script("head after 60s 503")?;
    /// let (mut client, server) = tokio::io::duplex(4096);
    /// tokio::spawn(provider.serve_connection(server));
    ///
    /// client.write_all(b"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer).await?;
    /// assert!(answer.starts_with("HTTP/1.1 503 "));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn serve_connection<C>(self, connection: C)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(connection, self, |_| {}).await;
    }
}

impl Server {
    /// Puts a provider on a free port of 127.0.0.1, in a thread and runtime of its own: for callers that block,
    /// and those without a runtime.
    ///
    /// # Errors
    ///
    /// When there is no port, or no thread.
    pub fn in_own_thread(provider: &Provider) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let provider = provider.clone().with_real_clock();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("battlement-sim".into()).spawn(move || {
            runtime.block_on(async {
                // Nothing but a lack of file descriptors keeps a listener from being registered; nobody is
                // answered then, as nobody could be.
                if let Ok(listener) = TcpListener::from_std(listener) {
                    tokio::spawn(accept(Door::new(listener), provider));
                }
                let _ = stopped.await;
            });
        })?;
        let running = Running::Thread { stop: Some(stop), thread: Some(thread) };
        Ok(Self::new(address, running))
    }

    fn new(address: SocketAddr, running: Running) -> Self {
        Self { address, url: format!("http://{address}"), _running: running }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is, as the base of addresses: `http://127.0.0.1:4321`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match self {
            Self::Task { task, door } => {
                // The task has to be run once more to go away, and would listen until then.
                door.close();
                task.abort();
            }
            Self::Thread { stop, thread } => {
                drop(stop.take());
                if let Some(thread) = thread.take() {
                    // It only ends badly if it has panicked, which was shown then.
                    let _ = thread.join();
                }
            }
        }
    }
}

/// A listener that others than the one who accepts can close.
#[derive(Clone, Debug)]
struct Door(Arc<Mutex<Option<TcpListener>>>);

impl Door {
    fn new(listener: TcpListener) -> Self {
        Self(Arc::new(Mutex::new(Some(listener))))
    }

    /// Who comes next. Nobody does once it is closed.
    async fn next(&self) -> io::Result<TcpStream> {
        poll_fn(|cx| match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(listener) => listener.poll_accept(cx).map_ok(|(socket, _)| socket),
            None => Poll::Pending,
        })
        .await
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Serves whoever comes. Dropping this drops all connections.
async fn accept(door: Door, provider: Provider) {
    let mut connections = JoinSet::new();
    loop {
        let Ok(socket) = door.next().await else {
            // There are no file descriptors left, most likely. Connections that end give some back.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection::serve_socket(socket, provider.clone()));
    }
}
