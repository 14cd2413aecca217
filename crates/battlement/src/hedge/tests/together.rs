//! A hedge among the other layers.

use battlement_core::{Code, Provider::OpenAi, cooldown};
use tower::ServiceBuilder;

use super::*;
use crate::{
    breaker::BreakerLayer,
    call::Key,
    concurrency::ConcurrencyLayer,
    fallback::FallbackLayer,
    finish::FinishLayer,
    rate_limit::{self, RateLimitLayer},
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    timeout::TimeoutLayer,
};

fn key() -> Key {
    Key { name: Some("gpt-5-mini".into()), ..Key::new(OpenAi) }
}

/// The layers, each with what a test looks at.
struct House {
    case: Case,
    retry: RetryLayer,
    gate: RetryAfterLayer,
    limits: RateLimitLayer,
    breaker: BreakerLayer,
    places: ConcurrencyLayer,
}

impl House {
    async fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let budget = budget(10.0);
        let layer = HedgeLayer::new(config()).unwrap().budget(budget.clone());
        let limits = rate_limit::Config::new(OpenAi).requests_per_minute(10);
        Self {
            case: Case::with(layer, script).await,
            retry: RetryLayer::new().budget(budget).seed(1),
            gate: RetryAfterLayer::new(cooldown::Config::default()).unwrap(),
            limits: RateLimitLayer::new(limits).unwrap(),
            breaker: BreakerLayer::new(Default::default()).unwrap(),
            places: ConcurrencyLayer::new(2).unwrap(),
        }
    }

    async fn call(&self, request: Ask) -> Result<String, Error> {
        let case = &self.case;
        let service = ServiceBuilder::new()
            .layer(case.told.layer())
            .layer(self.retry.clone())
            .layer(case.layer.clone())
            .layer(self.gate.clone())
            .layer(self.limits.clone())
            .layer(self.breaker.clone())
            .layer(self.places.clone())
            .layer(TimeoutLayer::default())
            .layer(FinishLayer::new())
            .service(case.provider.clone());
        let response = service.oneshot(request).await.map_err(Error::from)?;
        text(response).await.map_err(Error::from)
    }

    fn at_rest(&self) {
        self.case.at_rest();
        assert_eq!(self.places.handle().snapshot().in_flight, 0);
    }
}

fn late() -> [Answer; 2] {
    [says(&["slow"], 0, 10), says(&["quick"], 0, 1)]
}

#[tokio::test(start_paused = true)]
async fn each_attempt_goes_through_all_gates() {
    let house = House::new(late()).await;
    let answer = house.call(stream_request()).await.unwrap();
    assert!(answer.contains("quick") && !answer.contains("slow"));
    assert_eq!(house.case.arrived(), [Duration::ZERO, LATE]);
    assert_eq!(house.case.told.events(), ["1 first", "late after 2s", "2 hedge", "1 won of 2"]);
    assert_eq!(
        house.case.told.trail(),
        ["1 first: abandoned after 3s", "2 hedge: complete after 1s"]
    );
    assert!(house.case.told.call().ledger().is_committed(), "nothing follows after output");
    let levels = house.limits.limits().snapshot();
    assert_eq!(levels.waiting, 0);
    house.at_rest();
}

/// Late, and not hedged since a gate has no room; the first attempt goes on.
async fn check_no_room(house: House) {
    let answer = house.call(stream_request()).await.unwrap();
    assert!(answer.contains("slow"), "{:?}", house.case.told.events());
    assert_eq!(house.case.arrived(), [Duration::ZERO]);
    assert_eq!(house.case.start.elapsed(), 10 * SECOND, "nobody waits for it");
    let call = house.case.told.call();
    assert_eq!(call.ledger().attempts_left(), 2, "{:?}", house.case.told.trail());
    assert_eq!(house.case.told.trail()[1], "2 hedge: not sent after 0ns");
    house.at_rest();
}

#[tokio::test(start_paused = true)]
async fn no_gate_makes_a_second_attempt_wait() {
    let mut full = House::new(late()).await;
    full.places = ConcurrencyLayer::new(1).unwrap();
    check_no_room(full).await;

    let mut short = House::new(late()).await;
    let limits = rate_limit::Config::new(OpenAi).requests_per_minute(1);
    short.limits = RateLimitLayer::new(limits).unwrap();
    check_no_room(short).await;

    // What is left would be enough for it, and is for others.
    let mut little = House::new(late()).await;
    let limits = rate_limit::Config::new(OpenAi).requests_per_minute(8);
    little.limits = RateLimitLayer::new(limits).unwrap();
    let limits = little.limits.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        let others = limits.layer(Provider::new([Answer::ok()]));
        for _ in 0..7 {
            let call = tokio::time::timeout(SECOND / 100, others.clone().oneshot(request()));
            drop(call.await);
        }
    });
    check_no_room(little).await;

    let opening = House::new(late()).await;
    let breaker = opening.breaker.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        breaker.circuits().open(&key(), None);
    });
    check_no_room(opening).await;

    let shut = House::new(late()).await;
    let gate = shut.gate.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        gate.gates().shut(&key(), 60 * SECOND);
    });
    check_no_room(shut).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_paid_for() {
    let mut full = House::new(late()).await;
    full.places = ConcurrencyLayer::new(1).unwrap();
    let before = full.case.layer.policy.budget.balance(crate::clock::now()).attempts;
    full.call(stream_request()).await.unwrap();
    let after = full.case.layer.policy.budget.balance(crate::clock::now()).attempts;
    // The reserve of ten is never forgotten, and the first attempt has earned a little.
    assert!(after >= before, "{before} {after}");
}

