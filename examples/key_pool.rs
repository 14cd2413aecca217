//! Three keys of one provider, each with its own limits: whichever has room is taken.
//!
//! `cargo run -p examples --bin key-pool`

use std::{collections::BTreeMap, convert::Infallible};

use battlement::{
    BoxError,
    core::Provider,
    fallback::{FallbackLayer, Route, Served},
    rate_limit::{Config, RateLimitLayer},
    stack::{Stack, Stacked},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let layer = FallbackLayer::key_pool(Route::new("team-a").bearer("sk-spent")?)
        .route(Route::new("team-b").bearer("sk-throttled")?, account(client())?)
        .route(Route::new("team-c").bearer("sk-good")?, account(client())?)
        .build()?;
    let service = layer.layer(account(client())?);

    let mut served = BTreeMap::<String, u32>::new();
    for _ in 0..4 {
        let request = Request::post("https://api.openai.com/v1/chat/completions")
            .body(Full::from(r#"{"model":"gpt-5-mini","messages":[]}"#))?;
        let response = service.clone().oneshot(request).await?;
        assert_eq!(response.status(), StatusCode::OK);
        let by = response.extensions().get::<Served>().expect("the layer put it there").clone();
        *served.entry(by.route().to_owned()).or_default() += 1;
        print!("answered with the key of {}", by.route());
        for visit in by.trail() {
            print!("; not {visit}");
        }
        println!();
        response.into_body().collect().await?;
    }
    // One key has no money, one is throttled: nobody but the third can answer.
    assert_eq!(served, BTreeMap::from([("team-c".to_owned(), 4)]));

    // The money is a matter for people; until then nobody need ask.
    layer.handle().switch("team-a", false)?;
    for route in layer.handle().snapshot() {
        println!("{}: {}", route.route, if route.is_on { "on" } else { "off" });
    }
    Ok(())
}

/// The stack for one key: its limits and its cool-down are its own, and who would have to wait goes to the next.
fn account<C>(client: C) -> Result<Stacked<C>, BoxError> {
    let limits = Config::new(Provider::OpenAi).requests_per_minute(500);
    Ok(Stack::openai().rate_limit(RateLimitLayer::new(limits)?).layer(client))
}

/// A provider in memory instead of a client, so that this runs offline. What it says depends on the key.
fn client()
-> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    service_fn(|request: Request<Full<Bytes>>| {
        let key = request.headers()["authorization"].to_str().unwrap_or_default();
        let mut response = match key {
            "Bearer sk-good" => Response::new(Full::from(provider::chat("Hi.", "stop"))),
            _ => {
                let code = if key.ends_with("spent") {
                    "insufficient_quota"
                } else {
                    "rate_limit_exceeded"
                };
                let body = format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#);
                let mut response = Response::new(Full::from(body));
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                response
            }
        };
        if key.ends_with("throttled") {
            response.headers_mut().insert("retry-after", 60.into());
        }
        async { Ok(response) }
    })
}
