//! Who speaks, and in which dialect: from host, path and headers, or from an answer alone.
//!
//! Everything is in tables, first match wins; a `*` stands for any text. A host is the best
//! witness of the provider, the path the best of the dialect: an OpenAI-compatible endpoint at
//! Google speaks OpenAI's dialect with Google's habits.

mod answer;
mod glob;

pub(super) use self::glob::find;
pub use answer::of_answer;

use std::borrow::Cow;

use http::{
    HeaderMap, Method, Uri,
    header::{AUTHORIZATION, HOST},
};
use memchr::memchr;

use self::glob::{Glob, Subject};
use super::Operation;
use crate::{Dialect, Provider};

/// What a request line and its headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The wire format, if the path or a header tells.
    pub dialect: Option<Dialect>,
    /// Who will answer.
    pub provider: Provider,
    /// What is asked, if the path tells.
    pub operation: Option<Operation>,
    /// Whether the answer streams, where the path decides that.
    pub stream: Option<bool>,
}

/// Hosts, with the port where it matters.
static HOSTS: [(Glob, Provider); HOST_PATTERNS.len()] = Glob::table(HOST_PATTERNS);
const HOST_PATTERNS: &[(&str, Provider)] = &[
    ("api.openai.com", Provider::OpenAi),
    ("*.api.openai.com", Provider::OpenAi),
    ("*.openai.azure.com", Provider::AzureOpenAi),
    ("*.openai.azure.us", Provider::AzureOpenAi),
    ("*.cognitiveservices.azure.com", Provider::AzureOpenAi),
    ("*.services.ai.azure.com", Provider::AzureOpenAi),
    ("models.github.ai", Provider::GitHubModels),
    ("models.inference.ai.azure.com", Provider::GitHubModels),
    ("api.anthropic.com", Provider::Anthropic),
    ("generativelanguage.googleapis.com", Provider::Gemini),
    ("*aiplatform.googleapis.com", Provider::Vertex),
    ("aiplatform.*.rep.googleapis.com", Provider::Vertex),
    ("bedrock-runtime*.amazonaws.com*", Provider::Bedrock),
    ("*.bedrock-runtime*.amazonaws.com*", Provider::Bedrock),
    ("bedrock-runtime*.api.aws", Provider::Bedrock),
    ("bedrock-mantle*.api.aws", Provider::Bedrock),
    ("api.groq.com", Provider::Groq),
    ("api.together.xyz", Provider::Together),
    ("api.together.ai", Provider::Together),
    ("api.deepseek.com", Provider::DeepSeek),
    ("api.mistral.ai", Provider::Mistral),
    ("*.api.mistral.ai", Provider::Mistral),
    ("codestral.mistral.ai", Provider::Mistral),
    ("api.x.ai", Provider::Xai),
    ("*.api.x.ai", Provider::Xai),
    ("openrouter.ai", Provider::OpenRouter),
    ("*.openrouter.ai", Provider::OpenRouter),
    ("api.perplexity.ai", Provider::Perplexity),
    ("api.cerebras.ai", Provider::Cerebras),
    ("api.fireworks.ai", Provider::Fireworks),
    ("api.cohere.com", Provider::Cohere),
    ("api.cohere.ai", Provider::Cohere),
    ("ollama.com", Provider::Ollama),
    ("*:11434", Provider::Ollama),
];

/// Request headers, by name.
const HEADERS: &[(&str, Provider, Option<Dialect>)] = &[
    ("anthropic-version", Provider::Anthropic, Some(Dialect::AnthropicMessages)),
    ("x-goog-api-key", Provider::Gemini, None),
    ("x-goog-user-project", Provider::Vertex, None),
    ("openai-organization", Provider::OpenAi, None),
    ("openai-project", Provider::OpenAi, None),
    ("api-key", Provider::AzureOpenAi, None),
    ("x-amz-date", Provider::Bedrock, None),
];

/// One kind of path.
struct Path {
    pattern: Glob,
    dialect: Option<Dialect>,
    operation: Operation,
    stream: Option<bool>,
}

const fn path(pattern: &'static str, dialect: Dialect, operation: Operation) -> Path {
    Path { pattern: Glob::new(pattern), dialect: Some(dialect), operation, stream: None }
}

