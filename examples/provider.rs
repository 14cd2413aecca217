//! A provider on a loopback socket that answers as it is told: what the examples call.
//!
//! It speaks HTTP/1.1 by writing bytes, so that it can do what a well-behaved server library would not
//! let it: stop in the middle of an answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// A provider that answers by a script.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Provider {
    /// Gives the first answer to the first request, and so on; the last one again and again.
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // A connection is for one request, and may be opened without one.
                let (answers, count) = (answers.clone(), count.clone());
                tokio::spawn(async move { serve(socket, &answers, &count).await });
            }
        });
        Self { address, requests }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has seen.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

async fn serve(mut socket: TcpStream, answers: &[Answer], count: &AtomicUsize) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        match socket.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let number = count.fetch_add(1, Ordering::Relaxed);
    let Some(answer) = answers.get(number).or(answers.last()) else { return };
    for part in &answer.0 {
        // The caller may have gone away, and an example that makes it do so knows that.
        let sent = match part {
            Part::Bytes(bytes) => socket.write_all(bytes.as_bytes()).await,
            Part::Silence => socket.read_u8().await.map(drop),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Whether the head of a request is there, and as much of a body as it announces.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0) <= body.len()
}

/// What a provider sends back.
#[derive(Clone, Debug)]
pub struct Answer(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Bytes(String),
    /// Nothing, until the caller goes away.
    Silence,
}

impl Answer {
    /// JSON, with a status line such as `429 Too Many Requests` and further header lines.
    pub fn json(status: &str, headers: &[&str], body: &str) -> Self {
        let length = format!("content-length: {}", body.len());
        let head = head(status, "application/json", headers.iter().copied().chain([&*length]));
        Self(vec![Part::Bytes(head + body)])
    }

    /// A chat completion as a whole, which ended for this reason.
    pub fn chat(text: &str, reason: &str) -> Self {
        Self::json("200 OK", &[], &chat(text, reason))
    }

    /// A stream of events that ends in good order after the last of them, whether that was the end of the
    /// answer or not: what a proxy makes of a model that has died.
    pub fn stream(events: &[String]) -> Self {
        let mut answer = Self::broken_stream(events);
        answer.0.push(Part::Bytes("0\r\n\r\n".into()));
        answer
    }

    /// A stream of events whose connection breaks after the last of them.
    pub fn broken_stream(events: &[String]) -> Self {
        let head = head("200 OK", "text/event-stream", ["transfer-encoding: chunked"]);
        let chunk = |event: &String| Part::Bytes(format!("{:x}\r\n{event}\r\n", event.len()));
        Self([Part::Bytes(head)].into_iter().chain(events.iter().map(chunk)).collect())
    }

    /// Never a word.
    pub fn silence() -> Self {
        Self(vec![Part::Silence])
    }
}

fn head<'a>(status: &str, kind: &str, headers: impl IntoIterator<Item = &'a str>) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n");
    for header in headers {
        head += header;
        head += "\r\n";
    }
    head + "\r\n"
}

/// The body of a chat completion in OpenAI's format.
pub fn chat(text: &str, reason: &str) -> String {
    format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"{reason}"}}],"usage":{{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}}}"#
    )
}

/// An event with a piece of text.
pub fn delta(text: &str) -> String {
    format!(
        r#"data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    ) + "\n\n"
}

/// The events that end a stream.
pub fn end() -> String {
    concat!(
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "\n\ndata: [DONE]\n\n"
    )
    .into()
}
