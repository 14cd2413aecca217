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

use super::{DEADLINE, Part, derived};
use crate::{experiment::PROCESSES, load::Kind, log::Ending, service::Provider};

#[derive(Debug)]
pub(crate) struct Ours {
    service: Stacked<Provider>,
    without: Option<Part>,
}

/// What is not as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    /// A limit of time for each attempt.
    pub(crate) attempt: Option<Duration>,
    pub(crate) without: Option<Part>,
    /// Whether the process knows its part of the provider's limit.
    pub(crate) is_limited: bool,
}

/// What each process may send in a minute, if all of them together are to send 95 % of what the providers of
/// the experiment allow.
const PART: u64 = 300 * 95 / 100 / PROCESSES as u64;

impl Ours {
    pub(crate) fn new(provider: Provider, setup: Setup, seed: u64) -> Self {
        let Setup { attempt, without, is_limited } = setup;
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
        if is_limited {
            let part = rate_limit::Config::new(Named::OpenAi).requests_per_minute(PART);
            stack = stack.rate_limit(RateLimitLayer::new(part).expect(USUAL));
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

    pub(crate) async fn call(&self, mut request: Request<Full<Bytes>>, kind: Kind) -> Ending {
        let mut options = Options::default().lane(match kind {
            Kind::Person => Lane::Interactive,
            Kind::Agent => Lane::Deferred,
            Kind::Batch => Lane::Batch,
        });
        if kind != Kind::Batch {
            options = options.time(DEADLINE);
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
    let is_ours = error.code().as_str().starts_with("llm.local") && error.kind() != ErrorKind::Timeout;
    if is_ours { Ending::Rejected } else { Ending::Failed }
}