/// A path that also says whether the answer streams.
const fn framed(
    pattern: &'static str,
    dialect: Dialect,
    operation: Operation,
    stream: bool,
) -> Path {
    Path { pattern: Glob::new(pattern), dialect: Some(dialect), operation, stream: Some(stream) }
}

/// A path whose dialect depends on more than itself.
const fn vague(pattern: &'static str, operation: Operation) -> Path {
    Path { pattern: Glob::new(pattern), dialect: None, operation, stream: None }
}

/// Paths that are asked with POST; special ones first.
static PATHS: &[Path] = {
    use Dialect::{
        AnthropicMessages, BedrockConverse, BedrockInvoke, CohereV2, Gemini, OllamaNative,
        OpenAiChat, OpenAiCompletions, OpenAiEmbeddings, OpenAiResponses,
    };
    use Operation::{Chat, CountTokens, Embeddings, GenerateContent, Other, TextCompletion};
    &[
        path("*/chat/completions", OpenAiChat, Chat),
        path("*/responses/input_tokens", OpenAiResponses, CountTokens),
        path("*/responses", OpenAiResponses, Chat),
        path("*/responses/*", OpenAiResponses, Other),
        path("*/messages/count_tokens", AnthropicMessages, CountTokens),
        path("*/v1/messages", AnthropicMessages, Chat),
        path("/messages", AnthropicMessages, Chat),
        path(
            "*/publishers/anthropic/models/count-tokens:rawPredict",
            AnthropicMessages,
            CountTokens,
        ),
        framed("*/publishers/anthropic/models/*:rawPredict", AnthropicMessages, Chat, false),
        framed("*/publishers/anthropic/models/*:streamRawPredict", AnthropicMessages, Chat, true),
        framed("*/publishers/mistralai/models/*:rawPredict", OpenAiChat, Chat, false),
        framed("*/publishers/mistralai/models/*:streamRawPredict", OpenAiChat, Chat, true),
        framed("*:generateContent", Gemini, GenerateContent, false),
        framed("*:streamGenerateContent", Gemini, GenerateContent, true),
        path("*:countTokens", Gemini, CountTokens),
        path("*:embedContent", Gemini, Embeddings),
        path("*:batchEmbedContents", Gemini, Embeddings),
        framed("*/model/*/converse", BedrockConverse, Chat, false),
        framed("*/model/*/converse-stream", BedrockConverse, Chat, true),
        framed("*/model/*/invoke", BedrockInvoke, Chat, false),
        framed("*/model/*/invoke-with-response-stream", BedrockInvoke, Chat, true),
        path("*/model/*/count-tokens", BedrockConverse, CountTokens),
        path("*/v2/chat", CohereV2, Chat),
        path("*/v2/embed", CohereV2, Embeddings),
        path("*/api/chat", OllamaNative, Chat),
        path("*/api/generate", OllamaNative, TextCompletion),
        path("*/api/embed", OllamaNative, Embeddings),
        path("*/api/embeddings", OllamaNative, Embeddings),
        path("*/fim/completions", OpenAiChat, TextCompletion),
        path("*/completions", OpenAiCompletions, TextCompletion),
        path("*/embeddings", OpenAiEmbeddings, Embeddings),
        vague("*/batches*", Other),
        vague("*/files*", Other),
        vague("*/audio/*", Other),
        vague("*/images/*", Other),
        vague("*/moderations", Other),
        vague("*/rerank", Other),
        vague("*:predict*", Other),
    ]
};

/// What a path says about the provider when the host says nothing.
static PATH_PROVIDERS: [(Glob, Provider); PATH_PROVIDER_PATTERNS.len()] =
    Glob::table(PATH_PROVIDER_PATTERNS);
const PATH_PROVIDER_PATTERNS: &[(&str, Provider)] = &[
    ("*/openai/deployments/*", Provider::AzureOpenAi),
    ("*/projects/*/locations/*", Provider::Vertex),
    ("*:generateContent", Provider::Gemini),
    ("*:streamGenerateContent", Provider::Gemini),
    ("*:countTokens", Provider::Gemini),
    ("*/model/*/*", Provider::Bedrock),
    ("*/v1/messages*", Provider::Anthropic),
    ("*/v2/chat", Provider::Cohere),
    ("*/api/chat", Provider::Ollama),
    ("*/api/generate", Provider::Ollama),
    ("/openai/v1/*", Provider::Groq),
    ("/inference/v1/*", Provider::Fireworks),
    ("/inference/chat/completions", Provider::GitHubModels),
    ("/api/v1/chat/completions", Provider::OpenRouter),
];

