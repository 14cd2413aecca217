//! The retries of the AWS SDKs from November 2026: specification 2.1, mode `standard`.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::sleep;

use super::baseline::{Chance, Trouble, attempt};
use crate::{log::Ending, service::Provider};

/// Three attempts, paid for from a quota that successes fill.
#[derive(Debug)]
pub(crate) struct Aws {
    provider: Provider,
    chance: Chance,
    quota: Mutex<u32>,
}

const QUOTA: u32 = 500;
const THROTTLED: u32 = 5;
const TRANSIENT: u32 = 14;

impl Aws {
    pub(crate) fn new(provider: Provider, seed: u64) -> Self {
        Self { provider, chance: Chance::new(seed), quota: Mutex::new(QUOTA) }
    }

    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Ending {
        let mut paid = 0;
        for number in 0..3 {
            let Err(trouble) = attempt(self.provider.clone(), request.clone()).await else {
                self.refill(paid.max(1));
                return Ending::Answered;
            };
            let cost = if trouble.is_throttle() { THROTTLED } else { TRANSIENT };
            if number == 2 || !self.pay(cost) {
                break;
            }
            paid = cost;
            sleep(self.wait(number, trouble)).await;
        }
        Ending::Failed
    }

    fn wait(&self, number: u32, trouble: Trouble) -> Duration {
        let base = if trouble.is_throttle() { 1.0 } else { 0.05 };
        let own = self.chance.unit() * (base * f64::from(1_u32 << number)).min(20.0);
        let own = Duration::from_secs_f64(own);
        trouble.after.map_or(own, |after| after.clamp(own, own + Duration::from_secs(5)))
    }

    fn pay(&self, cost: u32) -> bool {
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        let left = quota.checked_sub(cost);
        *quota = left.unwrap_or(*quota);
        left.is_some()
    }

    fn refill(&self, amount: u32) {
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        *quota = (*quota + amount).min(QUOTA);
    }
}
