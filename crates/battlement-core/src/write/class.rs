//! What clients tell apart about a failure, and each provider's words for it.

use crate::{
    Code, Dialect,
    ErrorClass::{self, *},
};

/// What a failure of this name is to a client that does not know the name.
pub(super) const fn class(code: Code) -> ErrorClass {
    match code {
        Code::RateLimitRequests => RateLimitRequests,
        Code::RateLimitTokens => RateLimitTokens,
        Code::RateLimitOther | Code::CoolingDown | Code::LimitReached => RateLimitOther,
        Code::QuotaExhausted => QuotaExhausted,
        Code::InvalidKey | Code::MissingKey => Auth,
        Code::AccessDenied => Permission,
        Code::ModelUnavailable => ModelNotFound,
        Code::ContextLength | Code::ContextWindow => ContextLength,
        // A limit that never lets it pass is not told as one, or clients would wait for it.
        Code::RequestTooLarge | Code::RateLimitNeverFits => RequestTooLarge,
        Code::InvalidRequest => InvalidRequest,
        Code::ContentPolicy | Code::ContentFilter | Code::Refusal => ContentPolicy,
        Code::ModelNotReady => ModelNotReady,
        Code::Overloaded
        | Code::InsufficientResource
        | Code::CircuitOpen
        | Code::QueueFull
        | Code::ConcurrencyReached
        | Code::AttemptsUsed
        | Code::NoRoute => Overloaded,
        Code::ProviderTimeout
        | Code::TimeoutHead
        | Code::TimeoutOutput
        | Code::TimeoutIdle
        | Code::TimeoutTotal
        | Code::TimeoutThroughput
        | Code::DeadlineExceeded => Timeout,
        Code::Conflict => Conflict,
        Code::MalformedToolCall => MalformedToolCall,
        Code::GenerationError
        | Code::Recitation
        | Code::Truncated
        | Code::UnknownFinish
        | Code::AnswerTooLong => GenerationError,
        _ => ServerError,
    }
}

/// How a provider says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) status: u16,
    /// The type, the status of the RPC, or the name of the exception.
    pub(super) kind: &'static str,
    /// The code; empty where the provider has none for it, or none at all.
    pub(super) code: &'static str,
    /// What the message begins with where nothing but a phrase tells, and clients look for it.
    pub(super) lead: &'static str,
}

const fn words(status: u16, kind: &'static str, code: &'static str) -> Words {
    Words { status, kind, code, lead: "" }
}

impl Words {
    const fn lead(self, lead: &'static str) -> Self {
        Self { lead, ..self }
    }

    pub(super) const fn of(dialect: Dialect, class: ErrorClass) -> Self {
        match dialect {
            Dialect::AnthropicMessages => anthropic(class),
            Dialect::Gemini => google(class),
            Dialect::BedrockConverse | Dialect::BedrockInvoke => amazon(class),
            Dialect::CohereV2 => plain(class).lead(cohere_lead(class)),
            Dialect::OllamaNative => plain(class).lead(ollama_lead(class)),
            Dialect::OpenAiChat
            | Dialect::OpenAiCompletions
            | Dialect::OpenAiEmbeddings
            | Dialect::OpenAiResponses => openai(class),
        }
    }
}

const fn openai(class: ErrorClass) -> Words {
    const INVALID: &str = "invalid_request_error";
    match class {
        RateLimitRequests => words(429, "requests", "rate_limit_exceeded"),
        RateLimitTokens => words(429, "tokens", "rate_limit_exceeded"),
        RateLimitOther => words(429, "rate_limit_error", "rate_limit_exceeded"),
        QuotaExhausted => words(429, "insufficient_quota", "insufficient_quota"),
        Auth => words(401, INVALID, "invalid_api_key"),
        Permission => words(403, "request_forbidden", ""),
        ModelNotFound => words(404, INVALID, "model_not_found"),
        ContextLength => words(400, INVALID, "context_length_exceeded"),
        RequestTooLarge => words(413, INVALID, "request_too_large"),
        InvalidRequest => words(400, INVALID, ""),
        ContentPolicy => words(400, INVALID, "content_policy_violation"),
        ModelNotReady | Overloaded => {
            words(503, "service_unavailable_error", "server_is_overloaded")
        }
        Timeout | Overdue => words(504, "server_error", "timeout"),
        Conflict => words(409, INVALID, "resource_locked"),
        MalformedToolCall => words(422, "server_error", "tool_use_failed"),
        GenerationError => words(422, "server_error", ""),
        ServerError | Unreachable | Disconnected => words(500, "server_error", ""),
    }
}

