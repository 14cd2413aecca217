//! Limits per minute that are enforced for real.
//!
//! A script can answer 429 to every tenth call, and a client that waits as it is told passes any such test.
//! What it does to a limit that *fills* as it calls shows only when there is one: [`Quota`] counts
//! requests and tokens per key, turns away what is over with the error and the wait of its dialect,
//! and tells what is left in the headers of every answer.
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_sim::{Provider, Quota};
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two a minute: one every half minute once both are spent.
//! let provider = Provider::new().limited(Quota::per_minute(2, 100_000)?);
//! let call = || {
//!     let request = Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#));
//!     provider.clone().oneshot(request.unwrap())
//! };
//! let first = call().await?;
//! assert_eq!(first.headers()["x-ratelimit-remaining-requests"], "1");
//! assert_eq!(call().await?.status(), 200);
//!
//! let third = call().await?;
//! assert_eq!(third.status(), 429);
//! assert_eq!(third.headers()["retry-after"], "30");
//!
//! tokio::time::sleep(Duration::from_secs(30)).await;
//! assert_eq!(call().await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # What is charged
//!
//! A call is charged when it arrives: one request, the tokens of its prompt as
//! [`battlement_core::request::estimate`] counts them, and the tokens that its answer is going to have, which a
//! simulated provider knows beforehand. Limits are token buckets with exact arithmetic
//! ([`battlement_core::bucket`]): in any time `T` no more than `burst + rate · T` passes, and a call passes
//! at the very moment that the hint of an earlier one named. Whoever sends no key shares an account with all
//! who send none.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use battlement_core::{
    bucket::{Bucket, Refused},
    hint::Dimension,
};
use http::{HeaderMap, Uri};

pub use battlement_core::bucket::{InvalidRate, Rate};

use crate::answer::{Fault, Limits, Over, Window};

/// What an account may use. See the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    requests: Option<Rate>,
    tokens: Option<Rate>,
    input: Option<Rate>,
    output: Option<Rate>,
    failures_count: bool,
}

impl Quota {
    /// No limit. Those that there are to be follow.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many requests, and so many tokens of prompts and answers together, in a minute. All of them may be
    /// used at once.
    ///
    /// # Errors
    ///
    /// Nothing passes a limit of zero, and nobody sells one beyond [`MAX_AMOUNT`](battlement_core::bucket::MAX_AMOUNT).
    pub fn per_minute(requests: u64, tokens: u64) -> Result<Self, InvalidRate> {
        const MINUTE: Duration = Duration::from_secs(60);
        let (requests, tokens) = (Rate::new(requests, MINUTE)?, Rate::new(tokens, MINUTE)?);
        Ok(Self::new().requests(requests).tokens(tokens))
    }

    /// Limits requests.
    #[must_use]
    pub fn requests(self, rate: Rate) -> Self {
        Self { requests: Some(rate), ..self }
    }

    /// Limits tokens of prompts and answers together.
    #[must_use]
    pub fn tokens(self, rate: Rate) -> Self {
        Self { tokens: Some(rate), ..self }
    }

    /// Limits tokens of prompts.
    #[must_use]
    pub fn input_tokens(self, rate: Rate) -> Self {
        Self { input: Some(rate), ..self }
    }

    /// Limits tokens of answers.
    #[must_use]
    pub fn output_tokens(self, rate: Rate) -> Self {
        Self { output: Some(rate), ..self }
    }

    /// Charges a request for what fails, too: for calls that this limit turns away, as OpenAI does, and
    /// for those that the script lets fail. Whoever then asks again and again is let in later and later, but never
    /// by more than one filling of the limit. Not so if it is not said.
    #[must_use]
    pub fn failures_count(self, count: bool) -> Self {
        Self { failures_count: count, ..self }
    }
}

/// The accounts of all keys.
pub(crate) struct Accounts {
    quota: Quota,
    accounts: Mutex<HashMap<Box<[u8]>, Account>>,
}

/// What one key has left, in the order of [`Cost`].
struct Account([Option<Bucket>; 4]);

/// What a call costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Whether the script lets it fail.
    pub(crate) fails: bool,
}

/// Why a call is turned away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Denied {
    pub(crate) fault: Fault,
    pub(crate) after: Option<Duration>,
    /// The limit that it would go over.
    pub(crate) over: Over,
}

impl Accounts {
    pub(crate) fn new(quota: Quota) -> Self {
        Self { quota, accounts: Mutex::default() }
    }

