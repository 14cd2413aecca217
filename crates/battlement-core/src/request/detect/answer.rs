//! Who sent an answer, when the request is not known.
//!
//! For tools that are handed a captured answer. A guess: headers name the provider, the first keys
//! of the body name the dialect, and the path of the request, if known, settles the rest.

mod frame;

use http::{HeaderMap, Method, header::CONTENT_TYPE};

use super::{glob, glob::Subject, of_path, provider_of_path, trimmed};
use crate::{
    Dialect, Provider,
    request::cursor::{Cursor, Event},
};

/// Response headers, by name (`*` for any text); those only one vendor sends come first.
const HEADERS: &[(&str, Provider)] = &[
    ("anthropic-*", Provider::Anthropic),
    ("x-amzn-bedrock-*", Provider::Bedrock),
    ("x-amzn-requestid", Provider::Bedrock),
    ("x-amzn-errortype", Provider::Bedrock),
    ("x-groq-*", Provider::Groq),
    ("x-generation-id", Provider::OpenRouter),
    ("mistral-correlation-id", Provider::Mistral),
    ("*ratelimitbysize-*", Provider::Mistral),
    ("x-ds-trace-id", Provider::DeepSeek),
    ("x-debug-trace-id", Provider::Cohere),
    ("x-ratelimit-timeremaining", Provider::GitHubModels),
    ("x-ratelimit-type", Provider::GitHubModels),
    ("x-ratelimit-*-requests-day", Provider::Cerebras),
    ("x-ratelimit-*-tokens-minute", Provider::Cerebras),
    ("x-ratelimit-*-tokens-prompt", Provider::Fireworks),
    ("x-ratelimit-*-tokens-generated", Provider::Fireworks),
    ("x-ratelimit-over-limit", Provider::Fireworks),
    ("x-tokenlimit-*", Provider::Together),
    ("x-vertex-*", Provider::Vertex),
    ("x-goog-*", Provider::Gemini),
    ("apim-request-id", Provider::AzureOpenAi),
    ("x-ms-region", Provider::AzureOpenAi),
    ("x-ms-deployment-name", Provider::AzureOpenAi),
    ("x-ms-rai-invoked", Provider::AzureOpenAi),
    ("openai-*", Provider::OpenAi),
    // OpenAI's is `x-request-id`.
    ("request-id", Provider::Anthropic),
];

/// Top-level keys, in a body or in the first event of a stream, that only one provider sends.
const KEYS: &[(&str, Provider)] = &[
    ("prompt_filter_results", Provider::AzureOpenAi),
    ("x_groq", Provider::Groq),
    ("search_results", Provider::Perplexity),
    ("citations", Provider::Perplexity),
    ("timings", Provider::LlamaCpp),
    ("time_info", Provider::Cerebras),
    ("prompt_logprobs", Provider::Vllm),
    ("kv_transfer_params", Provider::Vllm),
];

/// Guesses who sent an answer, and in which dialect.
///
/// `body_prefix` may end anywhere; a few hundred bytes will do. `None` means that nothing gave a
/// hint, and most servers nobody has heard of speak [`Dialect::OpenAiChat`].
///
/// ```
/// use battlement_core::{Dialect, Provider, request::detect};
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-groq-region", "fra".parse().unwrap());
/// let body = br#"{"id":"chatcmpl-1","object":"chat.completion","created":17"#;
/// let guess = detect::of_answer(None, &headers, body);
/// assert_eq!(guess, (Some(Dialect::OpenAiChat), Provider::Groq));
/// ```
pub fn of_answer(
    endpoint_path: Option<&str>,
    headers: &HeaderMap,
    body_prefix: &[u8],
) -> (Option<Dialect>, Provider) {
    let shape = Shape::read(body_prefix);
    let path = endpoint_path.map(|path| Subject::new(trimmed(path)));
    let in_path = path.and_then(|path| of_path(&Method::POST, path)).and_then(|row| row.dialect);
    let in_headers = of_headers(headers);
    let in_body = shape.dialect(in_headers, headers);
    let dialect = in_path.or(in_body).or(in_headers.and_then(Provider::usual_dialect));
    let provider = in_headers
        .or_else(|| shape.provider())
        .or_else(|| path.and_then(provider_of_path))
        .or_else(|| dialect.and_then(usual_provider))
        .unwrap_or(Provider::Generic);
    (dialect, provider)
}

