//! What a caller sees of fallback.

mod drops;
mod handle;
mod invariants;
mod routes;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Code, Provider::OpenAi};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    Error,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    stack::Stack,
    testing::{Answer, Piece, Provider, delta, finish_event, request, stream_request, text},
    timeout::{TimeoutLayer, Timeouts},
};

const SECOND: Duration = Duration::from_secs(1);

type Ask = Request<Full<Bytes>>;

/// What a letter of a script stands for; see [`Case`].
fn answer(letter: char) -> Answer {
    match letter {
        '+' => Answer::ok(),
        '5' => Answer::error(500, "server_error"),
        'o' => Answer::error(503, "overloaded"),
        '4' => Answer::error(429, "rate_limit_exceeded"),
        'h' => Answer::error(429, "rate_limit_exceeded").header("retry-after", "1"),
        'H' => Answer::error(429, "rate_limit_exceeded").header("retry-after", "20"),
        'q' => Answer::error(429, "insufficient_quota"),
        'k' => Answer::error(401, "invalid_api_key"),
        'c' => Answer::error(400, "context_length_exceeded"),
        'p' => Answer::error(400, "content_policy_violation"),
        'b' => Answer::error(400, "invalid_request_error"),
        'f' => Answer::finish("content_filter"),
        't' => Answer::finish("length"),
        'e' => Answer::new(200, ""),
        'x' => cut(&[]),
        'd' => Answer::failing(),
        'u' => Answer::failing_with(io::ErrorKind::ConnectionRefused),
        's' => Answer::ok().head_after(1_000 * SECOND),
        _ => unreachable!("no letter of a script"),
    }
}

/// An answer that breaks before its end, after these words.
fn cut(words: &[&str]) -> Answer {
    let mut pieces: Vec<_> = words.iter().map(|word| Piece::Bytes(delta(word))).collect();
    pieces.push(Piece::Bytes(": ping\n\n".into()));
    pieces.push(Piece::Break);
    Answer::streaming(pieces)
}

fn provider(script: &str) -> Provider {
    Provider::new(script.chars().map(answer))
}

/// All layers but those that would make a script hard to read.
fn stack() -> Stack {
    let short = Timeouts { head: Some(5 * SECOND), ..Timeouts::streaming() };
    Stack::openai().timeout(TimeoutLayer::new(short, short).unwrap())
}

/// What was told of calls, and the latest of them.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<String>, Option<Call>)>>);

impl Told {
    fn layer(&self) -> CallLayer {
        let told = self.clone();
        CallLayer::new().provider(OpenAi).observer(move |call: &Call, event: &Event<'_>| {
            let mut told = told.0.lock().unwrap();
            told.1 = Some(call.clone());
            match event {
                Event::Attempt { number, role } => told.0.push(format!("{number} {role}")),
                Event::GaveUp { reason } => told.0.push(format!("gave up: {reason}")),
                Event::PassedBy { route, why } => told.0.push(format!("not {route}: {why}")),
                Event::FallingBack { from, to, code } => {
                    told.0.push(format!("{from} > {to}: {code}"));
                }
                Event::Served { served } => told.0.push(format!("served {}", served.source())),
                Event::Misordered { misordered } => told.0.push(misordered.to_string()),
                Event::SentAgain => told.0.push("sent again".into()),
                _ => {}
            }
        })
    }

    fn events(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    fn call(&self) -> Call {
        self.0.lock().unwrap().1.clone().unwrap()
    }
}

/// Two routes, `a` and `b`, each a stack over a provider that answers by a script.
struct Case {
    a: Provider,
    b: Provider,
    told: Told,
    layer: FallbackLayer<Full<Bytes>>,
}

impl Case {
    fn new(a: Provider, b: Provider) -> Self {
        Self::with(a, b, "b".into(), |builder| builder)
    }

    fn with(
        a: Provider,
        b: Provider,
        second: Route,
        set: impl FnOnce(Builder<Full<Bytes>>) -> Builder<Full<Bytes>>,
    ) -> Self {
        let builder = FallbackLayer::builder("a").route(second, stack().layer(b.clone()));
        Self { a, b, told: Told::default(), layer: set(builder).build().unwrap() }
    }

    /// Makes a call: its answer, or the code of its error, and who has served it.
    async fn call(&self, request: Ask) -> Result<http::Response<Bytes>, Error> {
        let service = self.told.layer().layer(self.layer.layer(stack().layer(self.a.clone())));
        let (parts, body) = service.oneshot(request).await.map_err(Error::from)?.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.map_err(Error::from)?;
        Ok(http::Response::from_parts(parts, body.to_bytes()))
    }

