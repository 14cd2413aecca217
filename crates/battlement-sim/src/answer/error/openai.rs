//! How OpenAI complains, in all of its dialects.

use std::time::Duration;

use battlement_core::{Dialect, hint::Dimension};
use http::{HeaderMap, HeaderName};

use super::{Complaint, milliseconds, number, retry_after};
use crate::answer::{
    Asked, Fault, Over,
    limits::go_duration,
    text::Escaped,
    write::{Writer, nullable},
};

pub(super) fn complaint(asked: &Asked, fault: Fault, after: Option<Duration>) -> Option<Complaint> {
    let model = &asked.model;
    let wait = try_again(after);
    let over = |what, usual| Over::of(asked, what, usual);
    Some(match fault {
        Fault::RateLimited(Dimension::Requests) => {
            let Over { limit, used, requested, .. } = over("requests", [500, 500, 1]);
            Complaint::new(
                429,
                "requests",
                format!(
                    "Rate limit reached for {model} in organization org-8Zk1 on requests per min (RPM): Limit {limit}, Used {used}, Requested {requested}.{wait} Visit {LIMITS} to learn more."
                ),
            )
            .code("rate_limit_exceeded")
        }
        Fault::RateLimited(Dimension::Tokens) => {
            let Over { limit, used, requested, .. } = over("tokens", [30_000, 28_039, 3_906]);
            Complaint::new(
                429,
                "tokens",
                format!(
                    "Rate limit reached for {model} in organization org-8Zk1 on tokens per min (TPM): Limit {limit}, Used {used}, Requested {requested}.{wait} Visit {LIMITS} to learn more."
                ),
            )
            .code("rate_limit_exceeded")
        }
        Fault::RateLimited(_) => Complaint::new(
            429,
            "rate_limit_error",
            "Your request rate has increased too quickly. Reduce it and ramp up gradually.",
        )
        .code("slow_down"),
        Fault::NeverFits => {
            let Over { limit, requested, .. } = over("tokens", [30_000, 0, 61_337]);
            Complaint::new(
                429,
                "tokens",
                format!(
                    "Request too large for {model} in organization org-8Zk1 on tokens per min (TPM): Limit {limit}, Requested {requested}. The input or output tokens must be reduced in order to run successfully. Visit {LIMITS} to learn more."
                ),
            )
            .code("rate_limit_exceeded")
        }
        Fault::QuotaExhausted => Complaint::new(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        )
        .code("insufficient_quota"),
        Fault::Overloaded | Fault::ModelNotReady => Complaint::new(
            503,
            "service_unavailable_error",
            "The requested model is temporarily overloaded. Please try again later.",
        )
        .code("server_is_overloaded"),
        Fault::Internal => Complaint::new(
            500,
            "server_error",
            "The server had an error while processing your request. Sorry about that!",
        ),
        Fault::InvalidKey => Complaint::new(
            401,
            INVALID,
            "Incorrect API key provided: sk-proj-****9Qx1. You can find your API key at https://platform.openai.com/account/api-keys.",
        )
        .code("invalid_api_key"),
        Fault::MissingKey => Complaint::new(
            401,
            INVALID,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        ),
        Fault::AccessDenied => {
            Complaint::new(403, "request_forbidden", "Country, region, or territory not supported")
                .code("unsupported_country_region_territory")
        }
        Fault::ModelNotFound => Complaint::new(
            404,
            INVALID,
            format!("The model `{model}` does not exist or you do not have access to it."),
        )
        .code("model_not_found"),
        Fault::ContextOverflow => context_overflow(asked.dialect),
        Fault::ContentPolicy => Complaint::new(
            400,
            INVALID,
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.",
        )
        .code("invalid_prompt"),
        Fault::InvalidRequest => Complaint::new(
            400,
            INVALID,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        )
        .code("unsupported_parameter"),
        Fault::Conflict => {
            Complaint::new(409, INVALID, "The resource is locked by another request.")
                .code("resource_locked")
        }
        Fault::Timeout
        | Fault::BadGateway
        | Fault::Unavailable
        | Fault::GatewayTimeout
        | Fault::RequestTooLarge => return None,
    })
}

const INVALID: &str = "invalid_request_error";
const LIMITS: &str = "https://platform.openai.com/account/rate-limits";

/// Told in other words by each of the dialects.
fn context_overflow(dialect: Dialect) -> Complaint {
    match dialect {
        Dialect::OpenAiResponses => Complaint::new(
            400,
            INVALID,
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
        )
        .code("context_length_exceeded"),
        Dialect::OpenAiEmbeddings => Complaint::new(
            400,
            INVALID,
            "This model's maximum context length is 8192 tokens, however you requested 10431 tokens (10431 in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
        ),
        _ => Complaint::new(
            400,
            INVALID,
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 132711 tokens. Please reduce the length of the messages.",
        )
        .code("context_length_exceeded"),
    }
}

/// Waits are told for what passes by itself.
pub(super) fn headers(headers: &mut HeaderMap, fault: Fault, after: Option<Duration>) {
    let passes = matches!(fault, Fault::RateLimited(_) | Fault::Overloaded | Fault::ModelNotReady);
    if let Some(after) = after.filter(|_| passes) {
        number(headers, HeaderName::from_static("retry-after-ms"), milliseconds(after));
        retry_after(headers, after);
    }
}

/// The body, which is also what an event in the middle of a stream says.
pub(super) fn body(complaint: &Complaint) -> String {
    let Complaint { kind, code, message, .. } = complaint;
    let (message, code) = (Escaped(message), nullable(*code));
    format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":{code}}}}}"#)
}

/// An event of Responses, which are flat.
pub(super) fn response_event(out: &mut Writer, complaint: &Complaint) {
    let code = complaint.code.unwrap_or(complaint.kind);
    let message = Escaped(&complaint.message);
    out.event(
        "error",
        format_args!(
            r#"{{"type":"error","sequence_number":0,"code":"{code}","message":"{message}","param":null}}"#
        ),
    );
}

/// The wait, in the words and units of OpenAI's messages.
fn try_again(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(" Please try again in {}.", go_duration(after)))
}