#[tokio::test(start_paused = true)]
async fn who_stood_in_line_gets_no_company() {
    let house = House::new([says(&["Hi"], 5, 0)]).await;
    house.gate.gates().shut(&key(), SECOND);
    house.call(stream_request()).await.unwrap();
    assert_eq!(house.case.provider.arrived().len(), 1);
    assert_eq!(house.case.told.events(), ["1 first", "not hedged: overloaded"]);
    house.at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_and_may_be_late_again() {
    let house = House::new([
        Answer::error(503, "overloaded").head_after(SECOND),
        says(&["slow"], 0, 10),
        says(&["quick"], 0, 1),
    ])
    .await;
    assert!(house.call(stream_request()).await.unwrap().contains("quick"));
    assert_eq!(
        house.case.told.events(),
        ["1 first", "retrying", "2 retry", "late after 2s", "3 hedge", "1 won of 2"]
    );
    house.at_rest();
}

#[tokio::test(start_paused = true)]
async fn both_fail_and_the_call_is_tried_again() {
    for fail in [Answer::failing(), Answer::error(503, "overloaded")] {
        let fail = fail.head_after(3 * SECOND);
        let house = House::new([fail.clone(), fail, says(&["Hi"], 0, 0)]).await;
        assert!(house.call(stream_request()).await.unwrap().contains("Hi"));
        let told = house.case.told.events();
        assert_eq!(told, ["1 first", "late after 2s", "2 hedge", "retrying", "3 retry"]);
        assert_eq!(house.case.provider.arrived().len(), 3);
        house.at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_below_another_does_not_multiply() {
    let case = Case::new([says(&["a"], 9, 0), says(&["b"], 8, 0), says(&["c"], 8, 0)]).await;
    let service = ServiceBuilder::new()
        .layer(case.told.layer())
        .layer(case.layer.clone())
        .layer(case.layer.clone())
        .service(case.provider.clone());
    text(service.oneshot(stream_request()).await.unwrap()).await.unwrap();
    assert_eq!(case.arrived(), [Duration::ZERO, LATE]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_is_kept_for_the_next_route() {
    let case = Case::new([says(&["slow"], 10, 0)]).await;
    let other = Provider::new([says(&["other"], 0, 0)]);
    let layer = FallbackLayer::builder("a").route("b", other.clone()).build().unwrap();
    let service = ServiceBuilder::new()
        .layer(case.told.layer())
        .layer(layer)
        .layer(case.layer.clone())
        .service(case.provider.clone());
    text(service.oneshot(with(Options::default().attempts(2))).await.unwrap()).await.unwrap();
    assert_eq!(case.provider.arrived().len(), 1);
    assert!(
        case.told.events().contains(&"not hedged: fallback".into()),
        "{:?}",
        case.told.events()
    );
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_loser_says_that_it_was_outpaced() {
    let case = Case::new(late()).await;
    let codes = Arc::new(Mutex::new(Vec::new()));
    let log = codes.clone();
    let call = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| {
        if let Event::Ended { verdict } = event {
            log.lock().unwrap().push(verdict.code());
        }
    });
    let service = call.layer(case.layer.layer(case.provider.clone()));
    text(service.oneshot(stream_request()).await.unwrap()).await.unwrap();
    assert_eq!(*codes.lock().unwrap(), [Some(Code::Outpaced), None]);
}

#[tokio::test(start_paused = true)]
async fn out_of_order_it_says_so() {
    let case = Case::new([says(&["Hi"], 0, 0)]).await;
    let service = ServiceBuilder::new()
        .layer(case.told.layer())
        .layer(FinishLayer::new())
        .layer(case.layer.clone())
        .service(case.provider.clone());
    text(service.oneshot(stream_request()).await.unwrap()).await.unwrap();
    assert!(case.told.events()[0].starts_with("`finish` is outside of `hedge`"));
}

#[tokio::test]
async fn what_is_answered_at_once_is_learnt_too() {
    let layer = HedgeLayer::new(config()).unwrap();
    let told = Told::default();
    let service = ServiceBuilder::new()
        .layer(told.layer())
        .layer(RetryLayer::new())
        .layer(layer.clone())
        .layer(FinishLayer::new())
        .service(Provider::new([Answer::ok()]));
    for _ in 0..3 {
        text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
    }
    let delay = layer.policy.of(&told.call(), |decision| decision.delay(1)).unwrap();
    assert_eq!(delay, Some(LATE));
}
