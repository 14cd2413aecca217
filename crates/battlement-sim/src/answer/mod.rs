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
mod dialect;
mod error;
mod fault;
mod head;
mod inputs;
mod limits;
mod moment;
mod reply;
mod text;
mod write;

pub use asked::Asked;
pub use dialect::reply;
pub use error::{error_event, fault};
pub use fault::Fault;
pub use head::vendor;
pub use limits::{Limits, Over, Window, limits};
pub use reply::{Ending, Reply, Tool};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

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

#[cfg(test)]
mod tests;
