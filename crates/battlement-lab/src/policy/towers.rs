//! tower's own retry, with and without its budget.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use battlement_core::random::{Random, Seeded};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{
    ServiceExt, retry,
    retry::{
        Retry,
        backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff},
        budget::{Budget, TpsBudget},
    },
    service_fn,
    util::rng::Rng,
};

use super::baseline::{Trouble, attempt};
use crate::{log::Ending, service::Provider};

type Sent = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;
type Sender = Box<dyn Fn(Request<Full<Bytes>>) -> Sent + Send + Sync>;

/// A client with tower's retry around its attempts.
pub(crate) struct Towers {
    policy: Twice,
    send: Arc<Sender>,
}

/// Two retries of whatever failed.
#[derive(Clone)]
struct Twice {
    left: u32,
    backoff: ExponentialBackoff<Dice>,
    budget: Option<Arc<TpsBudget>>,
}

/// tower clones one for each request, so it draws the same for all.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Rng for Dice {
    fn next_u64(&mut self) -> u64 {
        let mut seeded = Seeded(self.0);
        let drawn = (seeded.unit() * (1_u64 << 53) as f64) as u64;
        self.0 = seeded.0;
        drawn << 11
    }
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(10);

impl Towers {
    pub(crate) fn without_budget(provider: Provider, seed: u64) -> Self {
        Self::new(provider, None, seed)
    }

    pub(crate) fn with_default(provider: Provider, seed: u64) -> Self {
        Self::new(provider, Some(TpsBudget::default()), seed)
    }

    pub(crate) fn without_floor(provider: Provider, seed: u64) -> Self {
        Self::new(provider, Some(TpsBudget::new(Duration::from_secs(10), 0, 0.2)), seed)
    }

    fn new(provider: Provider, budget: Option<TpsBudget>, seed: u64) -> Self {
        let maker = ExponentialBackoffMaker::new(FIRST, LONGEST, 0.99, Dice(seed));
        let backoff = maker.expect("in order").make_backoff();
        let send: Sender = Box::new(move |request| Box::pin(attempt(provider.clone(), request)));
        let policy = Twice { left: 2, backoff, budget: budget.map(Arc::new) };
        Self { policy, send: Arc::new(send) }
    }

    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Ending {
        let send = self.send.clone();
        let service = service_fn(move |request| send(request));
        match Retry::new(self.policy.clone(), service).oneshot(request).await {
            Ok(()) => Ending::Answered,
            Err(_trouble) => Ending::Failed,
        }
    }
}

impl retry::Policy<Request<Full<Bytes>>, (), Trouble> for Twice {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<(), Trouble>,
    ) -> Option<Self::Future> {
        if result.is_ok() {
            if let Some(budget) = &self.budget {
                budget.deposit();
            }
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        if self.budget.as_ref().is_some_and(|budget| !budget.withdraw()) {
            return None;
        }
        Some(self.backoff.next_backoff())
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

impl fmt::Debug for Towers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Towers").finish_non_exhaustive()
    }
}
