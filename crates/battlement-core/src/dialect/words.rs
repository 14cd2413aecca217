//! The words of error bodies, and what they mean.
//!
//! Codes and types come first and outrank the HTTP status; phrases of a message decide only where
//! the codes are generic, because a message may quote the caller's prompt.

use super::Provider;
use crate::{
    ErrorClass::{self, *},
    hint::Dimension,
};

/// What a code or type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Just this.
    Is(ErrorClass),
    /// A rate limit, of this dimension if it tells; a closer look may find a quota or capacity.
    Limit(Option<Dimension>),
    /// Generic: the message and the status know better, this is what is left.
    Usually(ErrorClass),
}

use Meaning::{Is, Limit, Usually};

/// What a code or type means, at this provider or anywhere. `*` at the end stands for any ending.
pub(super) fn meaning(word: &str, provider: Provider) -> Option<Meaning> {
    let matches = |known: &str| match known.strip_suffix('*') {
        Some(start) => word.get(..start.len()).is_some_and(|word| word.eq_ignore_ascii_case(start)),
        None => known.eq_ignore_ascii_case(word),
    };
    let own = OWN_CODES.iter().find(|(who, known, _)| *who == provider && matches(known));
    own.map(|(_, _, meaning)| *meaning)
        .or_else(|| CODES.iter().find(|(known, _)| matches(known)).map(|(_, meaning)| *meaning))
}

/// What a status means at this provider, where it is not what it means elsewhere.
pub(super) fn status_class(status: u16, provider: Provider) -> ErrorClass {
    OWN_STATUSES
        .iter()
        .find(|(who, known, _)| *who == provider && *known == status)
        .map_or_else(|| ErrorClass::of_status(status), |(_, _, class)| *class)
}

const OWN_STATUSES: &[(Provider, u16, ErrorClass)] = &[
    (Provider::Together, 403, ContextLength),
    (Provider::Groq, 498, Overloaded),
    (Provider::Groq, 424, ServerError),
    (Provider::Bedrock, 424, ServerError),
    (Provider::Cohere, 498, Auth),
    (Provider::Cerebras, 413, ContextLength),
    (Provider::Fireworks, 412, QuotaExhausted),
    (Provider::LlamaCpp, 503, ModelNotReady),
];

const OWN_CODES: &[(Provider, &str, Meaning)] = &[
    (Provider::Fireworks, "precondition_failed", Is(QuotaExhausted)),
    (Provider::Fireworks, "NOT_FOUND", Is(ModelNotFound)),
    (Provider::Mistral, "1300", Limit(None)),
    (Provider::Mistral, "1500", Is(ModelNotFound)),
    (Provider::Mistral, "3051", Is(ContextLength)),
    (Provider::Mistral, "3505", Is(Overloaded)),
    (Provider::OpenRouter, "not_found", Is(ModelNotFound)),
    (Provider::OpenRouter, "refusal", Is(ContentPolicy)),
];

const REQUESTS: Meaning = Limit(Some(Dimension::Requests));
const TOKENS: Meaning = Limit(Some(Dimension::Tokens));

