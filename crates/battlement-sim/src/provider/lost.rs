//! Connections that fail.

use std::io;

/// The connection failed: before the head, as the error of a call, or behind it, as the error of a body.
///
/// Its source is an [`io::Error`] of the kind that a client on a socket gets, so whoever looks for that
/// finds the same.
#[derive(Debug, thiserror::Error)]
#[error("{}", .why.as_str())]
pub struct Lost {
    why: Why,
    source: io::Error,
}

/// How a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It was closed before the answer was complete.
    Closed,
    /// It was reset.
    Reset,
    /// There was nobody to connect to.
    Unreachable,
    /// What came was no HTTP.
    NotHttp,
    /// The request did not come to its end.
    Request,
}

impl Why {
    /// The sentence for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "connection closed before the answer was complete",
            Self::Reset => "connection reset by the provider",
            Self::Unreachable => "connection refused by the provider",
            Self::NotHttp => "the provider sent something that is no chunk",
            Self::Request => "the request could not be read to its end",
        }
    }

    const fn kind(self) -> io::ErrorKind {
        match self {
            Self::Closed | Self::Request => io::ErrorKind::UnexpectedEof,
            Self::Reset => io::ErrorKind::ConnectionReset,
            Self::Unreachable => io::ErrorKind::ConnectionRefused,
            Self::NotHttp => io::ErrorKind::InvalidData,
        }
    }
}

impl Lost {
    pub(crate) fn new(why: Why) -> Self {
        Self { why, source: why.kind().into() }
    }

    /// How it failed.
    pub fn why(&self) -> Why {
        self.why
    }
}
