//! What a provider refuses with.

use battlement_core::hint::Dimension;

/// Why a request gets no reply.
///
/// A provider that has no such answer sends what comes nearest: most time-outs, for one, are told by
/// a gateway in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A limit of the account is used up for now: requests, tokens, or without saying which.
    RateLimited(Dimension),
    /// This one request is larger than the limit: no wait helps.
    NeverFits,
    /// What was paid for is used up.
    QuotaExhausted,
    /// The provider has too much to do. Not the account's own limit.
    Overloaded,
    /// The model is being loaded.
    ModelNotReady,
    /// Something failed inside the provider.
    Internal,
    /// A time limit of the provider itself passed.
    Timeout,
    /// 502 from a gateway in front of the provider, in HTML.
    BadGateway,
    /// 503 from such a gateway.
    Unavailable,
    /// 504 from such a gateway.
    GatewayTimeout,
    /// The key is wrong.
    InvalidKey,
    /// There is no key.
    MissingKey,
    /// The key is fine, and may not do this.
    AccessDenied,
    /// There is no such model.
    ModelNotFound,
    /// The prompt is longer than the model's window.
    ContextOverflow,
    /// The prompt is against the rules.
    ContentPolicy,
    /// The body has too many bytes.
    RequestTooLarge,
    /// Any other complaint about the request.
    InvalidRequest,
    /// Another request holds a lock.
    Conflict,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 21] = [
        Self::RateLimited(Dimension::Requests),
        Self::RateLimited(Dimension::Tokens),
        Self::RateLimited(Dimension::Other),
        Self::NeverFits,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::ModelNotReady,
        Self::Internal,
        Self::Timeout,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::InvalidKey,
        Self::MissingKey,
        Self::AccessDenied,
        Self::ModelNotFound,
        Self::ContextOverflow,
        Self::ContentPolicy,
        Self::RequestTooLarge,
        Self::InvalidRequest,
        Self::Conflict,
    ];
}
