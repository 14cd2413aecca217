//! The provider behind the proxies: it reads requests and writes what it has ready, and does nothing else, since what it takes
//! is in every row.

use std::io::Write as _;

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Events of a stream, each written by itself.
pub(super) const EVENTS: usize = 200;

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Rhine, Elbe, Danube."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#;

/// Serves until it is killed, and says first where.
pub(super) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    std::io::stdout().flush().expect("told");
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("an option that there is");
        tokio::spawn(answer(socket));
    }
}

async fn answer(mut socket: TcpStream) {
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut request = Vec::with_capacity(4_096);
    loop {
        request.clear();
        while !crate::load::is_whole(&request) {
            match socket.read_buf(&mut request).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let written = if memmem::find(&request, br#""stream":true"#).is_some() {
            stream(&mut socket).await
        } else {
            socket.write_all(whole.as_bytes()).await
        };
        if written.is_err() {
            return;
        }
    }
}

/// A stream whose every event is a write of its own. The others have their turn after each, as with a model that
/// is slower than everybody who reads.
async fn stream(socket: &mut TcpStream) -> std::io::Result<()> {
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    let event = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}"#;
    let end = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#;
    let chunk = |event: &str| format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2);
    let event = chunk(event);
    for _ in 0..EVENTS - 1 {
        socket.write_all(event.as_bytes()).await?;
        tokio::time::sleep(std::time::Duration::from_micros(500)).await;
    }
    let done = chunk("data: [DONE]");
    socket.write_all(format!("{}{done}0\r\n\r\n", chunk(end)).as_bytes()).await
}