/// Reads a request line and its headers.
pub fn of_request(method: &Method, uri: &Uri, headers: &HeaderMap) -> Route {
    let request_path = Subject::new(trimmed(uri.path()));
    let route = of_path(method, request_path);
    let of_host = host(uri, headers).and_then(of_host);
    // Nothing depends on the headers where host and path have told.
    let told = of_host.is_some() && route.is_some_and(|route| route.dialect.is_some());
    let header = if told { None } else { telling_header(headers) };
    let provider = of_host
        .or(header.map(|&(_, provider, _)| provider))
        .or_else(|| signed_for_aws(headers).then_some(Provider::Bedrock))
        .or_else(|| provider_of_path(request_path))
        .unwrap_or(Provider::Generic);
    Route {
        dialect: route
            .and_then(|route| route.dialect)
            .or(header.and_then(|&(.., dialect)| dialect))
            .filter(|_| *method == Method::POST || route.is_some()),
        provider,
        operation: match route {
            Some(route) if *method == Method::POST => Some(route.operation),
            Some(_) => Some(Operation::Other),
            None if *method == Method::GET && lists_models(request_path.as_str()) => {
                Some(Operation::Models)
            }
            None => None,
        },
        stream: route.and_then(|route| route.stream),
    }
}

/// The provider at a host, which may have a port.
///
/// ```
/// use battlement_core::{Provider, request::detect};
/// assert_eq!(detect::of_host("my-resource.openai.azure.com"), Some(Provider::AzureOpenAi));
/// assert_eq!(detect::of_host("localhost:11434"), Some(Provider::Ollama));
/// assert_eq!(detect::of_host("gateway.internal"), None);
/// ```
pub fn of_host(host: &str) -> Option<Provider> {
    let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    let colon = host
        .bytes()
        .rposition(|byte| byte == b':')
        .filter(|&at| host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let bare = colon.map(|at| Subject::new(&host[..at]));
    let host = Subject::new(&host);
    let matches =
        |pattern: &Glob| pattern.matches(host) || bare.is_some_and(|bare| pattern.matches(bare));
    HOSTS.iter().find(|(pattern, _)| matches(pattern)).map(|&(_, provider)| provider)
}

/// The first row of which there is a header.
///
/// Goes through the headers once: there are few, and to look up a name costs more than to see it.
fn telling_header(
    headers: &HeaderMap,
) -> Option<&'static (&'static str, Provider, Option<Dialect>)> {
    let row = |name: &str| HEADERS.iter().position(|(row, ..)| *row == name);
    let first = headers.keys().filter_map(|name| row(name.as_str())).min();
    first.map(|at| &HEADERS[at])
}

fn of_path(method: &Method, path: Subject<'_>) -> Option<&'static Path> {
    // GET on these paths fetches what was stored: the dialect is the same, the operation is not.
    PATHS
        .iter()
        .find(|row| row.pattern.matches(path))
        .filter(|row| *method == Method::POST || row.dialect.is_some())
}

fn provider_of_path(path: Subject<'_>) -> Option<Provider> {
    PATH_PROVIDERS.iter().find(|(pattern, _)| pattern.matches(path)).map(|&(_, provider)| provider)
}

fn lists_models(path: &str) -> bool {
    ["*/models", "*/models/*", "*/api/tags", "*/api/ps"].iter().any(|pattern| glob(pattern, path))
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let in_uri = uri.authority().map(|authority| {
        let authority = authority.as_str();
        authority
            .bytes()
            .rposition(|byte| byte == b'@')
            .map_or(authority, |at| &authority[at + 1..])
    });
    in_uri.or_else(|| headers.get(HOST)?.to_str().ok())
}

/// Looks at the name of the scheme only.
fn signed_for_aws(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-"))
}

/// A path without its query and its last slash.
fn trimmed(path: &str) -> &str {
    let path = memchr(b'?', path.as_bytes()).map_or(path, |query| &path[..query]);
    path.strip_suffix('/').unwrap_or(path)
}

/// Whether `text` is what `pattern` describes.
fn glob(pattern: &'static str, text: &str) -> bool {
    Glob::new(pattern).matches(Subject::new(text))
}

#[cfg(test)]
mod tests;
