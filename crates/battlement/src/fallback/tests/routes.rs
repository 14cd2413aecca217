//! What is changed about a request, and which routes are left out.

use battlement_core::Dialect;
use http::{HeaderName, HeaderValue, header};

use super::*;
use crate::testing::request_for;

const BODY: &str =
    r#"{ "temperature": 0.70, "model": "gpt-5-mini","seed":7, "max_tokens":9000, "messages":[] }"#;

/// What arrives at a route of a request for the first one, which fails.
async fn arrives(route: Route, mut request: Ask) -> crate::testing::Arrived {
    let headers = request.headers_mut();
    headers.insert(header::AUTHORIZATION, "Bearer first".parse().unwrap());
    headers.insert("openai-organization", "org".parse().unwrap());
    headers.insert("x-trace", "t".parse().unwrap());
    let case = Case::with(provider("q"), provider("+"), route, |builder| builder);
    case.call(request).await.unwrap();
    let first = &case.a.arrived()[0];
    assert_eq!(
        (&first.headers["authorization"], &*first.body),
        (&"Bearer first".parse().unwrap(), BODY.as_bytes())
    );
    case.b.arrived().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_route_without_settings_gets_the_same_request() {
    let arrived = arrives(Route::new("b"), request_for(BODY)).await;
    assert_eq!(arrived.uri, "https://api.openai.com/v1/chat/completions");
    assert_eq!(arrived.headers["authorization"], "Bearer first");
    assert_eq!(arrived.body, BODY);
}

#[tokio::test(start_paused = true)]
async fn what_is_set_is_changed_and_not_a_byte_more() {
    let route = Route::new("b")
        .base("https://llm.example/openai")
        .unwrap()
        .bearer("second")
        .unwrap()
        .header(HeaderName::from_static("x-own"), HeaderValue::from_static("1"))
        .without_header(HeaderName::from_static("x-trace"))
        .model("other/\"m\"")
        .max_output_tokens(4_000)
        .without(["seed", "user"]);
    let shown = format!("{route:?}");
    assert!(!shown.contains("second"), "{shown}");
    let arrived = arrives(route, request_for(BODY)).await;
    assert_eq!(arrived.uri, "https://llm.example/openai/v1/chat/completions");
    let expected =
        r#"{ "temperature": 0.70, "model": "other/\"m\"","max_tokens":4000, "messages":[] }"#;
    assert_eq!(arrived.body, expected);
    assert_eq!(arrived.headers["authorization"], "Bearer second");
    assert!(arrived.headers["authorization"].is_sensitive());
    assert_eq!(arrived.headers["x-own"], "1");
    assert!(!arrived.headers.contains_key("x-trace"));
    assert!(!arrived.headers.contains_key("openai-organization"));
}

#[tokio::test(start_paused = true)]
async fn no_key_goes_to_another_host() {
    let route = Route::new("b").base("https://llm.example").unwrap();
    let mut request = request_for(BODY);
    *request.uri_mut() = "https://api.openai.com/v1/chat/completions?key=first".parse().unwrap();
    request.headers_mut().insert("api-key", "first".parse().unwrap());
    request.headers_mut().insert("host", "api.openai.com".parse().unwrap());
    let arrived = arrives(route, request).await;
    assert_eq!(arrived.uri, "https://llm.example/v1/chat/completions");
    for name in ["authorization", "api-key", "openai-organization", "host"] {
        assert!(!arrived.headers.contains_key(name), "{name}");
    }
    assert_eq!(arrived.headers["x-trace"], "t");
}

#[tokio::test(start_paused = true)]
async fn a_length_that_was_announced_is_the_new_one() {
    let mut request = request_for(BODY);
    request.headers_mut().insert("content-length", BODY.len().into());
    let arrived = arrives(Route::new("b").model("m"), request).await;
    assert_eq!(arrived.headers["content-length"], arrived.body.len().to_string());
}

#[tokio::test(start_paused = true)]
async fn each_route_is_a_call_of_its_own_to_those_below() {
    let case = Case::with(
        provider("q"),
        provider("+"),
        Route::new("b")
            .base("https://api.groq.com/openai")
            .unwrap()
            .bearer("k")
            .unwrap()
            .model("m"),
        |builder| builder,
    );
    let response = case.call(request()).await.unwrap();
    let call = response.extensions().get::<Attempt>().unwrap().call().clone();
    assert_eq!(call.facts().model.as_deref(), Some("m"));
    assert_eq!(call.facts().provider, battlement_core::Provider::Groq);
    assert_eq!(call.credential(), Some(crate::call::Credential::of("k")));
    assert_eq!(call.trail().len(), 2, "one account");
}

#[tokio::test(start_paused = true)]
async fn the_first_route_can_be_changed_too() {
    let layer: FallbackLayer<Full<Bytes>> =
        FallbackLayer::builder(Route::new("a").model("m")).build().unwrap();
    let (provider, told) = (provider("+"), Told::default());
    let service =
        crate::deadline::DeadlineLayer::new().layer(layer.layer(stack().layer(provider.clone())));
    let response = told.layer().layer(service).oneshot(request_for(BODY)).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    text(response).await.unwrap();
    assert_eq!(attempt.call().facts().model.as_deref(), Some("m"));
    assert!(attempt.verdict().unwrap().is_success());
    assert!(
        provider.arrived()[0].body.windows(11).any(|bytes| bytes == br#""model": "m"#.as_slice())
    );
    assert_eq!(told.events(), ["1 first", "served primary"]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_under_it_says_who_answers_where_the_address_does_not() {
    let layer: FallbackLayer<Full<Bytes>> = FallbackLayer::builder("a").build().unwrap();
    let mut relative = request();
    *relative.uri_mut() = "/v1/chat/completions".parse().unwrap();
    let service = layer.layer(Stack::anthropic().layer(provider("+")));
    let service = crate::deadline::DeadlineLayer::new().layer(service);
    let response = service.oneshot(relative).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    text(response).await.unwrap();
    assert_eq!(attempt.call().facts().provider, battlement_core::Provider::Anthropic);
    assert!(attempt.verdict().is_some() && attempt.call().attempts() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_cannot_is_passed_by() {
    let check = |route: Route, body: &'static str, why: &'static str| async move {
        let case = Case::with(provider("q"), provider("+"), route, |builder| builder);
        let response = case.call(request_for(body)).await.unwrap();
        assert_eq!((response.status().as_u16(), case.calls()), (429, [1, 0]), "{why}");
    };
    let small = Capabilities { context: Some(1_000), ..Capabilities::default() };
    check(Route::new("b").capabilities(small), BODY, "lacks context").await;
    let deaf = Capabilities { tools: Some(false), ..Capabilities::default() };
    let tools =
        r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    check(Route::new("b").capabilities(deaf), tools, "lacks tools").await;
    check(Route::new("b").dialect(Dialect::AnthropicMessages), BODY, "dialect").await;
}

#[tokio::test(start_paused = true)]
async fn the_first_choice_may_be_passed_by() {
    let blind = Capabilities { vision: Some(false), ..Capabilities::default() };
    let image = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#;
    let (a, b) = (provider("+"), provider("+"));
    let layer = FallbackLayer::builder(Route::new("a").capabilities(blind))
        .route("b", stack().layer(b.clone()))
        .build()
        .unwrap();
    let service = layer.layer(stack().layer(a.clone()));
    let response = service.clone().oneshot(request_for(image)).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.source().to_string(), "fallback:b");
    assert_eq!(served.trail()[0].to_string(), "a: lacks vision");
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(response.extensions().get::<Served>().unwrap().source(), Source::Primary);

    let alone: FallbackLayer<Full<Bytes>> =
        FallbackLayer::builder(Route::new("a").capabilities(blind)).build().unwrap();
    let error = alone.layer(stack().layer(a)).oneshot(request_for(image)).await.unwrap_err();
    let error = Error::from(error);
    assert_eq!((error.code(), error.is_retryable()), (Code::NoRoute, false));
    assert_eq!(error.to_string(), "llm.local.no_route: no route takes the call: a: lacks vision");
    assert_eq!(error.routes().len(), 1);
}

#[test]
fn routes_that_cannot_be_told_apart() {
    let twice = FallbackLayer::builder("a").route("a", stack().layer(provider("+")));
    assert_eq!(twice.build().unwrap_err().to_string(), "two routes are named \"a\"");
    let mut many = FallbackLayer::builder("a");
    for number in 0..64 {
        many = many.route(Route::new(number.to_string()), stack().layer(provider("+")));
    }
    assert_eq!(many.build().unwrap_err().to_string(), "65 routes are more than 64");
    assert!(Route::new("a").base("llm.example").is_err() && Route::new("a").bearer("\n").is_err());
}
