//! One error at the edge, made of the small ones of the layers.
//!
//! A layer fails with a small type of its own, boxed; whatever is below it, and above, passes it on.
//! At the edge [`Error::from`] finds it, wherever it is in the chain of sources, and answers what
//! people ask: what happened, whose fault is it, does it make sense to try again, and when.
//!
//! ```
//! use battlement::{Error, ErrorKind};
//! # fn caught() -> battlement::BoxError { "connection reset".into() }
//!
//! let error = Error::from(caught());
//! assert_eq!(error.kind(), ErrorKind::Upstream);
//! assert_eq!(error.code().as_str(), "llm.network.disconnected");
//! assert!(error.is_retryable());
//! ```

#[cfg(all(test, not(loom)))]
mod tests;

use std::{error, fmt, io, time::Duration};

use battlement_core::{Advice, Clock, Code, Fault, NoAnswer, Verdict, attempts::Step};

use crate::{
    call::Attempt,
    fallback::{Exhausted, NoRoute, Visit},
    finish::Unusable,
    retry::GaveUp,
};

/// Any error.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// What an error of one of our layers says about itself.
#[derive(Debug)]
pub(crate) struct Explanation<'a> {
    pub(crate) code: Code,
    /// When trying again makes sense, if that is known.
    pub(crate) retry_after: Option<Duration>,
    /// Whether trying again makes sense at all.
    pub(crate) retryable: bool,
    /// Whether the request may have left.
    pub(crate) sent: bool,
    /// What the answer meant, if there was one.
    pub(crate) verdict: Option<&'a Verdict>,
}

impl<'a> Explanation<'a> {
    /// The call was turned away before it was sent.
    pub(crate) fn rejected(code: Code, retry_after: Option<Duration>) -> Self {
        Self { code, retry_after, retryable: true, sent: false, verdict: None }
    }

    /// The answer is not passed on.
    pub(crate) fn of(verdict: &'a Verdict) -> Self {
        let advice = verdict.failure.as_ref().map_or(Advice::Never, |failure| failure.advice);
        let retry_after = match advice {
            Advice::After(wait) => Some(wait),
            Advice::Backoff | Advice::Never => None,
        };
        Self {
            code: verdict.code().unwrap_or(Code::AnswerMalformed),
            retry_after,
            retryable: advice.is_retryable(),
            sent: true,
            verdict: Some(verdict),
        }
    }
}

/// Every error type of our layers, in one list.
macro_rules! ours {
    ($($(#[$feature:meta])? $kind:ty),+ $(,)?) => {
        /// What the error says about itself, if it is of our layers.
        fn explain_one<'a>(error: &'a (dyn error::Error + 'static)) -> Option<Explanation<'a>> {
            $($(#[$feature])? if let Some(error) = error.downcast_ref::<$kind>() {
                return Some(error.explain());
            })+
            None
        }
    };
}

ours! {
    crate::breaker::Rejected,
    crate::context::TooLong,
    crate::continuation::Diverged,
    crate::preflight::Refused,
    NoRoute,
    crate::call::Unreadable,
    crate::finish::TooLong,
    Unusable,
    crate::deadline::Exceeded,
    crate::hedge::NoRoom,
    crate::retry_after::CoolingDown,
    crate::retry::Refused,
    crate::timeout::Elapsed,
    crate::concurrency::Rejected,
    crate::rate_limit::Rejected,
    #[cfg(feature = "cache")]
    crate::single_flight::Lost,
    #[cfg(feature = "json-schema")]
    crate::repair::Invalid,
}

impl crate::call::Unreadable {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        let code = Code::RequestUnreadable;
        Explanation { retryable: false, ..Explanation::rejected(code, None) }
    }
}

/// What the first error of ours in the chain says about itself.
pub(crate) fn explain(error: &BoxError) -> Option<Explanation<'_>> {
    chain(&**error).find_map(|error| explain_one(error).or_else(|| unsendable(error)))
}

/// What a client says of a request that it does not even begin to send. It will not send the next one
/// like it either, which says nothing about the provider.
fn unsendable<'a>(error: &(dyn error::Error + 'static)) -> Option<Explanation<'a>> {
    is_unsendable(error)
        .then(|| Explanation { retryable: false, ..Explanation::rejected(Code::Unsendable, None) })
}

fn is_unsendable(error: &(dyn error::Error + 'static)) -> bool {
    #[cfg(feature = "hyper-util")]
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        // There is no other way to ask: these are the kinds `UserAbsoluteUriRequired` and the like.
        return error.to_string().starts_with("client error (User");
    }
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return error.is_builder();
    }
    let _none = error;
    false
}

/// The code of an error that one of our layers made instead of sending the request.
pub(crate) fn local_code(error: &BoxError) -> Option<Code> {
    explain(error).filter(|explanation| !explanation.sent).map(|explanation| explanation.code)
}

/// An error and its sources.
fn chain<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // The source of an `io::Error` is not the error that it was made of, but the source of that.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn error::Error + 'static)),
            None => error.source(),
        }
    })
}

