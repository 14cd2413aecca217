//! The provider says that it is too much.

use std::time::Duration;

use battlement::{call::Attempt, retry::RetryLayer};
use battlement_core::bucket::Rate;
use battlement_sim::{Quota, Script};
use http_body_util::BodyExt;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tower::{Layer, ServiceExt};

use crate::{
    rig::{self, SOCKETS, Way, budget, call, http1, http2},
    scenario::{Scenario, played},
    words::Spoken,
};

const SCENARIOS: &[Scenario] = &[
    // A hint is a floor, and with nothing else to wait for it is the wait.
    Scenario::new(
        "429 after 120ms; ok",
        "all of it, whole",
        "rate_limit_requests, complete",
        "finished, finished",
    )
    .takes(120),
    Scenario::new(
        "429 after 1s; ok",
        "all of it, whole",
        "rate_limit_requests, complete",
        "finished, finished",
    )
    .to(Spoken::Anthropic)
    .takes(1_000),
    Scenario::new(
        "429 after 120ms; ok",
        "all of it, whole",
        "rate_limit_requests, complete",
        "finished, finished",
    )
    .to(Spoken::Gemini)
    .takes(120),
    // Of one that goes on, the caller gets the last answer, and when to come back.
    Scenario::new(
        "429 after 80ms",
        "status 429, which is llm.rate_limit.requests (RateLimited) for 80ms",
        "rate_limit_requests, rate_limit_requests, rate_limit_requests, no more: attempts",
        "finished, finished, finished",
    )
    .takes(160),
    Scenario::new(
        "429 after 80ms",
        "status 429, which is llm.rate_limit.requests (RateLimited) for 80ms",
        "rate_limit_requests, rate_limit_requests, rate_limit_requests, no more: attempts",
        "finished, finished, finished",
    )
    .whole()
    .takes(160),
    // A wait that is longer than anybody has patience for is told at once.
    Scenario::new(
        "429 after 90s",
        "status 429, which is llm.rate_limit.requests (RateLimited) for 90s",
        "rate_limit_requests, no more: waiting",
        "finished",
    ),
    // What no wait helps against is not tried again.
    Scenario::new(
        "quota exhausted",
        "status 429, which is llm.billing.quota_exhausted (RateLimited)",
        "quota_exhausted",
        "finished",
    ),
];

played!(SCENARIOS);

/// The usual stack draws its waits, and what it says that it has waited it has waited.
async fn usual(way: Way) {
    let spoken = Spoken::OpenAi;
    let provider = rig::provider("429 after 100ms; 500; ok".parse::<Script>().unwrap());
    let stack = spoken.stack().retry(RetryLayer::new().budget(budget(2.0)).seed(7));
    let server = if way == Way::Memory { None } else { Some(provider.listen().await.unwrap()) };
    let base = server.as_ref().map_or("http://provider.test", |server| server.url());
    let stack = stack.base(base).unwrap();
    let start = Instant::now();
    let trail = match way {
        Way::Memory => trail(stack.layer(provider.clone()).oneshot(spoken.request(true))).await,
        Way::Http1 => trail(stack.layer(http1()).oneshot(spoken.request(true))).await,
        Way::Http2 => trail(stack.layer(http2()).oneshot(spoken.request(true))).await,
    };
    let took = start.elapsed();
    let [none, hinted, own] = [0, 1, 2].map(|step| trail[step]);
    assert!(none.is_zero(), "{way:?}: {trail:?}");
    // Not before the hint, and not long after it.
    assert!(
        (Duration::from_millis(100)..=Duration::from_millis(1_000)).contains(&hinted),
        "{trail:?}"
    );
    assert!(own <= Duration::from_millis(500), "{way:?}: {trail:?}");
    let arrived: Vec<Instant> = provider.record().iter().map(|seen| seen.at).collect();
    assert_eq!(arrived.len(), 3, "{way:?}");
    assert!(arrived[1] - arrived[0] >= hinted, "{way:?}: {trail:?}");
    assert!(arrived[2] - arrived[1] >= own, "{way:?}: {trail:?}");
    let least: Duration = trail.iter().sum();
    // Timers of the paused clock are of whole milliseconds.
    let most = if way == Way::Memory { Duration::from_millis(2) } else { Duration::from_secs(3) };
    assert!((least..=least + most).contains(&took), "{way:?}: {took:?}, {trail:?}");
}

/// How long a call has waited before each of its attempts.
async fn trail<R, E: std::fmt::Debug>(
    call: impl Future<Output = Result<http::Response<R>, E>>,
) -> Vec<Duration>
where
    R: http_body::Body,
{
    let response = call.await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    assert!(response.into_body().collect().await.is_ok());
    attempt.call().trail().iter().map(|step| step.waited).collect()
}

#[tokio::test(start_paused = true)]
async fn the_usual_waits_in_memory() {
    usual(Way::Memory).await;
}

#[tokio::test]
async fn the_usual_waits_on_sockets() {
    for way in SOCKETS {
        usual(way).await;
    }
}

/// Twelve callers at once, where ten calls a second are allowed, of which five may come together.
async fn crowd(way: Way) {
    let spoken = Spoken::OpenAi;
    let rate = Rate::new(600, Duration::from_secs(60)).unwrap().with_burst(5).unwrap();
    let provider = rig::provider("ok".parse::<Script>().unwrap());
    let provider = provider.limited(Quota::new().requests(rate));
    let server = if way == Way::Memory { None } else { Some(provider.listen().await.unwrap()) };
    let base = server.as_ref().map_or("http://provider.test", |server| server.url());
    // Everybody may be turned away once.
    let retry = RetryLayer::new().budget(budget(12.0)).seed(7);
    let stack = rig::stack(spoken).retry(retry).base(base).unwrap();
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..12 {
        let (stack, provider) = (stack.clone(), provider.clone());
        callers.spawn(async move {
            let request = spoken.request(true);
            match way {
                Way::Memory => call(stack.layer(provider), request).await,
                Way::Http1 => call(stack.layer(http1()), request).await,
                Way::Http2 => call(stack.layer(http2()), request).await,
            }
        });
    }
    for got in callers.join_all().await {
        assert_eq!(got.told(spoken), "all of it, whole", "{way:?}");
    }
    let took = start.elapsed();
    // Seven calls have to wait for their place, a tenth of a second each.
    assert!(took >= Duration::from_millis(700), "{way:?}: {took:?}");
    let counts = provider.counts();
    assert_eq!(counts.arrived, 12 + counts.limited, "{way:?}");
    if way == Way::Memory {
        // The first answers tell of the limit before the others go out.
        assert_eq!((counts.limited, took), (0, Duration::from_millis(700)));
    } else {
        // They are all on their way by then. Whoever is turned away comes back when there is room, and a few may
        // be early on a machine that is busy.
        assert!(counts.limited <= 10, "{way:?}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_fills_turns_nobody_away_for_good_in_memory() {
    crowd(Way::Memory).await;
}

#[tokio::test]
async fn a_limit_that_fills_turns_nobody_away_for_good_on_sockets() {
    for way in SOCKETS {
        timeout(Duration::from_secs(30), crowd(way)).await.unwrap();
    }
}
