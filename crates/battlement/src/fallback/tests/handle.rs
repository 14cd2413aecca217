//! What can be changed while calls are made, and how routes are chosen.

use super::*;
use crate::{
    breaker::{BreakerLayer, Config},
    concurrency::ConcurrencyLayer,
    rate_limit::{self, RateLimitLayer},
    retry_after::RetryAfterLayer,
};

/// Three routes over providers that answer well.
fn three(choice: Choice) -> (FallbackLayer<Full<Bytes>>, [Provider; 3]) {
    let hanging = || Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang]);
    let providers = [0; 3].map(|_| match choice {
        Choice::LeastLoaded => Provider::new([hanging()]),
        _ => provider("+"),
    });
    let layer = FallbackLayer::builder("a")
        .route("b", stack().layer(providers[1].clone()))
        .route("c", stack().layer(providers[2].clone()))
        .choice(choice)
        .seed(7);
    (layer.build().unwrap(), providers)
}

fn names(handle: &Handle) -> Vec<String> {
    handle.snapshot().iter().map(|route| route.route.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn order_and_what_is_on_can_be_changed_at_any_time() {
    let (layer, providers) = three(Choice::Ordered);
    let service = layer.layer(stack().layer(providers[0].clone()));
    let served = || async {
        let response = service.clone().oneshot(request()).await.map_err(Error::from)?;
        let route = response.extensions().get::<Served>().unwrap().route().to_owned();
        text(response).await.unwrap();
        Ok::<_, Error>(route)
    };
    let handle = layer.handle();
    assert_eq!(served().await.unwrap(), "a");
    handle.order(&["c", "b"]).unwrap();
    assert_eq!(names(&handle), ["c", "b", "a"]);
    assert_eq!(served().await.unwrap(), "c");
    handle.switch("c", false).unwrap();
    assert_eq!(served().await.unwrap(), "b");
    handle.switch("b", false).unwrap();
    assert_eq!(served().await.unwrap(), "a");
    handle.switch("a", false).unwrap();
    let error = served().await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Code::NoRoute, true));
    handle.switch("c", true).unwrap();
    assert_eq!(served().await.unwrap(), "c");
    assert!(handle.order(&["c", "x"]).is_err() && handle.weight("x", 1).is_err());
    assert_eq!(handle.switch("x", true).unwrap_err().to_string(), "there is no route named \"x\"");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_switched_off_in_the_middle_ends_what_it_has_and_gets_no_more() {
    let slow = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Wait(SECOND)]);
    let case = Case::new(Provider::new([slow]), provider("+"));
    let service = case.layer.layer(stack().layer(case.a.clone()));
    let response = service.clone().oneshot(stream_request()).await.unwrap();
    case.layer.handle().switch("a", false).unwrap();
    let other = service.oneshot(request()).await.unwrap();
    assert_eq!(other.extensions().get::<Served>().unwrap().route(), "b");
    assert_eq!(case.layer.handle().snapshot()[0].in_flight, 1);
    assert!(text(response).await.is_err(), "it was cut by itself, after a second");
    assert_eq!(case.layer.handle().snapshot()[0].in_flight, 0);

    // While the first one is on its way, the second is switched off: there is nowhere to go.
    let case = Case::new(provider("s"), provider("+"));
    let call = case.call(request());
    let handle = case.layer.handle();
    let switch = async {
        tokio::time::sleep(SECOND).await;
        handle.switch("b", false).unwrap();
    };
    let (answer, ()) = tokio::join!(call, switch);
    assert_eq!(answer.unwrap_err().code(), Code::TimeoutHead);
    assert_eq!(case.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn by_weight_and_by_load() {
    let (layer, providers) = three(Choice::Weighted);
    let service = layer.layer(stack().layer(providers[0].clone()));
    layer.handle().weight("b", 3).unwrap();
    layer.handle().weight("c", 0).unwrap();
    for _ in 0..400 {
        text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
    }
    let calls = providers.each_ref().map(|provider| provider.arrived().len());
    assert!((70..130).contains(&calls[0]) && calls[2] == 0, "{calls:?}");

    let (layer, providers) = three(Choice::LeastLoaded);
    let service = layer.layer(stack().layer(providers[0].clone()));
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(service.clone().oneshot(stream_request()).await.unwrap().into_body());
    }
    assert_eq!(providers.each_ref().map(|provider| provider.arrived().len()), [2, 2, 2]);
    held.clear();
    assert!(layer.handle().snapshot().iter().all(|route| route.in_flight == 0));
}

