//! Who speaks, and how: wire families and the vendors that speak them.
//!
//! A [`Dialect`] is a wire format with its own field names and framing; a [`Provider`] is a vendor
//! with its own habits inside that format. This folder is the only place that knows a provider's
//! field names: everything else works on what the dialects extract.

mod provider;

pub use provider::Provider;

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
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
