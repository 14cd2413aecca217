//! Exact token counts for OpenAI's models (feature `exact-tokens`).
//!
//! Pulls in `tiktoken-rs`, whose vocabularies add megabytes to the binary and whose first use
//! takes some hundred milliseconds. Everything else works without it, on
//! [`estimate`](super::estimate).

use tiktoken_rs::{CoreBPE, bpe_for_model};

use super::{
    cursor::Text,
    fields::{Counter, Fields},
};

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

/// Counts the tokens of the prompt in a request body as `model` does; `None` when its vocabulary is
/// not public, or the body is not a JSON object.
///
/// Counts what [`Facts::input_tokens`](super::Facts::input_tokens) estimates, text by text. What has
/// no text, media and the framing of messages, is charged as [`estimate`](super::estimate) does, so
/// that the result is exact for the text only.
///
/// ```
/// use battlement_core::request::exact;
/// let body = br#"{"messages":[{"role":"user","content":"hello world"}]}"#;
/// // Two, and four for the framing.
/// assert_eq!(exact::count_body(body, "gpt-5-mini"), Some(6));
/// ```
pub fn count_body(body: &[u8], model: &str) -> Option<u64> {
    let encoder = bpe_for_model(model).ok()?;
    let fields = Fields::read_with(body, Exact { encoder, tokens: 0 });
    fields.is_object.then_some(fields.input_tokens)
}

struct Exact {
    encoder: &'static CoreBPE,
    tokens: u64,
}

impl Counter for Exact {
    fn text(&mut self, text: Text<'_>) {
        let tokens = self.encoder.count_ordinary(&text.decode());
        self.add(u64::try_from(tokens).unwrap_or(u64::MAX));
    }

    fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    fn tokens(&self) -> u64 {
        self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_prompt_of_a_body() {
        let check = |body: &str, expected: Option<u64>| {
            assert_eq!(count_body(body.as_bytes(), "gpt-5"), expected, "{body}");
        };
        let text = "Grüße aus \"Köln\", 12345 times";
        let quoted = serde_json::to_string(text).unwrap();
        let exact = count(text, "gpt-5");
        check(&format!(r#"{{"instructions":{quoted},"user":{quoted}}}"#), exact);
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        check(&format!(r#"{{"prompt":"{escaped}"}}"#), exact);
        check(r#"{"prompt":[1,2,3]}"#, Some(3));
        check(
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
            Some(1_004),
        );
        check("{}", Some(0));
        check("[]", None);
        check("{", None);
        assert_eq!(count_body(b"{}", "claude-sonnet-5"), None);
    }
}
