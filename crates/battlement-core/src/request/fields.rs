//! One pass over a request body: every field any dialect puts there, wherever it is.
//!
//! The dialects share a shape (a few scalars, then the prompt), so one walk serves them all and
//! need not know beforehand who is speaking; [`Facts`](super::Facts) picks what counts for its
//! dialect afterwards. The walk is a small automaton: each value has a [`Place`](place::Place), found from the
//! place of its parent and its key, and the place says what a scalar there means.
//!
//! Of a field given twice the last counts, as it does for the servers; a flag, once set, stays.

mod place;
mod reader;

use self::reader::Reader;
use super::{cursor::Text, estimate::Estimator};

/// Adds up the tokens of a prompt.
pub(super) trait Counter {
    /// A text of its own.
    fn text(&mut self, text: Text<'_>);
    /// What is charged by the piece.
    fn add(&mut self, tokens: u64);
    /// The sum.
    fn tokens(&self) -> u64;
}

impl Counter for Estimator {
    fn text(&mut self, text: Text<'_>) {
        self.split();
        self.json(text.raw);
    }

    fn add(&mut self, tokens: u64) {
        self.add(tokens);
    }

    fn tokens(&self) -> u64 {
        self.tokens()
    }
}

/// What was found, not yet judged by dialect.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) is_object: bool,
    pub(super) model: Option<Text<'a>>,
    pub(super) stream: Option<bool>,
    pub(super) include_usage: Option<bool>,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    /// Llama's `max_gen_len` on Bedrock.
    pub(super) max_gen_len: Option<u64>,
    /// The cap inside `generationConfig`.
    pub(super) generation_cap: Option<u64>,
    /// The cap inside `inferenceConfig`.
    pub(super) inference_cap: Option<u64>,
    /// The cap inside `textGenerationConfig`.
    pub(super) titan_cap: Option<u64>,
    /// The cap inside `options`.
    pub(super) options_cap: Option<u64>,
    pub(super) n: Option<u64>,
    pub(super) best_of: Option<u64>,
    pub(super) candidate_count: Option<u64>,
    pub(super) tools: bool,
    pub(super) server_tools: bool,
    pub(super) structured: bool,
    /// Ollama's `format`, which means nothing elsewhere.
    pub(super) ollama_format: bool,
    pub(super) server_state: bool,
    pub(super) images: u32,
    pub(super) audio: u32,
    pub(super) documents: u32,
    pub(super) input_tokens: u64,
    /// Which prompt fields there are: the body's shape.
    pub(super) seen: Seen,
}

/// Top-level keys that tell dialects apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) messages: bool,
    pub(super) contents: bool,
    pub(super) input: bool,
    pub(super) prompt: bool,
    pub(super) instructions: bool,
    pub(super) system: bool,
    pub(super) anthropic_version: bool,
    pub(super) converse: bool,
    pub(super) titan: bool,
    pub(super) ollama: bool,
}

impl<'a> Fields<'a> {
    /// Reads a body, in time linear in its length and without recursion; finds nothing in one that
    /// is not an object.
    pub(super) fn read(body: &'a [u8]) -> Self {
        Self::read_with(body, Estimator::default())
    }

    /// Reads a body and counts its prompt otherwise than by estimate.
    pub(super) fn read_with(body: &'a [u8], counter: impl Counter) -> Self {
        let mut fields = Self::default();
        if Reader::read(body, counter, &mut fields).is_err() || !fields.is_object {
            fields = Self::default();
        }
        fields
    }
}

impl Seen {
    fn note(&mut self, key: &[u8]) {
        match key {
            b"messages" => self.messages = true,
            b"contents" => self.contents = true,
            b"input" => self.input = true,
            b"prompt" => self.prompt = true,
            b"instructions" | b"previous_response_id" => self.instructions = true,
            b"system" => self.system = true,
            b"anthropic_version" => self.anthropic_version = true,
            b"inferenceConfig" | b"toolConfig" => self.converse = true,
            b"inputText" => self.titan = true,
            b"options" | b"keep_alive" => self.ollama = true,
            _ => {}
        }
    }
}
