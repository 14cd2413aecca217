//! What can happen to one request.

use std::time::Duration;

use battlement_sim::{Step, answer::Fault};

/// How many words a whole answer has. Each is a token, and comes in an event of its own.
pub(super) const WORDS: u32 = 60;

/// The tokens of every prompt.
pub(super) const PROMPT: u64 = 400;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// Nothing: it is answered, and all of the answer comes.
    None,
    /// The first word takes so long.
    Slow(Duration),
    /// 429: nobody is served before so long a time.
    Limited(Duration),
    /// 503, or what the provider has for it.
    Overloaded,
    /// 500.
    Internal,
    /// The connection is reset before anything is answered.
    Lost,
    /// A 200, and an end in good order behind so many words. No error, no reason for stopping: what
    /// is left of an answer when something on the way gives up.
    Ends(u32),
    /// The connection is closed behind so many words.
    Closed(u32),
    /// The same, and the head has promised a length.
    TooShort(u32),
    /// It is reset behind so many words.
    Reset(u32),
    /// Silence behind so many words.
    Stalls(u32),
    /// An error among the events, behind so many words.
    Error(u32),
    /// The token limit is reached behind so many words.
    Truncated(u32),
    /// A filter stops the answer behind so many words.
    Filtered(u32),
}

/// The ways in which an answer can be taken for whole although it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    Cut,
    Empty,
    Truncated,
    Filtered,
}

impl Mishap {
    /// What the provider does, to a request whose whole answer would be this text.
    pub(super) fn step(self, text: &str) -> Step {
        let whole = || Step::ok().saying(text).tokens(WORDS.into());
        let part = |words: u32, step: Step| step.saying(&first(text, words)).tokens(words.into());
        // The first event of a stream has no text yet.
        match self {
            Self::None => whole(),
            Self::Slow(wait) => whole().first_after(wait),
            Self::Limited(wait) => Step::rate_limited().hint(wait),
            Self::Overloaded => Step::overloaded(),
            Self::Internal => Step::internal(),
            Self::Lost => Step::reset(),
            Self::Ends(0) => whole().end_after(0),
            Self::Ends(words) => whole().end_after(words + 1),
            Self::Closed(words) => whole().cut_after(words + 1),
            Self::TooShort(words) => whole().cut_after(words + 1).wrong_length(),
            Self::Reset(words) => whole().reset_after(words + 1),
            Self::Stalls(words) => whole().stall_after(words + 1),
            Self::Error(words) => whole().error_after(words + 1, Fault::Internal),
            Self::Truncated(words) => part(words, Step::truncate()),
            Self::Filtered(words) => part(words, Step::filter()),
        }
    }

    /// How the answer can be taken for whole although it is not.
    pub(super) const fn quiet(self) -> Option<Quiet> {
        match self {
            Self::Ends(0) => Some(Quiet::Empty),
            Self::Ends(_) => Some(Quiet::Cut),
            Self::Truncated(_) => Some(Quiet::Truncated),
            Self::Filtered(_) => Some(Quiet::Filtered),
            _ => None,
        }
    }

    /// What the provider charges, of which so many events went out: the prompt and the words that were
    /// written, if a model was at work at all.
    pub(super) fn charge(self, events: u32) -> u64 {
        match self {
            Self::Limited(_) | Self::Overloaded | Self::Internal | Self::Lost => 0,
            Self::Truncated(words) | Self::Filtered(words) => {
                PROMPT + u64::from(events.saturating_sub(1).min(words))
            }
            // The error is an event as well.
            Self::Error(words) => PROMPT + u64::from(events.saturating_sub(1).min(words)),
            _ => PROMPT + u64::from(events.saturating_sub(1).min(WORDS)),
        }
    }

    /// The name for machines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Slow(_) => "slow_first_word",
            Self::Limited(_) => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal_error",
            Self::Lost => "reset",
            Self::Ends(0) => "empty",
            Self::Ends(_) => "ended_early",
            Self::Closed(_) => "cut",
            Self::TooShort(_) => "wrong_length",
            Self::Reset(_) => "reset_midway",
            Self::Stalls(_) => "stalled",
            Self::Error(_) => "error_midway",
            Self::Truncated(_) => "truncated",
            Self::Filtered(_) => "filtered",
        }
    }

    /// The sentence for people.
    pub(super) fn sentence(self) -> String {
        match self {
            Self::None => "nothing happened".to_owned(),
            Self::Slow(wait) => format!("the first word took {} s", wait.as_secs()),
            Self::Limited(wait) => format!("429, come back in {} s", wait.as_secs()),
            Self::Overloaded => "503, overloaded".to_owned(),
            Self::Internal => "500, internal error".to_owned(),
            Self::Lost => "the connection was reset".to_owned(),
            Self::Ends(0) => "a 200 without a word".to_owned(),
            Self::Ends(words) => format!("the stream was cut after {}", counted(words)),
            Self::Closed(words) => format!("the connection broke after {}", counted(words)),
            Self::TooShort(words) => {
                format!("fewer bytes came than were promised, {}", counted(words))
            }
            Self::Reset(words) => format!("the connection was reset after {}", counted(words)),
            Self::Stalls(words) => format!("silence after {}", counted(words)),
            Self::Error(words) => format!("an error in the stream after {}", counted(words)),
            Self::Truncated(words) => format!("the token limit was reached at {}", counted(words)),
            Self::Filtered(words) => format!("a filter stopped it after {}", counted(words)),
        }
    }
}

fn counted(words: u32) -> String {
    format!("{words} word{}", if words == 1 { "" } else { "s" })
}

/// The whole answer to a call: as many letters in each word, so that an event is a word.
///
/// A stream is cut into pieces of equal length, whatever the words are.
pub(super) fn text(call: u64) -> String {
    const STORY: [&str; 16] = [
        "When", "dawn", "came", "upon", "that", "wall", "they", "were", "gone", "from", "each",
        "gate", "none", "knew", "what", "held",
    ];
    let first = (call % 16) as usize;
    let words = STORY.iter().cycle().skip(first).take(WORDS as usize);
    words.fold(String::new(), |text, word| text + word + " ")
}

/// So many words of it.
fn first(text: &str, words: u32) -> String {
    text.split_inclusive(' ').take(words as usize).collect()
}
