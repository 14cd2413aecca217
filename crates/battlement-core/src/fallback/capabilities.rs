//! What a route can do.

use std::fmt;

use crate::request::Facts;

/// What a route can do; `None` is not known, and taken for a yes.
///
/// ```
/// use battlement_core::fallback::Capabilities;
///
/// let small = Capabilities { context: Some(128_000), vision: Some(false), ..Default::default() };
/// # let _ = small;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// How many tokens the model's window has, for prompt and answer together.
    pub context: Option<u64>,
    /// How many tokens one answer may have.
    pub output: Option<u64>,
    /// Whether the model calls tools.
    pub tools: Option<bool>,
    /// Whether answers can be made to fit a JSON schema.
    pub json_schema: Option<bool>,
    /// Whether the model sees images.
    pub vision: Option<bool>,
    /// Whether answers are streamed.
    pub streaming: Option<bool>,
}

/// What a request asks for and a route cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lack {
    /// The prompt and what may be answered are larger than the window.
    Context,
    /// More output is asked for than one answer may have.
    Output,
    /// Tools are offered.
    Tools,
    /// The answer is to fit a schema.
    JsonSchema,
    /// There are images.
    Vision,
    /// The answer is to be streamed.
    Streaming,
}

impl Lack {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Output => "output",
            Self::Tools => "tools",
            Self::JsonSchema => "json_schema",
            Self::Vision => "vision",
            Self::Streaming => "streaming",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Capabilities {
    /// What a request asks for that is missing here, with the output cap that it goes out with.
    ///
    /// The size of the prompt is an estimate, so a route whose window is only just large enough may be
    /// left out, and one whose window is only just too small asked.
    pub fn lacks(&self, facts: &Facts, cap: Option<u64>) -> Option<Lack> {
        let over = |limit: Option<u64>, asked: u64| limit.is_some_and(|limit| asked > limit);
        let cannot = |can: Option<bool>, asked: bool| asked && can == Some(false);
        let cap = cap.unwrap_or(0);
        if over(self.context, facts.input_tokens.saturating_add(cap)) {
            Some(Lack::Context)
        } else if over(self.output, cap) {
            Some(Lack::Output)
        } else if cannot(self.tools, facts.tools) {
            Some(Lack::Tools)
        } else if cannot(self.json_schema, facts.structured_output) {
            Some(Lack::JsonSchema)
        } else if cannot(self.vision, facts.images > 0) {
            Some(Lack::Vision)
        } else if cannot(self.streaming, facts.stream) {
            Some(Lack::Streaming)
        } else {
            None
        }
    }
}
