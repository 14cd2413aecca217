//! Who speaks, and how: wire families and the vendors that speak them.
//!
//! A [`Dialect`] is a wire format with its own field names and framing; a [`Provider`] is a vendor
//! with its own habits inside that format. This folder is the only place that knows a provider's
//! field names: everything else works on what the dialects extract.

mod anthropic;
mod bedrock_converse;
mod bedrock_invoke;
mod classify;
mod cohere;
mod error_body;
mod error_event;
mod field;
mod finish_words;
mod gemini;
mod head;
mod ollama;
mod openai_chat;
mod openai_completions;
mod openai_embeddings;
mod openai_responses;
mod opening;
mod phrases;
mod provider;
mod report;
mod spec;
mod words;

pub use opening::Opening;
pub use provider::Provider;
pub use report::{ErrorCode, ErrorReport};

pub(crate) use classify::{Circumstances, Judged, classify, is_known_error};
pub(crate) use error_body::{ERROR_BODY, OTHER_ANSWER};
pub(crate) use field::Field;
pub(crate) use finish_words::{finish_class, is_transient};
pub(crate) use head::Head;
pub(crate) use openai_responses::Status;
pub(crate) use report::Report;
pub(crate) use spec::{Choices, End, EventKind, PartKind, Spec};

use std::{fmt, str::FromStr};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI Chat Completions, and the many servers that speak it.
    OpenAiChat,
    /// OpenAI's legacy text completions.
    OpenAiCompletions,
    /// OpenAI embeddings.
    OpenAiEmbeddings,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages, also on Vertex.
    AnthropicMessages,
    /// Gemini and Vertex `generateContent`.
    Gemini,
    /// Amazon Bedrock Converse.
    BedrockConverse,
    /// Amazon Bedrock InvokeModel, with the vendor's own body inside.
    BedrockInvoke,
    /// Cohere v2 chat.
    CohereV2,
    /// Ollama's own API.
    OllamaNative,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 10] = [
        Self::OpenAiChat,
        Self::OpenAiCompletions,
        Self::OpenAiEmbeddings,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::BedrockInvoke,
        Self::CohereV2,
        Self::OllamaNative,
    ];

    /// The name used in configuration and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::BedrockConverse => "bedrock_converse",
            Self::BedrockInvoke => "bedrock_invoke",
            Self::CohereV2 => "cohere_v2",
            Self::OllamaNative => "ollama_native",
        }
    }

    /// How this dialect's answers are read.
    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Self::OpenAiChat => &openai_chat::CHAT,
            Self::OpenAiCompletions => &openai_completions::COMPLETIONS,
            Self::OpenAiEmbeddings => &openai_embeddings::EMBEDDINGS,
            Self::OpenAiResponses => &openai_responses::RESPONSES,
            Self::AnthropicMessages => &anthropic::MESSAGES,
            Self::Gemini => &gemini::GEMINI,
            Self::BedrockConverse => &bedrock_converse::CONVERSE,
            Self::BedrockInvoke => &bedrock_invoke::INVOKE,
            Self::CohereV2 => &cohere::CHAT_V2,
            Self::OllamaNative => &ollama::NATIVE,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name is not one of [`Dialect::ALL`] or [`Provider::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`, expected one of: {expected}")]
pub struct UnknownName {
    what: &'static str,
    name: Box<str>,
    expected: String,
}

impl FromStr for Dialect {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name).ok_or_else(|| UnknownName {
            what: "dialect",
            name: name.into(),
            expected: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}
