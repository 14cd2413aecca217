//! Hints: total, repeatable, exact where the wire is exact, and deaf to headers of others.

use std::time::{Duration, SystemTime};

use battlement_core::{
    Provider,
    hint::{BodyHints, rate_limits, wait},
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::entropy::Entropy;

const NAMES: [&str; 30] = [
    "date",
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens-minute",
    "x-ratelimit-reset-tokens-minute",
    "x-ratelimit-limit-requests-day",
    "x-ratelimit-timeremaining",
    "x-ratelimit-type",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "ratelimitbysize-remaining",
    "ratelimitbysize-reset",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimitbysize-remaining-month",
];

const VALUES: [&str; 28] = [
    "0",
    "1",
    "0.000000001",
    "1.25",
    "-1",
    "1e3",
    "18446744073709551616",
    "NaN",
    "inf",
    "",
    "1795176030",
    "1795176030123",
    "6m0s",
    "1h2m3.5s",
    "7ms",
    "999999999999h",
    "1d",
    "2026-11-20T12:00:30Z",
    "9999-12-31T23:59:59.999999999+00:00",
    "0000-01-01T00:00:00-23:59",
    "Fri, 20 Nov 2026 12:00:30 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "\"a\";r=0;t=30",
    "\"a\";q=10;w=60, \"b\";q=1;w=86400",
    "limit=10, remaining=0, reset=5",
    "10, 10;w=1",
    "try again in 1m2.5s",
    "tokens",
];

/// Runs one input. A choice of headers comes first, then text for everything that is free.
///
/// # Panics
///
/// When something does not hold.
pub fn check(input: &[u8]) {
    let mut entropy = Entropy::new(input);
    let provider = entropy.pick(&Provider::ALL);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(entropy.byte()) << 24);
    let mut headers = HeaderMap::new();
    for _ in 0..entropy.below(12) {
        let name = HeaderName::from_static(entropy.pick(&NAMES));
        let value = match entropy.below(3) {
            0 => entropy.pick(&VALUES).as_bytes().to_vec(),
            1 => {
                let mut value = entropy.pick(&VALUES).as_bytes().to_vec();
                super::mutate::mutate(&mut value, &mut entropy);
                value
            }
            _ => (0..entropy.below(24)).map(|_| entropy.byte()).collect(),
        };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.append(name, value);
        }
    }
    let has_body = entropy.one_in(2);
    let text = String::from_utf8_lossy(entropy.rest()).into_owned();
    let repeated = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", &*text), (&*text, "1")];
    let body = BodyHints {
        retry_delay: has_body.then_some(&*text),
        headers: if has_body { &repeated } else { &[] },
        message: Some(&text),
    };
    let hint = wait(&headers, &body, provider, now);
    let limits = rate_limits(&headers, provider, now);
    if let Some(hint) = hint {
        assert!(!hint.after.is_zero(), "{headers:?}: {hint:?}");
        assert_eq!(hint.after.subsec_nanos() % 1_000_000, 0, "{headers:?}: {hint:?}");
    }
    let spent = limits.iter().any(|(_, window)| window.remaining == Some(0));
    assert!(spent || limits.exhausted().is_none(), "{headers:?}: {limits:?}");
    for (name, _) in limits.iter() {
        assert!(limits.get(name).is_some(), "{headers:?}: no {name}");
    }

    // What the server's own clock says leaves no room for ours.
    let date = HeaderValue::from_static("Fri, 20 Nov 2026 12:00:00 GMT");
    let mut dated = headers.clone();
    dated.insert("date", date);
    let later = now + Duration::from_secs(86_400);
    assert_eq!(wait(&dated, &body, provider, now), wait(&dated, &body, provider, later));
    assert_eq!(rate_limits(&dated, provider, now), rate_limits(&dated, provider, later));

    // A header of somebody else changes nothing.
    let mut more = headers.clone();
    more.insert("x-limit-of-patience", HeaderValue::from_static("0"));
    more.insert("server", HeaderValue::from_static("retry-after: 3"));
    assert_eq!(wait(&more, &body, provider, now), hint, "{headers:?}");

    // Milliseconds in so many words outrank everything, and are exact.
    let stated = u64::from(input.first().copied().unwrap_or(0)) * 257 + 1;
    headers.insert("retry-after-ms", HeaderValue::from(stated));
    let hint = wait(&headers, &body, provider, now).map(|hint| hint.after);
    assert_eq!(hint, Some(Duration::from_millis(stated)), "{headers:?}");
}
