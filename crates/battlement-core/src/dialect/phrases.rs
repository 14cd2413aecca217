//! The phrases of error messages, and what they mean.
//!
//! Consulted only where codes are generic: a message may quote the caller's prompt. Messages are
//! compared in lower case.

use super::Provider;
use crate::{
    ErrorClass::{self, *},
    hint::Dimension,
};

/// What a message says where the codes are generic. The first match counts: quota
/// before overflow, and parameters that look like an overflow before it too.
pub(super) fn phrase(message: &str) -> Option<ErrorClass> {
    PHRASES.iter().find(|(phrase, _)| contains(message, phrase)).map(|(_, class)| *class)
}

/// Whether the message holds the phrase; `…` in it stands for anything.
fn contains(message: &str, phrase: &str) -> bool {
    let mut rest = message;
    phrase.split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

const PHRASES: &[(&str, ErrorClass)] = &[
    // Billing.
    ("credit balance is too low", QuotaExhausted),
    ("api usage limits", QuotaExhausted),
    ("used all available credits", QuotaExhausted),
    ("insufficient balance", QuotaExhausted),
    ("insufficient credits", QuotaExhausted),
    ("credits are depleted", QuotaExhausted),
    ("credit limit exceeded", QuotaExhausted),
    ("spending limit", QuotaExhausted),
    ("billing hard limit", QuotaExhausted),
    // Capacity and throttling.
    ("currently overloaded", Overloaded),
    ("is overloaded", Overloaded),
    ("server busy", Overloaded),
    ("too many tokens, please wait", RateLimitTokens),
    ("too many tokens processed", RateLimitTokens),
    ("loading model", ModelNotReady),
    ("model is loading", ModelNotReady),
    // Parameters that sound like an overflow.
    ("max tokens must be less than", InvalidRequest),
    ("this model supports at most", InvalidRequest),
    // Overflow.
    ("maximum context length is", ContextLength),
    ("maximum context length of", ContextLength),
    ("exceeds the context window", ContextLength),
    ("maximum input length", ContextLength),
    ("max…tokens per request", ContextLength),
    ("maximum request size is…tokens per request", ContextLength),
    ("prompt is too long", ContextLength),
    ("exceed context limit", ContextLength),
    ("exceeds the maximum number of tokens allowed", ContextLength),
    ("input is too long for requested model", ContextLength),
    ("input tokens exceed", ContextLength),
    ("too many input tokens", ContextLength),
    ("too large for model with", ContextLength),
    ("too many tokens: ", ContextLength),
    ("exceeds the context length", ContextLength),
    ("exceeds the available context size", ContextLength),
    ("context size has been exceeded", ContextLength),
    ("greater than the context length", ContextLength),
    ("maximum prompt length is", ContextLength),
    ("while limit is", ContextLength),
    ("exceeded model token limit", ContextLength),
    ("context window exceeds limit", ContextLength),
    ("range of input length should be", ContextLength),
    ("prompt token count of…exceeds the limit of", ContextLength),
    ("longer than the model's context length", ContextLength),
    ("must be less than the context length of the model", ContextLength),
    ("`inputs` tokens + `max_new_tokens` must be", ContextLength),
    // Policy.
    ("content filtering policy", ContentPolicy),
    ("content management policy", ContentPolicy),
    ("violating our usage policy", ContentPolicy),
    // Keys.
    ("api key not valid", Auth),
    ("incorrect api key", Auth),
    ("invalid api key", Auth),
    ("invalid subscription key", Auth),
    ("invalid api token", Auth),
    // Models and endpoints.
    ("model identifier is invalid", ModelNotFound),
    ("on-demand throughput isn", ModelNotFound),
    ("not supported in the v1/completions endpoint", InvalidRequest),
    ("this is not a chat model", InvalidRequest),
];

/// Whether the message says that what was bought is used up.
pub(super) fn says_quota(message: &str, provider: Provider) -> bool {
    message.contains("exceeded your current quota") && !QUOTA_MEANS_ANY_LIMIT.contains(&provider)
}

/// Who writes "exceeded your current quota" for limits of a minute too; their quota ids tell.
const QUOTA_MEANS_ANY_LIMIT: &[Provider] = &[Provider::Gemini, Provider::Vertex];

/// Whether the message says by itself that a rate limit was hit.
pub(super) fn says_limit(message: &str) -> bool {
    says_any(message, LIMIT_WORDS)
}

const LIMIT_WORDS: &[&str] = &[
    "rate limit exceeded",
    "rate limit reached",
    "rate limit of",
    "rate limit has been",
    "rate_limit_exceeded",
    "too many requests",
    "tokens per min",
    "requests per min",
];

/// Whether the message speaks of a window of a day or more.
pub(super) fn names_a_long_window(message: &str) -> bool {
    says_any(message, LONG_WINDOWS)
}

const LONG_WINDOWS: &[&str] = &[
    "per day",
    "per-day",
    "byday",
    "/ day",
    "/day",
    "daily",
    "per 86400s",
    "per month",
    "per-month",
    "/ month",
    "/month",
    "monthly",
];

const TOKEN_WORDS: &[&str] = &[
    "tokens per",
    "token rate limit",
    "token limit",
    "input tokens",
    "output tokens",
    "request tokens",
    "too many tokens",
    "tokens_per",
    "(tpm)",
    "(tpd)",
];
const REQUEST_WORDS: &[&str] = &[
    "requests per",
    "requests_per",
    "request per",
    "number of request",
    "requests rate limit",
    "call rate limit",
    "api calls",
    "queries per",
    "request rate",
    "userbymodelby",
    "(rpm)",
    "(rpd)",
];

/// Words that tell a dimension at one provider only.
const OWN_REQUEST_WORDS: &[(Provider, &str)] = &[(Provider::Bedrock, "too many requests")];

/// What the message says is limited.
pub(super) fn dimension_in(message: &str, provider: Provider) -> Option<Dimension> {
    let own =
        || OWN_REQUEST_WORDS.iter().any(|(who, word)| *who == provider && message.contains(word));
    if says_any(message, TOKEN_WORDS) {
        Some(Dimension::Tokens)
    } else if says_any(message, REQUEST_WORDS) || own() {
        Some(Dimension::Requests)
    } else {
        None
    }
}

pub(super) fn says_any(message: &str, words: &[&str]) -> bool {
    words.iter().any(|word| message.contains(word))
}
