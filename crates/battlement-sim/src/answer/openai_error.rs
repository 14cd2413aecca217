//! How OpenAI complains, in all of its dialects.

use std::{borrow::Cow, fmt, time::Duration};

use battlement_core::{Dialect, hint::Dimension};

use super::{Asked, Fault, error::Complaint, text::Escaped};

pub(super) fn complaint(asked: &Asked, fault: Fault, after: Option<Duration>) -> Option<Complaint> {
    let model = &asked.model;
    let (status, kind, code, message): (u16, _, _, Cow<'static, str>) = match fault {
        Fault::RateLimited(Dimension::Requests) => (
            429,
            "requests",
            "rate_limit_exceeded",
            format!(
                "Rate limit reached for {model} in organization org-8Zk1 on requests per min (RPM): Limit 500, Used 500, Requested 1.{} Visit https://platform.openai.com/account/rate-limits to learn more.",
                TryAgain(after)
            )
            .into(),
        ),
        Fault::RateLimited(Dimension::Tokens) => (
            429,
            "tokens",
            "rate_limit_exceeded",
            format!(
                "Rate limit reached for {model} in organization org-8Zk1 on tokens per min (TPM): Limit 30000, Used 28039, Requested 3906.{} Visit https://platform.openai.com/account/rate-limits to learn more.",
                TryAgain(after)
            )
            .into(),
        ),
        Fault::RateLimited(_) => (
            429,
            "rate_limit_error",
            "slow_down",
            "Your request rate has increased too quickly. Reduce it and ramp up gradually.".into(),
        ),
        Fault::NeverFits => (
            429,
            "tokens",
            "rate_limit_exceeded",
            format!(
                "Request too large for {model} in organization org-8Zk1 on tokens per min (TPM): Limit 30000, Requested 61337. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more."
            )
            .into(),
        ),
        Fault::QuotaExhausted => (
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.".into(),
        ),
        Fault::Overloaded | Fault::ModelNotReady => (
            503,
            "service_unavailable_error",
            "server_is_overloaded",
            "The requested model is temporarily overloaded. Please try again later.".into(),
        ),
        Fault::Internal => (
            500,
            "server_error",
            "",
            "The server had an error while processing your request. Sorry about that!".into(),
        ),
        Fault::InvalidKey => (
            401,
            "invalid_request_error",
            "invalid_api_key",
            "Incorrect API key provided: sk-proj-****9Qx1. You can find your API key at https://platform.openai.com/account/api-keys.".into(),
        ),
        Fault::MissingKey => (
            401,
            "invalid_request_error",
            "",
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).".into(),
        ),
        Fault::AccessDenied => (
            403,
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported".into(),
        ),
        Fault::ModelNotFound => (
            404,
            "invalid_request_error",
            "model_not_found",
            format!("The model `{model}` does not exist or you do not have access to it.").into(),
        ),
        Fault::ContextOverflow => match asked.dialect {
            Dialect::OpenAiResponses => (
                400,
                "invalid_request_error",
                "context_length_exceeded",
                "Your input exceeds the context window of this model. Please adjust your input and try again.".into(),
            ),
            Dialect::OpenAiEmbeddings => (
                400,
                "invalid_request_error",
                "",
                "This model's maximum context length is 8192 tokens, however you requested 10431 tokens (10431 in your prompt; 0 for the completion). Please reduce your prompt; or completion length.".into(),
            ),
            _ => (
                400,
                "invalid_request_error",
                "context_length_exceeded",
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 132711 tokens. Please reduce the length of the messages.".into(),
            ),
        },
        Fault::ContentPolicy => (
            400,
            "invalid_request_error",
            "invalid_prompt",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.".into(),
        ),
        Fault::InvalidRequest => (
            400,
            "invalid_request_error",
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.".into(),
        ),
        Fault::Conflict => (
            409,
            "invalid_request_error",
            "resource_locked",
            "The resource is locked by another request.".into(),
        ),
        Fault::Timeout
        | Fault::BadGateway
        | Fault::Unavailable
        | Fault::GatewayTimeout
        | Fault::RequestTooLarge => return None,
    };
    Some(Complaint { status, kind, code, message })
}

/// The body, which is also what an event in the middle of a stream says.
pub(super) fn body(complaint: &Complaint) -> String {
    let Complaint { kind, code, message, .. } = complaint;
    let (message, code) = (Escaped(message), Nullable(code));
    format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":{code}}}}}"#)
}

/// A word as a JSON value, `null` if there is none.
pub(super) struct Nullable<'a>(pub(super) &'a str);

impl fmt::Display for Nullable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("null") } else { write!(f, "\"{}\"", self.0) }
    }
}

/// The wait, in the words and units of OpenAI's messages.
struct TryAgain(Option<Duration>);

impl fmt::Display for TryAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(|after| after.as_millis()) {
            None => Ok(()),
            Some(milliseconds @ ..1000) => write!(f, " Please try again in {milliseconds}ms."),
            Some(milliseconds) => {
                let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
                write!(f, " Please try again in {seconds}.{rest:03}s.")
            }
        }
    }
}
