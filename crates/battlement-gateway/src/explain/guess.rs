//! Who answered, and in which dialect, when nobody says.

use battlement_core::{Dialect, Provider};
use http::HeaderMap;

/// What an answer is read as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) dialect: Dialect,
    pub(crate) provider: Provider,
    pub(crate) is_guess: bool,
}

/// Fills in what is not known: from headers and the first bytes of the body.
pub(crate) fn speaker(
    dialect: Option<Dialect>,
    provider: Option<Provider>,
    endpoint: Option<&str>,
    headers: &HeaderMap,
    start: &[u8],
) -> Speaker {
    if let (Some(dialect), Some(provider)) = (dialect, provider) {
        return Speaker { dialect, provider, is_guess: false };
    }
    let (guess, sender) = of_answer(endpoint, headers, start);
    Speaker {
        dialect: dialect
            .or(guess)
            .or_else(|| provider.map(usual_dialect))
            .unwrap_or(Dialect::OpenAiChat),
        provider: provider.unwrap_or(sender),
        is_guess: true,
    }
}

/// What a provider speaks as a rule.
fn usual_dialect(provider: Provider) -> Dialect {
    match provider {
        Provider::Anthropic => Dialect::AnthropicMessages,
        Provider::Gemini | Provider::Vertex => Dialect::Gemini,
        Provider::Bedrock => Dialect::BedrockConverse,
        Provider::Cohere => Dialect::CohereV2,
        Provider::Ollama => Dialect::OllamaNative,
        _ => Dialect::OpenAiChat,
    }
}

// SWITCH HERE: `battlement_core::request::detect::of_answer` has the same signature and knows far
// more; everything below goes when it is there.
fn of_answer(
    _endpoint: Option<&str>,
    headers: &HeaderMap,
    start: &[u8],
) -> (Option<Dialect>, Provider) {
    const MARKS: [(&str, Dialect, Provider); 13] = [
        ("message_start", Dialect::AnthropicMessages, Provider::Anthropic),
        ("\"msg_", Dialect::AnthropicMessages, Provider::Anthropic),
        ("\"type\":\"error\"", Dialect::AnthropicMessages, Provider::Anthropic),
        ("chat.completion", Dialect::OpenAiChat, Provider::OpenAi),
        ("\"text_completion\"", Dialect::OpenAiCompletions, Provider::OpenAi),
        ("\"embedding\"", Dialect::OpenAiEmbeddings, Provider::OpenAi),
        ("response.created", Dialect::OpenAiResponses, Provider::OpenAi),
        ("\"resp_", Dialect::OpenAiResponses, Provider::OpenAi),
        ("\"candidates\"", Dialect::Gemini, Provider::Gemini),
        ("\"promptFeedback\"", Dialect::Gemini, Provider::Gemini),
        ("messageStart", Dialect::BedrockConverse, Provider::Bedrock),
        ("message-start", Dialect::CohereV2, Provider::Cohere),
        ("\"created_at\"", Dialect::OllamaNative, Provider::Ollama),
    ];
    let bedrock = headers.contains_key("x-amzn-requestid");
    let start = &start[..start.len().min(4096)];
    let has = |mark: &str| start.windows(mark.len()).any(|window| window == mark.as_bytes());
    match MARKS.iter().find(|(mark, ..)| has(mark)) {
        Some(&(_, dialect, provider)) => (Some(dialect), provider),
        None if bedrock => (None, Provider::Bedrock),
        None => (None, Provider::Generic),
    }
}
