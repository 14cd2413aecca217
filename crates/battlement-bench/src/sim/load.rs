//! Asks a server as fast as it answers.

use std::{net::SocketAddr, time::Instant};

use battlement_sim::{Provider, serve::Server};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::report::Spread;

pub(super) struct Measured {
    pub(super) per_second: f64,
    /// Milliseconds from a request to the end of its answer.
    pub(super) median: f64,
    /// The same for 99 of 100.
    pub(super) most: f64,
}

/// So many connections send so many requests each, the next when the one before is answered. The server has a
/// thread, and all clients together have one.
pub(super) fn run(provider: Provider, connections: usize, each: usize, body: &str) -> Measured {
    let server = Server::in_own_thread(&provider).expect("a port");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let (elapsed, mut times) = runtime.expect("a runtime").block_on(async {
        // Not measured: connecting, and the first answers.
        ask_all(server.address(), &request, connections, each / 10 + 1).await;
        let start = Instant::now();
        let times = ask_all(server.address(), &request, connections, each).await;
        (start.elapsed(), times)
    });
    times.sort_by(f64::total_cmp);
    Measured {
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        median: Spread::of(times.iter().copied()).median,
        most: times[times.len() * 99 / 100],
    }
}

async fn ask_all(address: SocketAddr, request: &str, connections: usize, each: usize) -> Vec<f64> {
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(ask(address, request.to_owned(), each));
    }
    clients.join_all().await.concat()
}

async fn ask(address: SocketAddr, request: String, times: usize) -> Vec<f64> {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.set_nodelay(true).expect("an option that there is");
    let mut answer = Vec::with_capacity(4_096);
    let mut elapsed = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        socket.write_all(request.as_bytes()).await.expect("written");
        answer.clear();
        while !is_whole(&answer) {
            let read = socket.read_buf(&mut answer).await.expect("an answer");
            assert!(read > 0, "the server hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "an answer that is none");
        elapsed.push(start.elapsed().as_secs_f64() * 1e3);
    }
    elapsed
}

/// Whether an answer has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = memmem::find(answer, b"\r\n\r\n") else { return false };
    let Some(at) = memmem::find(&answer[..head], LENGTH) else { return false };
    let digits = answer[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= head + 4 + length
}
