//! Vendors, each with its own habits inside a dialect.

use std::{fmt, str::FromStr};

use super::{Dialect, UnknownName};

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

impl Provider {
    /// The dialect this provider speaks when nothing says otherwise; `None` for
    /// [`Generic`](Self::Generic), who may speak any.
    ///
    /// A last resort: path, headers and body know better, since most providers speak several.
    ///
    /// ```
    /// use battlement_core::{Dialect, Provider};
    /// assert_eq!(Provider::Vertex.usual_dialect(), Some(Dialect::Gemini));
    /// assert_eq!(Provider::Generic.usual_dialect(), None);
    /// ```
    pub const fn usual_dialect(self) -> Option<Dialect> {
        match self {
            Self::Anthropic => Some(Dialect::AnthropicMessages),
            Self::Gemini | Self::Vertex => Some(Dialect::Gemini),
            Self::Bedrock => Some(Dialect::BedrockConverse),
            Self::Cohere => Some(Dialect::CohereV2),
            Self::Ollama => Some(Dialect::OllamaNative),
            Self::OpenAi
            | Self::AzureOpenAi
            | Self::Mistral
            | Self::Groq
            | Self::Together
            | Self::DeepSeek
            | Self::Xai
            | Self::OpenRouter
            | Self::Vllm
            | Self::Sglang
            | Self::LlamaCpp
            | Self::Perplexity
            | Self::Cerebras
            | Self::Fireworks
            | Self::GitHubModels => Some(Dialect::OpenAiChat),
            Self::Generic => None,
        }
    }

    /// Where this provider names the request for its support desk, best first.
    pub(crate) const fn request_id_headers(self) -> &'static [&'static str] {
        match self {
            Self::Anthropic => &["request-id", "x-request-id"],
            Self::AzureOpenAi => &["apim-request-id", "x-request-id"],
            Self::Bedrock => &["x-amzn-requestid"],
            Self::OpenRouter => &["x-generation-id", "x-request-id"],
            Self::Generic => &["x-request-id", "request-id", "x-amzn-requestid"],
            _ => &["x-request-id"],
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
