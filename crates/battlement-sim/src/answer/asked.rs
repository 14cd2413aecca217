//! What of a request shapes its answer.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use battlement_core::{
    Dialect,
    request::{Facts, Operation},
};
use http::Uri;

use super::{Over, inputs};

/// What a provider has to know of a request to answer it.
///
/// Everything that differs from answer to answer (ids, dates) comes from [`sequence`](Self::sequence)
/// and [`at`](Self::at), so that the same request gets the same bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// The wire format to answer in.
    pub dialect: Dialect,
    /// What is asked for.
    pub operation: Operation,
    /// The model, which most answers repeat.
    pub model: Arc<str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether a stream is to be one JSON array: Gemini's way unless `alt=sse` is asked for.
    pub array: bool,
    /// Whether a stream is to tell token counts, where that has to be asked for.
    pub include_usage: bool,
    /// How many vectors are asked for in a list; `None` where there is no list, but one text.
    pub inputs: Option<u64>,
    /// The tokens of the prompt, for replies that do not say how many there were.
    pub input_tokens: u64,
    /// The limit that the request would go over, for errors that say so. They tell numbers of their own if it is
    /// not known.
    pub over: Option<Over>,
    /// The number of this request; ids are made from it.
    pub sequence: u64,
    /// The provider's clock. Header `date` tells it, so that a wait until some moment can be read
    /// whatever the reader's clock says.
    pub at: SystemTime,
}

impl Asked {
    /// A chat, or whatever the dialect is for, that is not streamed; the first request of all.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            operation: usual_operation(dialect),
            model: usual_model(dialect).into(),
            stream: false,
            array: false,
            include_usage: true,
            inputs: None,
            input_tokens: 24,
            over: None,
            sequence: 0,
            at: start(),
        }
    }

    /// What this request asks for, as far as the facts tell: not [how many](Self::inputs) vectors. One that tells no dialect is taken for OpenAI's chat.
    pub fn of(facts: &Facts, uri: &Uri, sequence: u64) -> Self {
        let dialect = facts.dialect.unwrap_or(Dialect::OpenAiChat);
        let sse =
            || uri.query().is_some_and(|query| query.split('&').any(|part| part == "alt=sse"));
        Self {
            dialect,
            operation: facts.operation,
            model: facts.model.clone().unwrap_or_else(|| usual_model(dialect).into()),
            stream: facts.stream,
            array: dialect == Dialect::Gemini && facts.stream && !sse(),
            include_usage: facts.include_usage == Some(true),
            inputs: None,
            input_tokens: facts.input_tokens,
            over: None,
            sequence,
            at: start(),
        }
    }

    /// Asks for a stream, or for none.
    #[must_use]
    pub fn stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Asks for as many vectors as this body has inputs, if it is vectors that are asked for.
    #[must_use]
    pub fn inputs_of(mut self, body: &[u8]) -> Self {
        if self.operation == Operation::Embeddings {
            self.inputs = inputs::count(body);
        }
        self
    }

    /// The moment of the answer by the provider's clock.
    #[must_use]
    pub fn at(mut self, at: SystemTime) -> Self {
        self.at = at;
        self
    }

    /// The provider's clock in whole seconds since 1970.
    pub(super) fn seconds(&self) -> u64 {
        self.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// A number that looks like an id: one to one with the sequence number.
    pub(super) fn id(&self) -> u64 {
        let mut mixed = self.sequence.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Whether text is to be written; vectors, counts and lists are something else.
    pub(super) fn generates(&self) -> bool {
        // What nobody can name is answered like the dialect's usual request.
        (self.operation.generates() || self.operation == Operation::Other)
            && self.dialect != Dialect::OpenAiEmbeddings
    }
}

/// Noon of some day, where the provider's clock stands unless it is set.
fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

fn usual_operation(dialect: Dialect) -> Operation {
    match dialect {
        Dialect::OpenAiCompletions => Operation::TextCompletion,
        Dialect::OpenAiEmbeddings => Operation::Embeddings,
        Dialect::Gemini => Operation::GenerateContent,
        _ => Operation::Chat,
    }
}

fn usual_model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiCompletions => "gpt-3.5-turbo-instruct",
        Dialect::OpenAiEmbeddings => "text-embedding-3-small",
        Dialect::AnthropicMessages => "claude-sonnet-5",
        Dialect::Gemini => "gemini-3-flash",
        Dialect::BedrockConverse | Dialect::BedrockInvoke => "anthropic.claude-sonnet-5-v1:0",
        Dialect::CohereV2 => "command-a-03-2025",
        Dialect::OllamaNative => "llama3.2",
        _ => "gpt-5-mini",
    }
}