#[tokio::test(start_paused = true)]
async fn keys_cool_down_by_themselves() {
    // A key that is to wait is passed by at once; the next one is asked.
    let key = |script: &str| {
        let provider = provider(script);
        (provider.clone(), stack().layer(provider))
    };
    let ((a, first), (b, second), (c, third)) = (key("H+"), key("+"), key("+"));
    let layer = FallbackLayer::key_pool(Route::new("a").bearer("1").unwrap())
        .route(Route::new("b").bearer("2").unwrap(), second)
        .route(Route::new("c").bearer("3").unwrap(), third)
        .build()
        .unwrap();
    let service = layer.layer(first);
    let served = || async {
        let response = service.clone().oneshot(request()).await.unwrap();
        let served = response.extensions().get::<Served>().unwrap().clone();
        text(response).await.unwrap();
        served
    };
    assert_eq!(served().await.source(), Source::Fallback("b"));
    let again = served().await;
    assert_eq!(again.trail()[0].to_string(), "a: llm.local.cooling_down, not sent");
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(served().await.route(), "a");
    let calls = [&a, &b, &c].map(|provider| provider.arrived().len());
    assert_eq!(calls, [2, 2, 0]);
    assert_eq!(a.arrived()[0].headers["authorization"], "Bearer 1");
    assert_eq!(b.arrived()[0].headers["authorization"], "Bearer 2");
}

/// Who serves a call and after how many seconds, if the first route would have it stand in line.
async fn served_after(builder: Builder<Full<Bytes>>, first: Stack) -> (String, u64) {
    let layer = builder.route("b", stack().layer(provider("+"))).build().unwrap();
    let start = Instant::now();
    let response = layer.layer(first.layer(provider("+"))).oneshot(request()).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap().route().to_owned();
    (served, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn nobody_stands_in_line_for_long_where_there_is_another_route() {
    let chain = || FallbackLayer::builder("a");
    let pool = || FallbackLayer::key_pool("a");
    let shut = |seconds: u64| {
        let gate = RetryAfterLayer::new(Default::default()).unwrap();
        let key =
            crate::call::Key { name: Some("gpt-5-mini".into()), ..crate::call::Key::new(OpenAi) };
        gate.gates().shut(&key, Duration::from_secs(seconds));
        stack().retry_after(gate)
    };
    assert_eq!(served_after(chain(), shut(3)).await, ("a".to_owned(), 3));
    assert_eq!(served_after(chain(), shut(7)).await, ("b".to_owned(), 0));
    assert_eq!(served_after(pool(), shut(3)).await, ("b".to_owned(), 0));

    // The only place is taken for ever.
    let places = ConcurrencyLayer::new(1).unwrap();
    let busy = stack().concurrency(places.clone());
    let hanging = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang]);
    let held = busy.clone().layer(Provider::new([hanging])).oneshot(request()).await.unwrap();
    assert_eq!(served_after(chain(), busy.clone()).await, ("b".to_owned(), 5));
    assert_eq!(served_after(pool(), busy).await, ("b".to_owned(), 0));
    drop(held);

    // The only request of this minute is spent.
    let limits = rate_limit::Config::new(OpenAi).requests_per_minute(1);
    let spent = stack().rate_limit(RateLimitLayer::new(limits).unwrap());
    text(spent.clone().layer(provider("+")).oneshot(request()).await.unwrap()).await.unwrap();
    assert_eq!(served_after(chain(), spent.clone()).await, ("b".to_owned(), 0));
    assert_eq!(served_after(pool(), spent).await, ("b".to_owned(), 0));
}

#[tokio::test(start_paused = true)]
async fn when_all_turn_a_call_away_the_caller_learns_who_is_back_first() {
    use battlement_core::lanes::Lane;
    let account = |wait: u64| {
        let gate = RetryAfterLayer::new(Default::default()).unwrap();
        let gate = gate.patience(Lane::Interactive, Duration::ZERO);
        let key =
            crate::call::Key { name: Some("gpt-5-mini".into()), ..crate::call::Key::new(OpenAi) };
        gate.gates().shut(&key, Duration::from_secs(wait));
        stack().retry_after(gate).layer(provider("+"))
    };
    let layer = FallbackLayer::builder("a").route("b", account(7)).route("c", account(50));
    let error = layer.build().unwrap().layer(account(90)).oneshot(request()).await.unwrap_err();
    let error = Error::from(error);
    assert_eq!((error.code(), error.routes().len()), (Code::CoolingDown, 3));
    let wait = error.retry_after().unwrap();
    assert!(wait >= 7 * SECOND && wait < 20 * SECOND, "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn routes_that_are_down_take_no_attempts_from_those_that_are_not() {
    // Five circuits are open, and a call has three attempts.
    let open = || {
        let breaker = BreakerLayer::new(Config::default()).unwrap();
        (stack().breaker(breaker.clone()).layer(provider("5")), breaker)
    };
    let (first, breaker) = open();
    let mut builder = FallbackLayer::builder("0");
    let mut breakers = vec![breaker];
    for name in ["1", "2", "3", "4"] {
        let (service, breaker) = open();
        builder = builder.route(name, service);
        breakers.push(breaker);
    }
    let good = provider("5+");
    let layer = builder.route("good", stack().layer(good.clone())).build().unwrap();
    let key = crate::call::Key { name: Some("gpt-5-mini".into()), ..crate::call::Key::new(OpenAi) };
    for breaker in &breakers {
        breaker.circuits().open(&key, None);
    }
    let response = layer.layer(first).oneshot(request()).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!((served.route(), served.trail().len()), ("good", 5));
    assert_eq!(good.arrived().len(), 2, "and one more in place");
}
