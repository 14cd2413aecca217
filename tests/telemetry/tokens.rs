//! The sum of what calls cost is what the provider charged, to the token.
//!
//! Of an answer that came to its end the provider tells what it cost, here as anywhere. Of one that was cut, or given
//! up by its caller, by a hedge that lost or by a limit of time, it tells nothing: such attempts are counted, and
//! their tokens are not guessed.

use std::{sync::Arc, time::Duration};

use battlement::{
    BoxError,
    call::CallLayer,
    finish::FinishLayer,
    hedge::{self, HedgeLayer},
    retry::{Budget, RetryLayer},
    telemetry::TelemetryLayer,
    timeout::TimeoutLayer,
};
use battlement_core::budget;
use battlement_sim::{Provider, answer::Reply, provider::End, script::Step};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use proptest::{collection::vec, prelude::*};
use tokio::time::{Instant, timeout};
use tower::{ServiceBuilder, ServiceExt};

use crate::recorder::Values;

const INPUT: u64 = 100;

/// What the provider does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answers(u64),
    Truncates(u64),
    Late(u64),
    Limits,
    Fails,
    Resets,
    Cuts(u64),
}

impl Does {
    fn step(self) -> Step {
        match self {
            Self::Answers(tokens) => Step::ok().tokens(tokens),
            Self::Truncates(tokens) => Step::truncate().tokens(tokens),
            Self::Late(tokens) => Step::ok().tokens(tokens).head_after(Duration::from_secs(20)),
            Self::Limits => Step::rate_limited().hint(Duration::from_secs(1)),
            Self::Fails => Step::internal(),
            Self::Resets => Step::reset(),
            Self::Cuts(tokens) => Step::ok().tokens(tokens).cut_after(2),
        }
    }

    /// What an answer that comes to its end costs.
    fn charge(self) -> u64 {
        match self {
            Self::Answers(output) | Self::Truncates(output) | Self::Late(output) => INPUT + output,
            // Of one that is whole before it could be cut.
            Self::Cuts(output) => INPUT + output,
            Self::Limits | Self::Fails | Self::Resets => 0,
        }
    }
}

fn does() -> impl Strategy<Value = Does> {
    let tokens = 1_u64..5_000;
    prop_oneof![
        4 => tokens.clone().prop_map(Does::Answers),
        1 => tokens.clone().prop_map(Does::Truncates),
        1 => tokens.clone().prop_map(Does::Late),
        1 => Just(Does::Limits),
        1 => Just(Does::Fails),
        1 => Just(Does::Resets),
        1 => tokens.prop_map(Does::Cuts),
    ]
}

/// What a caller does: whether it wants a stream, and after how many seconds or pieces of the answer it leaves.
#[derive(Clone, Copy, Debug)]
struct Caller {
    stream: bool,
    patience: Option<u64>,
    pieces: Option<usize>,
}

fn caller() -> impl Strategy<Value = Caller> {
    let patience = prop_oneof![3 => Just(None), 1 => (0_u64..30).prop_map(Some)];
    let pieces = prop_oneof![3 => Just(None), 1 => (0_usize..3).prop_map(Some)];
    (any::<bool>(), patience, pieces).prop_map(|(stream, patience, pieces)| Caller {
        stream,
        patience,
        pieces,
    })
}

fn ask(stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[]}}"#
    );
    Request::post("https://api.openai.com/v1/chat/completions").body(Full::from(body)).unwrap()
}

async fn play(does: &[Does], callers: &[Caller]) {
    let values = Values::default();
    let _installed = metrics::set_default_local_recorder(&values);
    let provider = Provider::serving(does.iter().map(|one| one.step()).collect::<Vec<_>>())
        .reply(Reply::default().input_tokens(INPUT));
    let budget = budget::Config { reserve: 100.0, ..budget::Config::default() };
    let budget = Budget::new(&budget, Instant::now().into_std()).unwrap();
    let config = hedge::Config { quantile: 0.5, samples: 2, share: 0.5, ..Default::default() };
    let service = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(TelemetryLayer::new().metrics())
        .layer(RetryLayer::new().budget(Arc::new(budget)).seed(1))
        .layer(HedgeLayer::new(config).unwrap())
        .layer(TimeoutLayer::default())
        .layer(FinishLayer::new())
        .service(provider.clone());
    for Caller { stream, patience, pieces } in callers {
        let call = async {
            let response = service.clone().oneshot(ask(*stream)).await?;
            let mut body = response.into_body();
            let mut left = pieces.unwrap_or(usize::MAX);
            while left > 0 {
                let Some(frame) = body.frame().await else { break };
                frame?;
                left -= 1;
            }
            Ok::<_, BoxError>(())
        };
        let patience = patience.map_or(Duration::MAX, Duration::from_secs);
        // However it ends.
        let _ended = timeout(patience, call).await;
    }
    let (mut charged, mut untold) = (0, 0);
    for seen in provider.record() {
        let does = does.get(seen.number as usize).or(does.last()).unwrap();
        match (seen.status.map(|status| status.as_u16()), seen.end) {
            (Some(400..), _) => {}
            (Some(200), Some(End::Finished)) => charged += does.charge(),
            _ => untold += 1,
        }
    }
    let tokens = |kind| values.sum("battlement.tokens", &[kind]);
    assert_eq!(tokens("input") + tokens("output"), charged, "{does:?} {callers:?}");
    let told = tokens("successful") + tokens("wasted");
    assert_eq!(told, charged, "each is of use or wasted");
    assert_eq!(values.sum("battlement.attempts.untold", &[]), untold, "{does:?} {callers:?}");
    assert_eq!(values.sum("battlement.calls", &[]), callers.len() as u64);
    assert_eq!(values.sum("battlement.calls.in_flight", &[]), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_token_that_was_charged_and_told_is_counted_once(
        does in vec(does(), 1..12),
        callers in vec(caller(), 1..8),
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(play(&does, &callers));
    }
}
