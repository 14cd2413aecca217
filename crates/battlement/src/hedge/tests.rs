//! What a caller sees of a hedge.

mod drops;
mod invariants;
mod together;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::budget;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    Error,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    retry::Budget,
    testing::{
        Answer, Piece, Provider, delta, finish_event, request, request_for, stream_request, text,
    },
};

const SECOND: Duration = Duration::from_secs(1);

type Ask = Request<Full<Bytes>>;

/// An attempt is late after two seconds.
const LATE: Duration = Duration::from_secs(2);

fn config() -> Config {
    Config { quantile: 0.5, samples: 2, earliest: LATE, share: 0.5, ..Config::default() }
}

fn budget(reserve: f64) -> Arc<Budget> {
    let config = budget::Config { reserve, ..budget::Config::default() };
    Arc::new(Budget::new(&config, crate::clock::now()).unwrap())
}

/// The words of a stream, after a wait before the head and one before the first of them.
fn says(words: &[&str], head: u32, first: u32) -> Answer {
    let mut pieces = vec![Piece::Bytes(": ping\n\n".into()), Piece::Wait(first * SECOND)];
    pieces.extend(words.iter().map(|word| Piece::Bytes(delta(word))));
    pieces.push(Piece::Bytes(finish_event("stop")));
    pieces.push(Piece::Bytes("data: [DONE]\n\n".into()));
    Answer::streaming(pieces).head_after(head * SECOND)
}

/// What is told, in short.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<String>, Option<Call>)>>);

impl Told {
    fn layer(&self) -> CallLayer {
        let told = self.0.clone();
        CallLayer::new().observer(move |call: &Call, event: &Event<'_>| {
            let mut told = told.lock().unwrap();
            told.1 = Some(call.clone());
            let line = match event {
                Event::Attempt { number, role } => format!("{number} {role}"),
                Event::Hedging { after } => format!("late after {after:?}"),
                Event::NotHedged { reason } => format!("not hedged: {reason}"),
                Event::Hedged { winner, attempts, .. } => format!("{winner} won of {attempts}"),
                Event::Retrying { .. } => "retrying".into(),
                Event::Misordered { misordered } => misordered.to_string(),
                Event::SentAgain => "sent again".into(),
                _ => return,
            };
            told.0.push(line);
        })
    }

    fn events(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    fn call(&self) -> Call {
        self.0.lock().unwrap().1.clone().unwrap()
    }

    fn trail(&self) -> Vec<String> {
        self.call().trail().iter().map(ToString::to_string).collect()
    }
}

/// A layer that knows what is late, over a provider.
struct Case {
    provider: Provider,
    layer: HedgeLayer,
    told: Told,
    start: Instant,
}

impl Case {
    async fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(HedgeLayer::new(config()).unwrap().budget(budget(10.0)), script).await
    }

    async fn with(layer: HedgeLayer, script: impl IntoIterator<Item = Answer>) -> Self {
        teach(&layer).await;
        let provider = Provider::new(script);
        Self { provider, layer, told: Told::default(), start: Instant::now() }
    }

    /// Makes a call: its answer up to the end, or its error.
    async fn call(&self, request: Ask) -> Result<String, Error> {
        let service = self.told.layer().layer(self.layer.layer(self.provider.clone()));
        let response = service.oneshot(request).await.map_err(Error::from)?;
        text(response).await.map_err(Error::from)
    }

    /// How long after the beginning each request came.
    fn arrived(&self) -> Vec<Duration> {
        self.provider.arrived().iter().map(|arrived| arrived.at - self.start).collect()
    }

    fn at_rest(&self) {
        assert_eq!(self.provider.alive(), 0);
        assert_eq!(self.told.call().ledger().running(), 0, "{:?}", self.told.trail());
    }
}

