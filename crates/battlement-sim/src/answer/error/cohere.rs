//! How Cohere complains: by status, with a sentence.

use std::time::Duration;

use battlement_core::hint::Dimension;
use http::{HeaderMap, HeaderName};

use super::{Complaint, number};
use crate::answer::{
    Asked, Fault, Over, head::uuid, limits::whole_seconds_later, text::Escaped, write::Writer,
};

pub(super) fn complaint(asked: &Asked, fault: Fault) -> Option<Complaint> {
    let (status, message) = match fault {
        Fault::RateLimited(Dimension::Requests) => {
            let Over { limit, .. } = Over::of(asked, "requests", [40, 40, 1]);
            let message = format!(
                "You are using a Trial key, which is limited to {limit} API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'."
            );
            return Some(Complaint::new(429, "", message));
        }
        Fault::RateLimited(Dimension::Tokens) | Fault::NeverFits => {
            let Over { limit, .. } = Over::of(asked, "tokens", [100_000, 100_000, 1]);
            let message =
                format!("trial token rate limit exceeded, limit is {limit} tokens per minute");
            return Some(Complaint::new(429, "", message));
        }
        Fault::RateLimited(_) => (429, "Please wait and try again later"),
        Fault::QuotaExhausted => {
            (429, "You are using a Trial key, which is limited to 1000 API calls / month.")
        }
        Fault::Overloaded | Fault::ModelNotReady => {
            (503, "service unavailable, please try again later")
        }
        Fault::InvalidKey => (401, "invalid api token"),
        Fault::MissingKey => (401, "no api key supplied"),
        Fault::AccessDenied => (403, "your api key is not permitted to use this endpoint"),
        Fault::ModelNotFound => {
            let message = format!(
                "model '{}' not found, make sure the correct model ID was used and that you have access to the model.",
                asked.model
            );
            return Some(Complaint::new(404, "", message));
        }
        Fault::ContextOverflow => (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 140292. Try using a shorter prompt, or enabling prompt truncating. See https://docs.cohere.com/reference/generate for more details.",
        ),
        // There is no answer of its own for a prompt against the rules.
        Fault::InvalidRequest | Fault::ContentPolicy => {
            (400, "invalid request: all elements in history must have a message.")
        }
        Fault::Conflict => (409, "the resource is in use by another request"),
        Fault::Internal => {
            (500, "internal server error, this has been reported to our developers.")
        }
        Fault::Timeout
        | Fault::BadGateway
        | Fault::Unavailable
        | Fault::GatewayTimeout
        | Fault::RequestTooLarge => return None,
    };
    Some(Complaint::new(status, "", message))
}

/// A wait is told as the moment it ends, by Cohere's clock.
pub(super) fn headers(
    headers: &mut HeaderMap,
    asked: &Asked,
    fault: Fault,
    after: Option<Duration>,
) {
    if let Some(after) = after.filter(|_| matches!(fault, Fault::RateLimited(_))) {
        let reset = Asked { at: whole_seconds_later(asked.at, after), ..asked.clone() }.seconds();
        number(headers, HeaderName::from_static("x-ratelimit-reset"), reset.into());
    }
}

pub(super) fn body(asked: &Asked, complaint: &Complaint) -> String {
    let (id, message) = (uuid(asked.id()), Escaped(&complaint.message));
    format!(r#"{{"id":"{id}","message":"{message}"}}"#)
}

/// A stream that fails ends like any other, with another reason.
pub(super) fn event(out: &mut Writer, complaint: &Complaint) {
    let message = Escaped(&complaint.message);
    out.event(
        "message-end",
        format_args!(
            r#"{{"type":"message-end","delta":{{"error":"{message}","finish_reason":"ERROR"}}}}"#
        ),
    );
}
