//! Changes the model, the output cap or the streaming of a request, and not one byte more.
//!
//! Fallback, degradation and a limiter that wants usage in streams all change one field of a body
//! they did not write. Parsing and serialising again would reorder keys, respell numbers and drop
//! duplicates, and with that break prompt caches and signatures. So an [`Edit`] finds the values
//! and splices new ones in. A field that is absent is added right behind the opening brace; a field
//! given twice is changed in both places, because servers do not agree on which counts.
//!
//! Azure deployments, Gemini, Vertex and Bedrock have their model in the path: [`uri_model`]. It
//! leaves other URIs alone, so a fallback always calls both:
//!
//! ```
//! use battlement_core::{Dialect, Provider, request::rewrite::{self, Edit}};
//! use http::Uri;
//!
//! let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
//! let uri = rewrite::uri_model(Dialect::OpenAiChat, &uri, "gpt-5-mini")?;
//! assert_eq!(uri, "https://api.openai.com/v1/chat/completions");
//!
//! let edit = Edit { model: Some("gpt-5-mini"), ..Edit::default() };
//! let body = br#"{ "temperature": 0.70, "model": "gpt-5" }"#;
//! let body = edit.apply(Dialect::OpenAiChat, Provider::OpenAi, body)?;
//! assert_eq!(&*body, br#"{ "temperature": 0.70, "model": "gpt-5-mini" }"#);
//! # Ok::<(), rewrite::RewriteError>(())
//! ```
//!
//! Bedrock signs path and body: rewrite before signing.

mod habits;
mod splice;

use std::{borrow::Cow, ops::Range};

use http::{Uri, uri::PathAndQuery};

use self::splice::Splicer;
use super::{NotJson, cursor, path};
use crate::{Dialect, Provider};

/// Why a request was left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The body is not JSON.
    #[error("cannot rewrite a body that is not json")]
    NotJson(#[from] NotJson),
    /// The body, or the named member of it, is something else than an object.
    #[error("{what} is not a json object")]
    NotAnObject {
        /// `body`, or the name of the member.
        what: &'static str,
    },
    /// The dialect has no such field in its body.
    #[error("a {dialect} body has no field for {field}")]
    NoSuchField {
        /// The field of [`Edit`].
        field: &'static str,
        /// The dialect of the request.
        dialect: Dialect,
    },
    /// A Bedrock InvokeModel body of a vendor we do not know.
    #[error("unknown vendor format in a bedrock invoke body")]
    UnknownVendor,
    /// The path should hold a model and does not.
    #[error("no model in the path of a {dialect} request")]
    NoModelInPath {
        /// The dialect of the request.
        dialect: Dialect,
    },
    /// No server would find this model in a path: it is empty, or a step up or to nowhere.
    #[error("`{model}` cannot be a model in a path")]
    UnfitModel {
        /// The model asked for: nothing, `.` or `..`.
        model: Box<str>,
    },
    /// The new path is not valid.
    #[error("the rewritten path is not valid")]
    InvalidPath(#[source] http::Error),
}

/// What to change in a body; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit<'e> {
    /// The model. Left to [`uri_model`] where the path holds it; where the path may hold it (Azure,
    /// Claude on Vertex), changed in the body if it is there and not added.
    pub model: Option<&'e str>,
    /// The cap on generated tokens: in the field that is present, else in the one the provider
    /// prefers.
    ///
    /// Nothing else in the body follows it. Anthropic in particular refuses a cap that is not above
    /// `thinking.budget_tokens`: whoever lowers the cap below the thinking a client asked for gets
    /// a 400, because to think less would be another answer than the one asked for.
    pub max_output_tokens: Option<u64>,
    /// Whether a stream ends with a chunk of usage (`stream_options.include_usage`). Does nothing
    /// where streams report usage anyway, nor, when `true`, for a request that does not stream,
    /// which servers would reject.
    pub include_usage: Option<bool>,
    /// Whether to stream. Turning it off also sets `stream_options` to null, which servers accept
    /// only with a stream.
    pub stream: Option<bool>,
}

