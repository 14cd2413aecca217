//! What callers do when a call fails.

mod aws;
mod baseline;
mod cooling;
mod ours;
mod towers;

use std::time::Duration;

use battlement_core::random::Seeded;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;

pub(crate) use self::ours::Shared;
use self::{
    aws::Aws,
    baseline::Sdk,
    cooling::Cooling,
    ours::{Ours, Setup},
    towers::Towers,
};
use crate::{
    load::Kind,
    log::Ending,
    service::{Asked, Provider},
};

/// What callers do when a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Every call is sent once.
    Once,
    /// The same, and an attempt may take ten minutes: as patient as this project as it comes, to compare its waste with.
    OncePatient,
    /// As the SDKs of OpenAI and Anthropic: two retries, after 0.5 to 8 seconds.
    Sdk,
    /// The same with the time that the SDKs come with, ten minutes for an attempt. Everybody else but this project as
    /// it comes has 40 s, as many set.
    SdkPatient,
    /// An application that tries three times over such an SDK.
    SdkTwice,
    /// tower's retry, twice after 50 ms and more, without a budget.
    Tower,
    /// The same with tower's default budget: a fifth, and ten a second.
    TowerBudget,
    /// The same with a fifth and nothing more, as Finagle's without its floor.
    Finagle,
    /// As gateways do it: two retries, and five seconds of rest when more than half of a minute's calls fail.
    Cooldown,
    /// As the AWS SDKs from 2026: three attempts, and a quota of 500.
    Aws,
    /// The stack of this project as it comes.
    Ours,
    /// The same with attempts of 40 seconds at most, as those above have.
    OursHasty,
    /// The same as it comes, with the provider's limit set and shared by all processes, which is what its
    /// documentation asks for where a provider tells nothing.
    OursLimited,
    /// The same as `OursHasty` without one of its layers.
    Without(Part),
}

/// A part of the stack that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The second attempts.
    Retry,
    /// The budget for them.
    Budget,
    /// The gate of `retry-after`.
    RetryAfter,
    /// The rate limit, which keeps to what the headers say.
    RateLimit,
    /// The circuit breaker.
    Breaker,
    /// The limit of concurrent calls.
    Concurrency,
    /// The time limit of an attempt.
    Timeout,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Retry,
        Self::Budget,
        Self::RetryAfter,
        Self::RateLimit,
        Self::Breaker,
        Self::Concurrency,
        Self::Timeout,
    ];
}

impl Policy {
    /// What others do.
    pub const BASELINES: [Self; 10] = [
        Self::Once,
        Self::OncePatient,
        Self::Sdk,
        Self::SdkPatient,
        Self::SdkTwice,
        Self::Tower,
        Self::TowerBudget,
        Self::Finagle,
        Self::Cooldown,
        Self::Aws,
    ];

    /// Its name in tables and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Once => "no retry",
            Self::OncePatient => "no retry, 600 s",
            Self::Sdk => "SDK, 2 retries",
            Self::SdkPatient => "SDK, attempts of 600 s",
            Self::SdkTwice => "SDK x application",
            Self::Tower => "tower, no budget",
            Self::TowerBudget => "tower, its budget",
            Self::Finagle => "Finagle 20 %",
            Self::Cooldown => "cool-down of 5 s",
            Self::Aws => "AWS 2026",
            Self::Ours => "battlement",
            Self::OursHasty => "battlement, 40 s",
            Self::OursLimited => "battlement, limit set",
            Self::Without(Part::Retry) => "- retry",
            Self::Without(Part::Budget) => "- budget",
            Self::Without(Part::RetryAfter) => "- retry_after",
            Self::Without(Part::RateLimit) => "- rate_limit",
            Self::Without(Part::Breaker) => "- breaker",
            Self::Without(Part::Concurrency) => "- concurrency",
            Self::Without(Part::Timeout) => "- timeout",
        }
    }

    /// Whether it is of this project, whole.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursHasty | Self::OursLimited)
    }
}

/// How long those who set a limit give one attempt.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(40);

/// One process of callers, with a state of its own.
pub(crate) enum Client {
    Sdk(Sdk),
    Cooling(Cooling),
    Aws(Aws),
    Tower(Towers),
    Ours(Box<Ours>),
}

impl Client {
    pub(crate) fn new(
        policy: Policy,
        provider: Provider,
        shared: Option<&Shared>,
        seed: u64,
    ) -> Self {
        match policy {
            Policy::Once => Self::Sdk(Sdk::new(provider, 1, 1, seed)),
            Policy::OncePatient => Self::Sdk(Sdk::patient(provider, 1, seed)),
            Policy::Sdk => Self::Sdk(Sdk::new(provider, 3, 1, seed)),
            Policy::SdkPatient => Self::Sdk(Sdk::patient(provider, 3, seed)),
            Policy::SdkTwice => Self::Sdk(Sdk::new(provider, 3, 3, seed)),
            Policy::Cooldown => Self::Cooling(Cooling::new(provider, seed)),
            Policy::Aws => Self::Aws(Aws::new(provider, seed)),
            Policy::Tower => Self::Tower(Towers::without_budget(provider, seed)),
            Policy::TowerBudget => Self::Tower(Towers::with_default(provider, seed)),
            Policy::Finagle => Self::Tower(Towers::without_floor(provider, seed)),
            Policy::Ours => Self::Ours(Box::new(Ours::new(provider, Setup::default(), seed))),
            Policy::OursHasty => {
                let setup = Setup { attempt: Some(ATTEMPT), ..Setup::default() };
                Self::Ours(Box::new(Ours::new(provider, setup, seed)))
            }
            Policy::OursLimited => {
                let setup = Setup { shared: shared.cloned(), ..Setup::default() };
                Self::Ours(Box::new(Ours::new(provider, setup, seed)))
            }
            Policy::Without(part) => {
                let setup = Setup { attempt: Some(ATTEMPT), without: Some(part), shared: None };
                Self::Ours(Box::new(Ours::new(provider, setup, seed)))
            }
        }
    }

    /// Makes a call.
    pub(crate) async fn call(&self, asked: Asked, kind: Kind, time: Duration) -> Ending {
        let request = request(asked);
        let calling = async {
            match self {
                Self::Sdk(client) => client.call(request).await,
                Self::Cooling(client) => client.call(request).await,
                Self::Aws(client) => client.call(request).await,
                Self::Tower(client) => client.call(request).await,
                // Ends by itself at its deadline.
                Self::Ours(client) => return client.call(request, kind, time).await,
            }
        };
        match self {
            Self::Ours(_) => calling.await,
            _ => tokio::time::timeout(time, calling).await.unwrap_or(Ending::Failed),
        }
    }
}

const WHOLE: &[u8] =
    br#"{"model":"gpt-5-mini","max_tokens":500,"messages":[{"role":"user","content":"Hi"}]}"#;
const STREAM: &[u8] = br#"{"model":"gpt-5-mini","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;

fn request(asked: Asked) -> Request<Full<Bytes>> {
    let body = Bytes::from_static(if asked.stream { STREAM } else { WHOLE });
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("https://api.openai.com/v1/chat/completions");
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.extensions_mut().insert(asked);
    request
}

/// A number that follows from a seed.
pub(crate) fn derived(seed: u64, what: u64) -> u64 {
    Seeded(seed ^ what.wrapping_mul(0xA076_1D64_78BD_642F)).fork().0
}
