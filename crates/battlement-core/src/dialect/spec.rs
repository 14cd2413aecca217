//! The form in which a dialect describes itself: data, read by one engine.

use super::Provider;
use crate::scan::shape::Node;

/// Everything the engine has to know about a dialect's answers.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Where the fields of an answer, or of one event of it, are.
    pub(crate) answer: &'static Node,
    /// What the words in [`Field::EventType`](super::Field::EventType) mean; the first match counts,
    /// and `*` at the front stands for any beginning.
    pub(crate) events: &'static [(&'static str, EventKind)],
    /// What an event of any other type is.
    pub(crate) other_events: EventKind,
    /// What the words in [`Field::PartType`](super::Field::PartType) mean; the first match counts,
    /// and `*` at the front stands for any beginning.
    pub(crate) parts: &'static [(&'static str, PartKind)],
    /// What a stream says when it is over.
    pub(crate) end: End,
    /// How choices are told apart.
    pub(crate) choices: Choices,
    /// The input count leaves out cache reads and writes.
    pub(crate) cache_beside_input: bool,
    /// A missing output count means none, not unknown.
    pub(crate) absent_output_is_zero: bool,
    /// Documents follow each other even where the content type does not say so.
    pub(crate) many_documents: bool,
    /// Who leaves reasoning out of the output count.
    pub(crate) reasoning_beside_output: &'static [Provider],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A part of the answer that may say anything about it.
    Answer,
    /// Output, and nothing about how the answer goes on or ends.
    Output,
    /// Of a type nobody knows: whatever stands in it means something else.
    Unknown,
    /// The last event of a stream.
    End,
    /// The last event of a stream that failed.
    Failed,
    /// An error; an answer may still have begun.
    Error,
    /// A sign of life without content.
    KeepAlive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// The model asks for a tool.
    ToolCall,
    /// The model asks for nothing, whatever the name looks like.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `data: [DONE]`, or an event of kind [`EventKind::End`].
    Marker,
    /// Nothing: an answer whose choices are all finished is whole.
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choices {
    /// Any number, each with an index; without one, the position counts.
    ByPosition,
    /// Any number, each with an index that is left out when it is 0.
    ZeroLeftOut,
    /// Always one.
    One,
    /// None: the answer is not generated text, and is whole when it is there.
    Nothing,
    /// None, and no form either.
    Anything,
}

impl Spec {
    /// The form of an answer that is an error by its status.
    pub(crate) const fn for_errors(answer: &'static Node) -> Self {
        Self {
            answer,
            events: &[],
            other_events: EventKind::Answer,
            parts: &[],
            end: End::Finish,
            choices: Choices::Nothing,
            cache_beside_input: false,
            absent_output_is_zero: false,
            many_documents: false,
            reasoning_beside_output: &[],
        }
    }

    /// The form of an answer that is not generated: any document will do.
    pub(crate) const fn for_anything(answer: &'static Node) -> Self {
        Self { choices: Choices::Anything, ..Self::for_errors(answer) }
    }

    /// Whether nothing in the answer is generated, so that it cannot be cut short or filtered.
    pub(crate) fn is_not_generated(&self) -> bool {
        matches!(self.choices, Choices::Nothing | Choices::Anything)
    }

    #[inline]
    pub(crate) fn event_kind(&self, word: &[u8]) -> EventKind {
        let kind = self.events.iter().find(|(known, _)| matches(known, word));
        kind.map_or(self.other_events, |(_, kind)| *kind)
    }

    pub(crate) fn part_kind(&self, word: &[u8]) -> Option<PartKind> {
        self.parts.iter().find(|(known, _)| matches(known, word)).map(|(_, kind)| *kind)
    }
}

fn matches(known: &str, word: &[u8]) -> bool {
    match known.strip_prefix('*') {
        Some(end) => word.ends_with(end.as_bytes()),
        None => known.as_bytes() == word,
    }
}
