//! Who asks: so many connections, on each the next request when the one before is answered.

use std::time::Instant;

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

pub(crate) const QUESTION: &str =
    r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Name three rivers."}]}"#;
pub(crate) const STREAMED: &str = r#"{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"Name three rivers."}]}"#;

/// What one answer took, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    /// Until the first event, or the whole answer.
    pub(crate) first: f64,
    pub(crate) all: f64,
}

/// Asks, and gives what each answer took.
pub(crate) async fn ask(address: &str, connections: usize, each: usize, body: &str) -> Vec<Took> {
    let stream = body.contains(r#""stream":true"#);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk-1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(ask_on_one(address.to_owned(), request.clone(), each, stream));
    }
    clients.join_all().await.concat()
}

async fn ask_on_one(address: String, request: String, times: usize, stream: bool) -> Vec<Took> {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.set_nodelay(true).expect("an option that there is");
    let mut answer = Vec::with_capacity(64 * 1_024);
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        let since = || start.elapsed().as_secs_f64() * 1e6;
        socket.write_all(request.as_bytes()).await.expect("written");
        answer.clear();
        let mut first = None;
        loop {
            let read = socket.read_buf(&mut answer).await.expect("an answer");
            assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&answer));
            if first.is_none() && (!stream || memmem::find(&answer, b"data: ").is_some()) {
                first = Some(since());
            }
            let is_over = if stream { answer.ends_with(b"0\r\n\r\n") } else { is_whole(&answer) };
            if is_over {
                break;
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        took.push(Took { first: first.unwrap_or_else(since), all: since() });
    }
    took
}

/// Whether a message with a length has come to its end.
pub(crate) fn is_whole(message: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = memmem::find(message, b"\r\n\r\n") else { return false };
    let Some(at) = memmem::find(&message[..head], LENGTH) else { return false };
    let digits = message[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    message.len() >= head + 4 + length
}
