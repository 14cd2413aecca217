//! Takes the oldest turns out of a conversation that has become too long, and leaves every other byte alone.
//!
//! A conversation grows with each turn until it is larger than the model's window, and then each call fails. What can go is
//! what is oldest, but not all of it: the system prompt is mostly the first message, a result of a tool without the call that
//! it answers is refused by every provider, and so is a conversation that begins in the middle of an answer. So a
//! conversation is taken apart into **turns**: what the user says, and everything up to the next time that the user says something,
//! with the calls of tools and their results. Turns go whole, the oldest first. What stays for good:
//!
//! - what the system or the developer says, wherever it is;
//! - the newest turn;
//! - results of tools with their calls: turns that a result reaches back over are one.
//!
//! ```
//! use battlement_core::{Dialect, context};
//!
//! let body = br#"{"model": "m", "messages": [
//!     {"role": "system", "content": "Be brief."},
//!     {"role": "user", "content": "Who wrote Faust?"},
//!     {"role": "assistant", "content": "Goethe."},
//!     {"role": "user", "content": "When?"}
//! ]}"#;
//! let trimmed = context::trim(Dialect::OpenAiChat, body, 20)?.expect("it is larger than that");
//! assert_eq!(trimmed.dropped.messages, 2);
//! assert_eq!(trimmed.body, br#"{"model": "m", "messages": [
//!     {"role": "system", "content": "Be brief."},
//!     {"role": "user", "content": "When?"}
//! ]}"#);
//! # Ok::<(), context::Untrimmable>(())
//! ```

#[cfg(test)]
mod tests;
mod turns;

use std::{borrow::Cow, fmt};

use http::{HeaderMap, Method, Uri};

use self::turns::Conversation;
use crate::{Dialect, request::Facts};

/// What was taken out of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// How many messages, or whatever the dialect makes a list of.
    pub messages: usize,
    /// How many turns they were.
    pub turns: usize,
    /// The size of the prompt before, by [estimate](crate::request::estimate).
    pub before: u64,
    /// And after.
    pub after: u64,
}

impl Dropped {
    /// Both, one after the other.
    #[must_use]
    pub const fn and(self, later: Self) -> Self {
        Self {
            messages: self.messages + later.messages,
            turns: self.turns + later.turns,
            before: self.before,
            after: later.after,
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, turns, before, after } = self;
        write!(f, "{messages} messages in {turns} turns, from {before} to {after} tokens")
    }
}

/// A body that is shorter than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trimmed {
    /// All of it.
    pub body: Vec<u8>,
    /// What is missing.
    pub dropped: Dropped,
}

/// Why nothing was taken out of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrimmable {
    /// It has no list of messages.
    #[error("there is no conversation in it")]
    NoConversation,
    /// What has to stay is larger than what there is room for.
    #[error("what has to stay takes {least} tokens, and there is room for {room}")]
    TooLarge {
        /// The estimate of what has to stay.
        least: u64,
        /// What there is room for.
        room: u64,
    },
}

/// Whether conversations of this dialect can be taken apart.
pub const fn knows(dialect: Dialect) -> bool {
    turns::form(dialect).is_some()
}

/// Takes out as few of the oldest turns as it takes for the prompt to be no larger than this; `None` if it is not.
///
/// # Errors
///
/// When there is no conversation, or too little of it may go. The body stays as it is then.
pub fn trim(dialect: Dialect, body: &[u8], room: u64) -> Result<Option<Trimmed>, Untrimmable> {
    let before = tokens(dialect, body);
    if before <= room {
        return Ok(None);
    }
    let conversation = Conversation::read(dialect, body).ok_or(Untrimmable::NoConversation)?;
    let without = |turns: usize| -> (Cow<'_, [u8]>, u64) {
        let body = conversation.without(turns);
        let after = tokens(dialect, &body);
        (body, after)
    };
    // The most that may go; then the fewest that are enough.
    let (mut few, mut many) = (0, conversation.droppable());
    let (mut shortest, mut after) = without(many);
    if after > room {
        return Err(Untrimmable::TooLarge { least: after, room });
    }
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        let (body, tokens) = without(middle);
        if tokens <= room {
            (many, shortest, after) = (middle, body, tokens);
        } else {
            few = middle;
        }
    }
    let messages = conversation.messages(many);
    let dropped = Dropped { messages, turns: many, before, after };
    Ok(Some(Trimmed { body: shortest.into_owned(), dropped }))
}

/// The estimate of a prompt.
fn tokens(dialect: Dialect, body: &[u8]) -> u64 {
    let (uri, headers) = (Uri::from_static("/"), HeaderMap::new());
    Facts::read_as(dialect, &Method::POST, &uri, &headers, body).input_tokens
}