fn of_headers(headers: &HeaderMap) -> Option<Provider> {
    let named = HEADERS.iter().find(|(pattern, _)| {
        headers.contains_key(*pattern)
            || (pattern.contains('*') && headers.keys().any(|name| glob(pattern, name.as_str())))
    });
    // Google's front end signs so.
    let google = || contains(headers, "server-timing", "gfet4t7").then_some(Provider::Gemini);
    let event_stream = || is_event_stream(headers).then_some(Provider::Bedrock);
    named.map(|&(_, provider)| provider).or_else(google).or_else(event_stream)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    contains(headers, CONTENT_TYPE.as_str(), "amazon.eventstream")
}

fn contains(headers: &HeaderMap, name: &str, part: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains(part))
}

/// The first object of a body, as far as it goes.
#[derive(Debug, Default)]
struct Shape<'a> {
    /// The name of the first server-sent event.
    event: &'a str,
    keys: Vec<Box<str>>,
    object: Box<str>,
    kind: Box<str>,
    id: Box<str>,
    fingerprint: Box<str>,
    /// `error` is a string.
    error_text: Option<Box<str>>,
    error_keys: Vec<Box<str>>,
    /// `error.status` is a word, as at Google; Azure has a number there.
    error_status: bool,
    /// The body is an AWS event stream of this dialect.
    framed: Option<Dialect>,
}

impl<'a> Shape<'a> {
    fn read(body: &'a [u8]) -> Self {
        if let Some(dialect) = frame::dialect(body) {
            return Self { framed: Some(dialect), ..Self::default() };
        }
        let mut shape = Self::default();
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let first = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(text.len());
        let json = match text.get(first) {
            Some(b'{' | b'[') => &text[first..],
            Some(_) => shape.first_event(text),
            None => &[],
        };
        shape.object(json);
        shape
    }

