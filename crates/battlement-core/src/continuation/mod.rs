//! Makes one answer of several: the first, and what further calls add to it.
//!
//! An answer that stops at the output limit, or breaks off, is not lost: the rest can be asked for. What comes then is an answer of
//! its own, with a name, a head and an end of its own, and a client that has half of the first can do nothing with it. So the
//! rounds are spliced:
//!
//! - A [`Splicer`] for streams. The first round passes as it is, byte for byte; only its end is held back, until it is known whether
//!   there is another. Of that, only text goes on, in events made after one of the first answer: with its names, numbers
//!   and members. At the end there is one end: the last round's, with the names of the first, and with the sum of all counts.
//! - A [`Whole`] for answers that are no streams. The first stays as it is but for the text, the end and the counts.
//!
//! What is asked for in a further round is one of these. [`prefilled`]: the text so far is the beginning of the answer, for servers that
//! go on with it, of which [`prefill`] is a table. The same request again, of whose answer is left out what is known already,
//! for as long as it is the same ([`Overlap::All`]). [`followed_up`]: a further turn that asks to go on.
//!
//! Only text of a single choice is continued, in the chat dialects of OpenAI (also the Responses API), Anthropic and Gemini. Whatever has
//! anything else in it (tool calls, thoughts, refusals, citations, log probabilities) passes as it is.
//!
//! ```
//! use battlement_core::{Dialect, continuation::{Close, Overlap, Splicer}};
//!
//! let event = |id: &str, text: &str, finish: &str| {
//!     let choice = format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish}}}"#);
//!     format!("data: {{\"id\":\"{id}\",\"choices\":[{choice}]}}\n\n")
//! };
//! let mut splicer = Splicer::new(Dialect::OpenAiChat, 1 << 20).expect("they are continued");
//! let first = [event("a", "Once ", "null"), event("a", "", "\"length\"")].concat();
//! let passed = splicer.feed(first.as_bytes());
//! assert_eq!(&first[passed.slice], event("a", "Once ", "null"));
//!
//! splicer.go_on(Overlap::Blanks);
//! let rest = [event("b", "upon", "null"), event("b", "", "\"stop\"")].concat();
//! assert_eq!(splicer.feed(rest.as_bytes()).before, event("a", "upon", "null").as_bytes());
//! assert_eq!(splicer.close(), Close::Ended(event("a", "", "\"stop\"").into()));
//! ```

mod anthropic;
mod ask;
mod counts;
mod form;
mod frames;
mod gemini;
mod openai_chat;
mod overlap;
mod places;
mod prefill;
mod responses;
mod splicer;
#[cfg(test)]
mod tests;
mod text;
mod whole;

pub use ask::{Unfit, followed_up, prefilled};
pub use overlap::{Diverged, Overlap};
pub use prefill::{DATED, Prefill, prefill};
pub use splicer::{Close, Passed, Splicer, Standing};
pub use whole::{Unjoinable, Whole};

use crate::Dialect;

/// Whether answers in this dialect can be continued.
pub const fn knows(dialect: Dialect) -> bool {
    form::form(dialect).is_some()
}
