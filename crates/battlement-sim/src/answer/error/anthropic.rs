//! How Anthropic complains.

use std::{fmt, time::Duration};

use battlement_core::hint::Dimension;
use http::HeaderMap;

use super::{Complaint, retry_after};
use crate::answer::{Asked, Fault, Over, head, text::Escaped};

pub(super) fn complaint(asked: &Asked, fault: Fault) -> Complaint {
    let invalid = |message: &'static str| Complaint::new(400, "invalid_request_error", message);
    match fault {
        Fault::RateLimited(Dimension::Requests) => {
            let Over { limit, .. } = Over::of(asked, "requests", [50, 50, 1]);
            let limit = Grouped(limit);
            Complaint::new(
                429,
                LIMIT,
                format!(
                    "This request would exceed your organization's rate limit of {limit} requests per minute."
                ),
            )
        }
        // A request that never fits is told no differently.
        Fault::RateLimited(Dimension::Tokens) | Fault::NeverFits => {
            let Over { what, limit, .. } = Over::of(asked, "input tokens", [50_000, 50_000, 1]);
            let limit = Grouped(limit);
            Complaint::new(
                429,
                LIMIT,
                format!(
                    "This request would exceed your organization's rate limit of {limit} {what} per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits."
                ),
            )
        }
        Fault::RateLimited(_) => Complaint::new(429, LIMIT, "Your usage is growing too quickly.")
            .code("ramp_limit_exceeded"),
        // A 400, which looks like a fault of the request.
        Fault::QuotaExhausted => invalid(
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        Fault::Overloaded | Fault::ModelNotReady => {
            Complaint::new(529, "overloaded_error", "Overloaded")
        }
        Fault::Timeout => Complaint::new(504, "timeout_error", "Request timed out"),
        Fault::InvalidKey => Complaint::new(401, "authentication_error", "invalid x-api-key"),
        Fault::MissingKey => {
            Complaint::new(401, "authentication_error", "x-api-key header is required")
        }
        Fault::AccessDenied => Complaint::new(
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        Fault::ModelNotFound => {
            Complaint::new(404, "not_found_error", format!("model: {}", asked.model))
        }
        Fault::ContextOverflow => invalid("prompt is too long: 213462 tokens > 200000 maximum"),
        Fault::ContentPolicy => invalid("Output blocked by content filtering policy"),
        Fault::RequestTooLarge => {
            Complaint::new(413, "request_too_large", "Request exceeds the maximum size")
        }
        Fault::InvalidRequest => invalid("max_tokens: Field required"),
        Fault::Conflict => Complaint::new(
            409,
            "conflict_error",
            "The request conflicts with the current state of the resource.",
        ),
        _ => Complaint::new(500, "api_error", "Internal server error"),
    }
}

/// `50,000`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Self(self.0 / 1_000), self.0 % 1_000)
    }
}

const LIMIT: &str = "rate_limit_error";

/// A wait comes with limits, in whole seconds; an overload has none.
pub(super) fn headers(headers: &mut HeaderMap, fault: Fault, after: Option<Duration>) {
    let limited = matches!(fault, Fault::RateLimited(_) | Fault::NeverFits);
    if limited || fault == Fault::Overloaded {
        head::fixed(headers, "x-should-retry", "true");
    }
    if let Some(after) = after.filter(|_| limited) {
        retry_after(headers, after);
    }
}

/// The body, which is also what an event in the middle of a stream says.
pub(super) fn body(asked: &Asked, complaint: &Complaint) -> String {
    let (kind, message, id) = (complaint.kind, Escaped(&complaint.message), asked.id());
    let details = match complaint.code {
        Some(code) => format!(r#","details":{{"error_code":"{code}"}}"#),
        None => String::new(),
    };
    format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"{details}}},"request_id":"req_{id:024x}"}}"#
    )
}
