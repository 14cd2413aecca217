//! An answer that was given an hour ago is served while the provider is down; and many who ask at once make one call.
//!
//! `cargo run -p examples --bin cached-answer-during-outage`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use battlement::{
    BoxError, Hit, Source,
    builder::ServiceBuilderExt as _,
    cache::CacheLayer,
    call::{Call, CallLayer, Options},
    events::Event,
    single_flight::SingleFlightLayer,
    stack::Stack,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider};
use tower::{ServiceBuilder, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let down = Answer::json("503 Service Unavailable", &[], r#"{"error":{"message":"down"}}"#);
    let provider = Provider::start([Answer::chat("Rhine, Elbe, Danube.", "stop"), down]).await;
    let paid = Arc::new(AtomicU64::new(0));
    let account = paid.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        if let Event::Ended { verdict } = event {
            let tokens = verdict.usage.and_then(|usage| usage.total());
            account.fetch_add(tokens.unwrap_or(0), Ordering::Relaxed);
        }
    };
    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new()
        .llm_call(CallLayer::new().observer(observer))
        // So that this example need not wait: an answer is old at once.
        .llm_cache(CacheLayer::new().time_to_live(Duration::from_millis(1)))
        .llm_single_flight(SingleFlightLayer::new())
        .llm_stack(Stack::openai_compatible(&provider.url())?)
        .service(client);

    let ask = async |tenant: &'static str| {
        let request = Request::post("/v1/chat/completions")
            .header("content-type", "application/json")
            .extension(Options::default().tenant(tenant).attempts(1))
            .body(Full::from(r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"Three rivers?"}]}"#))?;
        let response = service.clone().oneshot(request).await?;
        let (from, age) =
            (Source::of(&response).to_string(), response.extensions().get::<Hit>().copied());
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, BoxError>((status, from, age, body))
    };

    let (one, other) = tokio::try_join!(ask("acme"), ask("acme"))?;
    println!("two ask at once: {} call, {}", provider.requests(), one.1);
    assert_eq!((provider.requests(), one.3 == other.3), (1, true));
    println!("{} tokens are paid", paid.load(Ordering::Relaxed));
    assert_eq!(paid.load(Ordering::Relaxed), 17);

    tokio::time::sleep(Duration::from_millis(2)).await;
    let (status, from, hit, body) = ask("acme").await?;
    let hit = hit.expect("it is not from the provider");
    println!("the provider is down: {status} from {from}, {:?} old", hit.age);
    assert_eq!((from.as_str(), hit.stale, body == one.3), ("cache", true, true));

    let (status, from, ..) = ask("another").await?;
    println!("what one tenant was told no other one sees: {status} from {from}");
    assert_eq!((status.as_u16(), from.as_str()), (503, "primary"));
    assert_eq!(paid.load(Ordering::Relaxed), 17);
    Ok(())
}
