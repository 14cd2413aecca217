//! How Amazon complains: the name of an exception in a header, and a sentence.

use std::time::Duration;

use battlement_core::{Dialect, hint::Dimension};
use http::{HeaderMap, HeaderName};

use super::{Complaint, milliseconds, number};
use crate::answer::{Asked, Fault, head, text::Escaped};

pub(super) fn complaint(asked: &Asked, fault: Fault) -> Complaint {
    let throttled = |message: &'static str| Complaint::new(429, "ThrottlingException", message);
    let invalid = |message: &'static str| Complaint::new(400, "ValidationException", message);
    match fault {
        Fault::RateLimited(Dimension::Requests) => {
            throttled("Too many requests, please wait before trying again.")
        }
        Fault::RateLimited(Dimension::Tokens) | Fault::NeverFits => {
            throttled("Too many tokens, please wait before trying again.")
        }
        Fault::RateLimited(_) => throttled(
            "Your request was denied due to exceeding the account quotas for Amazon Bedrock.",
        ),
        // Converse knows no exception for it.
        Fault::QuotaExhausted if asked.dialect == Dialect::BedrockConverse => {
            throttled("Too many tokens per day, please wait before trying again.")
        }
        Fault::QuotaExhausted => Complaint::new(
            400,
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        Fault::Overloaded => Complaint::new(
            503,
            "ServiceUnavailableException",
            "Too many connections, please wait before trying again.",
        ),
        Fault::ModelNotReady => Complaint::new(
            429,
            "ModelNotReadyException",
            "Model is not ready for inference. Wait and try your request again.",
        ),
        Fault::Timeout => Complaint::new(
            408,
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        ),
        Fault::InvalidKey => Complaint::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Fault::MissingKey => Complaint::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        Fault::AccessDenied => Complaint::new(
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        Fault::ModelNotFound => Complaint::new(
            404,
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier.",
        ),
        Fault::ContextOverflow => invalid("Input is too long for requested model."),
        Fault::ContentPolicy => invalid("Output blocked by content filtering policy"),
        Fault::RequestTooLarge => {
            Complaint::new(413, "RequestEntityTooLargeException", "Request body is too large.")
        }
        Fault::InvalidRequest => invalid(
            "Malformed input request: #: required key [messages] not found, please reformat your input and try again.",
        ),
        Fault::Conflict => Complaint::new(
            400,
            "ConflictException",
            "Error occurred because of a conflict while performing an operation.",
        ),
        _ => Complaint::new(
            500,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
    }
}

pub(super) fn headers(
    headers: &mut HeaderMap,
    fault: Fault,
    after: Option<Duration>,
    complaint: &Complaint,
) {
    head::fixed(headers, "x-amzn-errortype", complaint.kind);
    let throttled = matches!(fault, Fault::RateLimited(_) | Fault::NeverFits);
    if let Some(after) = after.filter(|_| throttled) {
        number(headers, HeaderName::from_static("x-amz-retry-after"), milliseconds(after));
    }
}

pub(super) fn body(complaint: &Complaint) -> String {
    format!(r#"{{"message":"{}"}}"#, Escaped(&complaint.message))
}

/// In a stream the names of exceptions begin with a small letter.
pub(super) fn event_name(complaint: &Complaint) -> String {
    let (first, rest) = complaint.kind.split_at(1);
    first.to_ascii_lowercase() + rest
}
