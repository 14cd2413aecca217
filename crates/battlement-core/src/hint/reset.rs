//! The five ways to write when a window resets.
//!
//! The same header name carries a Go duration at one provider and unix milliseconds at the next.
//! What a provider is known to send is one line of [`Reading::of`]; everything else, and whatever
//! does not read that way, is told apart by its looks.

use std::time::Duration;

use super::{
    duration,
    number::{self, MILLISECOND, SECOND},
    timestamp,
};
use crate::Provider;

/// How a reset value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// `6m0s`, from now.
    Duration,
    /// `11.38`, from now.
    Seconds,
    /// `1795176018`.
    UnixSeconds,
    /// `1795176042000`.
    UnixMilliseconds,
    /// `2026-11-20T12:00:24Z`.
    Rfc3339,
}

/// Reads the value of a reset header of `provider`: how long after `sent`, in whole milliseconds
/// rounded up; zero when that is past.
pub(super) fn read(text: &str, provider: Provider, sent: i128) -> Option<Duration> {
    let known = Reading::of(provider).and_then(|reading| reading.nanoseconds(text, sent));
    let nanoseconds = known.or_else(|| Reading::guess(text).nanoseconds(text, sent))?;
    Some(number::whole_milliseconds(nanoseconds))
}

/// Reads a value that is delta seconds by its specification.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    number::scaled(text, SECOND).map(number::whole_milliseconds)
}

impl Reading {
    /// What a provider is known to send.
    ///
    /// Together is left to its looks: its documents do not settle it.
    const fn of(provider: Provider) -> Option<Self> {
        match provider {
            Provider::OpenAi | Provider::Groq => Some(Self::Duration),
            Provider::AzureOpenAi
            | Provider::Mistral
            | Provider::Cerebras
            | Provider::GitHubModels => Some(Self::Seconds),
            Provider::Cohere => Some(Self::UnixSeconds),
            Provider::OpenRouter => Some(Self::UnixMilliseconds),
            Provider::Anthropic => Some(Self::Rfc3339),
            _ => None,
        }
    }

    /// What a value looks like.
    ///
    /// No window is 30 years long, and no reset lies before 2001, so a number tells its own unit.
    fn guess(text: &str) -> Self {
        match text.trim().parse::<f64>() {
            Ok(number) if number > 1e11 => Self::UnixMilliseconds,
            Ok(number) if number > 1e9 => Self::UnixSeconds,
            Ok(_) => Self::Seconds,
            Err(_) if text.contains(['T', 't']) && text.contains('-') => Self::Rfc3339,
            Err(_) => Self::Duration,
        }
    }

    fn nanoseconds(self, text: &str, sent: i128) -> Option<u128> {
        let since_epoch = match self {
            Self::Duration => return duration::parse(text),
            Self::Seconds => return number::scaled(text, SECOND),
            Self::UnixSeconds => saturating(number::scaled(text, SECOND)?),
            Self::UnixMilliseconds => saturating(number::scaled(text, MILLISECOND)?),
            Self::Rfc3339 => timestamp::rfc3339(text)?,
        };
        Some(u128::try_from(since_epoch.saturating_sub(sent)).unwrap_or(0))
    }
}

fn saturating(nanoseconds: u128) -> i128 {
    i128::try_from(nanoseconds).unwrap_or(i128::MAX)
}
