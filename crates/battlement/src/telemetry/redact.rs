//! What may be kept of a provider's message.
//!
//! A message may quote the prompt, the answer, or the key, whole or in part and anywhere. Whoever looks for what
//! to take out of it misses something, so this looks for what to leave in: words that providers explain errors with.
//! Everything else is `_`, and numbers are `#`.

/// Words that say something about an error and nothing about anybody.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "a", "access", "account", "again", "allowed", "an", "and", "any", "api", "are", "at", "authentication", "available",
    "bad", "balance", "be", "been", "billing", "body", "by", "can", "cannot", "capacity", "code", "completion", "concurrent",
    "connection", "content", "context", "contact", "could", "credit", "credits", "current", "currently", "daily", "day",
    "deadline", "deprecated", "details", "did", "disabled", "do", "does", "down", "due", "engine", "enough", "error", "exceed",
    "exceeded", "exceeds", "exist", "expired", "failed", "field", "filter", "for", "format", "found", "free", "from", "gateway",
    "has", "have", "high", "however", "if", "image", "images", "in", "input", "insufficient", "internal", "invalid", "is", "it",
    "json", "key", "large", "later", "length", "less", "limit", "limited", "limits", "load", "loading", "long", "malformed",
    "management", "max", "maximum", "message", "messages", "minute", "missing", "model", "must", "no", "not", "occurred", "of",
    "on", "or", "organization", "our", "out", "output", "over", "overloaded", "parameter", "per", "permission", "plan",
    "please", "policy", "processing", "project", "prompt", "provided", "quota", "rate", "reached", "reduce", "region",
    "rejected", "request", "requested", "requests", "required", "resource", "resources", "response", "resulted", "retry",
    "safety", "second", "seconds", "server", "service", "stream", "supported", "system", "temporarily", "than", "that",
    "the", "this", "throttled", "tier", "time", "timeout", "to", "token", "tokens", "too", "tool", "tools", "tpm", "rpm",
    "try", "unavailable", "unexpected", "unknown", "unsupported", "upstream", "usage", "use", "used", "user", "valid",
    "value", "was", "we", "were", "with", "you", "your",
];

/// How much is kept.
const MOST: usize = 240;

/// What may be kept.
pub(super) fn redact(message: &str) -> String {
    let mut kept = String::new();
    let mut hidden = false;
    for word in
        message.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
    {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_known = WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
        let shown = match (is_number, is_known) {
            (true, _) => "#",
            (false, true) => word,
            (false, false) if hidden => continue,
            (false, false) => "_",
        };
        hidden = shown == "_";
        if kept.len() + shown.len() > MOST {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(shown);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn what_explains_stays_and_what_quotes_goes() {
        let check = |message: &str, expected: &str| assert_eq!(redact(message), expected);
        check(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
            "This model _ maximum context length is # tokens However your messages resulted in # tokens",
        );
        check(
            "Incorrect API key provided: sk-abc123. You can find your API key at https://platform.openai.com.",
            "_ API key provided _ You can _ your API key at _",
        );
        check("Invalid prompt: 'my password is Tr0ub4dor, pin 4711'", "Invalid prompt _ is _ #");
        check("", "");
        assert!(redact(&"token ".repeat(1_000)).len() <= 240);
    }
}