impl Edit<'_> {
    /// Applies the edit; borrows the body when nothing changes.
    ///
    /// # Errors
    ///
    /// When the body is not a JSON object, or the dialect has no field for what is asked.
    pub fn apply<'b>(
        &self,
        dialect: Dialect,
        provider: Provider,
        body: &'b [u8],
    ) -> Result<Cow<'b, [u8]>, RewriteError> {
        let mut splicer = Splicer::new(body)?;
        if let Some(model) = self.model {
            match model_place(dialect, provider) {
                ModelPlace::Body => splicer.set("model", &quoted(model)),
                ModelPlace::BodyIfPresent => splicer.replace("model", &quoted(model)),
                ModelPlace::Path => {}
            }
        }
        if let Some(cap) = self.max_output_tokens {
            set_cap(&mut splicer, dialect, provider, cap)?;
        }
        if let Some(stream) = self.stream {
            set_stream(&mut splicer, dialect, stream)?;
        }
        if let Some(include) = self.include_usage {
            let streams = self.stream.unwrap_or_else(|| splicer.last("stream") == Some(b"true"));
            if reports_usage_on_request(dialect, provider) {
                include_usage(&mut splicer, include, streams)?;
            }
        }
        Ok(splicer.finish())
    }
}

/// The body without the members of these names at its top level; borrowed when there is none.
///
/// For what a provider does not take that speaks the same dialect: some refuse a request for a member
/// that they do not know.
///
/// ```
/// use battlement_core::request::rewrite;
///
/// let body = rewrite::without(br#"{"seed": 7, "model": "m", "user": "u"}"#, &["seed", "user"])?;
/// assert_eq!(&*body, br#"{"model": "m"}"#);
/// # Ok::<(), rewrite::RewriteError>(())
/// ```
///
/// # Errors
///
/// When the body is not a JSON object.
pub fn without<'b>(
    body: &'b [u8],
    names: &[impl AsRef<str>],
) -> Result<Cow<'b, [u8]>, RewriteError> {
    // Where each member begins and ends, and whether it goes.
    let mut members: Vec<(Range<usize>, bool)> = Vec::new();
    let shape = cursor::members(body, |key, value| {
        let name = key.decode();
        let goes = names.iter().any(|named| named.as_ref() == name);
        members.push((key.start_in(body)..value.end, goes));
    })?;
    if shape.is_none() {
        return Err(RewriteError::NotAnObject { what: "body" });
    }
    Ok(cut(body, &members))
}

/// The body without those members of one object, or elements of one array, that are said to go: where each is, in their
/// order, and whether it goes.
pub(crate) fn cut<'b>(body: &'b [u8], items: &[(Range<usize>, bool)]) -> Cow<'b, [u8]> {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return Cow::Borrowed(body);
    };
    let kept = items.iter().rposition(|(_, goes)| !goes);
    let behind = kept.map_or(0, |kept| kept + 1);
    // Each goes with the comma behind it; those behind all that stay, with the one before.
    let mut gone: Vec<Range<usize>> = items[..behind]
        .iter()
        .zip(&items[1..])
        .filter(|((_, goes), _)| *goes)
        .map(|((item, _), (next, _))| item.start..next.start)
        .collect();
    if behind < items.len() {
        gone.push(kept.map_or(first.0.start, |kept| items[kept].0.end)..last.0.end);
    }
    if gone.is_empty() {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len());
    let mut copied = 0;
    for range in gone {
        out.extend_from_slice(&body[copied..range.start]);
        copied = range.end;
    }
    out.extend_from_slice(&body[copied..]);
    Cow::Owned(out)
}

/// Puts another model into the path, percent-encoded, and keeps the query.
///
/// A URI without a model in its path comes back unchanged, unless the dialect has its model nowhere
/// else.
///
/// ```
/// use battlement_core::{Dialect, request::rewrite};
/// use http::Uri;
///
/// let uri = Uri::from_static("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse");
/// let uri = rewrite::uri_model(Dialect::Gemini, &uri, "gemini-3-flash")?;
/// assert_eq!(uri, "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse");
/// # Ok::<(), rewrite::RewriteError>(())
/// ```
///
/// # Errors
///
/// [`RewriteError::NoModelInPath`] for a Gemini or Bedrock URI of another form, and
/// [`RewriteError::UnfitModel`] where the path has a model and could not have this one.
pub fn uri_model(dialect: Dialect, uri: &Uri, model: &str) -> Result<Uri, RewriteError> {
    let Some(span) = path::model_span(uri.path()) else {
        return match model_place(dialect, Provider::Generic) {
            ModelPlace::Path => Err(RewriteError::NoModelInPath { dialect }),
            _ => Ok(uri.clone()),
        };
    };
    let model = match dialect {
        // The way Google's SDKs spell it; the path has the prefix already.
        Dialect::Gemini => model.strip_prefix("models/").unwrap_or(model),
        _ => model,
    };
    if matches!(model, "" | "." | "..") {
        return Err(RewriteError::UnfitModel { model: model.into() });
    }
    let (before, after) = (&uri.path()[..span.start], &uri.path()[span.end..]);
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    let path = format!("{before}{}{after}{query}", path::percent_encode(model));
    let invalid = |error: http::Error| RewriteError::InvalidPath(error);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query =
        Some(PathAndQuery::try_from(path).map_err(|error| invalid(error.into()))?);
    Uri::from_parts(parts).map_err(|error| invalid(error.into()))
}

