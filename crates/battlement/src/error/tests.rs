//! What is made of the errors of real clients.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// An address where nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An address whose first caller is served like that.
async fn served<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    address
}

/// Calls, and says what is made of the error.
async fn called(http2: bool, address: SocketAddr) -> NoAnswer {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .retry_canceled_requests(false)
        .build_http();
    let request = Request::post(format!("http://{address}/v1/chat/completions"));
    let request = request.body(Full::from("{}")).unwrap();
    no_answer(&client.request(request).await.unwrap_err().into())
}

#[tokio::test]
async fn of_hyper_util() {
    assert_eq!(called(false, closed().await).await, NoAnswer::Unreachable);
    // Closed at once, after the request, in the middle of the head, and no HTTP at all.
    for answer in [None, Some(""), Some("HTTP/1.1 200 OK\r\ncontent-le"), Some("nonsense\r\n\r\n")]
    {
        let address = served(async move |mut stream: TcpStream| {
            if let Some(answer) = answer {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        assert_eq!(called(false, address.await).await, NoAnswer::Disconnected, "{answer:?}");
    }
}

/// An HTTP/2 server that resets its first stream for this reason.
async fn resetting(reason: h2::Reason) -> SocketAddr {
    served(async move |stream: TcpStream| {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_reset(reason);
        let _ = connection.accept().await;
    })
    .await
}

/// One that has read the request, and says that it closes and has begun nothing; frame by frame, since no
/// server of ours would.
async fn leaving(reason: u8) -> SocketAddr {
    served(async move |mut stream: TcpStream| {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(&settings).await.unwrap();
        let mut read = Vec::new();
        while !read.windows(2).any(|window| window == b"{}") {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
        let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, reason];
        stream.write_all(&go_away).await.unwrap();
        let _ = stream.read_to_end(&mut read).await;
    })
    .await
}

#[tokio::test]
async fn of_http2() {
    let unread =
        if cfg!(feature = "http2") { NoAnswer::Unreachable } else { NoAnswer::Disconnected };
    assert_eq!(called(true, resetting(h2::Reason::REFUSED_STREAM).await).await, unread);
    assert_eq!(called(true, leaving(0).await).await, unread);
    let broken = h2::Reason::INTERNAL_ERROR;
    assert_eq!(called(true, resetting(broken).await).await, NoAnswer::Disconnected);
    assert_eq!(called(true, leaving(2).await).await, NoAnswer::Disconnected);
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn of_reqwest() {
    let call = async |address: SocketAddr, time: Duration| {
        let client = reqwest::Client::builder().timeout(time).build().unwrap();
        let error = client.post(format!("http://{address}/")).send().await.unwrap_err();
        no_answer(&error.into())
    };
    let minute = Duration::from_secs(60);
    assert_eq!(call(closed().await, minute).await, NoAnswer::Unreachable);
    assert_eq!(call(served(async |_stream| {}).await, minute).await, NoAnswer::Disconnected);
    let silent = served(async |_stream| std::future::pending().await).await;
    let overdue = NoAnswer::Overdue(Clock::Total);
    assert_eq!(call(silent, Duration::from_millis(20)).await, overdue);
}

#[test]
fn of_sockets() {
    let check = |kind: io::ErrorKind, expected: NoAnswer| {
        // However deep it is.
        let error = io::Error::other(io::Error::other(io::Error::from(kind)));
        assert_eq!(no_answer(&error.into()), expected, "{kind:?}");
    };
    check(io::ErrorKind::ConnectionRefused, NoAnswer::Unreachable);
    check(io::ErrorKind::ConnectionReset, NoAnswer::Disconnected);
    check(io::ErrorKind::TimedOut, NoAnswer::Overdue(Clock::Total));
}

#[tokio::test]
async fn a_request_that_no_client_sends_says_nothing_about_the_provider() {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let mut old = Request::post("http://localhost/v1").body(Full::from("{}")).unwrap();
    *old.version_mut() = http::Version::HTTP_09;
    let nowhere = Request::post("/v1/chat/completions").body(Full::from("{}")).unwrap();
    for request in [nowhere, old] {
        let error = BoxError::from(client.request(request).await.unwrap_err());
        assert_eq!(local_code(&error), Some(Code::Unsendable), "{error}");
        let error = Error::from(error);
        assert_eq!((error.code(), error.is_retryable()), (Code::Unsendable, false));
        assert_eq!(error.kind().status(), 500);
    }
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn nor_does_one_that_reqwest_does_not_build() {
    let error = reqwest::Client::new().post("no address").send().await.unwrap_err();
    assert_eq!(local_code(&error.into()), Some(Code::Unsendable));
}
