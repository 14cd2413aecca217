//! The vendors' own rate-limit headers, as data.

use std::time::Duration;

use http::HeaderMap;

use super::{
    Source,
    limits::{Dimension, Entry, Family, RateLimits, Window},
    number, reset, values,
};
use crate::Provider;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));
const DAY: Option<Duration> = Some(Duration::from_secs(86_400));

/// The three headers of a window, and what they count.
#[derive(Clone, Copy)]
struct Row {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
    name: &'static str,
    dimension: Dimension,
    period: Option<Duration>,
    /// Whether calls fail once it is exhausted.
    binding: bool,
}

/// A row whose headers are a prefix, the field, and a suffix.
macro_rules! row {
    ($prefix:literal, $suffix:literal, $name:literal, $dimension:ident, $period:expr) => {
        Row {
            limit: concat!($prefix, "limit", $suffix),
            remaining: concat!($prefix, "remaining", $suffix),
            reset: concat!($prefix, "reset", $suffix),
            name: $name,
            dimension: Dimension::$dimension,
            period: $period,
            binding: true,
        }
    };
}

/// A window that calls may exceed.
const fn advisory(row: Row) -> Row {
    Row { binding: false, ..row }
}

/// Every family, whoever sends it: gateways pass on the headers of the provider behind them.
///
/// The more telling comes first: it names the hint when several windows reset together, and it
/// counts when several have one name and none of them is exhausted.
#[rustfmt::skip]
static ROWS: [Row; 24] = [
    // OpenAI, Azure, Groq, xAI.
    row!("x-ratelimit-", "-requests", "requests", Requests, None),
    row!("x-ratelimit-", "-tokens", "tokens", Tokens, None),
    row!("x-ratelimit-", "-project-tokens", "project_tokens", Tokens, None),
    row!("x-ratelimit-", "-tokens-usage-based", "tokens_usage_based", Tokens, None),
    // Anthropic. `tokens` repeats whichever of the other two is tighter.
    row!("anthropic-ratelimit-requests-", "", "requests", Requests, None),
    row!("anthropic-ratelimit-input-tokens-", "", "input_tokens", Tokens, None),
    row!("anthropic-ratelimit-output-tokens-", "", "output_tokens", Tokens, None),
    row!("anthropic-ratelimit-tokens-", "", "tokens", Tokens, None),
    row!("anthropic-fast-input-tokens-", "", "fast_input_tokens", Tokens, None),
    row!("anthropic-fast-output-tokens-", "", "fast_output_tokens", Tokens, None),
    // Beyond its priority capacity a call is served at the standard tier.
    advisory(row!("anthropic-priority-input-tokens-", "", "priority_input_tokens", Tokens, None)),
    advisory(row!("anthropic-priority-output-tokens-", "", "priority_output_tokens", Tokens, None)),
    // Cerebras. The day's requests and the minute's tokens are its main windows.
    row!("x-ratelimit-", "-requests-day", "requests", Requests, DAY),
    row!("x-ratelimit-", "-requests-hour", "requests_hour", Requests, HOUR),
    row!("x-ratelimit-", "-requests-minute", "requests_minute", Requests, MINUTE),
    row!("x-ratelimit-", "-tokens-minute", "tokens", Tokens, MINUTE),
    row!("x-ratelimit-", "-tokens-hour", "tokens_hour", Tokens, HOUR),
    row!("x-ratelimit-", "-tokens-day", "tokens_day", Tokens, DAY),
    // Fireworks.
    row!("x-ratelimit-", "-tokens-prompt", "input_tokens", Tokens, None),
    row!("x-ratelimit-", "-tokens-generated", "output_tokens", Tokens, None),
    // Mistral.
    row!("ratelimitbysize-", "", "tokens", Tokens, None),
    row!("x-ratelimitbysize-", "-minute", "tokens", Tokens, MINUTE),
    row!("x-ratelimitbysize-", "-month", "tokens_month", Tokens, None),
    // Together.
    row!("x-tokenlimit-", "", "tokens", Tokens, None),
];

/// The family without a suffix, where it is known to count requests.
static REQUESTS: Row = row!("x-ratelimit-", "", "requests", Requests, None);
/// The family without a suffix, at anyone else's.
static UNTOLD: Row = row!("x-ratelimit-", "", "default", Other, None);

/// GitHub Models names the window it closed, and when that opens again.
const TIME_REMAINING: &str = "x-ratelimit-timeremaining";

/// Reads all vendor headers; `names` are those that may be one.
///
/// Comparing each row with the few names at hand is several times as fast as looking every row up.
pub(super) fn read(
    headers: &HeaderMap,
    names: &[&str],
    provider: Provider,
    sent: i128,
    limits: &mut RateLimits,
) {
    let without_suffix = match provider {
        Provider::Cohere | Provider::OpenRouter | Provider::Together => &REQUESTS,
        _ => &UNTOLD,
    };
    for row in ROWS.iter().chain([without_suffix]).filter(|row| row.is_among(names)) {
        let window = Window {
            period: row.period.or_else(|| period(provider, row.dimension)),
            ..row.window(headers, provider, sent)
        };
        limits.add(row.entry(window));
    }
    if let Some(reset) = values(headers, TIME_REMAINING).find_map(reset::seconds) {
        let kind = values(headers, "x-ratelimit-type").next().unwrap_or_default();
        let window = Window { reset: Some(reset), period: period_of(kind), ..Window::default() };
        let row = if kind.contains("Token") { ROWS[1] } else { ROWS[0] };
        limits.add(Row { reset: TIME_REMAINING, ..row }.entry(window));
    }
}

impl Row {
    fn is_among(&self, names: &[&str]) -> bool {
        names.iter().any(|name| [self.limit, self.remaining, self.reset].contains(name))
    }

    fn window(&self, headers: &HeaderMap, provider: Provider, sent: i128) -> Window {
        // Envoy appends its policies to the number: `10, 10;w=60`.
        let stated = || values(headers, self.limit).filter_map(|text| text.split(',').next());
        // Azure states 0 or -1 where it does not know, and then the same for what remains.
        let is_unknown = stated().any(|text| text.parse().is_ok_and(|limit: f64| limit <= 0.0));
        let known = |count: &u64| !is_unknown || *count > 0;
        Window {
            limit: stated().filter_map(number::count).find(known),
            remaining: values(headers, self.remaining).find_map(number::count).filter(known),
            reset: values(headers, self.reset).find_map(|text| reset::read(text, provider, sent)),
            ..Window::default()
        }
    }

    fn entry(&self, window: Window) -> Entry {
        Entry {
            name: self.name.into(),
            window: Window { dimension: self.dimension, ..window },
            family: Family::Vendor,
            source: Source::Reset(self.reset),
            binding: self.binding,
        }
    }
}

/// What a provider's documents say about its windows, and its headers do not.
fn period(provider: Provider, dimension: Dimension) -> Option<Duration> {
    match (provider, dimension) {
        (Provider::Groq, Dimension::Requests) => DAY,
        (Provider::Groq, Dimension::Tokens) => MINUTE,
        _ => None,
    }
}

/// The period in a name such as `UserByModelByMinute`.
fn period_of(kind: &str) -> Option<Duration> {
    if kind.contains("ByMinute") {
        MINUTE
    } else if kind.contains("ByDay") {
        DAY
    } else {
        None
    }
}
