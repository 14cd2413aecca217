//! From what an error said to what it is.
//!
//! Evidence ranks: a machine code or type outranks the HTTP status, the status outranks the words of
//! a message, and words decide only where the codes are generic.

use super::{
    Provider,
    phrases::{dimension_in, names_a_long_window, phrase, says_any, says_limit, says_quota},
    report::{ErrorCode, Report},
    words::{Meaning, limit_source, meaning, status_class},
};
use crate::{ErrorClass, hint::Dimension};

/// What is known of an error beside its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) provider: Provider,
    /// The HTTP status; `None` when the error came inside a 200.
    pub(crate) status: Option<u16>,
    /// The dimension that the headers say is used up.
    pub(crate) exhausted: Option<Dimension>,
    /// The answer carries a wait that can be believed.
    pub(crate) has_wait: bool,
}

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) class: ErrorClass,
    /// This one request is larger than the whole limit: no wait helps.
    pub(crate) never_fits: bool,
    /// No key was sent, as opposed to a wrong one.
    pub(crate) key_missing: bool,
}

/// Whether a report that came without an envelope is one of an error, and not of something else that
/// happens to have a type or a code.
pub(crate) fn is_known_error(report: &Report, provider: Provider) -> bool {
    let code = match &report.said.code {
        Some(ErrorCode::Word(word)) => Some(&**word),
        _ => None,
    };
    let words = [code, report.said.kind.as_deref()];
    words.into_iter().flatten().any(|word| meaning(word, provider).is_some())
}

/// Judges an error.
pub(crate) fn classify(report: &Report, at: Circumstances) -> Judged {
    let message = report.said.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let never_fits = exceeds_the_limit_alone(&message);
    let class = class(report, &message, at);
    Judged {
        class,
        never_fits: never_fits && class == ErrorClass::RateLimitTokens,
        key_missing: class == ErrorClass::Auth && is_missing_key(report, &message),
    }
}

fn class(report: &Report, message: &str, at: Circumstances) -> ErrorClass {
    if let Some(class) = report.limit_source.as_deref().and_then(limit_source) {
        return class;
    }
    if report.flagged {
        return ErrorClass::ContentPolicy;
    }
    // A code that is the status in digits says no more than a status does.
    let digits = match &report.said.code {
        Some(ErrorCode::Number(number)) => number.to_string(),
        Some(ErrorCode::Word(word)) => word.to_string(),
        None => String::new(),
    };
    let said_status = report.status.or_else(|| digits.parse().ok());
    let status = at.status.or(said_status.filter(|status| (400..600).contains(status)));

    let candidates = [
        report.detail_code.as_deref(),
        Some(&*digits),
        report.said.kind.as_deref(),
        report.kind.as_deref(),
    ];
    let mut limit = None;
    let mut usually = None;
    for found in candidates.into_iter().flatten().filter_map(|word| meaning(word, at.provider)) {
        match found {
            // `402 RESOURCE_EXHAUSTED` is a bill, whatever the word means elsewhere.
            Meaning::Limit(_) if status == Some(402) => {}
            // A dimension named by a later word completes an earlier one.
            Meaning::Limit(dimension) => limit = Some(limit.flatten().or(dimension)),
            Meaning::Is(class) if limit.is_none() || is_behind_a_limit(class) => return class,
            Meaning::Is(_) => {}
            Meaning::Usually(class) => usually = usually.or(Some(class)),
        }
    }
    if let Some(dimension) = limit {
        return rate_limit(dimension, report, message, at);
    }
    // These statuses say enough by themselves; the others are shared by several meanings.
    let settled = matches!(status, Some(401 | 402 | 408 | 409 | 498 | 504 | 524 | 529));
    if status == Some(429) || (!settled && says_limit(message)) {
        return rate_limit(None, report, message, at);
    }
    if !settled {
        if let Some(class) = phrase(message) {
            return class;
        }
        if says_quota(message, at.provider) {
            return ErrorClass::QuotaExhausted;
        }
    }
    let by_status = status.map(|status| status_class(status, at.provider));
    match (by_status, usually) {
        (Some(class @ (ErrorClass::Auth | ErrorClass::QuotaExhausted)), _) => class,
        // Made for nothing else.
        (Some(class), _) if status == Some(529) => class,
        // Any status can come with a complaint about the request; the other words know more.
        (_, Some(usually)) if usually != ErrorClass::InvalidRequest => usually,
        (Some(class), _) => class,
        (None, usually) => usually.unwrap_or(ErrorClass::ServerError),
    }
}

/// What a rate limit's code may stand in front of.
const fn is_behind_a_limit(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Overloaded | ErrorClass::QuotaExhausted)
}

/// A rate limit, unless a closer look finds a quota or the provider's own capacity.
fn rate_limit(
    dimension: Option<Dimension>,
    report: &Report,
    message: &str,
    at: Circumstances,
) -> ErrorClass {
    if report.quota_ids.contains("PerDay") {
        return ErrorClass::QuotaExhausted;
    }
    // Other words do not outrank a limit: they may be the caller's own.
    if let Some(class) = phrase(message).filter(|class| is_behind_a_limit(*class)) {
        return class;
    }
    if says_quota(message, at.provider) || (!at.has_wait && names_a_long_window(message)) {
        return ErrorClass::QuotaExhausted;
    }
    let by_quota = match &*report.quota_ids {
        ids if ids.contains("Token") || ids.contains("token") => Some(Dimension::Tokens),
        ids if ids.contains("Request") || ids.contains("request") => Some(Dimension::Requests),
        _ => None,
    };
    // A router's limit without a dimension counts requests.
    let by_router = report
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-ratelimit"))
        .then_some(Dimension::Requests);
    let dimension = dimension
        .or(by_quota)
        .or_else(|| dimension_in(message, at.provider))
        .or(at.exhausted)
        .or(by_router);
    match dimension {
        Some(Dimension::Tokens) => ErrorClass::RateLimitTokens,
        Some(Dimension::Requests) => ErrorClass::RateLimitRequests,
        _ => ErrorClass::RateLimitOther,
    }
}

/// "Request too large … Limit 30000, Requested 61337".
fn exceeds_the_limit_alone(message: &str) -> bool {
    match (number_after(message, "limit "), number_after(message, "requested ")) {
        (Some(limit), Some(requested)) => requested > limit,
        _ => message.starts_with("request too large"),
    }
}

/// The number behind the first `word` that has one behind it.
fn number_after(message: &str, word: &str) -> Option<u64> {
    message.match_indices(word).find_map(|(at, _)| {
        let rest = &message[at + word.len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != ',');
        rest[..end.unwrap_or(rest.len())].replace(',', "").parse().ok()
    })
}

fn is_missing_key(report: &Report, message: &str) -> bool {
    let kinds = [report.said.kind.as_deref(), report.kind.as_deref()];
    kinds.into_iter().flatten().any(|kind| kind.starts_with("MissingAuthentication"))
        || says_any(
            message,
            &[
                "no api key",
                "didn't provide an api key",
                "did not provide an api key",
                "missing api key",
                "api key is missing",
                "api key is required",
                "header is required",
                "no auth credentials",
                "missing authentication",
                "must provide an api key",
                "missing bearer",
            ],
        )
}