/// The routes that an error tells of.
fn routes(error: &(dyn error::Error + 'static)) -> Option<Vec<Visit>> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return (!error.inner.routes.is_empty()).then(|| error.inner.routes.clone());
    }
    if let Some(error) = error.downcast_ref::<Exhausted>() {
        return Some(error.routes.clone());
    }
    Some(error.downcast_ref::<NoRoute>()?.routes.clone())
}

/// What an error of the transport says: whether the request can have been sent, above all.
pub(crate) fn no_answer(error: &BoxError) -> NoAnswer {
    chain(&**error).find_map(transport).unwrap_or(NoAnswer::Disconnected)
}

fn transport(error: &(dyn error::Error + 'static)) -> Option<NoAnswer> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Some(NoAnswer::Unreachable),
            io::ErrorKind::TimedOut => Some(NoAnswer::Overdue(Clock::Total)),
            _ => None,
        };
    }
    client(error)
}

/// What an error of a client says that has a feature of ours. All that it does not name is a lost
/// connection: one that was closed before its head, a request that was canceled with its connection. The
/// request may have been read by then, so these are not told apart.
fn client(error: &(dyn error::Error + 'static)) -> Option<NoAnswer> {
    #[cfg(feature = "hyper-util")]
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return error.is_connect().then_some(NoAnswer::Unreachable);
    }
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        // A timeout of the connection is both.
        return match (error.is_connect(), error.is_timeout()) {
            (true, _) => Some(NoAnswer::Unreachable),
            (false, true) => Some(NoAnswer::Overdue(Clock::Total)),
            (false, false) => None,
        };
    }
    #[cfg(feature = "http2")]
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        // RFC 9113, 8.7: neither was processed. A connection that is closed in good order lets those end
        // that it has begun, so the error is only seen by those that it has not.
        let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let is_late = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        return (error.is_remote() && (is_refused || is_late)).then_some(NoAnswer::Unreachable);
    }
    let _none = error;
    None
}

/// What kind of failure it is, roughly: what decides on the status to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A limit is reached, the provider's or one set here: 429.
    RateLimited,
    /// A time limit passed, or the deadline of the call: 504.
    Timeout,
    /// The provider failed, could not be reached, or sent no usable answer: 502.
    Upstream,
    /// Not called, because it would fail, or because too many calls wait: 503.
    Unavailable,
    /// The model answered, in a way that was not asked for: truncated, filtered, refused: 422.
    Unusable,
    /// The request is too large: 413.
    TooLarge,
    /// The key is missing or wrong, or its account is not allowed to do this: 401.
    Unauthorized,
    /// The request is wrong in another way: 400.
    Request,
    /// It went wrong on our side: the request could not be read from whoever makes it: 500.
    Internal,
}

impl ErrorKind {
    /// The kind of a failure of this name.
    pub const fn of(code: Code) -> Self {
        match code {
            Code::RateLimitRequests
            | Code::RateLimitTokens
            | Code::RateLimitOther
            | Code::QuotaExhausted
            | Code::CoolingDown
            | Code::LimitReached => Self::RateLimited,
            Code::TimeoutHead
            | Code::TimeoutOutput
            | Code::TimeoutIdle
            | Code::TimeoutTotal
            | Code::TimeoutThroughput
            | Code::ProviderTimeout
            | Code::DeadlineExceeded => Self::Timeout,
            Code::CircuitOpen
            | Code::QueueFull
            | Code::ConcurrencyReached
            | Code::AttemptsUsed
            | Code::JoinLost
            | Code::NoRoute => Self::Unavailable,
            Code::Truncated
            | Code::ContextWindow
            | Code::Refusal
            | Code::ContentFilter
            | Code::ContentPolicy
            | Code::Recitation
            | Code::UnknownFinish
            | Code::SchemaMismatch
            | Code::AnswerTooLong => Self::Unusable,
            Code::ContextLength | Code::RequestTooLarge | Code::RateLimitNeverFits => {
                Self::TooLarge
            }
            Code::InvalidKey | Code::MissingKey | Code::AccessDenied => Self::Unauthorized,
            Code::InvalidRequest | Code::ModelUnavailable | Code::Abandoned | Code::Outpaced => {
                Self::Request
            }
            Code::RequestUnreadable | Code::Unsendable => Self::Internal,
            _ => Self::Upstream,
        }
    }

    /// The status to answer a caller with.
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::RateLimited => http::StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout => http::StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream => http::StatusCode::BAD_GATEWAY,
            Self::Unavailable => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Unusable => http::StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => http::StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => http::StatusCode::UNAUTHORIZED,
            Self::Request => http::StatusCode::BAD_REQUEST,
            Self::Internal => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What went wrong with a call, for whoever made it.
///
/// Flat: of whatever was wrapped in what on the way up, it keeps the cause and what was done about it.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    code: Code,
    retry_after: Option<Duration>,
    retryable: bool,
    verdict: Option<Verdict>,
    trail: Vec<Step>,
    routes: Vec<Visit>,
    source: BoxError,
}