/// Two streams and two whole answers that take a tenth of a second.
async fn teach(layer: &HedgeLayer) {
    let usual = SECOND / 10;
    for (request, answer) in [
        (stream_request(), Answer::stream(&["Hi"]).head_after(usual)),
        (request(), Answer::ok().head_after(usual)),
    ] {
        let service = layer.layer(Provider::new([answer]));
        for _ in 0..2 {
            text(service.clone().oneshot(request.clone()).await.unwrap()).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_late_gets_company_and_the_first_words_win() {
    let case = Case::new([says(&["slow"], 0, 10), says(&["quick"], 1, 1)]).await;
    let answer = case.call(stream_request()).await.unwrap();
    assert!(answer.contains("quick") && !answer.contains("slow"));
    assert_eq!(case.arrived(), [Duration::ZERO, LATE]);
    assert_eq!(case.start.elapsed(), LATE + 2 * SECOND);
    assert_eq!(case.told.events(), ["1 first", "late after 2s", "2 hedge", "1 won of 2"]);
    assert_eq!(case.told.trail(), ["1 first: abandoned after 4s", "2 hedge: complete after 2s"]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_win() {
    let case = Case::new([says(&["slow"], 0, 3), says(&["slower"], 0, 5)]).await;
    let answer = case.call(stream_request()).await.unwrap();
    assert!(answer.contains("slow") && !answer.contains("slower"));
    assert_eq!(case.start.elapsed(), 3 * SECOND);
    assert_eq!(case.told.events(), ["1 first", "late after 2s", "2 hedge", "0 won of 2"]);
    assert_eq!(case.told.trail(), ["1 first: complete after 3s", "2 hedge: abandoned after 1s"]);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn who_is_early_goes_alone() {
    let whole = (request(), Answer::ok());
    for (request, answer) in [(stream_request(), says(&["Hi"], 1, 0)), whole] {
        let case = Case::new([answer.head_after(SECOND)]).await;
        case.call(request).await.unwrap();
        assert_eq!(case.arrived(), [Duration::ZERO]);
        assert_eq!(case.told.events(), ["1 first"]);
        case.at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_to_be_whole() {
    // Its head comes at once, and its end is late.
    let halves = |wait| {
        let all = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
        let pieces =
            vec![Piece::Bytes(all[..10].into()), Piece::Wait(wait), Piece::Bytes(all[10..].into())];
        Answer::streaming(pieces).kind(Some("application/json"))
    };
    let case = Case::new([halves(9 * SECOND), halves(SECOND)]).await;
    case.call(request()).await.unwrap();
    assert_eq!(case.arrived(), [Duration::ZERO, LATE]);
    assert_eq!(case.start.elapsed(), LATE + SECOND);
    assert_eq!(case.told.events().last().unwrap(), "1 won of 2");
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_loser_is_gone_before_a_byte_goes_down() {
    let case = Case::new([says(&["slow"], 0, 100), says(&["quick"], 0, 1)]).await;
    let service = case.told.layer().layer(case.layer.layer(case.provider.clone()));
    let response = service.oneshot(stream_request()).await.unwrap();
    assert_eq!(case.provider.alive(), 1, "only the winner is on its way");
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    assert!(!attempt.is_over());
    text(response).await.unwrap();
    assert!(attempt.verdict().unwrap().is_success());
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_waited_past_while_another_runs() {
    // The first fails at three seconds, the second answers at five.
    let failing = [
        Answer::failing().head_after(3 * SECOND),
        Answer::error(503, "overloaded").head_after(3 * SECOND),
        Answer::error(503, "overloaded").head_after(3 * SECOND).then_hang(),
        Answer::streaming(vec![Piece::Wait(3 * SECOND), Piece::Break]),
    ];
    for first in failing {
        let case = Case::new([first, says(&["Hi"], 3, 0)]).await;
        let answer = case.call(stream_request()).await.unwrap();
        assert!(answer.contains("Hi"));
        assert_eq!(case.start.elapsed(), 5 * SECOND);
        assert_eq!(case.provider.arrived().len(), 2);
        case.at_rest();
    }
    // And the other way round.
    let case = Case::new([says(&["Hi"], 5, 0), Answer::failing()]).await;
    assert!(case.call(stream_request()).await.unwrap().contains("Hi"));
    assert_eq!(case.start.elapsed(), 5 * SECOND);
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_it_is_late_is_not_for_us() {
    for first in [Answer::failing(), Answer::error(503, "overloaded")] {
        let case = Case::new([first.head_after(SECOND), says(&["Hi"], 0, 0)]).await;
        let _failure = case.call(stream_request()).await;
        assert_eq!(case.arrived(), [Duration::ZERO]);
        assert_eq!(case.start.elapsed(), SECOND);
        case.at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_later_tells() {
    // Whichever ends first, and whichever is an answer.
    for (first, second) in [(3, 5), (9, 1)] {
        let case = Case::new([
            Answer::error(500, "first").head_after(first * SECOND),
            Answer::error(503, "second").head_after(second * SECOND),
        ])
        .await;
        assert!(case.call(stream_request()).await.unwrap().contains("second"));
        assert_eq!(case.start.elapsed(), (LATE + second * SECOND).max(first * SECOND));
        case.at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_winner_that_is_cut_stays_the_winner() {
    let cut = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Wait(SECOND), Piece::Break]);
    let case = Case::new([says(&["slow"], 0, 4), cut]).await;
    let service = case.told.layer().layer(case.layer.layer(case.provider.clone()));
    let mut body = service.oneshot(stream_request()).await.unwrap().into_body();
    let mut delivered = String::new();
    let error = loop {
        match body.frame().await.expect("it does not end well") {
            Ok(frame) => delivered += &String::from_utf8_lossy(frame.data_ref().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "connection reset by peer");
    assert_eq!(delivered, delta("Hi"));
    drop(body);
    assert_eq!(case.provider.arrived().len(), 2);
    case.at_rest();
}

/// Refused, for this reason, where there would be a second attempt.
async fn check_alone(case: Case, request: Ask, reason: Option<&str>) {
    assert!(case.call(request).await.unwrap().contains("Hi"));
    assert_eq!(case.arrived(), [Duration::ZERO], "{reason:?}");
    assert_eq!(case.start.elapsed(), 5 * SECOND);
    let expected: Vec<_> =
        reason.map(|reason| format!("not hedged: {reason}")).into_iter().collect();
    assert_eq!(case.told.events()[1..], expected);
    case.at_rest();
}

fn with(options: Options) -> Ask {
    let mut request = stream_request();
    request.extensions_mut().insert(options);
    request
}

#[tokio::test(start_paused = true)]
async fn where_it_could_do_harm_there_is_none() {
    let late = || [says(&["Hi"], 5, 0)];
    let unlearned = HedgeLayer::new(Config { samples: 3, ..config() }).unwrap();
    check_alone(Case::with(unlearned, late()).await, stream_request(), None).await;

    let once = Options::default().repeatable(false);
    check_alone(Case::new(late()).await, with(once), None).await;
    // Nobody watches.
    let patient = Options::default().lane(battlement_core::lanes::Lane::Deferred);
    check_alone(Case::new(late()).await, with(patient), None).await;
    let near = Options::default().time(5 * SECOND + LATE / 100);
    let slow = Config { earliest: 6 * SECOND, ..config() };
    let slow = HedgeLayer::new(slow).unwrap();
    check_alone(Case::with(slow, late()).await, with(near), None).await;
    check_alone(Case::new(late()).await, with(Options::default().attempts(1)), Some("attempts"))
        .await;
    let mut repeated = stream_request();
    repeated.headers_mut().insert("x-stainless-retry-count", 1.into());
    check_alone(Case::new(late()).await, repeated, None).await;

    let empty = budget(1.0);
    let _spent = empty.withdraw(budget::Purpose::Hedge, 0, crate::clock::now()).unwrap();
    let poor = HedgeLayer::new(config()).unwrap().budget(empty);
    check_alone(Case::with(poor, late()).await, stream_request(), Some("budget")).await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_something_is_not_sent_twice() {
    let layer = HedgeLayer::new(config()).unwrap();
    let provider = Provider::new([Answer::new(200, "{}").head_after(5 * SECOND)]);
    for _ in 0..4 {
        let batch = Request::post("https://api.openai.com/v1/batches");
        let batch = batch.body(Full::from(r#"{"input_file_id":"f"}"#)).unwrap();
        text(layer.layer(provider.clone()).oneshot(batch).await.unwrap()).await.unwrap();
    }
    assert_eq!(provider.arrived().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_share_of_hedges_is_kept() {
    // One in reserve, and a thousandth for each call.
    let layer = HedgeLayer::new(Config { share: 0.001, ..config() }).unwrap();
    teach(&layer).await;
    let case = Case::with(layer.budget(budget(10.0)), [says(&["Hi"], 5, 0)]).await;
    for _ in 0..3 {
        case.call(stream_request()).await.unwrap();
    }
    let told = case.told.events();
    let refused = told.iter().filter(|event| *event == "not hedged: share").count();
    assert_eq!((refused, case.provider.arrived().len()), (2, 4), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_third_one_follows_if_it_may() {
    let config = Config { attempts: 3, ..config() };
    let layer = HedgeLayer::new(config).unwrap().budget(budget(10.0));
    // Two hedges for one call take what one has in reserve and the others have earned.
    let case = Case::with(layer, [says(&["a"], 50, 0), says(&["b"], 40, 0), says(&["c"], 1, 0)]);
    let case = case.await;
    assert!(case.call(with(Options::default().attempts(5))).await.unwrap().contains('c'));
    assert_eq!(case.arrived(), [Duration::ZERO, LATE, 2 * LATE]);
    assert_eq!(case.told.events().last().unwrap(), "2 won of 3");
    case.at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_the_losers_may_have_cost_is_in_the_account() {
    let case = Case::new([says(&["slow"], 0, 10), says(&["quick"], 0, 1)]).await;
    let body = r#"{"model":"gpt-5-mini","stream":true,"max_completion_tokens":500,"messages":[{"role":"user","content":"Hi"}]}"#;
    case.call(request_for(body)).await.unwrap();
    let call = case.told.call();
    let cost = crate::retry::ticket::tokens(call.facts());
    assert!(cost > 500);
    // The winner tells no usage either, so both are at their estimate.
    assert_eq!(call.ledger().tokens(), 2 * cost);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_learnt_as_late() {
    let case = Case::new([says(&["slow"], 0, 10), says(&["quick"], 0, 3)]).await;
    case.call(stream_request()).await.unwrap();
    // Two that took a tenth of a second, and one that took at least five.
    let call = case.told.call();
    let learned = case.layer.policy.of(&call, |decision| decision.delay(1)).unwrap().unwrap();
    assert_eq!(learned, LATE, "the median has not moved");
    for _ in 0..4 {
        case.call(stream_request()).await.unwrap();
    }
    let learned = case.layer.policy.of(&call, |decision| decision.delay(1)).unwrap().unwrap();
    assert!(learned >= 3 * SECOND, "{learned:?}");
}

#[tokio::test(start_paused = true)]
async fn each_model_is_late_by_its_own_measure() {
    let case = Case::new([says(&["Hi"], 5, 0)]).await;
    let other = request_for(r#"{"model":"gpt-5-pro","stream":true,"messages":[]}"#);
    case.call(other).await.unwrap();
    assert_eq!(case.arrived(), [Duration::ZERO]);
    assert_eq!(case.told.events(), ["1 first"]);
}

#[test]
fn settings_out_of_range_are_errors() {
    assert!(HedgeLayer::new(Config { quantile: 1.0, ..Config::default() }).is_err());
    assert!(matches!(
        HedgeLayer::new(Config { attempts: 1, ..Config::default() }),
        Err(InvalidHedge::Attempts(1))
    ));
}

#[tokio::test(start_paused = true)]
async fn the_second_is_the_same_request() {
    let case = Case::new([says(&["slow"], 0, 10), says(&["quick"], 0, 1)]).await;
    let mut request = stream_request();
    request.headers_mut().insert("x-mine", "1".parse().unwrap());
    case.call(request).await.unwrap();
    let [first, second] = &case.provider.arrived()[..] else { panic!("there are two") };
    assert_eq!(
        (&first.uri, &first.headers, &first.body),
        (&second.uri, &second.headers, &second.body)
    );
}
