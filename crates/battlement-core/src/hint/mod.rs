//! How long to wait, and how much is left: what a provider says about its limits.
//!
//! A wait hint arrives in a dozen forms: four header names in three units, a protobuf duration in
//! the body, headers quoted inside the body, the reset of whichever window ran dry, an IETF field,
//! or half a sentence of English. Rate-limit headers are no better: the same `x-ratelimit-reset` is
//! a Go duration, bare seconds, unix seconds or unix milliseconds, depending on the sender. A retry
//! that reads one of these wrongly waits fifty years, or not at all. This module reads all of them,
//! once, into [`Hint`] and [`RateLimits`].
//!
//! Everything here is total: no bytes a peer can send make it panic or overflow. It applies no
//! bounds either. A hint of a week is reported as a week; whether to honor it is policy.
//!
//! # Reading a hint
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use battlement_core::{Provider, hint};
//!
//! let mut headers = http::HeaderMap::new();
//! headers.insert("retry-after", "1.25".parse()?);
//! let body = hint::BodyHints::default();
//! let hint = hint::wait(&headers, &body, Provider::OpenAi, SystemTime::UNIX_EPOCH)
//!     .expect("a positive number of seconds is a hint");
//! assert_eq!(hint.after, Duration::from_millis(1250));
//! assert_eq!(hint.source.as_str(), "retry-after");
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```
//!
//! # Reading the limits
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use battlement_core::{Provider, hint};
//!
//! let mut headers = http::HeaderMap::new();
//! headers.insert("x-ratelimit-limit-tokens", "30000".parse()?);
//! headers.insert("x-ratelimit-remaining-tokens", "0".parse()?);
//! headers.insert("x-ratelimit-reset-tokens", "6m0s".parse()?);
//! let limits = hint::rate_limits(&headers, Provider::OpenAi, SystemTime::UNIX_EPOCH);
//! let tokens = limits.get("tokens").expect("there are three headers of it");
//! assert_eq!(tokens.reset, Some(Duration::from_secs(360)));
//! assert_eq!(limits.exhausted(), Some(hint::Dimension::Tokens));
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

mod duration;
mod ietf;
mod limits;
mod message;
mod number;
mod reset;
mod timestamp;
mod vendor;

#[cfg(test)]
mod tests;

pub use limits::{Dimension, RateLimits, Window};

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue};

use self::number::{MILLISECOND, SECOND};
use crate::Provider;

/// What a body contributes to the hint; the dialects fill it.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyHints<'a> {
    /// The `retryDelay` of a `google.rpc.RetryInfo`, such as `34s`.
    pub retry_delay: Option<&'a str>,
    /// Response headers repeated inside the body, with names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The text of the error message.
    pub message: Option<&'a str>,
}

/// How long the provider asks to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hint {
    /// The wait: positive, in whole milliseconds, rounded up.
    pub after: Duration,
    /// Where the hint was found.
    pub source: Source,
}

/// Where a hint was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `retry-after-ms`, in milliseconds.
    RetryAfterMs,
    /// `x-ms-retry-after-ms`, in milliseconds, from Azure API Management.
    XMsRetryAfterMs,
    /// `retry-after`, in seconds or as an HTTP date.
    RetryAfter,
    /// `x-amz-retry-after`, in milliseconds.
    XAmzRetryAfter,
    /// `google.rpc.RetryInfo` in the body.
    RetryInfo,
    /// A header repeated in the body.
    BodyHeaders,
    /// The named reset header of a window that is exhausted.
    Reset(&'static str),
    /// The IETF `ratelimit` field.
    RateLimit,
    /// A phrase in the error message.
    Message,
}

impl Source {
    /// The word for logs and dashboards; for a header, its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfterMs => "retry-after-ms",
            Self::XMsRetryAfterMs => "x-ms-retry-after-ms",
            Self::RetryAfter => "retry-after",
            Self::XAmzRetryAfter => "x-amz-retry-after",
            Self::RetryInfo => "body.RetryInfo",
            Self::BodyHeaders => "body.headers",
            Self::Reset(header) => header,
            Self::RateLimit => "ratelimit",
            Self::Message => "message",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the wait hint of an answer, or `None` when it carries no usable one.
///
/// The first usable hint wins. One that is zero, negative, infinite, unreadable or in the past is
/// not usable and hides nothing behind it. From the most to the least explicit:
///
/// 1. a header that states a wait: `retry-after-ms`, `x-ms-retry-after-ms`, `retry-after`,
///    `x-amz-retry-after`;
/// 2. `RetryInfo` in the body;
/// 3. such a header repeated in the body;
/// 4. the reset header of an exhausted window, then one repeated in the body;
/// 5. the IETF `ratelimit` field and its older drafts;
/// 6. a phrase in the error message.
///
/// Points in time are compared with the `date` header when there is one, so that a wrong local
/// clock does no harm, and with `now` otherwise.
pub fn wait(
    headers: &HeaderMap,
    body: &BodyHints<'_>,
    provider: Provider,
    now: SystemTime,
) -> Option<Hint> {
    let sent = sent(headers, now);
    let repeated = header_map(body.headers);
    let limits = RateLimits::read(headers, provider, sent);
    let in_body = |hint: Hint| Hint { source: Source::BodyHeaders, ..hint };

    stated(headers, sent)
        .or_else(|| hint(duration::parse(body.retry_delay?)?, Source::RetryInfo))
        .or_else(|| stated(&repeated, sent).map(in_body))
        .or_else(|| limits.vendor_wait())
        .or_else(|| RateLimits::read(&repeated, provider, sent).wait().map(in_body))
        .or_else(|| limits.standard_wait())
        .or_else(|| hint(message::find(body.message?)?, Source::Message))
}

/// Reads every rate-limit header of an answer.
///
/// Points in time are compared with the `date` header when there is one, and with `now` otherwise.
pub fn rate_limits(headers: &HeaderMap, provider: Provider, now: SystemTime) -> RateLimits {
    RateLimits::read(headers, provider, sent(headers, now))
}

/// The headers that state a wait in so many words, the unit of each, in order of precedence.
const STATED: [(&str, Source, u128); 4] = [
    ("retry-after-ms", Source::RetryAfterMs, MILLISECOND),
    ("x-ms-retry-after-ms", Source::XMsRetryAfterMs, MILLISECOND),
    ("retry-after", Source::RetryAfter, SECOND),
    ("x-amz-retry-after", Source::XAmzRetryAfter, MILLISECOND),
];

fn stated(headers: &HeaderMap, sent: i128) -> Option<Hint> {
    STATED.into_iter().find_map(|(name, source, unit)| {
        values(headers, name).find_map(|text| {
            let nanoseconds = match source {
                Source::RetryAfter => number::scaled(text, unit).or_else(|| until(text, sent)),
                _ => number::scaled(text, unit),
            };
            hint(nanoseconds?, source)
        })
    })
}

/// The nanoseconds from `sent` until an HTTP date, zero when it is past.
fn until(date: &str, sent: i128) -> Option<u128> {
    let date = timestamp::since_epoch(httpdate::parse_http_date(date).ok()?);
    Some(u128::try_from(date.saturating_sub(sent)).unwrap_or(0))
}

fn hint(nanoseconds: u128, source: Source) -> Option<Hint> {
    (nanoseconds > 0).then(|| Hint { after: number::whole_milliseconds(nanoseconds), source })
}

/// When the answer was sent, in nanoseconds since 1970.
fn sent(headers: &HeaderMap, now: SystemTime) -> i128 {
    let date = values(headers, "date").find_map(|text| httpdate::parse_http_date(text).ok());
    timestamp::since_epoch(date.unwrap_or(now))
}

/// The readable values of a header, trimmed.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| Some(std::str::from_utf8(value.as_bytes()).ok()?.trim()))
}

/// Headers repeated in a body, as headers; what cannot be one is left out.
fn header_map(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            // Fails only at the map's own bound on its size.
            let _full = headers.try_append(name, value);
        }
    }
    headers
}