    /// Charges a call, or turns it away. Also says what is left.
    pub(crate) fn admit(
        &self,
        key: &[u8],
        cost: Cost,
        now: Instant,
    ) -> (Result<(), Denied>, Limits) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if !accounts.contains_key(key) {
            accounts.insert(key.into(), Account::new(&self.quota, now));
        }
        let Some(account) = accounts.get_mut(key) else { return (Ok(()), Limits::default()) };
        let counts = self.quota.failures_count;
        let admitted = match (cost.fails, counts) {
            (true, false) => Ok(()),
            (true, true) => account.admit([1, 0, 0, 0], now),
            (false, _) => {
                let Cost { input, output, .. } = cost;
                account.admit([1, input.saturating_add(output), input, output], now)
            }
        };
        let denied = admitted
            .map_err(|denied| if counts { account.charge_denied(denied, now) } else { denied });
        (denied, account.limits(now))
    }
}

impl fmt::Debug for Accounts {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl Account {
    fn new(quota: &Quota, now: Instant) -> Self {
        let rates = [quota.requests, quota.tokens, quota.input, quota.output];
        Self(rates.map(|rate| rate.map(|rate| Bucket::new(rate, now))))
    }

    /// Charges all limits, or none.
    fn admit(&mut self, costs: [u64; 4], now: Instant) -> Result<(), Denied> {
        let mut latest: Option<(Instant, Dimension, Over)> = None;
        for (number, (bucket, cost)) in self.0.iter().zip(costs).enumerate() {
            let dimension = if number == 0 { Dimension::Requests } else { Dimension::Tokens };
            let Some(bucket) = bucket else { continue };
            let over = || over(NAMES[number], bucket, cost, now);
            match bucket.check(cost, now) {
                Ok(()) => {}
                Err(Refused::Until(at)) if latest.is_some_and(|(latest, ..)| latest >= at) => {}
                Err(Refused::Until(at)) => latest = Some((at, dimension, over())),
                Err(Refused::TooLarge { .. }) => {
                    return Err(Denied { fault: Fault::NeverFits, after: None, over: over() });
                }
            }
        }
        if let Some((at, dimension, over)) = latest {
            let after = Some(at.saturating_duration_since(now));
            return Err(Denied { fault: Fault::RateLimited(dimension), after, over });
        }
        for (bucket, cost) in self.0.iter_mut().zip(costs) {
            if let Some(bucket) = bucket {
                bucket.charge(cost, now);
            }
        }
        Ok(())
    }

    /// Charges a request that was turned away, and says what that makes of its wait.
    fn charge_denied(&mut self, denied: Denied, now: Instant) -> Denied {
        let [Some(requests), ..] = &mut self.0 else { return denied };
        let floor = -i64::try_from(requests.rate().burst()).unwrap_or(i64::MAX);
        if requests.level(now) > floor {
            requests.charge(1, now);
        }
        let after = match (denied.after, requests.check(1, now)) {
            (Some(after), Err(Refused::Until(at))) => {
                Some(after.max(at.saturating_duration_since(now)))
            }
            (after, _) => after,
        };
        Denied { after, ..denied }
    }

    fn limits(&self, now: Instant) -> Limits {
        let [requests, tokens, input_tokens, output_tokens] = [0, 1, 2, 3]
            .map(|number: usize| self.0[number].as_ref().map(|bucket| window(bucket, now)));
        Limits { requests, tokens, input_tokens, output_tokens }
    }
}

/// What is limited, in the order of costs.
const NAMES: [&str; 4] = ["requests", "tokens", "input tokens", "output tokens"];

fn over(what: &'static str, bucket: &Bucket, requested: u64, now: Instant) -> Over {
    let Window { limit, remaining, .. } = window(bucket, now);
    Over { what, limit, used: limit.saturating_sub(remaining), requested }
}

fn window(bucket: &Bucket, now: Instant) -> Window {
    let rate = bucket.rate();
    let reset = match bucket.check(rate.burst(), now) {
        Err(Refused::Until(at)) => at.saturating_duration_since(now),
        _ => Duration::ZERO,
    };
    let remaining = u64::try_from(bucket.level(now)).unwrap_or(0);
    Window { limit: rate.amount(), remaining, reset }
}

/// What a request is known by: its key, wherever it has it.
pub(crate) fn key<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> &'a [u8] {
    let in_header =
        KEYS.iter().find_map(|name| headers.get(*name)).map(http::HeaderValue::as_bytes);
    let in_query = || {
        let mut parts = uri.query()?.split('&');
        parts.find_map(|part| part.strip_prefix("key=")).map(str::as_bytes)
    };
    in_header.or_else(in_query).unwrap_or_default()
}

/// Headers with a key in them.
pub(crate) const KEYS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