    /// Finds the data of the first server-sent event; comments and other fields are skipped.
    fn first_event(&mut self, body: &'a [u8]) -> &'a [u8] {
        for line in body.split(|&byte| matches!(byte, b'\n' | b'\r')) {
            if let Some(name) = line.strip_prefix(b"event:") {
                self.event = std::str::from_utf8(name).map_or("", str::trim);
            } else if let Some(data) = line.strip_prefix(b"data:") {
                return data;
            }
        }
        &[]
    }

    /// Notes the keys of the first object until the prefix ends.
    fn object(&mut self, json: &[u8]) {
        let mut cursor = Cursor::new(json);
        // Keys from the outside to here; an array has an empty one.
        let mut path: Vec<Box<str>> = Vec::new();
        let mut key: Box<str> = Box::default();
        while let Ok(Some(event)) = cursor.next() {
            // A streamed array holds the first object one level deeper.
            let outer = usize::from(json.first() == Some(&b'['));
            let depth = path.len().saturating_sub(outer);
            match event {
                Event::Key => {
                    key = cursor.text().decode().into();
                    if depth == 1 {
                        self.keys.push(key.clone());
                    } else if depth == 2 && path.last().is_some_and(|parent| &**parent == "error") {
                        self.error_keys.push(key.clone());
                    }
                }
                Event::ObjectStart | Event::ArrayStart => path.push(std::mem::take(&mut key)),
                Event::ObjectEnd | Event::ArrayEnd => {
                    path.pop();
                    if path.len() <= outer {
                        return;
                    }
                }
                Event::String if depth == 2 && &*key == "status" => {
                    self.error_status |= path.last().is_some_and(|parent| &**parent == "error");
                }
                Event::String if depth == 1 => match &*key {
                    "object" => self.object = cursor.text().decode().into(),
                    "type" => self.kind = cursor.text().decode().into(),
                    "id" => self.id = cursor.text().decode().into(),
                    "system_fingerprint" => self.fingerprint = cursor.text().decode().into(),
                    "error" => self.error_text = Some(cursor.text().decode().into()),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|seen| &**seen == key)
    }

    fn error_has(&self, key: &str) -> bool {
        self.error_keys.iter().any(|seen| &**seen == key)
    }

    fn dialect(&self, provider: Option<Provider>, headers: &HeaderMap) -> Option<Dialect> {
        if self.framed.is_some() {
            return self.framed;
        }
        if provider == Some(Provider::Bedrock) {
            return Some(self.bedrock_dialect(headers));
        }
        let of_object = match &*self.object {
            "chat.completion" | "chat.completion.chunk" => Some(Dialect::OpenAiChat),
            "text_completion" => Some(Dialect::OpenAiCompletions),
            "response" => Some(Dialect::OpenAiResponses),
            "list" if self.has("data") => Some(Dialect::OpenAiEmbeddings),
            _ => None,
        };
        of_object.or_else(|| self.of_kind()).or_else(|| self.of_keys(provider))
    }

    fn bedrock_dialect(&self, headers: &HeaderMap) -> Dialect {
        let invoke = headers.keys().any(|name| glob("x-amzn-bedrock-*", name.as_str()))
            || self.has("generation")
            || self.has("inputTextTokenCount")
            || &*self.kind == "message";
        if !self.object.is_empty() || self.error_has("message") {
            // The OpenAI-compatible endpoint.
            Dialect::OpenAiChat
        } else if invoke {
            Dialect::BedrockInvoke
        } else {
            Dialect::BedrockConverse
        }
    }

    /// By `type`, or the name of the event when it is left out.
    fn of_kind(&self) -> Option<Dialect> {
        let kind = if self.kind.is_empty() { self.event } else { &self.kind };
        match kind {
            "message"
            | "message_start"
            | "message_delta"
            | "message_stop"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "ping" => Some(Dialect::AnthropicMessages),
            "message-start" | "message-end" | "content-start" | "content-delta" | "content-end"
            | "tool-plan-delta" | "tool-call-start" | "citation-start" => Some(Dialect::CohereV2),
            // Responses numbers its events, and its errors are flat.
            "error" if self.has("sequence_number") => Some(Dialect::OpenAiResponses),
            "error" if self.has("error") && self.object.is_empty() => {
                Some(Dialect::AnthropicMessages)
            }
            _ if kind.starts_with("response.") => Some(Dialect::OpenAiResponses),
            _ => None,
        }
    }

    fn of_keys(&self, provider: Option<Provider>) -> Option<Dialect> {
        if ["candidates", "promptFeedback", "usageMetadata", "modelVersion"]
            .iter()
            .any(|key| self.has(key))
            || (self.error_has("code") && self.error_status)
        {
            return Some(Dialect::Gemini);
        }
        if self.has("done") || (self.has("model") && self.has("created_at")) {
            return Some(Dialect::OllamaNative);
        }
        if self.has("finish_reason") && (self.has("message") || self.has("usage")) {
            return Some(Dialect::CohereV2);
        }
        if self.has("choices") {
            return Some(Dialect::OpenAiChat);
        }
        if self.has("stopReason") || (self.has("output") && self.has("metrics")) {
            return Some(Dialect::BedrockConverse);
        }
        if self.has("generation") || self.has("inputTextTokenCount") {
            return Some(Dialect::BedrockInvoke);
        }
        match &self.error_text {
            // vLLM's own; xAI adds a `code`.
            Some(text)
                if self.keys.len() == 1 && &**text != "Unauthorized" && provider.is_none() =>
            {
                return Some(Dialect::OllamaNative);
            }
            _ => {}
        }
        // Flat messages are Cohere's, Mistral's and many a proxy's: the provider decides.
        match provider {
            Some(provider) => provider.usual_dialect(),
            None => (!self.keys.is_empty()).then_some(Dialect::OpenAiChat),
        }
    }

    fn provider(&self) -> Option<Provider> {
        if self.framed.is_some() {
            return Some(Provider::Bedrock);
        }
        if let Some(&(_, provider)) = KEYS.iter().find(|(key, _)| self.has(key)) {
            return Some(provider);
        }
        if self.id.starts_with("gen-") && self.has("provider") {
            return Some(Provider::OpenRouter);
        }
        if &*self.fingerprint == "fp_ollama" {
            return Some(Provider::Ollama);
        }
        // A sentence in each of two flat fields.
        if self.error_text.is_some() && self.has("code") {
            return Some(Provider::Xai);
        }
        if self.error_has("metadata") {
            return Some(Provider::OpenRouter);
        }
        if self.error_has("object") {
            return Some(Provider::Fireworks);
        }
        // As flat as Mistral's and SGLang's, which have an `object`.
        let flat = ["message", "type", "param", "code"].iter().all(|key| self.has(key));
        (flat && self.object.is_empty()).then_some(Provider::Cerebras)
    }
}

/// Who speaks a dialect that only one vendor speaks.
fn usual_provider(dialect: Dialect) -> Option<Provider> {
    match dialect {
        Dialect::AnthropicMessages => Some(Provider::Anthropic),
        Dialect::Gemini => Some(Provider::Gemini),
        Dialect::BedrockConverse | Dialect::BedrockInvoke => Some(Provider::Bedrock),
        Dialect::CohereV2 => Some(Provider::Cohere),
        Dialect::OllamaNative => Some(Provider::Ollama),
        Dialect::OpenAiResponses => Some(Provider::OpenAi),
        _ => None,
    }
}
