//! What a failure means for the routes.

use std::time::Duration;

use crate::{Code, backoff::Trouble};

/// Where a call goes after a failure.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Then {
    /// To the next route.
    Next,
    /// To the next route whose window is known to be larger.
    Larger,
    /// Nowhere: the failure is the caller's to know.
    End,
}

impl Then {
    /// Unless a [`Policy`] says otherwise.
    ///
    /// What lies with the provider, the account or the network moves on. What lies with the request does
    /// not, since it is the same at the next provider; that a prompt is too long moves on to a
    /// larger window. What a filter or the model itself has refused ends the call: shopping for a
    /// provider that lets it pass is nothing that happens by itself. So does an answer that ended in a way
    /// which `finish` was told to fail, truncated for one.
    pub const fn of(code: Code) -> Self {
        match code {
            Code::ContextLength | Code::ContextWindow | Code::RequestTooLarge => Self::Larger,
            Code::ContentPolicy
            | Code::ContentFilter
            | Code::Recitation
            | Code::Refusal
            | Code::Truncated
            | Code::UnknownFinish
            | Code::InvalidRequest
            | Code::RequestUnreadable
            | Code::AnswerTooLong
            | Code::AttemptsUsed
            | Code::DeadlineExceeded
            | Code::NoRoute
            | Code::Abandoned
            | Code::Outpaced => Self::End,
            _ => Self::Next,
        }
    }
}

/// What is tried again on a route before the call moves on, where there is somewhere to go.
///
/// A rate limit whose wait is named passes by itself, and of server errors the first is mostly the
/// last. Everything else (no connection, silence, a rate limit without a wait) moves on at once: the next
/// route is faster than the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InPlace {
    /// How often after a rate limit whose wait was named.
    pub hinted: u32,
    /// How often after an error, an overload or an answer that broke off.
    pub broken: u32,
    /// The longest wait that is worth staying for, the provider's or in a line of ours.
    pub longest: Duration,
}

impl InPlace {
    /// Nothing.
    pub const NOT: Self = Self { hinted: 0, broken: 0, longest: Duration::ZERO };

    /// How long to stand in a line of ours on this route: as long as it would be waited for what its provider asks for.
    pub fn patience(&self) -> Duration {
        if self.hinted == 0 { Duration::ZERO } else { self.longest }
    }

    /// Whether to stay for another attempt, after so many in place.
    pub fn stays(&self, trouble: Trouble, hint: Option<Duration>, stayed: u32) -> bool {
        let times = match (trouble, hint) {
            (Trouble::RateLimit, Some(_)) => self.hinted,
            (Trouble::Overloaded | Trouble::Broken, _) => self.broken,
            _ => 0,
        };
        stayed < times && hint.is_none_or(|hint| hint <= self.longest)
    }
}

impl Default for InPlace {
    /// Once each; no longer than five seconds.
    fn default() -> Self {
        Self { hinted: 1, broken: 1, longest: Duration::from_secs(5) }
    }
}

/// Which failures move a call on, and which are tried again in place before.
///
/// ```
/// use battlement_core::{Code, fallback::{Policy, Then}};
///
/// // This provider's filter is known for its mistakes.
/// let policy = Policy::default().on(Code::ContentFilter, Then::Next);
/// assert_eq!(policy.then(Code::ContentFilter), Then::Next);
/// assert_eq!(policy.then(Code::InvalidRequest), Then::End);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is otherwise than [`Then::of`] has it.
    own: Vec<(Code, Then)>,
    in_place: InPlace,
}

impl Policy {
    /// For routes that differ in their key only: a rate limit of one moves on to the next at once.
    ///
    /// What one key is too small for, all are.
    #[must_use]
    pub fn key_pool() -> Self {
        let in_place = InPlace { hinted: 0, ..InPlace::default() };
        let same = [Code::ContextLength, Code::ContextWindow, Code::RequestTooLarge];
        Self { own: same.map(|code| (code, Then::End)).into(), in_place }
    }

    /// After a failure of this name.
    #[must_use]
    pub fn on(mut self, code: Code, then: Then) -> Self {
        self.own.retain(|(known, _)| *known != code);
        self.own.push((code, then));
        self
    }

    /// What is tried again in place before the call moves on.
    #[must_use]
    pub fn in_place(mut self, in_place: InPlace) -> Self {
        self.in_place = in_place;
        self
    }

    /// Where a call goes after a failure of this name.
    pub fn then(&self, code: Code) -> Then {
        let own = self.own.iter().find(|(known, _)| *known == code);
        own.map_or_else(|| Then::of(code), |(_, then)| *then)
    }

    /// What is tried again in place where another route could follow.
    pub fn stay(&self) -> InPlace {
        self.in_place
    }
}
