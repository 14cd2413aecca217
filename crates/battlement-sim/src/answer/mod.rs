//! What a provider says to one request, byte by byte, in every dialect.
//!
//! A test that invents its provider's answers tests what its author believes. These are made like
//! the captured ones: field for field, with the provider's own names for reasons, errors and limits,
//! its own headers, and its own place for a wait, or none. They are written apart from
//! [`battlement_core`], which reads them, so that a mistake in one shows in the other.
//!
//! Nothing here is random, and no clock is read: ids come from [`Asked::sequence`] and dates from
//! [`Asked::at`], so the same request gets the same bytes.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use battlement_core::{Code, Dialect, End, Reader, hint::Dimension};
//! use battlement_sim::answer::{self, Asked, Ending, Fault, Reply};
//!
//! let asked = Asked::new(Dialect::OpenAiChat).stream(true);
//! let answer = answer::reply(&asked, &Reply::default().ending(Ending::Truncated));
//! let mut reader =
//!     Reader::new(asked.dialect, answer::vendor(asked.dialect), answer.status, &answer.headers);
//! for event in answer.content.pieces() {
//!     let _ = reader.feed(event);
//! }
//! let verdict = reader.finish(End::Eof, SystemTime::UNIX_EPOCH);
//! assert_eq!(verdict.code(), Some(Code::Truncated));
//!
//! let limited = Fault::RateLimited(Dimension::Tokens);
//! let answer = answer::fault(&asked, limited, Some(Duration::from_millis(1200)));
//! assert_eq!(answer.headers["retry-after-ms"], "1200");
//! ```

mod asked;
mod error;
mod fault;
mod head;
mod limits;
mod moment;
mod openai_chat;
mod openai_error;
mod reply;
mod text;
mod write;

pub use asked::Asked;
pub use error::{error_event, fault};
pub use fault::Fault;
pub use head::vendor;
pub use limits::{Limits, Window, limits};
pub use reply::{Ending, Reply, Tool};

use battlement_core::Dialect;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::{reply::Said, write::Writer};

/// What a provider says to one request, before anything goes wrong on the wire.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that the transport writes.
    pub headers: HeaderMap,
    /// The body.
    pub content: Content,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A document.
    Whole(Bytes),
    /// A stream: one piece per event, framing included. The last is the terminal event.
    Events(Vec<Bytes>),
}

impl Content {
    /// The pieces in which the body is written: of a document, one.
    pub fn pieces(&self) -> &[Bytes] {
        match self {
            Self::Whole(bytes) => std::slice::from_ref(bytes),
            Self::Events(events) => events,
        }
    }

    /// All of the body.
    pub fn concat(&self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.clone(),
            Self::Events(events) => events.concat().into(),
        }
    }
}

/// The provider replies.
pub fn reply(asked: &Asked, reply: &Reply) -> Answer {
    let said = Said::new(asked, reply);
    let chunks = if asked.stream { said.chunks.min(said.text.len()) } else { 0 };
    let mut out = Writer::with_capacity(1024 + said.text.len() + 320 * chunks, chunks + 8);
    let (content_type, content) = if asked.stream {
        openai_chat::stream(&mut out, asked, &said);
        ("text/event-stream; charset=utf-8", out.into_events())
    } else {
        openai_chat::whole(&mut out, asked, &said);
        ("application/json", out.into_whole())
    };
    Answer { status: StatusCode::OK, headers: head::headers(asked, content_type), content }
}

/// The dialect's word for an ending, if it has one.
fn word(_dialect: Dialect, ending: Ending) -> Option<&'static str> {
    openai_chat::word(ending)
}
