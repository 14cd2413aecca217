use std::sync::Mutex;

use battlement_core::{Outcome, Verdict};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    Source,
    call::{Attempt, Caching, Call, CallLayer, Options, Reads},
    events::Event,
    finish::FinishLayer,
    source::Hit,
    testing::{
        Answer as Told, Piece, Provider, delta, finish_event, fixed_request, fixed_stream_request,
        request, request_for, text,
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

type Service = Reads<Cache<Provider>>;

fn over(answers: impl IntoIterator<Item = Told>, layer: CacheLayer) -> (Service, Provider) {
    let provider = Provider::new(answers);
    (layer.layer(provider.clone()), provider)
}

async fn ask(
    service: &Service,
    request: Request<Full<Bytes>>,
) -> Response<Body<crate::testing::ScriptedBody>> {
    service.clone().oneshot(request).await.unwrap()
}

fn source<R>(response: &Response<R>) -> String {
    Source::of(response).to_string()
}

fn with(options: Options, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.extensions_mut().insert(options);
    request
}

fn caching(caching: Caching) -> Options {
    Options::default().caching(caching)
}

#[tokio::test(start_paused = true)]
async fn the_second_who_asks_gets_what_the_first_got() {
    let told = Told::ok()
        .header("x-request-id", "req_1")
        .header("set-cookie", "secret=1")
        .header("x-ratelimit-remaining-requests", "0")
        .header("date", "Sat, 21 Nov 2026 00:00:00 GMT");
    let (service, provider) = over([told], CacheLayer::new());
    let first = ask(&service, fixed_request()).await;
    assert_eq!(source(&first), "primary");
    assert!(first.headers().contains_key("set-cookie"));
    let first = text(first).await.unwrap();
    sleep(Duration::from_millis(90_500)).await;

    let second = ask(&service, fixed_request()).await;
    assert_eq!((source(&second).as_str(), second.status()), ("cache", StatusCode::OK));
    let names: Vec<_> = second.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["content-type", "x-request-id", "age"]);
    assert_eq!(second.headers()["age"], "90");
    let hit = *second.extensions().get::<Hit>().unwrap();
    assert_eq!((hit.age, hit.stale), (Duration::from_millis(90_500), false));
    assert_eq!(http_body::Body::size_hint(second.body()).exact(), Some(first.len() as u64));
    assert_eq!(text(second).await.unwrap(), first);
    assert_eq!(provider.arrived().len(), 1);
}

/// The verdict of an answer that is told again: what it was, and that it has cost nothing.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_told_again_ends_truthfully() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        let word = match event {
            Event::CacheHit { hit } => format!("hit stale={}", hit.stale),
            Event::CacheMiss => "miss".into(),
            Event::CacheStored { .. } => "stored".into(),
            Event::Ended { verdict } => {
                let tokens = verdict.usage.and_then(|usage| usage.total());
                format!("{} {}", verdict.outcome, tokens.unwrap_or(1_000))
            }
            _ => return,
        };
        log.lock().unwrap().push(word);
    };
    let provider = Provider::new([Told::ok()]);
    // With somebody further out who wants to know, as well.
    let service = tower::ServiceBuilder::new()
        .layer(CallLayer::new().observer(observer))
        .layer(crate::observe::ObserveLayer::new())
        .layer(CacheLayer::new())
        .service(provider);
    for _ in 0..2 {
        let response = service.clone().oneshot(fixed_request()).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        assert!(attempt.verdict().is_none(), "not before its end");
        text(response).await.unwrap();
        assert!(attempt.verdict().unwrap().is_success());
    }
    // One that is given up is no success.
    let response = service.oneshot(fixed_request()).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    drop(response);
    assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Abandoned);
    assert_eq!(attempt.call().attempts(), 0);
    let expected = [
        "miss",
        "complete 12",
        "stored",
        "hit stale=false",
        "complete 0",
        "hit stale=false",
        "abandoned 1000",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_told_again_in_the_same_frames() {
    let (service, provider) = over([Told::stream(&["Hel", "lo"])], CacheLayer::new());
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut body = ask(&service, fixed_stream_request()).await.into_body();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.unwrap().into_data().unwrap());
        }
        told.push(frames);
    }
    assert_eq!(told[0].len(), 4);
    assert_eq!(told[0], told[1]);
    // As JSON it is another answer.
    assert_eq!(source(&ask(&service, fixed_request()).await), "primary");
    assert_eq!(provider.arrived().len(), 2);
}

