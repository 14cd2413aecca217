//! A streamed answer that is cut, without and with the layers.
//!
//! `cargo run -p examples --bin streaming-cut`
//!
//! The connection does not break: somewhere on the way something has given up and ended the stream in good
//! order. Nobody but a reader of the answer can tell.

use battlement::{BoxError, Error, call::Attempt, stack::Stack};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider, delta, end};
use tower::{Layer, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    let words = [delta("Once upon"), delta(" a")];

    println!("Cut in the middle, without the layers:");
    let provider = Provider::start([Answer::stream(&words)]).await;
    let (text, ending) = read(client.request(question(&provider)).await?).await;
    println!("    {text:?}, and a good end: nothing says that it is half an answer");
    assert_eq!((text.as_str(), ending.is_ok()), ("Once upon a", true));

    println!("The same, with them:");
    let service = Stack::new().layer(client.clone());
    let response = service.oneshot(question(&provider)).await?;
    let attempt = response.extensions().get::<Attempt>().cloned().expect("the layers put it there");
    let (text, ending) = read(response).await;
    let error = Error::from(ending.unwrap_err());
    println!("    {text:?}, and then {error}");
    assert_eq!(text, "Once upon a");
    assert_eq!(error.code().as_str(), "llm.stream.cut");
    // What the breaker, the limits and the metrics were told.
    assert_eq!(attempt.verdict().expect("it is over").outcome.as_str(), "stream_cut");

    println!("Cut before the first word, without the layers:");
    let early = Answer::broken_stream(&[": keep-alive\n\n".into()]);
    let good = Answer::stream(&[delta("Once upon"), delta(" a time."), end()]);
    let provider = Provider::start([early.clone()]).await;
    let (text, ending) = read(client.request(question(&provider)).await?).await;
    println!("    {text:?}, and then {}", ending.as_ref().unwrap_err());
    assert_eq!((text.as_str(), ending.is_err()), ("", true));

    println!("The same, with them:");
    let provider = Provider::start([early, good]).await;
    let service = Stack::new().layer(client);
    let (text, ending) = read(service.oneshot(question(&provider)).await?).await;
    println!("    {text:?} after {} requests: the caller has noticed nothing", provider.requests());
    assert_eq!((text.as_str(), ending.is_ok()), ("Once upon a time.", true));
    assert_eq!(provider.requests(), 2);
    Ok(())
}

fn question(provider: &Provider) -> Request<Full<Bytes>> {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"A story!"}]}"#;
    Request::post(format!("{}/v1/chat/completions", provider.url()))
        .header("content-type", "application/json")
        .body(Full::from(body))
        .expect("the address is one")
}

/// The text of an answer as a simple client reads it, and how its body ended.
async fn read<R>(response: Response<R>) -> (String, Result<(), BoxError>)
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let (mut text, mut body) = (String::new(), response.into_body());
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => return (text, Err(error.into())),
        };
        for line in String::from_utf8_lossy(&data).lines() {
            let content = line.split_once(r#""content":""#);
            text += content.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
        }
    }
    (text, Ok(()))
}
