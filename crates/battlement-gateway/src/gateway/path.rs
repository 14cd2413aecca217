//! Which path is what.
//!
//! Paths are compared as they are written. Nothing is decoded, collapsed or resolved first: what another server
//! behind this one would read differently is not found.

use battlement_core::Dialect;
use http::Method;

use crate::config::Family;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A call to a model.
    Call {
        dialect: Dialect,
        family: Family,
        /// The model, where the path has it.
        model: Option<&'a str>,
    },
    /// Something that a provider keeps, which names no model.
    Kept { dialect: Dialect, family: Family },
    /// The list of models, in the form of this family.
    Models(Family),
    /// One model of that list.
    Model(Family, &'a str),
    /// Whether the process is alive.
    Alive,
    /// Whether it takes calls.
    Ready,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// There is no such path.
    Unknown,
    /// There is, and it is asked in another way.
    Method(&'static str),
}

impl Target<'_> {
    /// What an error is told in.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Call { dialect, .. } | Self::Kept { dialect, .. } => *dialect,
            Self::Models(family) | Self::Model(family, _) => family.dialect(),
            Self::Alive | Self::Ready => Dialect::OpenAiChat,
        }
    }
}

/// What is spoken to whoever asks for a path that is not there.
pub(crate) fn dialect_near(path: &str) -> Dialect {
    match path {
        _ if path.starts_with("/v1/messages") => Dialect::AnthropicMessages,
        _ if path.starts_with("/v1beta/") => Dialect::Gemini,
        _ if path.starts_with("/api/") => Dialect::OllamaNative,
        _ => Dialect::OpenAiChat,
    }
}

/// What a request is for.
pub(crate) fn target<'a>(method: &Method, path: &'a str) -> Result<Target<'a>, Nowhere> {
    use Dialect::{
        AnthropicMessages, OllamaNative, OpenAiChat, OpenAiCompletions, OpenAiEmbeddings,
        OpenAiResponses,
    };
    let openai =
        |dialect| (Method::POST, Target::Call { dialect, family: Family::Openai, model: None });
    let anthropic =
        Target::Call { dialect: AnthropicMessages, family: Family::Anthropic, model: None };
    let ollama = Target::Call { dialect: OllamaNative, family: Family::Ollama, model: None };
    let (expected, target) = match path {
        "/v1/chat/completions" => openai(OpenAiChat),
        "/v1/responses" => openai(OpenAiResponses),
        "/v1/completions" => openai(OpenAiCompletions),
        "/v1/embeddings" => openai(OpenAiEmbeddings),
        "/v1/messages" | "/v1/messages/count_tokens" => (Method::POST, anthropic),
        "/api/chat" | "/api/generate" | "/api/embed" | "/api/embeddings" => (Method::POST, ollama),
        "/v1/models" => (Method::GET, Target::Models(Family::Openai)),
        "/v1beta/models" => (Method::GET, Target::Models(Family::Gemini)),
        "/api/tags" => (Method::GET, Target::Models(Family::Ollama)),
        "/healthz" => (Method::GET, Target::Alive),
        "/readyz" => (Method::GET, Target::Ready),
        _ => return deeper(method, path),
    };
    match target {
        // Some probes ask for no more than the head.
        Target::Alive | Target::Ready if [Method::GET, Method::HEAD].contains(method) => Ok(target),
        Target::Alive | Target::Ready => Err(Nowhere::Method("GET, HEAD")),
        _ if *method == expected => Ok(target),
        _ => Err(Nowhere::Method(if expected == Method::GET { "GET" } else { "POST" })),
    }
}

