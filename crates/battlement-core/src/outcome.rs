//! What became of a call, in one word.
//!
//! Three families: an answer that **finished** and said how, a call that **failed** with an error
//! (as an HTTP status or inside a 200), and an answer that **broke** on the way. The words are the
//! same in logs, in metrics, in `battlement explain --json` and here.

use std::fmt;

/// How one choice of an answer came to its end, as the provider told it.
///
/// Ordered from harmless to bad: with several choices the answer takes the worst, see
/// [`FinishClass::worst`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FinishClass {
    /// A natural end, or a stop string where the wire does not tell them apart.
    Complete,
    /// A stop string given by the caller was hit.
    StopSequence,
    /// The model asks for a tool.
    ToolCall,
    /// Nothing was asked for (Ollama loading or unloading a model).
    NoGeneration,
    /// The server paused a long turn; send the content back to continue.
    Pause,
    /// The output budget was used up: the text is truncated.
    Length,
    /// The model's window was used up while generating.
    ContextWindow,
    /// No reason, or one we do not know. Never taken for success.
    Unknown,
    /// Stopped for reciting training material.
    Recitation,
    /// The model declined.
    Refusal,
    /// A filter cut or blocked the prompt or the output.
    ContentFilter,
    /// The model produced a tool call that cannot be used.
    MalformedToolCall,
    /// The server ran out of capacity during generation.
    InsufficientResource,
    /// The server ended the generation early.
    Aborted,
    /// A time limit of the provider struck during generation.
    Timeout,
    /// A finish reason that says error.
    GenerationError,
}

impl FinishClass {
    /// Every class, from harmless to bad.
    pub const ALL: [Self; 16] = [
        Self::Complete,
        Self::StopSequence,
        Self::ToolCall,
        Self::NoGeneration,
        Self::Pause,
        Self::Length,
        Self::ContextWindow,
        Self::Unknown,
        Self::Recitation,
        Self::Refusal,
        Self::ContentFilter,
        Self::MalformedToolCall,
        Self::InsufficientResource,
        Self::Aborted,
        Self::Timeout,
        Self::GenerationError,
    ];

    /// The word for logs and dashboards, such as `content_filter`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::StopSequence => "stop_sequence",
            Self::ToolCall => "tool_call",
            Self::NoGeneration => "no_generation",
            Self::Pause => "pause",
            Self::Length => "length",
            Self::ContextWindow => "context_window",
            Self::Unknown => "unknown",
            Self::Recitation => "recitation",
            Self::Refusal => "refusal",
            Self::ContentFilter => "content_filter",
            Self::MalformedToolCall => "malformed_tool_call",
            Self::InsufficientResource => "insufficient_resource",
            Self::Aborted => "aborted",
            Self::Timeout => "timeout",
            Self::GenerationError => "generation_error",
        }
    }

    /// Whether the model did what it was asked to do.
    pub const fn is_success(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::StopSequence | Self::ToolCall | Self::NoGeneration | Self::Pause
        )
    }

    /// The worse of the two: what an answer with both choices is called.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for FinishClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What went wrong when a provider answers with an error, in the status or inside a 200, or when it