    fn calls(&self) -> [usize; 2] {
        [self.a.arrived().len(), self.b.arrived().len()]
    }

    /// Nothing is on its way any more.
    fn at_rest(&self) {
        assert_eq!((self.a.alive(), self.b.alive()), (0, 0));
        assert!(self.layer.handle().snapshot().iter().all(|route| route.in_flight == 0));
    }
}

/// Plays two scripts; what came back and from whom, and how often each provider was called.
async fn check(a: &str, b: &str, calls: [usize; 2], expected: &str) {
    let case = Case::new(provider(a), provider(b));
    let answer = case.call(request()).await;
    let found = match &answer {
        Ok(response) => {
            let served = response.extensions().get::<Served>().unwrap();
            format!("{} {}", response.status().as_str(), served.source())
        }
        Err(error) => error.code().to_string(),
    };
    let told = case.told.events();
    assert_eq!((case.calls(), &*found), (calls, expected), "{a} {b}: {answer:?} {told:#?}");
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_moves_on_and_what_does_not() {
    check("+", "+", [1, 0], "200 primary").await;
    // Nothing but another account, or another provider, helps.
    for at_once in ["q", "k", "4", "u", "s", "H"] {
        check(at_once, "+", [1, 1], "200 fallback:b").await;
    }
    // What is the same everywhere is the caller's to know.
    check("b", "+", [1, 0], "400 primary").await;
    check("p", "+", [1, 0], "400 primary").await;
    check("f", "+", [1, 0], "200 primary").await;
    check("t", "+", [1, 0], "200 primary").await;
    check("c", "+", [1, 0], "400 primary").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_in_place() {
    for once in ["5", "o", "h", "d", "e", "x"] {
        check(&format!("{once}+"), "+", [2, 0], "200 primary").await;
        check(&format!("{once}{once}"), "+", [2, 1], "200 fallback:b").await;
    }
    // The last attempt is for the next route.
    let case = Case::new(provider("5+"), provider("+"));
    let mut two = request();
    two.extensions_mut().insert(Options::default().attempts(2));
    case.call(two).await.unwrap();
    assert_eq!(case.calls(), [1, 1]);
    // The last route has nobody to leave one to.
    check("q", "5+", [1, 2], "200 fallback:b").await;
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_last_real_answer_is_returned() {
    check("q", "q", [1, 1], "429 fallback:b").await;
    check("q", "b", [1, 1], "400 fallback:b").await;
    check("55", "5", [2, 1], "500 fallback:b").await;
    check("u", "u", [1, 2], "llm.network.unreachable").await;
    check("s", "ss", [1, 2], "llm.timeout.head").await;
    check("q", "u", [1, 2], "llm.network.unreachable").await;

    let case = Case::new(provider("k"), provider("u"));
    let error = case.call(request()).await.unwrap_err();
    let routes: Vec<_> = error.routes().iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["a: llm.auth.invalid_key", "b: llm.network.unreachable"]);
    let steps: Vec<_> = error.attempts().iter().map(ToString::to_string).collect();
    assert_eq!(steps[0], "1 first to a: auth after 0ns");
    assert_eq!(steps[1], "2 fallback to b: not sent after 0ns");
    assert!(steps[2].starts_with("3 retry to b, waited "), "{steps:?}");
    assert!(error.into_source().is::<io::Error>(), "the cause, not its wrapping");
}

#[tokio::test(start_paused = true)]
async fn a_silent_route_costs_its_time_and_no_more() {
    let case = Case::new(provider("s"), provider("+"));
    let before = Instant::now();
    let response = case.call(request()).await.unwrap();
    assert_eq!(before.elapsed(), 5 * SECOND);
    let trail = response.extensions().get::<Served>().unwrap().trail().to_vec();
    assert_eq!(trail[0].why.code(), Some(Code::TimeoutHead));
    assert_eq!(case.b.arrived()[0].at - before, 5 * SECOND, "at once");
    let told = ["1 first", "gave up: fallback", "a > b: llm.timeout.head", "2 fallback"];
    assert_eq!(case.told.events()[..4], told);
    let verdict = response.extensions().get::<Attempt>().unwrap().verdict().unwrap().clone();
    assert!(verdict.is_success());

    // Whoever is only slow is waited for.
    let case = Case::new(Provider::new([Answer::ok().head_after(4 * SECOND)]), provider("+"));
    case.call(request()).await.unwrap();
    assert_eq!(case.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_route_leaks_that_was_cut_before_its_first_word() {
    let cut = || cut(&[]);
    let case = Case::new(Provider::new([cut()]), Provider::new([Answer::stream(&["Hi"])]));
    let response = case.call(stream_request()).await.unwrap();
    let whole = [&*delta("Hi"), &finish_event("stop"), "data: [DONE]\n\n"].concat();
    assert_eq!(response.body(), whole.as_bytes());
    assert_eq!(case.calls(), [2, 1]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn after_the_first_word_the_caller_is_told() {
    let case = Case::new(Provider::new([cut(&["Hi"])]), provider("+"));
    let error = case.call(stream_request()).await.unwrap_err();
    assert_eq!((error.code(), case.calls()), (Code::StreamCut, [1, 0]));
    assert_eq!(case.told.events(), ["1 first", "served primary"]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_overflow_goes_to_a_larger_window_only() {
    let window = |context| Capabilities { context: Some(context), ..Capabilities::default() };
    let route = |name: &str, context| Route::from(name).capabilities(window(context));
    let (small, same, large) = (provider("c"), provider("+"), provider("+"));
    let layer = FallbackLayer::builder(route("small", 8_000))
        .route(route("same", 8_000), stack().layer(same.clone()))
        .route(route("large", 100_000), stack().layer(large.clone()))
        .build()
        .unwrap();
    let response = layer.layer(stack().layer(small.clone())).oneshot(request()).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.source(), Source::Fallback("large"));
    let calls = [small.arrived().len(), same.arrived().len(), large.arrived().len()];
    assert_eq!(calls, [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_ones_own() {
    let set = |builder: Builder<_>| {
        let policy = Policy::default()
            .on(Code::ContentPolicy, Then::Next)
            .on(Code::QuotaExhausted, Then::End)
            .in_place(InPlace::NOT);
        builder.policy(policy)
    };
    for (script, calls) in [("p", [1, 1]), ("q", [1, 0]), ("5", [1, 1])] {
        let case = Case::with(provider(script), provider("+"), "b".into(), set);
        case.call(request()).await.unwrap();
        assert_eq!(case.calls(), calls, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_paid_from_when_something_was_sent() {
    use battlement_core::budget::{self, Budget};
    let poor = budget::Config { reserve: 3.0, share: 0.001, ..budget::Config::default() };
    let poor = Arc::new(Budget::new(&poor, crate::clock::now()).unwrap());
    let case = Case::with(provider("q"), provider("+"), "b".into(), |builder| {
        builder.budget(poor.clone())
    });
    let mut bad = 0;
    for _ in 0..10 {
        bad += usize::from(case.call(request()).await.unwrap().status() == 429);
    }
    assert!(bad > 5 && case.calls()[1] == 10 - bad, "{:?}", case.calls());
    assert!(case.told.events().contains(&"gave up: budget".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_in_memory_goes_to_one_route() {
    let case = Case::new(provider("q"), provider("+"));
    let service =
        CallLayer::new().most_body(1).layer(case.layer.layer(stack().layer(case.a.clone())));
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!((response.status().as_u16(), case.calls()), (429, [1, 0]));
}

#[tokio::test(start_paused = true)]
async fn what_refers_to_state_at_one_provider_stays_there() {
    let stored = || crate::testing::request_for(r#"{"model":"m","store":true,"messages":[]}"#);
    let case = Case::new(provider("q"), provider("+"));
    assert_eq!(case.call(stored()).await.unwrap().status(), 429);
    assert_eq!(case.calls(), [1, 0]);
    let mut anyway = stored();
    anyway.extensions_mut().insert(Options::default().repeatable(true));
    assert_eq!(case.call(anyway).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_that_of_the_call() {
    let case = Case::new(provider("s"), provider("s"));
    let mut hasty = request();
    hasty.extensions_mut().insert(Options::default().time(7 * SECOND));
    let before = Instant::now();
    let error = case.call(hasty).await.unwrap_err();
    assert_eq!(before.elapsed(), 7 * SECOND);
    assert_eq!((error.code(), case.calls()), (Code::DeadlineExceeded, [1, 1]));
    assert_eq!(error.routes().len(), 2);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn it_is_in_order_under_a_deadline_and_over_stacks() {
    let case = Case::new(provider("q"), provider("+"));
    let inner = case.layer.layer(stack().layer(case.a.clone()));
    let service = case.told.layer().layer(crate::deadline::DeadlineLayer::new().layer(inner));
    let response = service.oneshot(request()).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    text(response).await.unwrap();
    assert!(attempt.verdict().unwrap().is_success());
    let told = ["1 first", "a > b: llm.billing.quota_exhausted", "2 fallback", "served fallback:b"];
    assert_eq!(case.told.events(), told);
    let call = attempt.call();
    assert_eq!((call.attempts(), call.ledger().running()), (2, 0));
    assert_eq!(call.trail()[1].tokens, 12);
}
