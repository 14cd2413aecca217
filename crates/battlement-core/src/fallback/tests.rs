use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use proptest::prelude::*;

use super::*;
use crate::{
    Code,
    backoff::Trouble,
    random::{Random, Seeded},
    request::Facts,
};

#[test]
fn what_failures_mean() {
    let check = |then, codes: &[Code]| {
        for &code in codes {
            assert_eq!(Policy::default().then(code), then, "{code}");
        }
    };
    check(Then::Larger, &[Code::ContextLength, Code::RequestTooLarge]);
    check(Then::End, &[Code::ContentFilter, Code::ContentPolicy, Code::Refusal, Code::Recitation]);
    check(Then::End, &[Code::InvalidRequest, Code::DeadlineExceeded, Code::AttemptsUsed]);
    check(Then::Next, &[Code::QuotaExhausted, Code::InvalidKey, Code::AccessDenied]);
    check(Then::Next, &[Code::RateLimitTokens, Code::Overloaded, Code::ServerError]);
    check(Then::Next, &[Code::TimeoutHead, Code::Unreachable, Code::StreamCut, Code::AnswerEmpty]);
    check(Then::Next, &[Code::CircuitOpen, Code::CoolingDown, Code::LimitReached, Code::QueueFull]);
    assert_eq!(Policy::key_pool().then(Code::ContextLength), Then::End);
    let own =
        Policy::default().on(Code::ContentFilter, Then::Next).on(Code::ContentFilter, Then::Larger);
    assert_eq!(own.then(Code::ContentFilter), Then::Larger);
}

#[test]
fn what_is_tried_again_in_place() {
    let (second, minute) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(60)));
    let check = |trouble, hint, stayed, expected| {
        assert_eq!(InPlace::default().stays(trouble, hint, stayed), expected, "{trouble} {hint:?}");
    };
    check(Trouble::RateLimit, second, 0, true);
    check(Trouble::RateLimit, second, 1, false);
    check(Trouble::RateLimit, minute, 0, false);
    check(Trouble::RateLimit, None, 0, false);
    check(Trouble::Overloaded, None, 0, true);
    check(Trouble::Broken, None, 0, true);
    check(Trouble::Broken, None, 1, false);
    check(Trouble::Broken, minute, 0, false);
    check(Trouble::Silent, None, 0, false);
    check(Trouble::Unsent, None, 0, false);
    assert!(!Policy::key_pool().stay().stays(Trouble::RateLimit, second, 0));
    assert!(!InPlace::NOT.stays(Trouble::Broken, None, 0));
}

