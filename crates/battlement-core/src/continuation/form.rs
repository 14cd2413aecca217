//! What has to be known of a dialect to make one answer of several.
//!
//! Each dialect says it in a file of its own: what an event of a stream means for the splice, where the text is, and what at
//! the end has to be that of the first answer.

use super::{anthropic, gemini, openai_chat, responses};
use crate::Dialect;

/// A dialect, as far as answers in it can be continued.
#[derive(Debug)]
pub(super) struct Form {
    /// What an event of a stream means.
    pub(super) read: fn(&[u8]) -> Seen,
    /// Whether an event that cannot be continued is a part of the answer, which would be missing without it.
    pub(super) is_part: fn(&[u8]) -> bool,
    /// What an answer that is no stream has.
    pub(super) whole: fn(&[u8]) -> Option<Parts>,
    /// Where text is in an event that brings some, or in the one that brings the end.
    pub(super) text: &'static str,
    /// What names the answer, in each event of it: taken from the first answer.
    pub(super) names: &'static [&'static str],
    /// Where the reason for stopping is in an event that brings text; it has none of its own then.
    pub(super) finish: &'static str,
    /// What only the first event with text has, if there is such a thing.
    pub(super) beginning: &'static str,
    /// Where token counts are, in an event or an answer.
    pub(super) usage: &'static [&'static str],
    /// What says how an answer that is no stream has ended: taken from the last.
    pub(super) ending: &'static [&'static str],
    /// What more an event needs that is not of the first answer.
    pub(super) adapt: fn(&[u8], &Known<'_>) -> Option<Vec<u8>>,
    /// The member of a request that is its list of messages.
    pub(super) list: &'static str,
}

/// What an event of a stream means for the splice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: a sign of life, or a beginning that a further round does not need.
    Aside,
    /// A part of the answer begins that text will be in.
    Item,
    /// Text.
    Text,
    /// Something is over, and it is the end unless more comes.
    Closing,
    /// The reason for stopping; there may be text with it.
    End,
    /// An error.
    Error,
    /// Something that cannot be continued.
    Foreign,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    /// The reason for stopping.
    pub(super) finish: Option<Box<str>>,
    /// Its number, where events have one.
    pub(super) number: Option<u64>,
}

impl Seen {
    pub(super) const fn of(kind: Kind) -> Self {
        Self { kind, finish: None, number: None }
    }

    pub(super) fn end(finish: &[u8]) -> Self {
        let finish = String::from_utf8_lossy(finish).into();
        Self { finish: Some(finish), ..Self::of(Kind::End) }
    }
}

/// What is known of the first answer when an event of a later one is made to look like it.
pub(super) struct Known<'k> {
    /// All of the text.
    pub(super) text: &'k str,
    /// The event with text that others are made after.
    pub(super) template: &'k [u8],
    /// The number of the event.
    pub(super) number: u64,
}

/// What an answer that is no stream has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Where its text is; more is put into the last.
    pub(super) texts: &'static str,
    /// Why it ended.
    pub(super) finish: Box<str>,
}

impl Parts {
    pub(super) fn new(texts: &'static str, finish: &[u8]) -> Self {
        Self { texts, finish: String::from_utf8_lossy(finish).into() }
    }
}

/// Nothing more is needed.
pub(super) fn as_it_is(_event: &[u8], _known: &Known<'_>) -> Option<Vec<u8>> {
    None
}

/// The form of a dialect; `None` for those whose answers are not continued.
pub(super) const fn form(dialect: Dialect) -> Option<&'static Form> {
    match dialect {
        Dialect::OpenAiChat => Some(&openai_chat::FORM),
        Dialect::AnthropicMessages => Some(&anthropic::FORM),
        Dialect::OpenAiResponses => Some(&responses::FORM),
        Dialect::Gemini => Some(&gemini::FORM),
        _ => None,
    }
}