/// What is kept, and what is not: by what it is, and what is asked.
#[tokio::test(start_paused = true)]
async fn only_what_is_whole_is_kept() {
    async fn check(what: &str, told: Told, request: fn() -> Request<Full<Bytes>>, kept: bool) {
        let (service, provider) = over([told], CacheLayer::new());
        for _ in 0..2 {
            let response = ask(&service, request()).await;
            let _error = text(response).await;
        }
        assert_eq!(provider.arrived().len() == 1, kept, "{what}");
    }
    let with_stop = |pieces: &[&str]| {
        let pieces = pieces.iter().map(|piece| Piece::Bytes((*piece).into())).collect();
        Told::streaming(pieces)
    };
    let (text, stop) = (delta("Hi"), finish_event("stop"));
    check("whole", Told::ok(), fixed_request, true).await;
    check("truncated", Told::finish("length"), fixed_request, false).await;
    check("filtered", Told::finish("content_filter"), fixed_request, false).await;
    check("tool call", Told::finish("tool_calls"), fixed_request, false).await;
    check("unknown", Told::finish("novel"), fixed_request, false).await;
    check("empty", Told::new(200, ""), fixed_request, false).await;
    check("malformed", Told::new(200, "{"), fixed_request, false).await;
    check("error in a 200", Told::error(200, "server_error"), fixed_request, false).await;
    check("error", Told::error(500, "server_error"), fixed_request, false).await;
    check("caller's error", Told::error(400, "invalid_request_error"), fixed_request, false).await;
    check("not 200", Told::ok().status(203), fixed_request, false).await;
    let encoded = Told::ok().header("content-encoding", "identity, br");
    check("encoded", encoded, fixed_request, false).await;
    check("stream", Told::stream(&["Hi"]), fixed_stream_request, true).await;
    check("cut", with_stop(&[&text]), fixed_stream_request, false).await;
    check("without its end", with_stop(&[&text, &stop]), fixed_stream_request, false).await;
    let broken = Told::streaming(vec![Piece::Bytes(text), Piece::Break]);
    check("broken", broken, fixed_stream_request, false).await;

    check("warm", Told::ok(), request, false).await;
    let state = || request_for(r#"{"model":"m","temperature":0,"store":true,"messages":[]}"#);
    check("state", Told::ok(), state, false).await;
    let stored = || {
        let body = r#"{"model":"m","temperature":0,"previous_response_id":"r","input":"Hi"}"#;
        request_for(body)
    };
    check("a stored conversation", Told::ok(), stored, false).await;
    let search = || {
        let body = r#"{"model":"m","temperature":0,"tools":[{"type":"web_search"}],"messages":[]}"#;
        request_for(body)
    };
    check("server tools", Told::ok(), search, false).await;
    let twice = || request_for(r#"{"model":"m","temperature":0,"model":"n","messages":[]}"#);
    check("ambiguous", Told::ok(), twice, false).await;
    let vectors = || {
        let mut request = request_for(r#"{"model":"m","input":"Hi"}"#);
        *request.uri_mut() = "https://api.openai.com/v1/embeddings".parse().unwrap();
        request
    };
    let answer = r#"{"object":"list","data":[{"embedding":[0.1],"index":0}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#;
    check("vectors", Told::new(200, answer), vectors, true).await;
}

#[tokio::test(start_paused = true)]
async fn who_leaves_half_way_leaves_nothing_and_after_the_last_event_all_of_it() {
    let (service, provider) = over([Told::stream(&["Hel", "lo"])], CacheLayer::new());
    for (frames, calls) in [(1, 1), (3, 2), (4, 3), (4, 3)] {
        let mut body = ask(&service, fixed_stream_request()).await.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!((provider.arrived().len(), provider.alive()), (calls, 0), "{frames}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_says_what_it_wants() {
    let (service, provider) = over([Told::ok()], CacheLayer::new());
    let check = async |options, request, calls| {
        text(ask(&service, with(options, request)).await).await.unwrap();
        assert_eq!(provider.arrived().len(), calls);
    };
    check(caching(Caching::Bypass), fixed_request(), 1).await;
    check(caching(Caching::Usual), fixed_request(), 2).await;
    check(caching(Caching::Usual), fixed_request(), 2).await;
    check(caching(Caching::Bypass), fixed_request(), 3).await;
    check(caching(Caching::Refresh), fixed_request(), 4).await;
    check(caching(Caching::Usual), fixed_request(), 4).await;
    check(caching(Caching::Usual), request(), 5).await;
    check(caching(Caching::Allow), request(), 6).await;
    check(caching(Caching::Allow), request(), 6).await;
    check(caching(Caching::Usual), request(), 7).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_old_at_its_time() {
    let layer = CacheLayer::new()
        .time_to_live(Duration::from_secs(60))
        .stale_if_error(Duration::from_secs(60));
    let (service, provider) = over([Told::ok()], layer);
    for (at, calls) in [(0, 1), (59_999, 1), (60_000, 2), (119_999, 2), (120_000, 3)] {
        let wait = Duration::from_millis(at).saturating_sub(
            provider.arrived().first().map_or(Duration::ZERO, |arrived| arrived.at.elapsed()),
        );
        sleep(wait).await;
        text(ask(&service, fixed_request()).await).await.unwrap();
        assert_eq!(provider.arrived().len(), calls, "{at}");
    }
}

/// What an old answer is served for, and what not.
#[tokio::test(start_paused = true)]
async fn an_old_answer_is_better_than_an_outage_and_not_than_a_mistake() {
    async fn check(what: &str, told: Told, stale: bool) {
        let (service, _) = over([Told::ok(), told], CacheLayer::new());
        text(ask(&service, fixed_request()).await).await.unwrap();
        sleep(Duration::from_secs(2 * 60 * 60)).await;
        let answer = service.clone().oneshot(fixed_request()).await;
        let hit = answer.as_ref().ok().and_then(|answer| answer.extensions().get::<Hit>().copied());
        assert_eq!(hit.is_some_and(|hit| hit.stale), stale, "{what}");
        if let Some(hit) = hit {
            let age = Duration::from_secs(2 * 60 * 60);
            // A second is spent on an error that does not end.
            assert!(hit.age == age || hit.age == age + Duration::from_secs(1), "{what}");
        }
        let Ok(response) = answer else { return };
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        let whole = text(response).await;
        if stale {
            assert!(attempt.verdict().is_some_and(Verdict::is_success), "{what}");
        } else {
            assert!(!whole.unwrap().is_empty(), "nothing of it is lost: {what}");
        }
    }
    check("unreachable", Told::failing(), true).await;
    check("overloaded", Told::error(529, "overloaded_error"), true).await;
    check("failing", Told::error(500, "server_error"), true).await;
    check("rate limit", Told::error(429, "rate_limit_exceeded"), true).await;
    check("quota", Told::error(429, "insufficient_quota"), true).await;
    check("an outage that never ends", Told::error(503, "x").then_hang(), true).await;
    check("mistake", Told::error(400, "invalid_request_error"), false).await;
    check("too long", Told::error(400, "context_length_exceeded"), false).await;
    check("key", Told::error(401, "invalid_api_key"), false).await;
    check("new", Told::ok(), false).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_served_for_errors_of_layers_below() {
    let told = [Told::ok(), Told::new(200, ""), Told::finish("length"), Told::ok()];
    let provider = Provider::new(told);
    let service = tower::ServiceBuilder::new()
        .layer(CacheLayer::new().time_to_live(Duration::ZERO))
        .layer(FinishLayer::new())
        .service(provider.clone());
    text(service.clone().oneshot(fixed_request()).await.unwrap()).await.unwrap();
    let response = service.clone().oneshot(fixed_request()).await.unwrap();
    assert_eq!(source(&response), "cache");
    // Its own limit is no outage.
    let _truncated = service.clone().oneshot(fixed_request()).await;
    let layer = CacheLayer::new().time_to_live(Duration::ZERO).stale_if_error(Duration::ZERO);
    let (service, _) = over([Told::ok(), Told::failing()], layer);
    text(ask(&service, fixed_request()).await).await.unwrap();
    assert!(service.oneshot(fixed_request()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_large_passes_and_is_not_kept() {
    let told = || Told::stream(&["Hel", "lo"]);
    let bytes = told_bytes(told()).await;
    for (layer, kept) in [
        (CacheLayer::new().most_answer(bytes), true),
        (CacheLayer::new().most_answer(bytes - 1), false),
        (CacheLayer::new().most_in_flight(bytes), true),
        (CacheLayer::new().most_in_flight(bytes - 1), false),
    ] {
        let (service, provider) = over([told()], layer);
        for _ in 0..2 {
            assert_eq!(
                text(ask(&service, fixed_stream_request()).await).await.unwrap().len(),
                bytes
            );
        }
        assert_eq!(provider.arrived().len() == 1, kept);
    }
    // What copies take is given back.
    let layer = CacheLayer::new().most_in_flight(2 * bytes);
    let (service, provider) = over([told()], layer);
    for _ in 0..5 {
        let mut body = ask(&service, with(caching(Caching::Refresh), fixed_stream_request()))
            .await
            .into_body();
        body.frame().await.unwrap().unwrap();
    }
    text(ask(&service, fixed_stream_request()).await).await.unwrap();
    text(ask(&service, fixed_stream_request()).await).await.unwrap();
    assert_eq!(provider.arrived().len(), 6);
}

async fn told_bytes(told: Told) -> usize {
    let (service, _) = over([told], CacheLayer::new());
    text(ask(&service, fixed_stream_request()).await).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded() {
    let memory = Arc::new(Memory::new(64 << 10));
    let (service, _) = over([Told::ok()], CacheLayer::with(memory.clone()));
    for number in 0..1_000 {
        let body = format!(r#"{{"model":"m","seed":{number},"messages":[]}}"#);
        let mut request = fixed_request();
        *request.body_mut() = body.into();
        text(ask(&service, request).await).await.unwrap();
        assert!(memory.size() <= 64 << 10);
    }
    assert!(memory.len() > 50);
    memory.clear();
    assert!(memory.is_empty());
}

/// A store that takes its time.
struct Slow(Memory, Duration);

impl Store for Slow {
    fn get(&self, key: &Fingerprint) -> LookUp {
        let LookUp::Now(found) = self.0.get(key) else { unreachable!("it is in memory") };
        let time = self.1;
        LookUp::Later(Box::pin(async move {
            sleep(time).await;
            found
        }))
    }

    fn put(&self, key: Fingerprint, answer: Arc<Answer>, time: Duration) {
        assert_eq!(time, Duration::from_secs(25 * 60 * 60));
        // As if it came from elsewhere.
        let date = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let bytes = Bytes::from(answer.to_bytes(date));
        let again = Answer::from_bytes(&bytes, date + Duration::from_secs(7)).unwrap();
        assert_eq!((again.body(), again.headers()), (answer.body(), answer.headers()));
        self.0.put(key, Arc::new(again), time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_elsewhere_is_waited_for_and_not_for_long() {
    // Since there is nothing before the first instant.
    tokio::time::advance(Duration::from_secs(60)).await;
    for (millis, calls, expected) in [(100, 1, "cache"), (1_000, 2, "primary")] {
        let store = Slow(Memory::default(), Duration::from_millis(millis));
        let (service, provider) = over([Told::ok()], CacheLayer::with(Arc::new(store)));
        text(ask(&service, fixed_request()).await).await.unwrap();
        let start = tokio::time::Instant::now();
        let response = ask(&service, fixed_request()).await;
        assert_eq!(start.elapsed(), Duration::from_millis(millis.min(250)));
        assert_eq!(source(&response), expected);
        if expected == "cache" {
            assert_eq!(response.headers()["age"], "7");
        }
        text(response).await.unwrap();
        assert_eq!(provider.arrived().len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_of_one_layer_share_what_is_kept() {
    let (layer, provider) = (CacheLayer::new(), Provider::new([Told::ok()]));
    let (one, other) = (layer.layer(provider.clone()), layer.clone().layer(provider.clone()));
    text(ask(&one, fixed_request()).await).await.unwrap();
    assert_eq!(source(&ask(&one, fixed_request()).await), "cache");
    assert_eq!(source(&ask(&other, fixed_request()).await), "cache");
    assert_eq!(provider.arrived().len(), 1);
}

/// Whoever asks, by tenant and key.
fn asked_by(tenant: Option<&str>, key: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = fixed_request();
    if let Some(key) = key {
        let key = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", key);
    }
    let options = Options::default();
    let options = match tenant {
        Some(tenant) => options.tenant(tenant),
        None => options,
    };
    with(options, request)
}

fn who() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    let name = || prop::option::of(prop_oneof![Just("a"), Just("b"), Just("")]);
    (name(), name())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s5_different_tenants_never_share(one in who(), other in who(), shared in any::<bool>()) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let layer = if shared { CacheLayer::new().shared() } else { CacheLayer::new() };
            let (service, _) = over([Told::ok()], layer);
            text(ask(&service, asked_by(one.0, one.1)).await).await.unwrap();
            let second = ask(&service, asked_by(other.0, other.1)).await;
            // The tenant tells, and where there is none, the key.
            let same = match (one.0, other.0) {
                (None, None) => one.1 == other.1,
                (one, other) => one == other,
            };
            prop_assert_eq!(source(&second) == "cache", same || shared);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_kept_elsewhere_comes_back_as_it_was(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..5),
        streamed in any::<bool>(),
        cut in 0_usize..200,
    ) {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "text/event-stream".parse().unwrap());
        let class = battlement_core::FinishClass::StopSequence;
        let answer = Answer::new(headers, &frames, class, streamed);
        let date = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let bytes = Bytes::from(answer.to_bytes(date));
        let again = Answer::from_bytes(&bytes, date).unwrap();
        prop_assert_eq!((&again.body, &again.ends), (&answer.body, &answer.ends));
        prop_assert_eq!((again.class, again.streamed), (class, streamed));
        prop_assert_eq!(&again.headers, &answer.headers);
        let _any = Answer::from_bytes(&bytes.slice(..cut.min(bytes.len())), date);
        if cut < bytes.len() {
            prop_assert!(Answer::from_bytes(&bytes.slice(..cut), date).is_none());
        }
    }

    #[test]
    fn any_bytes_from_elsewhere_are_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _any = Answer::from_bytes(&Bytes::from(bytes), std::time::SystemTime::UNIX_EPOCH);
    }
}
