//! Keys that are none.

use http::{HeaderMap, Uri, header::AUTHORIZATION};

use super::{Check, Finding, is_easy_going};
use crate::Provider;

/// Where providers look for a key, apart from `authorization`.
const HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// Whether the key of a request is empty, or one that somebody was meant to replace.
///
/// A request without any is not judged: something further in may add one, or sign it. Nor is one to a server that may
/// not look.
///
/// ```
/// use battlement_core::{Provider, preflight};
/// use http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer YOUR_API_KEY"));
/// let uri = Uri::from_static("https://api.openai.com/v1/responses");
/// let found = preflight::key(Provider::OpenAi, &headers, &uri).unwrap();
/// assert_eq!(found.to_string(), "authorization: the key is a placeholder");
/// ```
pub fn key(provider: Provider, headers: &HeaderMap, uri: &Uri) -> Option<Finding> {
    if is_easy_going(provider) {
        return None;
    }
    let found = |at: &str, key: &[u8]| {
        wrong(key.trim_ascii()).map(|sentence| Finding::new(Check::Key, at, sentence))
    };
    // Of several, one that is good is enough.
    let mut worst = None;
    if let Some(value) = headers.get(AUTHORIZATION) {
        if let Some(key) = bearer(value.as_bytes()) {
            worst = Some(found("authorization", key)?);
        } else {
            return None;
        }
    }
    for name in HEADERS {
        if let Some(value) = headers.get(name) {
            worst = Some(found(name, value.as_bytes())?);
        }
    }
    for key in uri.query().unwrap_or_default().split('&') {
        if let Some(key) = key.strip_prefix("key=") {
            worst = Some(found("key", key.as_bytes())?);
        }
    }
    worst
}

/// The key of an `authorization` that carries one as it is. A signature is not judged.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let value = value.trim_ascii();
    if value.is_empty() {
        return Some(value);
    }
    let (scheme, key) = value.split_at_checked(SCHEME.len())?;
    let is_apart = key.first().is_none_or(u8::is_ascii_whitespace);
    (scheme.eq_ignore_ascii_case(SCHEME) && is_apart).then_some(key)
}

fn wrong(key: &[u8]) -> Option<&'static str> {
    if key.is_empty() {
        return Some("the key is empty");
    }
    is_placeholder(key).then_some("the key is a placeholder")
}

/// What a key is in documentation, without case, blanks and punctuation.
const WORDS: [&str; 18] = [
    "apikey",
    "changeme",
    "dummy",
    "fake",
    "key",
    "none",
    "null",
    "placeholder",
    "replaceme",
    "secret",
    "skyourkey",
    "test",
    "todo",
    "token",
    "undefined",
    "xxx",
    "yourkey",
    "yourtoken",
];

/// What is part of no key that was drawn at random, even if it is long.
const PARTS: [&str; 9] = [
    "yourapikey",
    "yourapitoken",
    "yourkeyhere",
    "yoursecretkey",
    "youropenai",
    "youranthropic",
    "apikeyhere",
    "insertkey",
    "replacewith",
];

/// What keys of providers begin with, and may be left of one.
const PREFIXES: [&str; 8] =
    ["sk-proj-", "sk-ant-api03-", "sk-ant-", "sk-or-v1-", "sk-", "gsk_", "xai-", "AIza"];

fn is_placeholder(key: &[u8]) -> bool {
    // No provider has these in its keys: brackets of templates, variables that were not filled in, dots for the rest.
    let is_odd = |byte: &u8| matches!(byte, b'<' | b'>' | b'{' | b'}' | b'$' | b'*') || *byte > 126;
    if key.iter().any(is_odd) || key.windows(3).any(|three| three == b"...") {
        return true;
    }
    let Ok(text) = std::str::from_utf8(key) else { return true };
    let rest = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let Some(first) = rest.bytes().next() else { return true };
    if rest.len() >= 3 && rest.bytes().all(|byte| byte.eq_ignore_ascii_case(&first)) {
        return true;
    }
    let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
    let plain: String = letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    WORDS.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}
