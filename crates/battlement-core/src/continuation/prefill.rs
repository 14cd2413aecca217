//! Who takes the beginning of an answer, and in which form.
//!
//! A model that is given the beginning of its answer as the last message mostly goes on with it, but only if the server does
//! not close that message first. Servers that close it answer anew, and what is spliced then is nonsense that looks like
//! text. So the table has only those whose documentation says that they go on:
//!
//! - **Anthropic** up to Claude 4.5, there and at Vertex; later models refuse it with a 400 ("Prefill removal" in *What's new in
//!   Claude 4.6*). Not with thinking.
//! - **Mistral**, with `prefix` on the message (its API reference); the answer repeats the text.
//! - **DeepSeek**, with `prefix` as well, under `/beta` only (*Chat Prefix Completion*).
//! - **vLLM** and **SGLang**, with `continue_final_message`; for vLLM `add_generation_prompt` has to be off as well, or it refuses.
//! - **Groq** (*Assistant Message Prefilling*) and **llama.cpp** (`--prefill-assistant`, on by default), with nothing but the message.
//!
//! Routers such as OpenRouter pass it on to whoever serves the model, which may be anybody. Gemini goes on in practice, and
//! nowhere says so.

use http::Uri;

use crate::{Dialect, Provider, models::is_of};

/// When the table was last gone through, year and month.
pub const DATED: &str = "2026-11";

/// How a server is told to go on with the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prefill {
    /// Not at all: it goes on whenever the last message is the model's.
    Bare,
    /// With `"prefix": true` on the message.
    Prefix,
    /// With `"partial": true` on the message, as Moonshot and Qwen have it. Nobody in the table: their servers are not told
    /// apart from others.
    Partial,
    /// With `"continue_final_message": true` and `"add_generation_prompt": false` beside the messages.
    FinalMessage,
}

impl Prefill {
    /// What a round says again that was asked for in this way.
    pub const fn overlap(self) -> super::Overlap {
        match self {
            Self::Prefix => super::Overlap::Echo,
            _ => super::Overlap::Blanks,
        }
    }
}

/// Models of Anthropic that take it, as their maker names them.
const CLAUDES: &[&str] = &[
    "claude-3-haiku",
    "claude-3-sonnet",
    "claude-3-opus",
    "claude-3-5-haiku",
    "claude-3-5-sonnet",
    "claude-3-7-sonnet",
    "claude-opus-4",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-sonnet-4",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
];

/// How this model at this provider is told to go on; `None` if it is not known to.
///
/// ```
/// use battlement_core::{Dialect, Provider, continuation::{Prefill, prefill}};
/// use http::Uri;
///
/// let uri = Uri::from_static("https://api.anthropic.com/v1/messages");
/// let of = |model| prefill(Dialect::AnthropicMessages, Provider::Anthropic, model, &uri);
/// assert_eq!(of("claude-sonnet-4-5-20250929"), Some(Prefill::Bare));
/// assert_eq!(of("claude-opus-4-6"), None);
/// ```
pub fn prefill(dialect: Dialect, provider: Provider, model: &str, uri: &Uri) -> Option<Prefill> {
    match (dialect, provider) {
        (Dialect::AnthropicMessages, Provider::Anthropic | Provider::Vertex) => {
            CLAUDES.iter().any(|known| is_of(model, known)).then_some(Prefill::Bare)
        }
        (Dialect::OpenAiChat, Provider::Mistral) => Some(Prefill::Prefix),
        (Dialect::OpenAiChat, Provider::DeepSeek) => {
            uri.path().starts_with("/beta/").then_some(Prefill::Prefix)
        }
        (Dialect::OpenAiChat, Provider::Vllm | Provider::Sglang) => Some(Prefill::FinalMessage),
        (Dialect::OpenAiChat, Provider::Groq | Provider::LlamaCpp) => Some(Prefill::Bare),
        _ => None,
    }
}
