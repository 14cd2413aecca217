//! What a request asks for, read once; and single fields of it changed, byte for byte.
//!
//! Every layer needs to know something about the request: the limiter how big it is, the timeout
//! whether it streams, the hedge whether repeating it is safe, the fallback where its model is
//! written. Parsing the body once per layer would cost more than the layers themselves, and
//! parsing it into a tree more than that. So [`Facts`] are read in **one pass** over the bytes,
//! without a tree, and travel with the request.
//!
//! The other half is [`rewrite`]: changing the model or the output cap *in place*. A body that is
//! parsed and serialised again loses key order, number spellings and unknown corners, and with
//! them prompt caches, signatures and the trust of whoever compares the bytes.
//!
//! * `canonical`: one key for requests that ask for the same (feature `canonical`).
//! * [`detect`]: which dialect and provider, from host, path and headers; also for an answer alone.
//! * [`estimate`]: how many tokens a prompt is likely to be.
//! * `exact`: how many it is for OpenAI's tokenizers (feature `exact-tokens`).
//! * [`rewrite`]: model, output cap and streaming, in body and URI.
//!
//! ```
//! use battlement_core::{Dialect, Provider, request::Facts};
//! use http::{HeaderMap, Method, Uri};
//!
//! let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
//! let body = br#"{"model":"gpt-5","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
//! let facts = Facts::read(&Method::POST, &uri, &HeaderMap::new(), body);
//!
//! assert_eq!(facts.dialect, Some(Dialect::OpenAiChat));
//! assert_eq!(facts.provider, Provider::OpenAi);
//! assert_eq!(facts.model.as_deref(), Some("gpt-5"));
//! assert!(facts.stream);
//! ```

#[cfg(feature = "canonical")]
pub mod canonical;
mod cursor;
pub mod detect;
pub mod estimate;
#[cfg(feature = "exact-tokens")]
pub mod exact;
mod fields;
mod path;
pub(crate) mod places;
pub mod rewrite;

pub use cursor::NotJson;
pub(crate) use cursor::{elements, members, string};

use std::{fmt, sync::Arc};

use http::{HeaderMap, Method, Uri};

use self::{
    cursor::Text,
    detect::Route,
    fields::{Fields, Seen},
};
use crate::{Dialect, Provider};

/// What is asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// An answer in a conversation.
    Chat,
    /// The continuation of a text.
    TextCompletion,
    /// Google's word for both.
    GenerateContent,
    /// Vectors.
    Embeddings,
    /// The size of a prompt; generates nothing.
    CountTokens,
    /// A list or description of models.
    Models,
    /// Anything else.
    Other,
}

impl Operation {
    /// The name OpenTelemetry gives it, where it has one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::GenerateContent => "generate_content",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Other => "other",
        }
    }

    /// Whether a model writes something: what can be truncated, filtered or streamed.
    pub const fn generates(self) -> bool {
        matches!(self, Self::Chat | Self::TextCompletion | Self::GenerateContent)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one request asks for.
///
/// Holds no prompt and no key, so it may be logged. Its one text is `model`, which is whatever the
/// client wrote there, cut to a bounded length.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The wire format; `None` when neither path, headers nor body tell.
    pub dialect: Option<Dialect>,
    /// Who will answer: a guess, [`Provider::Generic`] when nothing tells.
    pub provider: Provider,
    /// What is asked.
    pub operation: Operation,
    /// The model or deployment, from the path if it is there, else from the body. At most 256 bytes:
    /// of a longer name, the start.
    pub model: Option<Arc<str>>,
    /// Whether the answer will be a stream.
    pub stream: bool,
    /// The cap on generated tokens, per choice. `None` without one, or when it means "no cap".
    pub max_output_tokens: Option<u64>,
    /// How many choices are generated (and paid for): `n`, `best_of`, `candidateCount`; at least 1.
    pub choices: u64,
    /// Whether any tool is offered.
    pub tools: bool,
    /// Whether a tool is offered that the provider itself runs, so that repeating the call repeats
    /// its cost and effects.
    pub server_tools: bool,
    /// Whether the output must fit a format or schema.
    pub structured_output: bool,
    /// Whether the request refers to state at the provider or asks to keep some
    /// (`previous_response_id`, `conversation`, `store`, `background`, `cachedContent`, a stored
    /// prompt, an uploaded file, …): it means something else, or nothing, anywhere else. Only what is said counts: that the
    /// Responses API stores by default does not.
    pub server_state: bool,
    /// How many images are in the prompt.
    pub images: u32,
    /// How many sounds or videos are in the prompt.
    pub audio: u32,
    /// How many files or documents are attached.
    pub documents: u32,
    /// The value of `stream_options.include_usage`, if present.
    pub include_usage: Option<bool>,
    /// An estimate of the prompt's tokens, see [`estimate`]; 0 for a body that is not JSON.
    pub input_tokens: u64,
    /// Whether the body is one JSON object. If not, everything here is from URI and headers.
    pub body_is_json: bool,
}

