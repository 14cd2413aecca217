//! One attempt without a layer of ours, and the retries of the SDKs.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use battlement_core::random::{Random, Seeded};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::sleep;
use tower::ServiceExt;

use super::ATTEMPT;
use crate::{log::Ending, service::Provider};

/// Why an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// `None` if there was no whole answer in time.
    pub(crate) status: Option<StatusCode>,
    /// What the provider asks for.
    pub(crate) after: Option<Duration>,
}

impl Trouble {
    pub(crate) fn is_throttle(&self) -> bool {
        self.status == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    fn silent() -> Self {
        Self { status: None, after: None }
    }
}

/// Sends a request, and reads the answer to its end.
pub(crate) async fn attempt(
    provider: Provider,
    request: Request<Full<Bytes>>,
) -> Result<(), Trouble> {
    attempt_within(ATTEMPT, provider, request).await
}

/// The same within so long a time.
async fn attempt_within(
    time: Duration,
    provider: Provider,
    request: Request<Full<Bytes>>,
) -> Result<(), Trouble> {
    let answered = async {
        let response = provider.oneshot(request).await.map_err(|never| match never {})?;
        let (head, body) = response.into_parts();
        body.collect().await.map_err(|_broken| Trouble::silent())?;
        if head.status.is_success() {
            return Ok(());
        }
        Err(Trouble { status: Some(head.status), after: after(&head.headers) })
    };
    tokio::time::timeout(time, answered).await.unwrap_or(Err(Trouble::silent()))
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get("retry-after-ms")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

/// A generator for all calls of a client.
#[derive(Debug)]
pub(crate) struct Chance(Mutex<Seeded>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Seeded(seed)))
    }

    pub(crate) fn unit(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unit()
    }
}

/// The policy of the SDKs of OpenAI and Anthropic; with rounds of it for an application over one.
#[derive(Debug)]
pub(crate) struct Sdk {
    provider: Provider,
    attempts: u32,
    rounds: u32,
    /// How long one attempt may take.
    time: Duration,
    chance: Chance,
}

/// The wait of the SDKs: 0.5 s, doubled up to 8 s, and up to a quarter less. A hint of up to a minute
/// is taken as it is, a longer one ignored.
pub(crate) fn sdk_wait(number: u32, hint: Option<Duration>, chance: &Chance) -> Duration {
    if let Some(hint) = hint.filter(|hint| *hint <= Duration::from_secs(60)) {
        return hint;
    }
    let full = (0.5 * f64::from(1_u32 << number.min(8))).min(8.0);
    Duration::from_secs_f64(full * (1.0 - 0.25 * chance.unit()))
}

impl Sdk {
    pub(crate) fn new(provider: Provider, attempts: u32, rounds: u32, seed: u64) -> Self {
        Self { provider, attempts, rounds, time: ATTEMPT, chance: Chance::new(seed) }
    }

    /// With attempts of ten minutes, which is what the SDKs come with.
    pub(crate) fn patient(provider: Provider, attempts: u32, seed: u64) -> Self {
        Self { time: Duration::from_secs(600), ..Self::new(provider, attempts, 1, seed) }
    }

    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Ending {
        for round in 0..self.rounds {
            if round > 0 {
                sleep(Duration::from_secs(1)).await;
            }
            for number in 0..self.attempts {
                match attempt_within(self.time, self.provider.clone(), request.clone()).await {
                    Ok(()) => return Ending::Answered,
                    Err(trouble) if number + 1 < self.attempts => {
                        sleep(sdk_wait(number, trouble.after, &self.chance)).await;
                    }
                    Err(_) => {}
                }
            }
        }
        Ending::Failed
    }
}