enum ModelPlace {
    Body,
    BodyIfPresent,
    Path,
}

fn model_place(dialect: Dialect, provider: Provider) -> ModelPlace {
    match dialect {
        Dialect::Gemini | Dialect::BedrockConverse | Dialect::BedrockInvoke => ModelPlace::Path,
        _ if habits::of(provider).model_may_be_in_path.contains(&dialect) => {
            ModelPlace::BodyIfPresent
        }
        _ => ModelPlace::Body,
    }
}

fn set_cap(
    splicer: &mut Splicer<'_>,
    dialect: Dialect,
    provider: Provider,
    cap: u64,
) -> Result<(), RewriteError> {
    let cap = cap.to_string();
    match dialect {
        Dialect::OpenAiChat => splicer.set_one_of(&habits::of(provider).chat_caps, &cap),
        Dialect::OpenAiResponses => splicer.set("max_output_tokens", &cap),
        Dialect::OpenAiCompletions | Dialect::AnthropicMessages | Dialect::CohereV2 => {
            splicer.set("max_tokens", &cap);
        }
        Dialect::Gemini => {
            let (camel, snake) = ("generationConfig", "generation_config");
            let names = ["maxOutputTokens", "max_output_tokens"];
            if splicer.has(snake) {
                splicer.set_inside(snake, &names, &cap)?;
            }
            if splicer.has(camel) || !splicer.has(snake) {
                splicer.set_inside(camel, &names, &cap)?;
            }
        }
        Dialect::BedrockConverse => splicer.set_inside("inferenceConfig", &["maxTokens"], &cap)?,
        Dialect::OllamaNative => splicer.set_inside("options", &["num_predict"], &cap)?,
        Dialect::BedrockInvoke => set_vendor_cap(splicer, &cap)?,
        Dialect::OpenAiEmbeddings => {
            return Err(RewriteError::NoSuchField { field: "max_output_tokens", dialect });
        }
    }
    Ok(())
}

/// Each vendor on Bedrock has a name of its own; known by itself or by what stands beside it.
fn set_vendor_cap(splicer: &mut Splicer<'_>, cap: &str) -> Result<(), RewriteError> {
    let flat = ["max_completion_tokens", "max_tokens", "max_gen_len", "max_tokens_to_sample"];
    let there: Vec<&str> = flat.into_iter().filter(|name| splicer.has(name)).collect();
    if !there.is_empty() {
        splicer.set_one_of(&there, cap);
    } else if splicer.has("anthropic_version") {
        splicer.set("max_tokens", cap);
    } else if splicer.has("inputText") {
        splicer.set_inside("textGenerationConfig", &["maxTokenCount"], cap)?;
    } else if splicer.has("inferenceConfig") || splicer.has("schemaVersion") {
        splicer.set_inside("inferenceConfig", &["maxTokens", "max_new_tokens"], cap)?;
    } else {
        return Err(RewriteError::UnknownVendor);
    }
    Ok(())
}

fn set_stream(
    splicer: &mut Splicer<'_>,
    dialect: Dialect,
    stream: bool,
) -> Result<(), RewriteError> {
    match dialect {
        Dialect::Gemini
        | Dialect::BedrockConverse
        | Dialect::BedrockInvoke
        | Dialect::OpenAiEmbeddings => {
            return Err(RewriteError::NoSuchField { field: "stream", dialect });
        }
        _ => {}
    }
    splicer.set("stream", if stream { "true" } else { "false" });
    if !stream {
        splicer.replace("stream_options", "null");
    }
    Ok(())
}

/// Whether usage in a stream has to be asked for.
fn reports_usage_on_request(dialect: Dialect, provider: Provider) -> bool {
    matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiCompletions)
        && habits::of(provider).sends_usage_on_request
}

fn include_usage(
    splicer: &mut Splicer<'_>,
    include: bool,
    streams: bool,
) -> Result<(), RewriteError> {
    match (include, streams) {
        (true, true) => splicer.set_inside("stream_options", &["include_usage"], "true"),
        (false, true) => splicer.replace_inside("stream_options", "include_usage", "false"),
        // Nothing to say about a stream that is not.
        (_, false) => Ok(()),
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
