//! Two providers: a stream that dies before its first word is answered by the other one.
//!
//! `cargo run -p examples --bin two-providers`

use battlement::{
    BoxError, Error,
    fallback::{FallbackLayer, Route, Served},
    stack::Stack,
};
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
    let dies = Answer::broken_stream(&[": keep-alive\n\n".into()]);
    let one = Provider::start([dies.clone(), dies, Answer::broken_stream(&[delta("Once")])]).await;
    let story = Answer::stream(&[delta("Once upon"), delta(" a time."), end()]);
    let other = Provider::start([story]).await;

    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    // The request is made for the one; this is what the other wants otherwise.
    let second = Route::new("other")
        .base(&other.url())?
        .bearer("sk-other")?
        .model("other-model")
        .without(["seed"]);
    let layer =
        FallbackLayer::builder("one").route(second, Stack::new().layer(client.clone())).build()?;
    let service = layer.layer(Stack::new().layer(client));

    let response = service.clone().oneshot(question(&one)?).await?;
    let served = response.extensions().get::<Served>().cloned().expect("the layer put it there");
    let (text, ending) = read(response).await;
    println!("{text:?}, answered by {}", served.source());
    assert_eq!((text.as_str(), ending.is_ok()), ("Once upon a time.", true));
    assert_eq!((one.requests(), other.requests()), (2, 1));

    println!("An incident at the other one: it is switched off.");
    layer.handle().switch("other", false)?;
    let response = service.oneshot(question(&one)?).await?;
    let (text, ending) = read(response).await;
    let error = Error::from(ending.unwrap_err());
    // After the first word nobody else can go on with it: the caller is told.
    println!("{text:?}, and then {error}");
    assert_eq!((text.as_str(), error.code().as_str()), ("Once", "llm.stream.cut"));
    assert_eq!((one.requests(), other.requests()), (3, 1));
    Ok(())
}

fn question(provider: &Provider) -> Result<Request<Full<Bytes>>, http::Error> {
    let body =
        r#"{"model":"m","stream":true,"seed":7,"messages":[{"role":"user","content":"A story!"}]}"#;
    Request::post(format!("{}/v1/chat/completions", provider.url()))
        .header("content-type", "application/json")
        .header("authorization", "Bearer sk-one")
        .body(Full::from(body))
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
