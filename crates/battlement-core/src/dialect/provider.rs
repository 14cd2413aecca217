//! Vendors, each with its own habits inside a dialect.

use std::{fmt, str::FromStr};

use http::HeaderName;

use super::UnknownName;

/// Who sent an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Azure OpenAI.
    AzureOpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Google Vertex AI.
    Vertex,
    /// Amazon Bedrock.
    Bedrock,
    /// Mistral.
    Mistral,
    /// Cohere.
    Cohere,
    /// Ollama, native or OpenAI-compatible.
    Ollama,
    /// Groq.
    Groq,
    /// Together.
    Together,
    /// DeepSeek.
    DeepSeek,
    /// xAI.
    Xai,
    /// OpenRouter.
    OpenRouter,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp.
    LlamaCpp,
    /// Perplexity.
    Perplexity,
    /// Cerebras.
    Cerebras,
    /// Fireworks.
    Fireworks,
    /// GitHub Models.
    GitHubModels,
    /// Anyone else: only what is common to all.
    Generic,
}

impl Provider {
    /// Every provider we know habits of.
    pub const ALL: [Self; 22] = [
        Self::OpenAi,
        Self::AzureOpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::Bedrock,
        Self::Mistral,
        Self::Cohere,
        Self::Ollama,
        Self::Groq,
        Self::Together,
        Self::DeepSeek,
        Self::Xai,
        Self::OpenRouter,
        Self::Vllm,
        Self::Sglang,
        Self::LlamaCpp,
        Self::Perplexity,
        Self::Cerebras,
        Self::Fireworks,
        Self::GitHubModels,
        Self::Generic,
    ];

    /// The name used in configuration and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::AzureOpenAi => "azure_openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Bedrock => "bedrock",
            Self::Mistral => "mistral",
            Self::Cohere => "cohere",
            Self::Ollama => "ollama",
            Self::Groq => "groq",
            Self::Together => "together",
            Self::DeepSeek => "deepseek",
            Self::Xai => "xai",
            Self::OpenRouter => "openrouter",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LlamaCpp => "llamacpp",
            Self::Perplexity => "perplexity",
            Self::Cerebras => "cerebras",
            Self::Fireworks => "fireworks",
            Self::GitHubModels => "github_models",
            Self::Generic => "generic",
        }
    }
}

/// Names of one request, of which a provider writes one or two.
static REQUEST_IDS: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];
static ANTHROPIC_IDS: [HeaderName; 2] =
    [HeaderName::from_static("request-id"), HeaderName::from_static("x-request-id")];
static AZURE_IDS: [HeaderName; 2] =
    [HeaderName::from_static("apim-request-id"), HeaderName::from_static("x-request-id")];
static OPENROUTER_IDS: [HeaderName; 2] =
    [HeaderName::from_static("x-generation-id"), HeaderName::from_static("x-request-id")];

impl Provider {
    /// Where this provider names the request for its support desk, best first.
    pub(crate) fn request_id_headers(self) -> &'static [HeaderName] {
        match self {
            Self::Anthropic => &ANTHROPIC_IDS,
            Self::AzureOpenAi => &AZURE_IDS,
            Self::Bedrock => &REQUEST_IDS[2..],
            Self::OpenRouter => &OPENROUTER_IDS,
            Self::Generic => &REQUEST_IDS,
            _ => &REQUEST_IDS[..1],
        }
    }

    /// Whether the count of generated tokens leaves reasoning out.
    pub(crate) const fn counts_reasoning_apart(self) -> bool {
        matches!(self, Self::Xai)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).ok_or_else(|| {
            UnknownName {
                what: "provider",
                name: name.into(),
                expected: Self::ALL.map(Self::as_str).join(", "),
            }
        })
    }
}
