//! Exact token counts for OpenAI's models (feature `exact-tokens`).
//!
//! Pulls in `tiktoken-rs`, whose vocabularies add megabytes to the binary and whose first use
//! takes some hundred milliseconds. Everything else works without it, on
//! [`estimate`](super::estimate).

use tiktoken_rs::bpe_for_model;

/// Counts the tokens of `text` as `model` does; `None` when its vocabulary is not public.
///
/// Words that look like control tokens count as text, as they do in a message. The framing of
/// messages is not included.
///
/// ```
/// use battlement_core::request::exact;
/// assert_eq!(exact::count("hello world", "gpt-5-mini"), Some(2));
/// assert_eq!(exact::count("hello world", "claude-sonnet-5"), None);
/// ```
pub fn count(text: &str, model: &str) -> Option<u64> {
    let encoder = bpe_for_model(model).ok()?;
    u64::try_from(encoder.count_ordinary(text)).ok()
}