const fn anthropic(class: ErrorClass) -> Words {
    const INVALID: &str = "invalid_request_error";
    match class {
        RateLimitRequests | RateLimitTokens | RateLimitOther => words(429, "rate_limit_error", ""),
        QuotaExhausted => words(402, "billing_error", ""),
        Auth => words(401, "authentication_error", ""),
        Permission => words(403, "permission_error", ""),
        ModelNotFound => words(404, "not_found_error", ""),
        ContextLength => words(400, INVALID, "").lead("prompt is too long: "),
        RequestTooLarge => words(413, "request_too_large", ""),
        InvalidRequest => words(400, INVALID, ""),
        ContentPolicy => words(400, INVALID, "").lead("blocked by content filtering policy: "),
        ModelNotReady | Overloaded => words(529, "overloaded_error", ""),
        Timeout | Overdue => words(504, "timeout_error", ""),
        Conflict => words(409, "conflict_error", ""),
        MalformedToolCall | GenerationError => words(422, "api_error", ""),
        ServerError | Unreachable | Disconnected => words(500, "api_error", ""),
    }
}

/// Of Google's, the code is the reason in the details.
const fn google(class: ErrorClass) -> Words {
    const INVALID: &str = "INVALID_ARGUMENT";
    match class {
        RateLimitRequests => words(429, EXHAUSTED, "REQUEST_RATE_LIMIT_EXCEEDED"),
        RateLimitTokens => words(429, EXHAUSTED, "TOKEN_QUOTA_EXCEEDED"),
        RateLimitOther => words(429, EXHAUSTED, "RATE_LIMIT_EXCEEDED"),
        QuotaExhausted => words(429, EXHAUSTED, "QUOTA_EXCEEDED"),
        Auth => words(401, "UNAUTHENTICATED", "API_KEY_INVALID"),
        Permission => words(403, "PERMISSION_DENIED", ""),
        ModelNotFound => words(404, "NOT_FOUND", ""),
        ContextLength => words(400, INVALID, "")
            .lead("The input token count exceeds the maximum number of tokens allowed: "),
        RequestTooLarge => words(413, INVALID, "REQUEST_TOO_LARGE"),
        InvalidRequest => words(400, INVALID, ""),
        ContentPolicy => words(400, INVALID, "CONTENT_POLICY_VIOLATION"),
        ModelNotReady | Overloaded => words(503, "UNAVAILABLE", ""),
        Timeout | Overdue => words(504, "DEADLINE_EXCEEDED", ""),
        Conflict => words(409, "ABORTED", ""),
        MalformedToolCall | GenerationError => words(422, "UNKNOWN", ""),
        ServerError | Unreachable | Disconnected => words(500, "INTERNAL", ""),
    }
}
const EXHAUSTED: &str = "RESOURCE_EXHAUSTED";

const fn amazon(class: ErrorClass) -> Words {
    const INVALID: &str = "ValidationException";
    match class {
        RateLimitRequests | RateLimitTokens | RateLimitOther => {
            words(429, "ThrottlingException", "")
        }
        QuotaExhausted => words(400, "ServiceQuotaExceededException", ""),
        Auth => words(403, "UnrecognizedClientException", ""),
        Permission => words(403, "AccessDeniedException", ""),
        ModelNotFound => words(404, "ResourceNotFoundException", ""),
        ContextLength => words(400, INVALID, "").lead("Input is too long for requested model: "),
        RequestTooLarge => words(413, "RequestEntityTooLargeException", ""),
        InvalidRequest => words(400, INVALID, ""),
        ContentPolicy => words(400, INVALID, "").lead("Blocked by content filtering policy: "),
        ModelNotReady => words(429, "ModelNotReadyException", ""),
        Overloaded => words(503, "ServiceUnavailableException", ""),
        Timeout | Overdue => words(408, "ModelTimeoutException", ""),
        Conflict => words(400, "ConflictException", ""),
        MalformedToolCall | GenerationError => words(424, "ModelErrorException", ""),
        ServerError | Unreachable | Disconnected => words(500, "InternalServerException", ""),
    }
}

/// Where there is a status and a sentence only.
const fn plain(class: ErrorClass) -> Words {
    let status = match class {
        RateLimitRequests | RateLimitTokens | RateLimitOther => 429,
        QuotaExhausted => 402,
        Auth => 401,
        Permission => 403,
        ModelNotFound => 404,
        RequestTooLarge => 413,
        ContextLength | InvalidRequest | ContentPolicy => 400,
        ModelNotReady | Overloaded => 503,
        Timeout | Overdue => 504,
        Conflict => 409,
        MalformedToolCall | GenerationError => 422,
        ServerError | Unreachable | Disconnected => 500,
    };
    words(status, "", "")
}

const fn cohere_lead(class: ErrorClass) -> &'static str {
    match class {
        ContextLength => "too many tokens: ",
        ContentPolicy => "blocked by content filtering policy: ",
        _ => "",
    }
}

const fn ollama_lead(class: ErrorClass) -> &'static str {
    match class {
        ContextLength => "the input length exceeds the context length: ",
        ModelNotReady => "llm server loading model: ",
        Overloaded => "server busy: ",
        ContentPolicy => "blocked by content filtering policy: ",
        _ => "",
    }
}