fn facts(body: &str) -> Facts {
    let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
    Facts::read(&Method::POST, &uri, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn what_a_route_lacks() {
    let check = |can: Capabilities, body: &str, expected| {
        let facts = facts(body);
        assert_eq!(can.lacks(&facts, facts.max_output_tokens), expected, "{body}");
        assert_eq!(Capabilities::default().lacks(&facts, facts.max_output_tokens), None);
    };
    let none = Capabilities {
        tools: Some(false),
        json_schema: Some(false),
        vision: Some(false),
        streaming: Some(false),
        ..Capabilities::default()
    };
    check(none, r#"{"model":"m","messages":[]}"#, None);
    check(none, r#"{"model":"m","messages":[],"stream":true}"#, Some(Lack::Streaming));
    let tools = r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    check(none, tools, Some(Lack::Tools));
    let schema = r#"{"messages":[],"response_format":{"type":"json_schema","json_schema":{}}}"#;
    check(none, schema, Some(Lack::JsonSchema));
    let image = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#;
    check(none, image, Some(Lack::Vision));
    let small = Capabilities { context: Some(1_000), output: Some(500), ..Capabilities::default() };
    check(small, r#"{"messages":[],"max_tokens":500}"#, None);
    check(small, r#"{"messages":[],"max_tokens":501}"#, Some(Lack::Output));
    check(small, r#"{"messages":[],"max_tokens":1001}"#, Some(Lack::Context));
}

/// Walks all routes there are, each failing so; the routes in the order in which they were asked.
fn walk(choice: Choice, routes: &[Standing], then: Then, random: &mut Seeded) -> Vec<usize> {
    let (mut journey, mut asked) = (Journey::default(), Vec::new());
    while let Some(route) = journey.next(choice, routes, random) {
        asked.push(route);
        let _then = journey.failed(then, routes[route].context, 100);
    }
    asked
}

#[test]
fn orders_weights_and_loads() {
    let random = &mut Seeded(7);
    let on = Standing::new;
    let routes = [on(2), on(0), Standing { is_on: false, ..on(1) }, on(3)];
    assert_eq!(walk(Choice::Ordered, &routes, Then::Next, random), [1, 0, 3]);
    let loaded = |rank, in_flight, weight| Standing { in_flight, weight, ..on(rank) };
    let routes = [loaded(0, 3, 1), loaded(1, 5, 2), loaded(2, 2, 1), loaded(3, 0, 0)];
    assert_eq!(walk(Choice::LeastLoaded, &routes, Then::Next, random), [2, 1, 0, 3]);
    let routes = [loaded(0, 0, 1), loaded(1, 0, 3), loaded(2, 0, 0)];
    let mut first = [0; 3];
    for _ in 0..10_000 {
        let asked = walk(Choice::Weighted, &routes, Then::Next, random);
        assert_eq!((asked.len(), asked[2]), (3, 2));
        first[asked[0]] += 1;
    }
    assert!((2_300..2_700).contains(&first[0]) && first[2] == 0, "{first:?}");
}

#[test]
fn only_a_larger_window_after_an_overflow() {
    let window = |rank, context| Standing { context, ..Standing::new(rank) };
    let random = &mut Seeded(7);
    let routes = [window(0, Some(8)), window(1, None), window(2, Some(8)), window(3, Some(9))];
    assert_eq!(walk(Choice::Ordered, &routes, Then::Larger, random), [0, 3]);
    // What overflowed has no known window: it takes one that is larger than the prompt.
    let routes = [window(0, None), window(1, Some(100)), window(2, Some(101))];
    assert_eq!(walk(Choice::Ordered, &routes, Then::Larger, random), [0, 2]);
}

/// Draws what a broken source may.
struct Broken(f64);

impl Random for Broken {
    fn unit(&mut self) -> f64 {
        self.0
    }
}

#[test]
fn a_bad_source_makes_a_bad_spread_and_no_panic() {
    let routes = [Standing::new(0), Standing::new(1)];
    for draw in [-1.0, 1.0, 7.0, f64::NAN, f64::INFINITY] {
        let mut journey = Journey::default();
        assert!(journey.next(Choice::Weighted, &routes, &mut Broken(draw)).is_some());
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    let context = prop::option::of(0..5_u64);
    (0..4_u32, 0..4_u32, 0..4_u32, any::<bool>(), context).prop_map(
        |(rank, weight, in_flight, is_on, context)| Standing {
            rank,
            weight,
            in_flight,
            is_on,
            context,
        },
    )
}

proptest! {
    #[test]
    fn f3_every_route_that_is_on_is_asked_once_and_no_other(
        routes in prop::collection::vec(standing(), 0..MOST_ROUTES),
        choice in prop::sample::select(vec![Choice::Ordered, Choice::Weighted, Choice::LeastLoaded]),
        seed in any::<u64>(),
    ) {
        let mut asked = walk(choice, &routes, Then::Next, &mut Seeded(seed));
        asked.sort_unstable();
        let on: Vec<_> = (0..routes.len()).filter(|&route| routes[route].is_on).collect();
        prop_assert_eq!(asked, on);
    }

    #[test]
    fn f4_after_an_overflow_windows_only_grow(
        routes in prop::collection::vec(standing(), 1..20),
        seed in any::<u64>(),
    ) {
        let asked = walk(Choice::Weighted, &routes, Then::Larger, &mut Seeded(seed));
        for pair in asked.windows(2) {
            let (before, after) = (routes[pair[0]].context, routes[pair[1]].context);
            prop_assert!(after.is_some() && after > before);
        }
    }
}
