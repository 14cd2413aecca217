//! What the model says, whatever the dialect.

use std::{borrow::Cow, sync::Arc};

use battlement_core::Dialect;

use super::{Asked, dialect::word, text};

/// What the model says to one request.
///
/// The same reply can be told in any dialect; see [`reply`](super::reply()). It is one choice, however
/// many are asked for.
///
/// ```
/// use battlement_sim::answer::{Ending, Reply};
///
/// let cut_short = Reply::default().text("Paris is the").ending(Ending::Truncated).output_tokens(3);
/// assert_eq!(cut_short.chunks, 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The words. Without any, sentences with about one word per token of output.
    pub text: Option<Arc<str>>,
    /// How the model stops.
    pub ending: Ending,
    /// The tool it asks for, if [`Ending::ToolCall`] is how it stops.
    pub tool: Tool,
    /// All tokens of the prompt, those from the cache included. `None` for as many as
    /// [`Asked::input_tokens`] says.
    pub input_tokens: Option<u64>,
    /// How many tokens of the prompt came from the provider's cache.
    pub cached_tokens: u64,
    /// All tokens the model made, reasoning included.
    pub output_tokens: u64,
    /// How many of them it made before its first word. Told in the counts only, and only by dialects
    /// that tell.
    pub reasoning_tokens: u64,
    /// How many events of a stream bring text. One with less text than that has fewer.
    pub chunks: u32,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            text: None,
            ending: Ending::Complete,
            tool: Tool::default(),
            input_tokens: None,
            cached_tokens: 0,
            output_tokens: 16,
            reasoning_tokens: 0,
            chunks: 4,
        }
    }
}

impl Reply {
    /// Says exactly this.
    #[must_use]
    pub fn text(mut self, text: impl Into<Arc<str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Stops like this.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Asks for this tool. The arguments are a JSON object, written as they are.
    #[must_use]
    pub fn tool(mut self, name: impl Into<Arc<str>>, arguments: impl Into<Arc<str>>) -> Self {
        self.tool = Tool { name: name.into(), arguments: arguments.into() };
        self.ending(Ending::ToolCall)
    }

    /// Read so many tokens, whatever the request looks like.
    #[must_use]
    pub fn input_tokens(mut self, tokens: u64) -> Self {
        self.input_tokens = Some(tokens);
        self
    }

    /// Read so many of its tokens from the cache.
    #[must_use]
    pub fn cached_tokens(mut self, tokens: u64) -> Self {
        self.cached_tokens = tokens;
        self
    }

    /// Made so many tokens.
    #[must_use]
    pub fn output_tokens(mut self, tokens: u64) -> Self {
        self.output_tokens = tokens;
        self
    }

    /// Made so many of its tokens by thinking.
    #[must_use]
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.reasoning_tokens = tokens;
        self
    }

    /// Comes in so many events of text when streamed.
    #[must_use]
    pub fn chunks(mut self, chunks: u32) -> Self {
        self.chunks = chunks;
        self
    }
}

/// A tool that the model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tool {
    /// Its name.
    pub name: Arc<str>,
    /// A JSON object. It is written as it is: what is no JSON makes the answer malformed.
    pub arguments: Arc<str>,
}

impl Default for Tool {
    fn default() -> Self {
        Self { name: "get_weather".into(), arguments: r#"{"city":"Oslo"}"#.into() }
    }
}

/// How the model stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// It has said all it wanted to say.
    Complete,
    /// It came upon a stop string of the caller's.
    StopSequence,
    /// It wants a tool to be called.
    ToolCall,
    /// The server pauses a long turn.
    Paused,
    /// The output budget is used up.
    Truncated,
    /// The model's window is full.
    ContextWindow,
    /// A filter of the provider cut the text.
    Filtered,
    /// It repeated what it was trained on.
    Recitation,
    /// It declines.
    Refused,
    /// It wrote a tool call that nobody can read.
    MalformedToolCall,
    /// The generation failed, and the reason for stopping says so.
    Failed,
    /// A natural end, but not a word was said.
    Empty,
    /// The answer ends as it should, but gives no reason for stopping.
    Unfinished,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 13] = [
        Self::Complete,
        Self::StopSequence,
        Self::ToolCall,
        Self::Paused,
        Self::Truncated,
        Self::ContextWindow,
        Self::Filtered,
        Self::Recitation,
        Self::Refused,
        Self::MalformedToolCall,
        Self::Failed,
        Self::Empty,
        Self::Unfinished,
    ];

    /// Whether a dialect can tell it. One that cannot says [`Complete`](Self::Complete) instead, as
    /// its servers do: a model refuses in words where there is no field for it.
    pub fn is_told_by(self, dialect: Dialect) -> bool {
        match self {
            Self::Complete => true,
            Self::Unfinished => dialect != Dialect::OpenAiEmbeddings,
            _ => word(dialect, self).is_some(),
        }
    }
}

/// A reply as it is told in one dialect, with nothing left open.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) ending: Ending,
    /// The dialect's word for the ending.
    pub(super) word: Option<&'static str>,
    pub(super) text: Cow<'a, str>,
    pub(super) tool: &'a Tool,
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
    pub(super) chunks: usize,
}

impl<'a> Said<'a> {
    pub(super) fn new(asked: &Asked, reply: &'a Reply) -> Self {
        let told = reply.ending.is_told_by(asked.dialect);
        let ending = if told { reply.ending } else { Ending::Complete };
        let text = match (&reply.text, reply.ending) {
            (_, Ending::Empty) => "".into(),
            (Some(text), _) => Cow::Borrowed(&**text),
            (None, Ending::ToolCall | Ending::MalformedToolCall) if told => "".into(),
            (None, Ending::Refused) => REFUSAL.into(),
            (None, _) => {
                let words = reply.output_tokens.saturating_sub(reply.reasoning_tokens);
                text::sentences(asked.sequence, usize::try_from(words).unwrap_or(usize::MAX)).into()
            }
        };
        let input = reply.input_tokens.unwrap_or(asked.input_tokens);
        let output = if reply.ending == Ending::Empty { 0 } else { reply.output_tokens };
        Self {
            ending,
            word: word(asked.dialect, ending),
            text,
            tool: &reply.tool,
            input,
            cached: reply.cached_tokens.min(input),
            output,
            reasoning: reply.reasoning_tokens.min(output),
            chunks: usize::try_from(reply.chunks).unwrap_or(usize::MAX),
        }
    }

    /// The text in as many pieces as there are to be.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &str> {
        text::pieces(&self.text, self.chunks)
    }

    /// The arguments of the tool, likewise.
    pub(super) fn argument_pieces(&self) -> impl Iterator<Item = &str> {
        text::pieces(&self.tool.arguments, self.chunks)
    }

    /// The tokens of prompt and answer together.
    pub(super) fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

const REFUSAL: &str = "I'm sorry, but I can't help with that request.";
