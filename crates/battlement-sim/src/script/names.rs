//! What things are called in scripts.

use battlement_core::hint::Dimension;
use http::StatusCode;

use super::How;
use crate::answer::{Ending, Fault};

/// What answers are called that the model ends.
pub(super) const ENDINGS: [(&str, Ending); 13] = [
    ("ok", Ending::Complete),
    ("stop sequence", Ending::StopSequence),
    ("tool call", Ending::ToolCall),
    ("pause", Ending::Paused),
    ("truncate", Ending::Truncated),
    ("window full", Ending::ContextWindow),
    ("filter", Ending::Filtered),
    ("recite", Ending::Recitation),
    ("refuse", Ending::Refused),
    ("bad tool call", Ending::MalformedToolCall),
    ("fail", Ending::Failed),
    ("empty", Ending::Empty),
    ("unfinished", Ending::Unfinished),
];

/// What errors are called.
pub(super) const FAULTS: [(&str, Fault); 21] = [
    ("rate limited", Fault::RateLimited(Dimension::Requests)),
    ("tokens limited", Fault::RateLimited(Dimension::Tokens)),
    ("throttled", Fault::RateLimited(Dimension::Other)),
    ("never fits", Fault::NeverFits),
    ("quota exhausted", Fault::QuotaExhausted),
    ("overloaded", Fault::Overloaded),
    ("model loading", Fault::ModelNotReady),
    ("internal", Fault::Internal),
    ("timeout", Fault::Timeout),
    ("bad gateway", Fault::BadGateway),
    ("unavailable", Fault::Unavailable),
    ("gateway timeout", Fault::GatewayTimeout),
    ("invalid key", Fault::InvalidKey),
    ("missing key", Fault::MissingKey),
    ("access denied", Fault::AccessDenied),
    ("model not found", Fault::ModelNotFound),
    ("context overflow", Fault::ContextOverflow),
    ("content policy", Fault::ContentPolicy),
    ("too large", Fault::RequestTooLarge),
    ("invalid request", Fault::InvalidRequest),
    ("conflict", Fault::Conflict),
];

/// What may happen between events, errors apart.
pub(super) const BREAKS: [(&str, How); 7] = [
    ("cut", How::Cut),
    ("torn", How::Torn),
    ("end", How::End),
    ("stall", How::Stall),
    ("reset", How::Reset),
    ("malformed", How::Malformed),
    ("bad chunk", How::BadChunk),
];

/// The error that most likely comes with a status.
pub(super) fn fault_of(status: StatusCode) -> Fault {
    match status.as_u16() {
        401 => Fault::InvalidKey,
        402 => Fault::QuotaExhausted,
        403 => Fault::AccessDenied,
        404 => Fault::ModelNotFound,
        408 => Fault::Timeout,
        409 => Fault::Conflict,
        413 => Fault::RequestTooLarge,
        429 => Fault::RateLimited(Dimension::Requests),
        502 => Fault::BadGateway,
        503 | 529 => Fault::Overloaded,
        504 => Fault::GatewayTimeout,
        400..500 => Fault::InvalidRequest,
        _ => Fault::Internal,
    }
}