impl Error {
    /// The error that an answer of this call is, by its verdict.
    pub(crate) fn told(verdict: Verdict, call: &crate::call::Call) -> Self {
        let mut error = Self::from(BoxError::from(Unusable::new(verdict, None)));
        error.inner.trail = call.trail();
        error
    }

    /// The error that an answer is: one with a status of 400 or more, and every other that is no success.
    ///
    /// The layers pass an answer with such a status on, since its body is of use to some. Who has no use
    /// for it reads that body to its end and asks this of the [`Attempt`] among the extensions of the
    /// response. `None` of an answer that is a success, and as long as its end is not known.
    pub fn of(attempt: &Attempt) -> Option<Self> {
        let verdict = attempt.verdict().filter(|verdict| !verdict.is_success())?;
        Some(Self::told(verdict.clone(), attempt.call()))
    }

    /// What kind of failure it is, roughly.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::of(self.inner.code)
    }

    /// The stable name of the failure; the failure atlas says what to do about it.
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.inner.code.fault()
    }

    /// When trying again makes sense, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.inner.retryable
    }

    /// What the answer meant, if there was one.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.inner.verdict.as_ref()
    }

    /// What was tried, from the first attempt on. Empty if no layer made several.
    pub fn attempts(&self) -> &[Step] {
        &self.inner.trail
    }

    /// Which routes have failed or were left out, in that order. Empty if there was no choice.
    pub fn routes(&self) -> &[Visit] {
        &self.inner.routes
    }

    /// [`Error::retry_after`] in the form of the header: whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.inner.retry_after?;
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// The error as a JSON body: what happened, whose fault it is, whether and when to try again.
    ///
    /// Holds the words of the layers and of the transport, and none of a provider's: those may quote
    /// the prompt.
    pub fn to_json(&self) -> String {
        let mut json = String::from(r#"{"error":{"code":""#);
        json.push_str(self.code().as_str());
        json.push_str(r#"","message":""#);
        escape(&self.inner.source.to_string(), &mut json);
        json.push_str(r#"","fault":""#);
        json.push_str(self.fault().as_str());
        json.push_str(r#"","retryable":"#);
        json.push_str(if self.is_retryable() { "true" } else { "false" });
        if let Some(wait) = self.inner.retry_after {
            json.push_str(r#","retry_after_ms":"#);
            json.push_str(&wait.as_millis().to_string());
        }
        json.push_str(r#","attempts":"#);
        json.push_str(&self.inner.trail.len().to_string());
        json.push_str("}}");
        json
    }

    /// The error as it came up.
    pub fn into_source(self) -> BoxError {
        self.inner.source
    }
}

/// Appends a text as the inside of a JSON string.
pub(crate) fn escape(text: &str, json: &mut String) {
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = fmt::Write::write_fmt(json, format_args!("\\u{:04x}", control as u32));
            }
            other => json.push(other),
        }
    }
}

impl From<BoxError> for Error {
    fn from(source: BoxError) -> Self {
        let source = match source.downcast::<Self>() {
            Ok(error) => return *error,
            Err(source) => source,
        };
        let source = match source.downcast::<Exhausted>() {
            Ok(exhausted) => {
                let Exhausted { routes, trail, source } = *exhausted;
                let mut error = Self::from(source);
                (error.inner.routes, error.inner.trail) = (routes, trail);
                return error;
            }
            Err(source) => source,
        };
        let routes = chain(&*source).find_map(routes).unwrap_or_default();
        let (source, trail) = match source.downcast::<GaveUp>() {
            Ok(gave_up) => (gave_up.source, gave_up.trail),
            Err(source) => {
                let trail = chain(&*source).find_map(|error| error.downcast_ref::<GaveUp>());
                let trail = trail.map(|gave_up| gave_up.trail.clone()).unwrap_or_default();
                (source, trail)
            }
        };
        let (code, retry_after, retryable, verdict) = match explain(&source) {
            Some(Explanation { code, retry_after, retryable, verdict, .. }) => {
                (code, retry_after, retryable, verdict.cloned())
            }
            None => {
                let verdict = Verdict::no_answer(no_answer(&source));
                (verdict.code().unwrap_or(Code::Disconnected), None, true, Some(verdict))
            }
        };
        let inner = Inner { code, retry_after, retryable, verdict, trail, routes, source };
        Self { inner: Box::new(inner) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.code, self.inner.source)?;
        match self.inner.trail.len() {
            0 | 1 => {}
            attempts => write!(f, " (after {attempts} attempts)")?,
        }
        if let Some(wait) = self.inner.retry_after {
            write!(f, ", try again in {wait:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.inner.code)
            .field("retry_after", &self.inner.retry_after)
            .field("retryable", &self.inner.retryable)
            .field("outcome", &self.inner.verdict.as_ref().map(|verdict| verdict.outcome))
            .field("attempts", &self.inner.trail)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.inner.source)
    }
}
