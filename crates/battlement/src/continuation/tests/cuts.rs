//! Streams that break off.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_does_so_unless_told_otherwise() {
    let case = Case::new([cut(&["Once"])]);
    let came = case.call(asked(&stream_body())).await;
    came.tells(&["ended stream_cut"]);
    assert_eq!(came.error().code(), Code::Disconnected);
    assert_eq!(case.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_cut_is_asked_for() {
    let case = Case::new([cut(&["Once", " upon"]), stream(&[" a", " time"], "stop")])
        .with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon", " a", " time"], "stop", 1));
    came.tells(&["ended stream_cut", "continued 1 prefill cut", "ended complete"]);
    let second = &case.bodies()[1];
    assert!(second.ends_with(&begun("Once upon")), "{second}");
    assert!(second.contains(r#""max_tokens":4"#), "less what was generated: {second}");
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_begun_again_where_nobody_goes_on() {
    let case = Case::new([cut(&["Once", " upon"]), stream(&["Once u", "pon a", " time"], "stop")])
        .with(ContinuationLayer::cuts);
    let came = case.call(asked_openai(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon", " a", " time"], "stop", 1));
    came.tells(&["ended stream_cut", "continued 1 restart cut", "ended complete"]);
    assert_eq!(case.bodies(), [stream_body(), stream_body()]);
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_an_error() {
    let case =
        Case::new([cut(&["Once", " upon"]), stream(&["Once there", " was"], "stop").then_hang()])
            .with(ContinuationLayer::cuts);
    let came = case.call(asked_openai(&stream_body())).await;
    let error = came.body.unwrap_err();
    let diverged = error.downcast_ref::<Diverged>().unwrap();
    assert_eq!((diverged.from.at, diverged.from.delivered), (5, 9));
    assert_eq!(Error::from(error).code(), Code::StreamCut);
    assert_eq!(case.provider.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prefill_that_is_refused_is_a_restart() {
    let case = Case::new([
        cut(&["Once"]),
        Answer::error(400, "invalid_request_error"),
        stream(&["Once", " upon"], "stop"),
    ])
    .with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 1));
    assert_eq!(case.bodies().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_middle_is_a_cut_if_it_may_pass() {
    let error = |kind: &str| {
        format!(
            "data: {{\"error\":{{\"type\":\"{kind}\",\"code\":\"{kind}\",\"message\":\"no\"}}}}\n\n"
        )
    };
    let broken =
        |kind: &str| Answer::streaming([delta("Once"), error(kind)].map(Piece::Bytes).to_vec());
    let case = Case::new([broken("server_error"), stream(&[" upon"], "stop")])
        .with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 1));
    let case = Case::new([broken("invalid_api_key")]).with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), delta("Once") + &error("invalid_api_key"));
    assert_eq!(case.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cut_before_any_text_is_not_for_this_layer() {
    let case = Case::new([cut(&[])]).with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert!(came.body.is_err());
    assert_eq!(case.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_no_round_helps_the_first_error_is_told() {
    let case =
        Case::new([cut(&["Once"]), Answer::error(503, "overloaded")]).with(ContinuationLayer::cuts);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.error().code(), Code::Disconnected);
}

fn routes(
    first: &Provider,
    second: &Provider,
    host: &'static str,
) -> impl tower::Service<
    Request<Full<Bytes>>,
    Response = Response<
        impl http_body::Body<Data = Bytes, Error = BoxError> + Send + Unpin + use<>,
    >,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let route = Route::new("second").base(host).unwrap();
    let fallback = FallbackLayer::builder("first").route(route, second.clone()).build().unwrap();
    fallback.layer(first.clone())
}

#[tokio::test(start_paused = true)]
async fn what_breaks_at_one_provider_is_finished_by_another() {
    let first = Provider::new([cut(&["Once"]), Answer::error(503, "overloaded")]);
    let second = Provider::new([stream(&["Once", " upon"], "stop")]);
    let (call, told) = log();
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(ContinuationLayer::new().on_cut([Way::Restart]))
        .service(routes(&first, &second, "https://api.openai.com"));
    let came = came(service.oneshot(asked(&stream_body())).await, &told).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 1));
    assert_eq!((first.arrived().len(), second.arrived().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_prefilled_is_not_taken_from_somebody_who_answers_anew() {
    let first = Provider::new([cut(&["Once"]), Answer::error(503, "overloaded")]);
    let second =
        Provider::new([stream(&["A new answer"], "stop"), stream(&["Once", " upon"], "stop")]);
    let (call, told) = log();
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(ContinuationLayer::new().cuts())
        .service(routes(&first, &second, "https://api.openai.com"));
    let mut request = asked(&stream_body());
    request.extensions_mut().insert(Options::default().attempts(8));
    let came = came(service.oneshot(request).await, &told).await;
    assert!(came.told.contains(&"continued 1 restart cut".into()), "{:?}", came.told);
    assert_eq!(second.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_at_its_limit_is_not_begun_again() {
    let again = stream(&["There was"], "stop");
    let case = Case::new([stream(&["Once"], "length"), cut(&[" upon"]), again])
        .with(|layer| layer.on_cut([Way::Restart]));
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "length", 1));
    assert_eq!(case.bodies().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_another_reason_is_not_asked_for_in_another_way() {
    for status in [401, 408, 429] {
        let again = stream(&["Once", " upon"], "stop");
        let case = Case::new([cut(&["Once"]), Answer::error(status, "no"), again])
            .with(ContinuationLayer::cuts);
        let came = case.call(asked(&stream_body())).await;
        assert_eq!(came.error().code(), Code::Disconnected);
        assert_eq!(case.bodies().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_first_request_is_not_that_of_another() {
    let case =
        Case::new([cut(&["Once"]), stream(&[" upon"], "stop")]).with(ContinuationLayer::cuts);
    let mut request = asked(&stream_body());
    request.headers_mut().insert("idempotency-key", "mine".parse().unwrap());
    case.call(request).await;
    let has_key =
        |request: &crate::testing::Arrived| request.headers.contains_key("idempotency-key");
    let arrived: Vec<_> = case.provider.arrived().iter().map(has_key).collect();
    assert_eq!(arrived, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_round_of_a_request_without_a_limit_has_that_of_the_layer() {
    let ask = async |request: fn(&str) -> Request<Full<Bytes>>, model: &str, tokens| {
        let case = Case::new([cut(&["Once"]), stream(&["Once", " upon"], "stop")])
            .with(|layer| layer.cuts().tokens(tokens));
        let body = body(r#","stream":true"#).replace("\"m\"", &format!("\"{model}\""));
        case.call(request(&body)).await;
        case.bodies()[1].clone()
    };
    // Each has told of one or two.
    let (prefill, restart) = (ask(asked, "m", 99).await, ask(asked_openai, "m", 99).await);
    assert!(prefill.contains(r#"_tokens":9"#), "{prefill}");
    assert!(restart.contains(r#"_tokens":9"#), "{restart}");
    // One above what the model can do would be refused.
    let unknown = ask(asked, "m", 100_000).await;
    assert!(!unknown.contains("_tokens"), "{unknown}");
    let known = ask(asked_openai, "gpt-4o", 100_000).await;
    assert!(known.contains(r#"_tokens":16384"#), "{known}");
}

#[tokio::test(start_paused = true)]
async fn a_round_in_another_form_is_not_used() {
    let stream = || stream(&[" upon"], "stop");
    let document = Answer::new(200, "{}");
    for second in [document, stream().header("content-encoding", "gzip")] {
        let case = Case::new([cut(&["Once"]), second, super::stream(&["Once", " upon"], "stop")])
            .with(ContinuationLayer::cuts);
        let came = case.call(asked(&stream_body())).await;
        assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 1));
        assert_eq!((came.rounds(), case.provider.alive()), (1, 0));
    }
}
