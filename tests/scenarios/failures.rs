//! The provider fails before it has said a word.

use std::time::Duration;

use battlement_core::{Code, breaker};
use battlement_sim::Script;
use tokio::time::sleep;
use tower::Layer;

use crate::{
    rig::{self, SOCKETS, Way, call, ends, http1, http2},
    scenario::{Scenario, played},
    words::Spoken,
};

const SCENARIOS: &[Scenario] = &[
    Scenario::new("500; ok", "all of it, whole", "server_error, complete", "finished, finished"),
    Scenario::new("500; ok", "all of it, whole", "server_error, complete", "finished, finished")
        .whole(),
    Scenario::new("500; ok", "all of it, whole", "server_error, complete", "finished, finished")
        .to(Spoken::Anthropic),
    Scenario::new("500; ok", "all of it, whole", "server_error, complete", "finished, finished")
        .to(Spoken::Gemini),
    Scenario::new(
        "500",
        "status 500, which is llm.provider.error (Upstream)",
        "server_error, server_error, server_error, no more: attempts",
        "finished, finished, finished",
    ),
    Scenario::new(
        "page 502; ok",
        "all of it, whole",
        "server_error, complete",
        "finished, finished",
    ),
    Scenario::new(
        "overloaded; ok",
        "all of it, whole",
        "overloaded, complete",
        "finished, finished",
    )
    .to(Spoken::Anthropic),
    // The connection is reset.
    Scenario::new(
        "reset; ok",
        "all of it, whole",
        "disconnected, complete",
        "broken after 0, finished",
    ),
    Scenario::new(
        "reset",
        "nothing, then llm.network.disconnected (Upstream)",
        "disconnected, disconnected, disconnected, no more: attempts",
        "broken after 0, broken after 0, broken after 0",
    ),
    // There is no answer at all. It is tried once more, not twice: the provider may be at work on both.
    Scenario::new("never; ok", "all of it, whole", "overdue, complete", "left at head, finished")
        .takes(400),
    Scenario::new(
        "never",
        "nothing, then llm.timeout.head (Timeout)",
        "overdue, overdue, no more: silent",
        "left at head, left at head",
    )
    .takes(800),
    Scenario::new("never; ok", "all of it, whole", "overdue, complete", "left at head, finished")
        .whole()
        .takes(400),
    // One that is slow is waited for.
    Scenario::new("head after 120ms", "all of it, whole", "complete", "finished").takes(120),
    // What is wrong with the request is not tried again.
    Scenario::new(
        "context overflow",
        "status 400, which is llm.context_length (TooLarge)",
        "context_length",
        "finished",
    ),
    Scenario::new(
        "context overflow",
        "status 400, which is llm.context_length (TooLarge)",
        "context_length",
        "finished",
    )
    .to(Spoken::Anthropic),
    Scenario::new(
        "context overflow",
        "status 400, which is llm.context_length (TooLarge)",
        "context_length",
        "finished",
    )
    .to(Spoken::Gemini),
    Scenario::new(
        "content policy",
        "status 400, which is llm.content_policy (Unusable)",
        "content_policy",
        "finished",
    ),
    Scenario::new(
        "invalid key",
        "status 401, which is llm.auth.invalid_key (Unauthorized)",
        "auth",
        "finished",
    ),
];

played!(SCENARIOS);

/// Fifty callers, one after the other, while the provider answers 503 and nothing else.
async fn storm(way: Way) {
    let spoken = Spoken::OpenAi;
    let provider = rig::provider("503".parse::<Script>().unwrap());
    let stack = rig::stack(spoken);
    let circuits = stack_circuits();
    let stack = stack.breaker(battlement::breaker::BreakerLayer::with(circuits.clone()));
    let server = if way == Way::Memory { None } else { Some(provider.listen().await.unwrap()) };
    let mut told = Vec::new();
    for _ in 0..50 {
        let request = spoken.request(true);
        let base = server.as_ref().map_or("http://provider.test", |server| server.url());
        let stack = stack.clone().base(base).unwrap();
        let got = match way {
            Way::Memory => call(stack.layer(provider.clone()), request).await,
            Way::Http1 => call(stack.layer(http1()), request).await,
            Way::Http2 => call(stack.layer(http2()), request).await,
        };
        if let Some(error) = got.error.as_ref().filter(|error| error.code() == Code::CircuitOpen) {
            // The time of the next probe is told: at most the five seconds that a circuit stays open.
            let wait = error.retry_after().unwrap();
            assert!(wait <= Duration::from_secs(5), "{way:?}: {wait:?}");
            told.push("open".to_owned());
        } else {
            told.push(got.told(spoken));
        }
    }
    // The first call is tried three times, the second once, since the budget has no more; then everybody is
    // told without asking.
    let failed = "status 503, which is llm.provider.overloaded (Upstream)";
    assert_eq!(told[..2], [failed, failed], "{way:?}");
    assert!(told[2..].iter().all(|told| told == "open"), "{way:?}: {told:?}");
    assert_eq!(ends(&provider), "finished, finished, finished, finished", "{way:?}");
}

fn stack_circuits() -> battlement::breaker::Circuits {
    let most = std::num::NonZeroU32::MIN.saturating_add(9);
    battlement::breaker::Circuits::new(breaker::Config::default(), most).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_four_calls_in_memory() {
    storm(Way::Memory).await;
}

#[tokio::test]
async fn a_storm_costs_four_calls_on_sockets() {
    for way in SOCKETS {
        storm(way).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_storm_calls_come_through_again() {
    let spoken = Spoken::OpenAi;
    let provider = rig::provider("6x 503; ok".parse::<Script>().unwrap());
    let service = rig::stack(spoken).base("http://provider.test").unwrap().layer(provider.clone());
    let mut whole = 0;
    for _ in 0..60 {
        let got = call(service.clone(), spoken.request(true)).await;
        whole += usize::from(got.told(spoken) == "all of it, whole");
        sleep(Duration::from_secs(1)).await;
    }
    // Four failures open the circuit for five seconds at most; the two probes that fail, for ten and twenty.
    assert!(whole >= 60 - 2 - 35, "{whole}");
    assert_eq!(provider.counts().arrived, 6 + whole as u64, "no call but those and the probes");
}
