//! The IETF's `RateLimit` and `RateLimit-Policy` fields, and the drafts before them.
//!
//! The current draft has structured-field lists, `"permin";r=0;t=17`, one item per policy; an older
//! one had a dictionary, `limit=100, remaining=0, reset=12`; the first had three headers. Servers
//! of every age are about. This reads the list syntax leniently: an item that makes no sense is
//! skipped, and the rest of the field still counts.

use std::borrow::Cow;

use http::HeaderMap;

use super::{
    Source,
    limits::{Dimension, Entry, Family, RateLimits, Window},
    number, reset, values,
};
use crate::Provider;

/// How many items of a field are read. Servers send two or three; a flood of them is not worth
/// the time.
const MAX_ITEMS: usize = 32;

/// The window of limits that have no name.
const DEFAULT: &str = "default";

/// Reads the fields of all drafts.
pub(super) fn read(headers: &HeaderMap, sent: i128, limits: &mut RateLimits) {
    let policies: Vec<Item<'_>> = items(headers, "ratelimit-policy").collect();
    let states: Vec<Item<'_>> = items(headers, "ratelimit").collect();

    for state in &states {
        let policy = policies.iter().find(|policy| policy.name == state.name);
        limits.add(entry(state, policy));
    }
    // A policy without a state still tells its limit; one that has it is not added twice.
    for policy in policies.iter().filter(|policy| policy.value("q").is_some()) {
        limits.add(entry(policy, Some(policy)));
    }
    limits.add(dictionary(&states));
    limits.add(three_headers(headers, sent));
}

/// `"permin";r=0;t=17`, and `"permin";q=50;w=60` where there is one of that name.
fn entry(state: &Item<'_>, policy: Option<&Item<'_>>) -> Entry {
    let quota = |key| policy.and_then(|policy| policy.value(key));
    let dimension = match quota("qu") {
        Some("tokens") => Dimension::Tokens,
        Some("requests") => Dimension::Requests,
        Some(_) => Dimension::Other,
        None if state.name.contains("token") => Dimension::Tokens,
        // The draft's own default.
        None => Dimension::Requests,
    };
    let window = Window {
        dimension,
        limit: quota("q").and_then(positive),
        remaining: state.value("r").and_then(number::count),
        reset: state.value("t").and_then(reset::seconds),
        period: quota("w").and_then(reset::seconds),
    };
    standard(state.name.to_string().into(), window, Family::Standard)
}

/// `limit=100, remaining=0, reset=12`.
fn dictionary(states: &[Item<'_>]) -> Entry {
    let value = |key| states.iter().find_map(|item| parameter(item.text, key));
    let window = Window {
        limit: value("limit").and_then(positive),
        remaining: value("remaining").and_then(number::count),
        reset: value("reset").and_then(reset::seconds),
        ..Window::default()
    };
    standard(DEFAULT.into(), window, Family::Standard)
}

/// `ratelimit-limit: 100, 100;w=60`, `ratelimit-remaining: 0`, `ratelimit-reset: 12`.
fn three_headers(headers: &HeaderMap, sent: i128) -> Entry {
    let quotas: Vec<Item<'_>> = items(headers, "ratelimit-limit").collect();
    let limit = quotas.iter().find_map(|quota| positive(&quota.name));
    // The limit in force, repeated with its window.
    let period = quotas.iter().filter(|quota| positive(&quota.name) == limit);
    let window = Window {
        limit,
        remaining: values(headers, "ratelimit-remaining").find_map(number::count),
        // Delta seconds by the draft; some servers send a point in time all the same.
        reset: values(headers, "ratelimit-reset")
            .find_map(|text| reset::read(text, Provider::Generic, sent)),
        period: period.filter_map(|quota| quota.value("w")).find_map(reset::seconds),
        ..Window::default()
    };
    standard(DEFAULT.into(), window, Family::OlderDraft)
}

fn standard(name: Cow<'static, str>, window: Window, family: Family) -> Entry {
    let source = match family {
        Family::OlderDraft => Source::Reset("ratelimit-reset"),
        _ => Source::RateLimit,
    };
    Entry { name, window, family, source, binding: true }
}

fn positive(text: &str) -> Option<u64> {
    number::count(text).filter(|count| *count > 0)
}

/// One member of a structured-field list.
struct Item<'a> {
    text: &'a str,
    name: Cow<'a, str>,
}

impl<'a> Item<'a> {
    fn new(text: &'a str) -> Self {
        let name = split(text, b';').next().unwrap_or_default();
        Self { text, name: unquoted(name) }
    }

    /// The value of a parameter, without quotes.
    fn value(&self, key: &str) -> Option<&'a str> {
        split(self.text, b';').skip(1).find_map(|text| parameter(text, key))
    }
}

/// The value in `key=value`, without quotes.
fn parameter<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (found, value) = text.split_once('=')?;
    (found.trim() == key).then(|| value.trim().trim_matches('"'))
}

/// The first items of a field, which may be spread over several lines.
fn items<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = Item<'a>> {
    values(headers, name).flat_map(|line| split(line, b',')).take(MAX_ITEMS).map(Item::new)
}

/// Splits at a separator outside quotes; the parts are trimmed.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let is_end = byte == separator && !quoted;
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && quoted && !escaped;
            is_end
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim())
    })
}

/// A string without its quotes and escapes; anything else as it is.
fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.into();
    };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut letters = inner.chars();
    std::iter::from_fn(|| {
        letters.next().and_then(|c| if c == '\\' { letters.next() } else { Some(c) })
    })
    .collect::<String>()
    .into()
}
