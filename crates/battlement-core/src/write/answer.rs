//! An answer that says this text.

use bytes::Bytes;
use http::{StatusCode, Uri};

use super::{Form, Written, anthropic, bedrock, cohere, google, ollama, openai, text::Writer};
use crate::{
    Dialect,
    request::{Facts, Operation},
};

/// How an answer ends.
///
/// Complete: these are the endings of an answer that is written, and every dialect has a word for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It is all there.
    #[default]
    Complete,
    /// It was cut at the cap of tokens.
    Length,
    /// It was cut by a filter.
    Filtered,
}

/// What an answer says, and how it was asked for.
///
/// It counts no tokens unless told to: what nobody generated costs nothing.
#[derive(Clone, Debug)]
#[must_use]
pub struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    /// In seconds since 1970.
    pub(super) created: u64,
    pub(super) ending: Ending,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) form: Form,
    /// A stream of OpenAI's ends with its usage.
    pub(super) include_usage: bool,
    /// Ollama has two forms.
    pub(super) is_completion: bool,
}

impl<'a> Text<'a> {
    /// An answer that is complete, as one document.
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            id: "0",
            model: "",
            created: 0,
            ending: Ending::Complete,
            input: 0,
            output: 0,
            form: Form::Document,
            include_usage: false,
            is_completion: false,
        }
    }

    /// An answer to the request of which these are the facts and the address: by the model and in the
    /// form that it asks for.
    pub fn answering(text: &'a str, facts: &'a Facts, uri: &Uri) -> Self {
        let dialect = facts.dialect.unwrap_or(Dialect::OpenAiChat);
        Self {
            model: facts.model.as_deref().unwrap_or_default(),
            form: Form::asked(dialect, facts.stream, uri),
            include_usage: facts.include_usage == Some(true),
            is_completion: facts.operation == Operation::TextCompletion,
            ..Self::new(text)
        }
    }

    /// The id, behind whatever the dialect's ids begin with.
    pub const fn id(self, id: &'a str) -> Self {
        Self { id, ..self }
    }

    /// The model that is said to have written it.
    pub const fn model(self, model: &'a str) -> Self {
        Self { model, ..self }
    }

    /// When it was made, in seconds since 1970.
    pub const fn created(self, seconds: u64) -> Self {
        Self { created: seconds, ..self }
    }

    /// How it ends.
    pub const fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// How many tokens it is said to have cost.
    pub const fn tokens(self, input: u64, output: u64) -> Self {
        Self { input, output, ..self }
    }

    /// As a document or in pieces.
    pub const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    pub(super) fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    pub(super) fn is_document(&self) -> bool {
        self.form == Form::Document
    }
}

/// An answer in the form of this dialect. `None` where it has none: of embeddings, and of models on Bedrock
/// that are called in their vendor's own form, unless that is Anthropic.
///
/// ```
/// use battlement_core::{Dialect, write::{self, Text}};
///
/// let text = Text::new("We are busy. Please ask again in a minute.").model("gpt-5");
/// let written = write::answer(Dialect::OpenAiChat, &text).unwrap();
/// assert_eq!((written.status.as_u16(), written.content_type()), (200, "application/json"));
/// assert!(write::answer(Dialect::OpenAiEmbeddings, &text).is_none());
/// ```
pub fn answer(dialect: Dialect, text: &Text<'_>) -> Option<Written> {
    let mut out = Writer::default();
    match dialect {
        Dialect::OpenAiChat => openai::chat(&mut out, text),
        Dialect::OpenAiCompletions => openai::completion(&mut out, text),
        Dialect::OpenAiEmbeddings => return None,
        Dialect::OpenAiResponses => openai::response(&mut out, text),
        Dialect::AnthropicMessages => anthropic::message(&mut out, text),
        Dialect::Gemini => google::content(&mut out, text),
        Dialect::BedrockConverse => bedrock::converse(&mut out, text),
        Dialect::BedrockInvoke if !bedrock::is_claude(text.model) => return None,
        Dialect::BedrockInvoke if text.is_document() => anthropic::message(&mut out, text),
        Dialect::BedrockInvoke => bedrock::claude(&mut out, text),
        Dialect::CohereV2 => cohere::chat(&mut out, text),
        Dialect::OllamaNative => ollama::chat(&mut out, text),
    }
    let frames: Vec<Bytes> = out.into_frames();
    Some(Written::new(StatusCode::OK, text.form.content_type(dialect), frames))
}