/// does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Too many requests per window.
    RateLimitRequests,
    /// Too many tokens per window.
    RateLimitTokens,
    /// Throttled; the dimension is not told, or it is a ramp or concurrency limit.
    RateLimitOther,
    /// Billing, credits, a spend cap, or a long quota without a usable wait.
    QuotaExhausted,
    /// The prompt, or prompt plus output budget, is over the model's window.
    ContextLength,
    /// The HTTP body is too big in bytes.
    RequestTooLarge,
    /// The prompt was rejected by policy before generation.
    ContentPolicy,
    /// The key is missing, wrong, expired or blocked.
    Auth,
    /// The key is fine; the action, region or model is not allowed.
    Permission,
    /// The model is unknown, retired or not deployed.
    ModelNotFound,
    /// Any other complaint about the request.
    InvalidRequest,
    /// The model is being loaded.
    ModelNotReady,
    /// The provider's own capacity, not the caller's rate.
    Overloaded,
    /// Any other failure inside the provider.
    ServerError,
    /// A time limit of the provider or of a gateway in front of it.
    Timeout,
    /// A lock or conflict on the provider's side.
    Conflict,
    /// The model's output failed the schema check, told as an HTTP error.
    MalformedToolCall,
    /// The model's output failed a check, told as an HTTP error.
    GenerationError,
    /// No connection: nothing was sent, and nobody told us so.
    Unreachable,
    /// The connection was lost before there was an answer.
    Disconnected,
    /// Our own time limit passed.
    Overdue,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 21] = [
        Self::RateLimitRequests,
        Self::RateLimitTokens,
        Self::RateLimitOther,
        Self::QuotaExhausted,
        Self::ContextLength,
        Self::RequestTooLarge,
        Self::ContentPolicy,
        Self::Auth,
        Self::Permission,
        Self::ModelNotFound,
        Self::InvalidRequest,
        Self::ModelNotReady,
        Self::Overloaded,
        Self::ServerError,
        Self::Timeout,
        Self::Conflict,
        Self::MalformedToolCall,
        Self::GenerationError,
        Self::Unreachable,
        Self::Disconnected,
        Self::Overdue,
    ];

    /// The word for logs and dashboards, such as `rate_limit_tokens`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimitRequests => "rate_limit_requests",
            Self::RateLimitTokens => "rate_limit_tokens",
            Self::RateLimitOther => "rate_limit_other",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ContextLength => "context_length",
            Self::RequestTooLarge => "request_too_large",
            Self::ContentPolicy => "content_policy",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::ModelNotFound => "model_not_found",
            Self::InvalidRequest => "invalid_request",
            Self::ModelNotReady => "model_not_ready",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Conflict => "conflict",
            Self::MalformedToolCall => "malformed_tool_call",
            Self::GenerationError => "generation_error",
            Self::Unreachable => "unreachable",
            Self::Disconnected => "disconnected",
            Self::Overdue => "overdue",
        }
    }

    /// Whether the identical request could succeed later, going by the class alone.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::RateLimitRequests
                | Self::RateLimitTokens
                | Self::RateLimitOther
                | Self::ModelNotReady
                | Self::Overloaded
                | Self::ServerError
                | Self::Timeout
                | Self::Conflict
                | Self::MalformedToolCall
                | Self::GenerationError
                | Self::Unreachable
                | Self::Disconnected
                | Self::Overdue
        )
    }

    /// What the status means when the body says nothing that helps.
    ///
    /// ```
    /// use battlement_core::ErrorClass;
    /// assert_eq!(ErrorClass::of_status(529), ErrorClass::Overloaded);
    /// ```
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            402 => Self::QuotaExhausted,
            403 => Self::Permission,
            404 => Self::ModelNotFound,
            408 | 504 | 524 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::RequestTooLarge,
            429 => Self::RateLimitOther,
            503 | 529 => Self::Overloaded,
            // A redirect that nobody followed repeats for ever: the address is wrong.
            300..=499 => Self::InvalidRequest,
            _ => Self::ServerError,
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of a call.
///
/// Complete: these families do not grow, the classes inside them may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A generation ended and said how; with several choices, the worst of them.
    Finished(FinishClass),
    /// The provider answered with an error, or not at all.
    Failed(ErrorClass),
    /// The stream ended while at least one choice was unfinished.
    Cut,
    /// The framing or a checksum of the stream is broken.
    Corrupt,
    /// The caller went away before the end; says nothing about the provider.
    Abandoned,
}

impl Outcome {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished(class) => class.as_str(),
            Self::Failed(class) => class.as_str(),
            Self::Cut => "stream_cut",
            Self::Corrupt => "stream_corrupt",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether the answer is one the caller can use as it is.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Finished(class) if class.is_success())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
