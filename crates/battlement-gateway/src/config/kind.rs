//! Whose API a provider has.

use std::fmt;

use battlement_core::{Dialect, Provider};
use http::{HeaderName, header::AUTHORIZATION};
use serde::{Deserialize, Deserializer, de};

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(Provider);

/// APIs that go together: a provider has all of one, or nothing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Chat completions, responses, completions and embeddings as OpenAI has them.
    Openai,
    /// Messages as Anthropic has them.
    Anthropic,
    /// Gemini's API.
    Gemini,
    /// Ollama's own API.
    Ollama,
}

impl Family {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Openai, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// What is spoken where nothing more is known.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Openai => Dialect::OpenAiChat,
            Self::Anthropic => Dialect::AnthropicMessages,
            Self::Gemini => Dialect::Gemini,
            Self::Ollama => Dialect::OllamaNative,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Kind {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        self.0.as_str()
    }

    /// Its habits.
    pub(crate) const fn provider(self) -> Provider {
        self.0
    }

    /// Where it is, if it is in one place.
    pub(crate) const fn base_url(self) -> Option<&'static str> {
        Some(match self.0 {
            Provider::OpenAi => "https://api.openai.com",
            Provider::Anthropic => "https://api.anthropic.com",
            Provider::Gemini => "https://generativelanguage.googleapis.com",
            Provider::Mistral => "https://api.mistral.ai",
            Provider::Groq => "https://api.groq.com/openai",
            Provider::Together => "https://api.together.xyz",
            Provider::DeepSeek => "https://api.deepseek.com",
            Provider::Xai => "https://api.x.ai",
            Provider::OpenRouter => "https://openrouter.ai/api",
            Provider::Cerebras => "https://api.cerebras.ai",
            Provider::Fireworks => "https://api.fireworks.ai/inference",
            Provider::Ollama => "http://127.0.0.1:11434",
            Provider::Vllm => "http://127.0.0.1:8000",
            Provider::Sglang => "http://127.0.0.1:30000",
            _ => return None,
        })
    }

    /// What it speaks, unless told otherwise.
    pub(crate) const fn families(self) -> &'static [Family] {
        match self.0 {
            Provider::Anthropic => &[Family::Anthropic],
            Provider::Gemini => &[Family::Gemini],
            Provider::Ollama => &[Family::Ollama, Family::Openai],
            _ => &[Family::Openai],
        }
    }

    /// Where it looks for a key, and what is in front of that.
    pub(crate) const fn key_header(self) -> (HeaderName, &'static str) {
        match self.0 {
            Provider::Anthropic => (HeaderName::from_static("x-api-key"), ""),
            Provider::Gemini => (HeaderName::from_static("x-goog-api-key"), ""),
            Provider::AzureOpenAi => (HeaderName::from_static("api-key"), ""),
            _ => (AUTHORIZATION, "Bearer "),
        }
    }

    /// Whether it runs where we do, mostly, and asks nobody for a key.
    pub(crate) const fn needs_key(self) -> bool {
        !matches!(
            self.0,
            Provider::Ollama
                | Provider::Vllm
                | Provider::Sglang
                | Provider::LlamaCpp
                | Provider::Generic
        )
    }
}

/// Those with an API that has no path here: requests to Amazon are signed, and Vertex and Cohere have paths of
/// their own.
const fn is_served(provider: Provider) -> bool {
    !matches!(provider, Provider::Bedrock | Provider::Vertex | Provider::Cohere)
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = name.parse().ok().filter(|provider| is_served(*provider));
        found.map(Self).ok_or_else(|| {
            let known = Provider::ALL.into_iter().filter(|provider| is_served(*provider));
            let names: Vec<_> = known.map(|known| format!("`{}`", known.as_str())).collect();
            de::Error::custom(format_args!(
                "unknown kind `{name}`, expected one of {}",
                names.join(", ")
            ))
        })
    }
}
