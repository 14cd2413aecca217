//! How Google complains: in the form of its RPCs, waits included.

use std::time::Duration;

use battlement_core::hint::Dimension;

use super::{Complaint, milliseconds};
use crate::answer::{Asked, Fault, Over, text::Escaped};

pub(super) fn complaint(asked: &Asked, fault: Fault) -> Complaint {
    let invalid = |message: &'static str| Complaint::new(400, "INVALID_ARGUMENT", message);
    match fault {
        Fault::RateLimited(Dimension::Requests | Dimension::Tokens)
        | Fault::NeverFits
        | Fault::QuotaExhausted => Complaint::new(
            429,
            EXHAUSTED,
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
        ),
        Fault::RateLimited(_) => {
            Complaint::new(429, EXHAUSTED, "Resource has been exhausted (e.g. check quota).")
        }
        Fault::Overloaded | Fault::ModelNotReady => {
            Complaint::new(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        }
        Fault::Timeout => Complaint::new(
            504,
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.",
        ),
        Fault::InvalidKey => invalid("API key not valid. Please pass a valid API key."),
        Fault::MissingKey => Complaint::new(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        ),
        Fault::AccessDenied => {
            Complaint::new(403, "PERMISSION_DENIED", "The caller does not have permission")
        }
        Fault::ModelNotFound => Complaint::new(
            404,
            "NOT_FOUND",
            format!(
                "models/{} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
                asked.model
            ),
        ),
        Fault::ContextOverflow => invalid(
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).",
        ),
        // By status only where a stream has begun: a prompt is blocked with a 200.
        Fault::ContentPolicy => invalid("The prompt was blocked: PROHIBITED_CONTENT"),
        Fault::RequestTooLarge => {
            invalid("Request payload size exceeds the limit: 20971520 bytes.")
        }
        Fault::InvalidRequest => {
            invalid("Invalid JSON payload received. Unknown name \"prompt\": Cannot find field.")
        }
        Fault::Conflict => Complaint::new(409, "ABORTED", "The operation was aborted."),
        _ => Complaint::new(
            500,
            "INTERNAL",
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
        ),
    }
}

const EXHAUSTED: &str = "RESOURCE_EXHAUSTED";

/// The body, which is also what an event in the middle of a stream says.
pub(super) fn body(
    asked: &Asked,
    fault: Fault,
    after: Option<Duration>,
    complaint: &Complaint,
) -> String {
    let Complaint { status, kind, message, .. } = complaint;
    let (message, details) = (Escaped(message), details(asked, fault, after));
    format!(r#"{{"error":{{"code":{status},"message":"{message}","status":"{kind}"{details}}}}}"#)
}

/// What tells one limit from another, and when to come back.
fn details(asked: &Asked, fault: Fault, after: Option<Duration>) -> String {
    let (metric, quota, value) = match fault {
        Fault::RateLimited(Dimension::Requests) => (
            "generate_content_free_tier_requests",
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            Over::of(asked, "requests", [10, 10, 1]).limit,
        ),
        Fault::RateLimited(Dimension::Tokens) | Fault::NeverFits => (
            "generate_content_paid_tier_input_token_count",
            "GenerateContentPaidTierInputTokensPerModelPerMinute",
            Over::of(asked, "tokens", [1_000_000, 1_000_000, 1]).limit,
        ),
        // The wait that comes with this one is not that of the day.
        Fault::QuotaExhausted => (
            "generate_content_free_tier_requests",
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            250,
        ),
        Fault::InvalidKey => {
            return r#","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}]"#.to_owned();
        }
        _ => return String::new(),
    };
    let retry = after.map(milliseconds).map_or_else(String::new, |wait| {
        let (seconds, rest) = (wait / 1000, wait % 1000);
        let point = if rest == 0 { String::new() } else { format!(".{rest:03}") };
        format!(
            r#",{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{seconds}{point}s"}}"#
        )
    });
    let model = Escaped(&asked.model);
    format!(
        r#","details":[{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaMetric":"generativelanguage.googleapis.com/{metric}","quotaId":"{quota}","quotaDimensions":{{"location":"global","model":"{model}"}},"quotaValue":"{value}"}}]}},{{"@type":"type.googleapis.com/google.rpc.Help","links":[{{"description":"Learn more about Gemini API quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}}]}}{retry}]"#
    )
}
