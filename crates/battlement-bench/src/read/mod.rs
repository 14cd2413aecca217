//! Reading answers: how they ended and what they cost, out of JSON bodies and event streams.
//!
//! Everybody gets the same job, [`Facts`], in the best form the library's users would write. Rows
//! marked as floors do less: they are right on this data, not on every answer.

mod anthropic;
mod json;
mod openai;
mod ours;
mod sonic;
mod sse;

use crate::{Bench, data};

pub(crate) fn run(bench: &mut Bench) {
    json::run(bench);
    sse::run(bench);
}

/// What is to be found in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    finish: Option<Finish>,
    /// Of the choice that finished.
    index: Option<u64>,
    usage: Usage,
    /// Whether there was text, a refusal or a tool call.
    output: bool,
    /// Whether a stream said that it was over.
    clean_end: bool,
}

/// A finish reason; a number, so that nobody allocates for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Stop,
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    reasoning: Option<u64>,
}

impl Finish {
    fn of(reason: &str) -> Self {
        match reason {
            "stop" | "end_turn" => Self::Stop,
            _ => Self::Other,
        }
    }
}

impl Facts {
    /// What every OpenAI answer of [`data`] says.
    const fn chat(clean_end: bool) -> Self {
        Self {
            finish: Some(Finish::Stop),
            index: Some(0),
            usage: Usage {
                input: Some(data::PROMPT_TOKENS),
                output: Some(data::COMPLETION_TOKENS),
                cached: Some(data::CACHED_TOKENS),
                reasoning: Some(data::REASONING_TOKENS),
            },
            output: true,
            clean_end,
        }
    }

    /// What every Anthropic stream of [`data`] says, which has no word on reasoning.
    const fn messages() -> Self {
        let mut facts = Self::chat(true);
        facts.usage.reasoning = None;
        facts
    }
}
