//! What is left of an account's limits, in the headers that each provider has for it.

use std::time::{Duration, SystemTime};

use battlement_core::Provider;
use http::{HeaderMap, HeaderName};

use super::{Asked, head, moment::Moment, vendor};

/// What is left of the limits of an account. Of those that a provider does not tell, nothing is
/// written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests.
    pub requests: Option<Window>,
    /// Tokens of prompt and answer together.
    pub tokens: Option<Window>,
    /// Tokens of the prompt alone.
    pub input_tokens: Option<Window>,
    /// Tokens of the answer alone.
    pub output_tokens: Option<Window>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How much there is in all.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long until all of it is there again.
    pub reset: Duration,
}

/// The limit that a request would go over: what an error says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// What is limited, in the words of errors: `requests`, `tokens`, `input tokens` or `output tokens`.
    pub what: &'static str,
    /// How much there is in all.
    pub limit: u64,
    /// How much of it is used.
    pub used: u64,
    /// How much the request needs.
    pub requested: u64,
}

impl Over {
    /// The limit that was hit, or this one if nothing is really limited.
    pub(super) fn of(
        asked: &Asked,
        what: &'static str,
        [limit, used, requested]: [u64; 3],
    ) -> Self {
        asked.over.unwrap_or(Self { what, limit, used, requested })
    }
}

/// Writes the limits into the head of an answer, as this provider tells them; most tell nothing.
///
/// ```
/// use std::time::Duration;
///
/// use battlement_core::Dialect;
/// use battlement_sim::answer::{self, Asked, Limits, Reply, Window};
///
/// let asked = Asked::new(Dialect::OpenAiChat);
/// let mut answer = answer::reply(&asked, &Reply::default());
/// let window = Window { limit: 500, remaining: 499, reset: Duration::from_millis(120) };
/// answer::limits(&asked, &Limits { requests: Some(window), ..Limits::default() }, &mut answer.headers);
/// assert_eq!(answer.headers["x-ratelimit-reset-requests"], "120ms");
/// ```
pub fn limits(asked: &Asked, limits: &Limits, headers: &mut HeaderMap) {
    match vendor(asked.dialect) {
        Provider::OpenAi => {
            let rows = [(limits.requests, OPENAI_REQUESTS), (limits.tokens, OPENAI_TOKENS)];
            for (window, names) in rows {
                if let Some(window) = window {
                    write(
                        headers,
                        names,
                        window.limit,
                        window.remaining,
                        go_duration(window.reset),
                    );
                }
            }
        }
        Provider::Anthropic => {
            let rows = [
                (limits.requests, ANTHROPIC_REQUESTS),
                (limits.tokens, ANTHROPIC_TOKENS),
                (limits.input_tokens, ANTHROPIC_INPUT),
                (limits.output_tokens, ANTHROPIC_OUTPUT),
            ];
            for (window, names) in rows {
                let Some(window) = window else { continue };
                let reset = Moment::of(whole_seconds_later(asked.at, window.reset)).rfc3339();
                let remaining = match names {
                    ANTHROPIC_REQUESTS => window.remaining,
                    _ => thousands(window),
                };
                write(headers, names, window.limit, remaining, reset);
            }
        }
        _ => {}
    }
}

/// The names of what is told of a window: limit, what remains, reset.
type Names = [&'static str; 3];

const OPENAI_REQUESTS: Names =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const OPENAI_TOKENS: Names =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
const ANTHROPIC_REQUESTS: Names = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
const ANTHROPIC_TOKENS: Names = [
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
];
const ANTHROPIC_INPUT: Names = [
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
];
const ANTHROPIC_OUTPUT: Names = [
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

fn write(headers: &mut HeaderMap, names: Names, limit: u64, remaining: u64, reset: String) {
    for (name, value) in names.into_iter().zip([limit.to_string(), remaining.to_string(), reset]) {
        head::set(headers, HeaderName::from_static(name), value);
    }
}

/// What is left, to the nearest thousand as Anthropic tells it; limits too small for that are told
/// exactly, or a test with a small limit would read nothing but zeros.
fn thousands(window: Window) -> u64 {
    if window.limit < 10_000 {
        return window.remaining;
    }
    ((window.remaining.saturating_add(500)) / 1000 * 1000).min(window.limit)
}

/// `6m0s`, `3.48s`, `120ms`: as Go writes durations, to the millisecond and never too short.
pub(super) fn go_duration(duration: Duration) -> String {
    let milliseconds = duration.as_nanos().div_ceil(1_000_000);
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    if seconds == 0 {
        return if rest == 0 { "0s".to_owned() } else { format!("{rest}ms") };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = format!("{rest:03}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{point}{fraction}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// That much later, at a whole second: never too early.
pub(super) fn whole_seconds_later(at: SystemTime, wait: Duration) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_add(wait);
    let up = u64::from(since.subsec_nanos() > 0);
    head::in_range(SystemTime::UNIX_EPOCH)
        .checked_add(Duration::from_secs(since.as_secs().saturating_add(up)))
        .map_or(at, head::in_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        let check = |nanoseconds: u64, expected: &str| {
            assert_eq!(go_duration(Duration::from_nanos(nanoseconds)), expected);
        };
        check(0, "0s");
        check(1, "1ms");
        check(120_000_000, "120ms");
        check(1_000_000_000, "1s");
        check(3_480_000_000, "3.48s");
        check(360_000_000_000, "6m0s");
        check(3_723_500_000_000, "1h2m3.5s");
        check(3_600_000_000_000, "1h0m0s");
    }

    #[test]
    fn what_remains_is_rounded_where_it_is_much() {
        let check = |limit, remaining, expected| {
            assert_eq!(thousands(Window { limit, remaining, reset: Duration::ZERO }), expected);
        };
        check(50_000, 41_499, 41_000);
        check(50_000, 41_500, 42_000);
        check(10_400, 10_400, 10_000);
        check(500, 17, 17);
    }
}