const CODES: &[(&str, Meaning)] = &[
    // Rate limits.
    ("rate_limit_exceeded", Limit(None)),
    ("rate_limit_error", Limit(None)),
    ("rate_limit_reached", Limit(None)),
    ("RateLimitReached", Limit(None)),
    ("rateLimitExceeded", Limit(None)),
    ("rate_limited", Limit(None)),
    ("too_many_requests", Limit(None)),
    ("too_many_requests_error", Limit(None)),
    ("RESOURCE_EXHAUSTED", Limit(None)),
    ("Some resource has been exhausted", Limit(None)),
    ("model_rate_limit", Limit(None)),
    ("requests", REQUESTS),
    ("request_rate_limit_exceeded", REQUESTS),
    ("request_quota_exceeded", REQUESTS),
    ("tokens", TOKENS),
    ("too_many_tokens_error", TOKENS),
    ("token_quota_exceeded", TOKENS),
    ("slow_down", Is(RateLimitOther)),
    ("ramp_limit_exceeded", Is(RateLimitOther)),
    // Amazon's words for throttling.
    ("ThrottlingException", Limit(None)),
    ("Throttling", Limit(None)),
    ("ThrottledException", Limit(None)),
    ("RequestThrottled*", Limit(None)),
    ("TooManyRequestsException", Limit(None)),
    ("ProvisionedThroughputExceededException", Limit(None)),
    ("TransactionInProgressException", Limit(None)),
    ("RequestLimitExceeded", Limit(None)),
    ("BandwidthLimitExceeded", Limit(None)),
    ("LimitExceededException", Limit(None)),
    ("SlowDown", Limit(None)),
    ("PriorRequestNotComplete", Limit(None)),
    ("EC2ThrottledException", Limit(None)),
    // Billing and quota.
    ("insufficient_quota", Is(QuotaExhausted)),
    ("credit_balance_exhausted", Is(QuotaExhausted)),
    ("organization_spend_limit_exceeded", Is(QuotaExhausted)),
    ("project_spend_limit_exceeded", Is(QuotaExhausted)),
    ("organization_usage_limit_exceeded", Is(QuotaExhausted)),
    ("billing_hard_limit_reached", Is(QuotaExhausted)),
    ("billing_not_active", Is(QuotaExhausted)),
    ("billing_error", Is(QuotaExhausted)),
    ("enforced_spend_limit_reached", Is(QuotaExhausted)),
    ("contract_spend_limit_reached", Is(QuotaExhausted)),
    ("linked_organization_*", Is(QuotaExhausted)),
    ("ServiceQuotaExceededException", Is(QuotaExhausted)),
    ("credit_limit", Is(QuotaExhausted)),
    ("quota_exceeded", Is(QuotaExhausted)),
    ("payment_required", Is(QuotaExhausted)),
    // Keys and permissions.
    ("invalid_api_key", Is(Auth)),
    ("account_deactivated", Is(Auth)),
    ("authentication_error", Is(Auth)),
    ("authentication", Is(Auth)),
    ("UNAUTHENTICATED", Is(Auth)),
    ("API_KEY_INVALID", Is(Auth)),
    ("UnrecognizedClientException", Is(Auth)),
    ("InvalidSignatureException", Is(Auth)),
    ("ExpiredToken*", Is(Auth)),
    ("IncompleteSignature*", Is(Auth)),
    ("MissingAuthenticationToken*", Is(Auth)),
    ("unsupported_country_region_territory", Is(Permission)),
    ("ip_not_authorized", Is(Permission)),
    ("request_forbidden", Is(Permission)),
    ("permission_error", Is(Permission)),
    ("PERMISSION_DENIED", Is(Permission)),
    ("organization_on_hold", Is(Permission)),
    ("AccessDeniedException", Is(Permission)),
    ("FAILED_PRECONDITION", Usually(Permission)),
    ("The caller does not have permission*", Usually(Permission)),
    // Models.
    ("model_not_found", Is(ModelNotFound)),
    ("invalid_model", Is(ModelNotFound)),
    ("model_decommissioned", Is(ModelNotFound)),
    ("DeploymentNotFound", Is(ModelNotFound)),
    ("ResourceNotFoundException", Is(ModelNotFound)),
    ("NOT_FOUND", Usually(ModelNotFound)),
    ("not_found_error", Usually(ModelNotFound)),
    ("NotFoundError", Usually(ModelNotFound)),
    ("Some requested entity was not found", Usually(ModelNotFound)),
    ("ModelNotReadyException", Is(ModelNotReady)),
    ("unavailable_error", Is(ModelNotReady)),
    // The request.
    ("context_length_exceeded", Is(ContextLength)),
    ("exceed_context_size_error", Is(ContextLength)),
    ("model_context_window_exceeded", Is(ContextLength)),
    ("max_tokens_per_request", Is(ContextLength)),
    ("max_tokens_exceeded", Is(ContextLength)),
    ("token_limit_exceeded", Is(ContextLength)),
    ("request_too_large", Is(RequestTooLarge)),
    ("request_body_too_large_after_decoding", Is(RequestTooLarge)),
    ("payload_too_large", Is(RequestTooLarge)),
    ("content_policy_violation", Is(ContentPolicy)),
    ("content_filter", Is(ContentPolicy)),
    ("invalid_prompt", Is(ContentPolicy)),
    ("ResponsibleAIPolicyViolation", Is(ContentPolicy)),
    ("bio_policy", Is(ContentPolicy)),
    ("misalignment_policy_violation", Is(ContentPolicy)),
    ("image_content_policy_violation", Is(ContentPolicy)),
    ("string_above_max_length", Is(InvalidRequest)),
    ("string_too_long", Is(InvalidRequest)),
    ("unsupported_parameter", Is(InvalidRequest)),
    ("unsupported_value", Is(InvalidRequest)),
    ("invalid_value", Is(InvalidRequest)),
    ("invalid_type", Is(InvalidRequest)),
    ("missing_required_parameter", Is(InvalidRequest)),
    ("invalid_image*", Is(InvalidRequest)),
    ("image_*", Is(InvalidRequest)),
    ("request_body_timeout", Is(InvalidRequest)),
    ("unsupported_charset", Is(InvalidRequest)),
    ("unprocessable", Is(InvalidRequest)),
    ("thread_*", Is(InvalidRequest)),
    ("compaction_unavailable", Is(Overloaded)),
    ("compaction_*", Is(InvalidRequest)),
    ("invalid_request_error", Usually(InvalidRequest)),
    ("invalid_request", Usually(InvalidRequest)),
    ("INVALID_ARGUMENT", Usually(InvalidRequest)),
    ("Client specified an invalid argument", Usually(InvalidRequest)),
    ("BadRequestError", Usually(InvalidRequest)),
    ("ValidationException", Usually(InvalidRequest)),
    // The provider.
    ("server_is_overloaded", Is(Overloaded)),
    ("overloaded_error", Is(Overloaded)),
    ("service_overloaded", Is(Overloaded)),
    ("service_tier_capacity_exceeded", Is(Overloaded)),
    ("capacity_exceeded", Is(Overloaded)),
    ("queue_exceeded", Is(Overloaded)),
    ("provider_overloaded", Is(Overloaded)),
    ("provider_unavailable", Is(Overloaded)),
    ("ServiceUnavailableException", Is(Overloaded)),
    ("UNAVAILABLE", Is(Overloaded)),
    ("service_unavailable_error", Usually(Overloaded)),
    ("service_unavailable", Usually(Overloaded)),
    ("cmek_*", Is(ServerError)),
    ("INTERNAL", Usually(ServerError)),
    ("UNKNOWN", Usually(ServerError)),
    ("server_error", Usually(ServerError)),
    ("api_error", Usually(ServerError)),
    ("internal_server_error", Usually(ServerError)),
    ("InternalServerError", Usually(ServerError)),
    ("server", Usually(ServerError)),
    ("InternalServerException", Is(ServerError)),
    ("InternalFailure", Is(ServerError)),
    ("ModelErrorException", Is(ServerError)),
    ("ModelStreamErrorException", Is(ServerError)),
    ("timeout_error", Is(Timeout)),
    ("timeout", Is(Timeout)),
    ("vector_store_timeout", Is(Timeout)),
    ("DEADLINE_EXCEEDED", Is(Timeout)),
    ("ModelTimeoutException", Is(Timeout)),
    ("RequestTimeout*", Is(Timeout)),
    ("conflict_error", Is(Conflict)),
    ("resource_locked", Is(Conflict)),
    ("ConflictException", Is(Conflict)),
    // The model's output, judged by the server.
    ("tool_use_failed", Is(MalformedToolCall)),
    ("json_validate_failed", Is(GenerationError)),
    // RFC 9457 problem types.
    ("https://iana.org/assignments/http-problem-types#quota-exceeded", Limit(None)),
    ("https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", Is(Overloaded)),
    ("https://iana.org/assignments/http-problem-types#abnormal-usage-detected", Is(RateLimitOther)),
];

/// Which of a router's limits mean what.
pub(super) fn limit_source(word: &str) -> Option<ErrorClass> {
    if word.contains("in_flight") {
        return Some(RateLimitOther);
    }
    ["credits", "budget", "key_limit"]
        .iter()
        .any(|end| word.ends_with(end))
        .then_some(QuotaExhausted)
}