impl Facts {
    /// Reads a request. Never fails: what cannot be told is left out.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let route = detect::of_request(method, uri, headers);
        let fields = Fields::read(body);
        let dialect = route.dialect.or_else(|| of_shape(method, &fields));
        Self::assemble(dialect, &route, uri, &fields)
    }

    /// Reads a request that is known to speak `dialect`, whatever its path looks like.
    pub fn read_as(
        dialect: Dialect,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let route = detect::of_request(method, uri, headers);
        Self::assemble(Some(dialect), &route, uri, &Fields::read(body))
    }

    fn assemble(dialect: Option<Dialect>, route: &Route, uri: &Uri, fields: &Fields<'_>) -> Self {
        let operation = match route.operation {
            Some(operation) => operation,
            None if fields.is_object => dialect.map_or(Operation::Other, usual_operation),
            None => Operation::Other,
        };
        let in_path =
            path::model_span(uri.path()).map(|span| path::percent_decode(&uri.path()[span]));
        Self {
            dialect,
            provider: route.provider,
            operation,
            stream: operation.generates() && streams(dialect, route, fields),
            max_output_tokens: dialect.and_then(|dialect| cap(dialect, fields)),
            choices: choices(dialect, fields),
            tools: fields.tools,
            server_tools: fields.server_tools,
            structured_output: fields.structured
                || (fields.ollama_format && dialect == Some(Dialect::OllamaNative)),
            server_state: fields.server_state,
            images: fields.images,
            audio: fields.audio,
            documents: fields.documents,
            include_usage: fields.include_usage,
            input_tokens: fields.input_tokens,
            body_is_json: fields.is_object,
            model: in_path.or_else(|| fields.model.map(Text::decode)).map(|name| bounded(&name)),
        }
    }
}

/// The longest name that is kept: room for an ARN, which is the longest kind.
const MAX_MODEL_BYTES: usize = 256;

/// A name, cut at the last character that fits.
fn bounded(model: &str) -> Arc<str> {
    if model.len() <= MAX_MODEL_BYTES {
        return model.into();
    }
    let fits = |&end: &usize| model.is_char_boundary(end);
    let end = (0..=MAX_MODEL_BYTES).rev().find(fits).unwrap_or(0);
    model[..end].into()
}

fn streams(dialect: Option<Dialect>, route: &Route, fields: &Fields<'_>) -> bool {
    match (route.stream, dialect) {
        (Some(in_path), _) => in_path,
        (None, Some(Dialect::OllamaNative)) => fields.stream.unwrap_or(true),
        (None, _) => fields.stream.unwrap_or(false),
    }
}

fn cap(dialect: Dialect, fields: &Fields<'_>) -> Option<u64> {
    match dialect {
        Dialect::OpenAiChat => fields.max_completion_tokens.or(fields.max_tokens),
        Dialect::OpenAiCompletions | Dialect::AnthropicMessages | Dialect::CohereV2 => {
            fields.max_tokens
        }
        Dialect::OpenAiResponses => fields.max_output_tokens,
        Dialect::OpenAiEmbeddings => None,
        Dialect::Gemini => fields.generation_cap,
        Dialect::BedrockConverse => fields.inference_cap,
        Dialect::OllamaNative => fields.options_cap,
        // Whatever the vendor calls it.
        Dialect::BedrockInvoke => fields
            .max_completion_tokens
            .or(fields.max_tokens)
            .or(fields.max_gen_len)
            .or(fields.titan_cap)
            .or(fields.inference_cap),
    }
}

fn choices(dialect: Option<Dialect>, fields: &Fields<'_>) -> u64 {
    let asked = match dialect {
        Some(Dialect::OpenAiChat) => fields.n,
        Some(Dialect::OpenAiCompletions) => fields.n.max(fields.best_of),
        Some(Dialect::Gemini) => fields.candidate_count,
        _ => None,
    };
    asked.unwrap_or(1).max(1)
}

/// The dialect of a body whose path says nothing.
fn of_shape(method: &Method, fields: &Fields<'_>) -> Option<Dialect> {
    if method != Method::POST {
        return None;
    }
    let seen: &Seen = &fields.seen;
    if seen.contents {
        Some(Dialect::Gemini)
    } else if seen.titan {
        Some(Dialect::BedrockInvoke)
    } else if seen.messages {
        Some(if seen.anthropic_version {
            Dialect::AnthropicMessages
        } else if seen.converse {
            Dialect::BedrockConverse
        } else if seen.ollama {
            Dialect::OllamaNative
        } else if seen.system && fields.max_tokens.is_some() {
            // OpenAI has no `system`, and Anthropic requires `max_tokens`.
            Dialect::AnthropicMessages
        } else {
            Dialect::OpenAiChat
        })
    } else if seen.prompt {
        Some(if seen.ollama { Dialect::OllamaNative } else { Dialect::OpenAiCompletions })
    } else if seen.input {
        let embeds = fields.model.is_some_and(|model| model.decode().contains("embed"));
        Some(if embeds { Dialect::OpenAiEmbeddings } else { Dialect::OpenAiResponses })
    } else if seen.instructions {
        Some(Dialect::OpenAiResponses)
    } else {
        None
    }
}

fn usual_operation(dialect: Dialect) -> Operation {
    match dialect {
        Dialect::OpenAiCompletions => Operation::TextCompletion,
        Dialect::OpenAiEmbeddings => Operation::Embeddings,
        Dialect::Gemini => Operation::GenerateContent,
        _ => Operation::Chat,
    }
}

#[cfg(test)]
mod tests;
