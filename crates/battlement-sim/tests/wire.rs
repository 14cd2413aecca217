//! The same scripts in memory and over sockets: a client sees the same, and the record says the same.

use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant, SystemTime},
};

use battlement_sim::{
    Provider, Quota,
    capacity::{Capacity, Job, Slots, slots},
    provider::{End, Stage},
    serve::Server,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

type Hyper = Client<HttpConnector, Full<Bytes>>;
type BoxError = Box<dyn Error + Send + Sync>;

fn http1() -> Hyper {
    Client::builder(TokioExecutor::new()).build(connector())
}

fn http2() -> Hyper {
    Client::builder(TokioExecutor::new()).http2_only(true).build(connector())
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    // Or frames wait for acknowledgements that are sent late.
    connector.set_nodelay(true);
    connector
}

fn request(base: &str, stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    Request::post(format!("{base}/v1/chat/completions")).body(body.into()).unwrap()
}

fn provider(words: &str) -> Provider {
    Provider::script(words).unwrap().clock_at(SystemTime::UNIX_EPOCH)
}

/// What a client sees of an answer: none, or its head, the bytes of its body, and whether they came to their end.
#[derive(Debug, PartialEq)]
struct Visible {
    head: Option<(u16, HeaderMap)>,
    body: Vec<u8>,
    is_whole: bool,
}

async fn look<R, E>(answer: Result<Response<R>, E>) -> Visible
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    let Ok(response) = answer else {
        return Visible { head: None, body: Vec::new(), is_whole: false };
    };
    let (mut head, mut body) = response.into_parts();
    // What the transport adds, or may.
    for name in ["transfer-encoding", "connection", "date"] {
        head.headers.remove(name);
    }
    let mut bytes = Vec::new();
    let is_whole = loop {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    Visible { head: Some((head.status.as_u16(), head.headers)), body: bytes, is_whole }
}

/// What the record says of the only call.
fn recorded(provider: &Provider) -> (Option<u16>, u32, Option<End>, Option<String>) {
    let seen = provider.record();
    assert_eq!(seen.len(), 1, "one request");
    let seen = &seen[0];
    let status = seen.status.map(|status| status.as_u16());
    (status, seen.events, seen.end, seen.model().map(str::to_owned))
}

#[tokio::test]
async fn sockets_show_what_memory_does() {
    let scripts = [
        "ok",
        "truncate",
        "unfinished",
        "429 after 2s",
        "page 502",
        "answer 418 \"x-tea: green\" saying \"short\"",
        "answer 204",
        "answer 200 \"content-length: 99\" saying \"short\"",
        "answer 200 \"content-length: 2\" saying \"short\"",
        "answer 200 \"content-length: 0\" saying \"short\"",
        "answer 200 \"content-length: 99\"",
        "answer 200 \"content-length: soon\" saying \"short\"",
        "answer 200 \"content-length: 5\" saying \"short\" wrong length",
        "answer 200 \"content-length: 3\" saying \"short\" cut after 0 events",
        "answer 200 \"content-length: 2\" saying \"short\" cut after 0 events",
        "head after 5ms first token after 5ms every 1ms",
        "cut after 0 events",
        "cut after 3 events",
        "torn after 2 events",
        "end after 3 events",
        "reset after 3 events",
        "overloaded after 2 events",
        "malformed after 2 events",
        "bad chunk after 2 events",
        "wrong length",
        "reset",
        "unreachable",
    ];
    for words in scripts {
        for stream in [false, true] {
            let in_memory = provider(words);
            let expected =
                look(in_memory.clone().oneshot(request("http://localhost", stream)).await).await;
            for (version, client) in [("HTTP/1.1", http1()), ("HTTP/2", http2())] {
                let served = provider(words);
                let server = served.listen().await.unwrap();
                let visible = look(client.request(request(server.url(), stream)).await).await;
                served.ended(1).await;
                let case = format!("{words}, stream: {stream}, {version}");
                assert_eq!(visible, expected, "{case}");
                assert_eq!(recorded(&served), recorded(&in_memory), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_is_noticed() {
    let check = async |words: &str, stage| {
        for (version, client) in [("HTTP/1.1", http1()), ("HTTP/2", http2())] {
            let provider = provider(words);
            let server = provider.listen().await.unwrap();
            let request = request(server.url(), true);
            let call = tokio::spawn(async move {
                let response = client.request(request).await.unwrap();
                response.into_body().collect().await.unwrap();
            });
            provider.arrived(1).await;
            while stage == Stage::Body && provider.record()[0].events == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_millis(5)).await;
            call.abort();
            let ended = timeout(Duration::from_secs(5), provider.ended(1)).await;
            assert!(ended.is_ok(), "{words}, {version}: it has not noticed");
            let (_, _, end, _) = recorded(&provider);
            assert_eq!(end, Some(End::Cancelled(stage)), "{words}, {version}");
        }
    };
    check("never", Stage::Head).await;
    check("head after 5s", Stage::Head).await;
    check("stall after 2 events", Stage::Body).await;
    check("every 5s", Stage::Body).await;
}

/// An error and its sources, the insides of errors of I/O included.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// How a call fails, before its head or behind it.
async fn failure(client: Hyper, words: &str) -> BoxError {
    let server = provider(words).listen().await.unwrap();
    match client.request(request(server.url(), true)).await {
        Ok(response) => response.into_body().collect().await.unwrap_err().into(),
        Err(error) => error.into(),
    }
}

#[tokio::test]
async fn resets_are_resets() {
    let is_reset = |error: &BoxError| {
        let mut io = chain(&**error).filter_map(|error| error.downcast_ref::<io::Error>());
        io.any(|error| error.kind() == ErrorKind::ConnectionReset)
    };
    for words in ["reset", "unreachable", "reset after 2 events"] {
        let error = failure(http1(), words).await;
        assert!(is_reset(&error), "{words}: {error:?}");
    }
    for words in ["cut after 2 events", "bad chunk after 2 events"] {
        let error = failure(http1(), words).await;
        assert!(!is_reset(&error), "{words}: {error:?}");
    }
    let reason = |error: &BoxError| {
        chain(&**error).find_map(|error| error.downcast_ref::<h2::Error>()?.reason())
    };
    assert_eq!(reason(&failure(http2(), "unreachable").await), Some(h2::Reason::REFUSED_STREAM));
    assert_eq!(reason(&failure(http2(), "reset").await), Some(h2::Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    for client in [http1(), http2()] {
        let provider = provider("ok; 500; ok");
        let server = provider.listen().await.unwrap();
        for expected in [200, 500, 200, 200] {
            let response = client.request(request(server.url(), false)).await.unwrap();
            assert_eq!(response.status(), expected);
            response.into_body().collect().await.unwrap();
        }
        assert_eq!(provider.counts().finished, 4);
    }
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_request() {
    let provider = provider("early 413");
    let server = provider.listen().await.unwrap();
    let address = server.address();
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{{"
        )
        .unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        answer
    });
    assert_eq!(&answer.await.unwrap(), b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_request_that_breaks_off_is_noticed() {
    let provider = provider("ok");
    let server = provider.listen().await.unwrap();
    let address = server.address();
    let upload = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{{"
        )
        .unwrap();
        socket
    });
    let socket = upload.await.unwrap();
    provider.arrived(1).await;
    drop(socket);
    timeout(Duration::from_secs(5), provider.ended(1)).await.unwrap();
    assert_eq!(recorded(&provider).2, Some(End::Cancelled(Stage::Request)));
}

#[tokio::test]
async fn all_that_was_sent_before_a_fault_arrives() {
    // Far more than the buffers of a socket and the window of a stream hold.
    let text = "castle ".repeat(300_000);
    let step = battlement_sim::Step::ok().saying(&text);
    for (version, client) in [("HTTP/1.1", http1()), ("HTTP/2", http2())] {
        for step in [step.clone().cut_after(4), step.clone().end_after(4)] {
            let provider = Provider::serving(step.clone());
            let server = provider.listen().await.unwrap();
            let mut body = client.request(request(server.url(), true)).await.unwrap().into_body();
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.into_data().unwrap().len();
                if length < 200_000 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            // The first event brings none of the text, the three others a quarter each.
            let sent = text.len() / 4 * 3;
            assert!(length >= sent, "{version}: {length} of {sent}");
        }
    }
}

#[tokio::test]
async fn streams_of_one_connection_do_not_lose_what_comes_before_a_fault() {
    let scripts = [
        ("cut after 3 events", 50),
        ("reset after 3 events", 50),
        ("bad chunk after 3 events", 50),
        ("torn after 2 events", 50),
        ("cut after 0 events", 50),
        ("wrong length", 50),
        ("cut after 3 events", 300),
    ];
    for (words, calls) in scripts {
        let in_memory = provider(words);
        let expected =
            look(in_memory.clone().oneshot(request("http://localhost", true)).await).await;
        let served = provider(words);
        let server = served.listen().await.unwrap();
        let client = http2();
        // There is one connection before there are many calls, and one of them is over then.
        look(client.request(request(server.url(), true)).await).await;
        let call = |_| {
            let call = client.request(request(server.url(), true));
            tokio::spawn(async move { look(call.await).await })
        };
        let all: Vec<_> = (0..calls).map(call).collect();
        for call in all {
            let visible = call.await.unwrap();
            assert_eq!(length(&visible), length(&expected), "{words}, {calls} at once");
        }
    }
}

/// What is the same in every answer: the number of events, or bytes, and whether they came to their end.
fn length(visible: &Visible) -> (Option<u16>, usize, bool) {
    let events = visible.body.windows(2).filter(|pair| pair == b"\n\n").count();
    let events = if events == 0 { visible.body.len() } else { events };
    (visible.head.as_ref().map(|head| head.0), events, visible.is_whole)
}

#[tokio::test]
async fn limits_are_told_and_kept_on_sockets() {
    let provider = provider("ok").limited(Quota::per_minute(3, 1_000_000).unwrap());
    let server = provider.listen().await.unwrap();
    let client = http1();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let response = client.request(request(server.url(), false)).await.unwrap();
        statuses.push(response.status().as_u16());
        assert!(response.headers().contains_key("x-ratelimit-remaining-requests"));
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(provider.counts().limited, 1);
}

#[tokio::test]
async fn a_server_that_is_dropped_stops() {
    let provider = provider("never");
    let server = provider.listen().await.unwrap();
    let url = server.url().to_owned();
    let call = tokio::spawn(http1().request(request(&url, false)));
    provider.arrived(1).await;
    drop(server);
    provider.ended(1).await;
    assert!(call.await.unwrap().is_err());
    assert!(http1().request(request(&url, false)).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_server_starts_again_on_its_port() {
    let provider = provider("ok");
    let mut server = provider.listen().await.unwrap();
    let address = server.address();
    for _ in 0..20 {
        // Of a client that keeps its connection.
        let client = http1();
        let response = client.request(request(server.url(), false)).await.unwrap();
        response.into_body().collect().await.unwrap();
        drop(server);
        assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens");
        server = provider.listen_on(address).await.unwrap();
        let response = http1().request(request(server.url(), false)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_capacity_serves_callers_that_block_their_runtime() {
    let slots = Slots::new(slots::Config { slots: 1, ..slots::Config::default() });
    let work = Duration::from_millis(5);
    let provider =
        provider("ok").of_capacity(Capacity::start(slots), move |_| Job { work, ..Job::default() });
    let server = Server::in_own_thread(&provider).unwrap();
    for _ in 0..2 {
        let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
        write!(socket, "{head}content-length: 2\r\n\r\n{{}}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[test]
fn a_server_runs_in_a_thread_of_its_own() {
    let provider = provider("ok; never");
    let server = Server::in_own_thread(&provider).unwrap();
    let ask = || {
        let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
        let body = r#"{"model":"m","messages":[]}"#;
        write!(
            socket,
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        socket
    };
    let mut answer = String::new();
    ask().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with('}'), "{answer}");
    let waits = ask();
    while provider.counts().arrived < 2 {
        std::thread::yield_now();
    }
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(provider.counts().cancelled, 1);
    drop(waits);
}
