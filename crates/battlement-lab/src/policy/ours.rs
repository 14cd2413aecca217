//! The stack of this project, whole or without one of its parts.
//!
//! A part is taken away by settings under which it does nothing, so that all stacks are of one type.

use std::{sync::Arc, time::Duration};

use battlement::{
    Error, ErrorKind,
    breaker::{self, BreakerLayer},
    call::Options,
    concurrency::ConcurrencyLayer,
    rate_limit::{self, RateLimitLayer},
    retry::{Budget, RetryLayer},
    retry_after::{Force, RetryAfterLayer},
    stack::{Stack, Stacked},
    timeout::{TimeoutLayer, Timeouts},
};
use battlement_core::{
    Provider as Named, budget,
    lanes::Lane,
    ledger::{Limit, Meter},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};

use super::{Part, derived};
use crate::{load::Kind, log::Ending, service::Provider, world::World};

#[derive(Debug)]
pub(crate) struct Ours {
    service: Stacked<Provider>,
    without: Option<Part>,
}

/// What is not as it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// A limit of time for each attempt.
    pub(crate) attempt: Option<Duration>,
    pub(crate) without: Option<Part>,
    /// A limit that all processes share.
    pub(crate) shared: Option<Shared>,
}

/// What a provider can do and does not tell, as a limit that all processes share.
#[derive(Clone, Debug)]
pub(crate) enum Shared {
    Rate(RateLimitLayer),
    Concurrency(ConcurrencyLayer),
}

impl Shared {
    pub(crate) fn of(world: World) -> Option<Self> {
        const USUAL: &str = "in range";
        match world {
            // 95 % of the limit, and the rest for bursts, so that no minute has more than all of it.
            World::QuotaSilent | World::QuotaTold => {
                let most = Limit { burst: Some(15), ..Limit::per_minute(Meter::Requests, 285) };
                let limits = rate_limit::Config::new(Named::OpenAi).limit(most);
                Some(Self::Rate(RateLimitLayer::new(limits).expect(USUAL)))
            }
            World::Regions | World::Slots | World::SlotsCancelling | World::SlotsBounded => {
                Some(Self::Concurrency(ConcurrencyLayer::new(50).expect(USUAL)))
            }
            World::Batcher => None,
        }
    }
}

impl Ours {
    pub(crate) fn new(provider: Provider, setup: Setup, seed: u64) -> Self {
        let Setup { attempt, without, shared } = setup;
        const USUAL: &str = "in range";
        let mut retry = RetryLayer::new().seed(derived(seed, 1));
        let gate = RetryAfterLayer::new(Default::default()).expect(USUAL).seed(derived(seed, 2));
        let mut breaker = BreakerLayer::new(Default::default()).expect(USUAL);
        let mut stack = Stack::openai().retry_after(gate);
        if let Some(total) = attempt.filter(|_| without != Some(Part::Timeout)) {
            let total = Some(total);
            let streaming = Timeouts { total, ..Timeouts::streaming() };
            let whole = Timeouts { total, ..Timeouts::whole() };
            stack = stack.timeout(TimeoutLayer::new(streaming, whole).expect(USUAL));
        }
        match shared {
            Some(Shared::Rate(limit)) => stack = stack.rate_limit(limit),
            Some(Shared::Concurrency(limit)) => stack = stack.concurrency(limit),
            None => {}
        }
        match without {
            Some(Part::Timeout) => {
                let none = TimeoutLayer::new(Timeouts::NONE, Timeouts::NONE);
                stack = stack.timeout(none.expect(USUAL));
            }
            Some(Part::Budget) => {
                let endless = budget::Config { share: 10.0, reserve: 100.0, ..Default::default() };
                let now = tokio::time::Instant::now().into_std();
                retry = retry.budget(Arc::new(Budget::new(&endless, now).expect(USUAL)));
            }
            Some(Part::RateLimit) => {
                // Of this no header tells.
                let days = Limit::per_day(Meter::Requests, 1_000_000_000);
                let never = rate_limit::Config::new(Named::OpenAi).limit(days);
                stack = stack.rate_limit(RateLimitLayer::new(never).expect(USUAL));
            }
            Some(Part::Breaker) => {
                let never = breaker::Config {
                    threshold: 0.999,
                    confidence: 0.999_999,
                    streak: None,
                    ..Default::default()
                };
                breaker = BreakerLayer::new(never).expect(USUAL);
            }
            Some(Part::Concurrency) => {
                stack = stack.concurrency(ConcurrencyLayer::new(1_000_000).expect(USUAL));
            }
            Some(Part::Retry | Part::RetryAfter) | None => {}
        }
        let stack = stack.retry(retry).breaker(breaker.seed(derived(seed, 3)));
        Self { service: stack.layer(provider), without }
    }

    pub(crate) async fn call(
        &self,
        mut request: Request<Full<Bytes>>,
        kind: Kind,
        time: Duration,
    ) -> Ending {
        let mut options = Options::default().lane(match kind {
            Kind::Person => Lane::Interactive,
            Kind::Agent => Lane::Deferred,
            Kind::Batch => Lane::Batch,
        });
        if kind != Kind::Batch {
            options = options.time(time);
        }
        if self.without == Some(Part::Retry) {
            options = options.attempts(1);
        }
        if self.without == Some(Part::RetryAfter) {
            request.extensions_mut().insert(Force);
        }
        request.extensions_mut().insert(options);
        let response = match self.service.clone().oneshot(request).await {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let is_success = response.status().is_success();
        match response.into_body().collect().await {
            Ok(_) if is_success => Ending::Answered,
            _ => Ending::Failed,
        }
    }
}

fn failed(error: &Error) -> Ending {
    let is_ours =
        error.code().as_str().starts_with("llm.local") && error.kind() != ErrorKind::Timeout;
    if is_ours { Ending::Rejected } else { Ending::Failed }
}