fn deeper<'a>(method: &Method, path: &'a str) -> Result<Target<'a>, Nowhere> {
    if let Some(rest) = path.strip_prefix("/v1/responses/") {
        let kept = Target::Kept { dialect: Dialect::OpenAiResponses, family: Family::Openai };
        let (id, rest) = rest.split_once('/').unwrap_or((rest, ""));
        return match (is_id(id), rest, method) {
            (true, "", &Method::GET | &Method::DELETE) => Ok(kept),
            (true, "cancel", &Method::POST) | (true, "input_items", &Method::GET) => Ok(kept),
            (true, "", _) => Err(Nowhere::Method("GET, DELETE")),
            (true, "cancel", _) => Err(Nowhere::Method("POST")),
            (true, "input_items", _) => Err(Nowhere::Method("GET")),
            _ => Err(Nowhere::Unknown),
        };
    }
    let google = path.strip_prefix("/v1beta/models/");
    let rest = google.or_else(|| path.strip_prefix("/v1/models/")).ok_or(Nowhere::Unknown)?;
    match (rest.rsplit_once(':'), method) {
        (
            Some((
                model,
                "generateContent"
                | "streamGenerateContent"
                | "countTokens"
                | "embedContent"
                | "batchEmbedContents",
            )),
            method,
        ) if is_name(model) => {
            if method != Method::POST {
                return Err(Nowhere::Method("POST"));
            }
            Ok(Target::Call {
                dialect: Dialect::Gemini,
                family: Family::Gemini,
                model: Some(model),
            })
        }
        _ if !is_name(rest) => Err(Nowhere::Unknown),
        (_, &Method::GET) if google.is_some() => Ok(Target::Model(Family::Gemini, rest)),
        (_, &Method::GET) => Ok(Target::Model(Family::Openai, rest)),
        _ => Err(Nowhere::Method("GET")),
    }
}

/// Whether it is a name that means the same to everybody who reads the path.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins_well && text.bytes().all(is_letter) && !text.contains("..")
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_what_its_clients_take_it_for() {
        let call =
            |path: &str, expected: Dialect, name: Option<&str>| match target(&Method::POST, path) {
                Ok(Target::Call { dialect, model, .. }) => {
                    assert_eq!((dialect, model), (expected, name), "{path}");
                }
                other => panic!("{path}: {other:?}"),
            };
        call("/v1/chat/completions", Dialect::OpenAiChat, None);
        call("/v1/responses", Dialect::OpenAiResponses, None);
        call("/v1/messages", Dialect::AnthropicMessages, None);
        call("/v1/messages/count_tokens", Dialect::AnthropicMessages, None);
        call("/api/chat", Dialect::OllamaNative, None);
        call(
            "/v1beta/models/gemini-3-flash:generateContent",
            Dialect::Gemini,
            Some("gemini-3-flash"),
        );
        call("/v1/models/g:streamGenerateContent", Dialect::Gemini, Some("g"));
        let get = |path, expected| assert_eq!(target(&Method::GET, path), Ok(expected), "{path}");
        get("/v1/models", Target::Models(Family::Openai));
        get("/v1/models/ft:gpt-5:org", Target::Model(Family::Openai, "ft:gpt-5:org"));
        get("/v1beta/models/g", Target::Model(Family::Gemini, "g"));
        let kept = Target::Kept { dialect: Dialect::OpenAiResponses, family: Family::Openai };
        get("/v1/responses/resp_1", kept.clone());
        get("/v1/responses/resp_1/input_items", kept);
    }

    #[test]
    fn what_another_server_would_read_differently_is_not_found() {
        for path in [
            "",
            "/",
            "*",
            "//v1/chat/completions",
            "/v1//chat/completions",
            "/v1/chat/completions/",
            "/V1/chat/completions",
            "/v1/chat/../chat/completions",
            "/v1/%63hat/completions",
            "/v1/responses/..",
            "/v1/responses/%2e%2e",
            "/v1/responses/r/../../models",
            "/v1/responses/r/other",
            "/v1beta/models/..:generateContent",
            "/v1beta/models/a..b:generateContent",
            "/v1beta/models/%2e%2e%2f:generateContent",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/models/:generateContent",
        ] {
            assert_eq!(target(&Method::POST, path), Err(Nowhere::Unknown), "{path}");
        }
        assert_eq!(target(&Method::GET, "/v1/messages"), Err(Nowhere::Method("POST")));
        assert_eq!(target(&Method::POST, "/healthz"), Err(Nowhere::Method("GET, HEAD")));
        assert_eq!(target(&Method::HEAD, "/healthz"), Ok(Target::Alive));
        assert_eq!(target(&Method::HEAD, "/v1/models"), Err(Nowhere::Method("GET")));
    }
}
