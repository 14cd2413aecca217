//! What is left to do when a call has failed for good.
//!
//! A caller that gets an error shows an error. Where less than the whole answer is better than none (a smaller
//! model, a sentence that says so), something can be given instead; but not for every failure. What is the
//! caller's own fault it has to learn of, and what a filter has stopped must not come back by another door.

use crate::Code;

/// What is given instead of an answer.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Instead {
    /// The answer to a simpler request; if that fails too, a static one.
    Simplified,
    /// A static answer: nothing more is sent.
    Static,
    /// The failure itself.
    Nothing,
}

impl Instead {
    /// Unless a [`Policy`] says otherwise.
    ///
    /// Nothing for what lies with the request or its key, for what the model or a filter has declined, and for
    /// an answer that is a part: continuing it is better than another one. Nothing more is sent where time or
    /// attempts are used up.
    pub const fn of(code: Code) -> Self {
        match code {
            Code::InvalidRequest
            | Code::InvalidKey
            | Code::MissingKey
            | Code::AccessDenied
            | Code::ModelUnavailable
            | Code::ContextLength
            | Code::RequestTooLarge
            | Code::RateLimitNeverFits
            | Code::ContentPolicy
            | Code::ContentFilter
            | Code::Refusal
            | Code::Recitation
            | Code::Truncated
            | Code::ContextWindow
            | Code::AnswerTooLong
            | Code::RequestUnreadable
            | Code::Unsendable
            | Code::Abandoned
            | Code::Outpaced => Self::Nothing,
            Code::DeadlineExceeded | Code::AttemptsUsed => Self::Static,
            _ => Self::Simplified,
        }
    }
}

/// What is given instead of an answer, by the code of the failure.
///
/// ```
/// use battlement_core::{Code, degrade::{Instead, Policy}};
///
/// let policy = Policy::default().on(Code::ContextLength, Instead::Static);
/// assert_eq!(policy.instead(Code::ContextLength), Instead::Static);
/// assert_eq!(policy.instead(Code::Overloaded), Instead::Simplified);
/// assert_eq!(policy.instead(Code::ContentFilter), Instead::Nothing);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is otherwise than [`Instead::of`] has it.
    own: Vec<(Code, Instead)>,
}

impl Policy {
    /// Instead of a failure of this name.
    #[must_use]
    pub fn on(mut self, code: Code, instead: Instead) -> Self {
        self.own.retain(|(known, _)| *known != code);
        self.own.push((code, instead));
        self
    }

    /// What is given instead of a failure of this name.
    pub fn instead(&self, code: Code) -> Instead {
        let own = self.own.iter().find(|(known, _)| *known == code);
        own.map_or_else(|| Instead::of(code), |(_, instead)| *instead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, fallback::Then};

    #[test]
    fn what_ends_a_call_for_the_caller_is_told_to_it() {
        for &code in Code::ALL {
            let instead = Instead::of(code);
            if instead == Instead::Simplified {
                let local = code.as_str().starts_with("llm.local.");
                assert!(local || code.fault() != Fault::Caller, "{code} is the caller's own");
            }
            if Then::of(code) == Then::End && instead == Instead::Simplified {
                assert!(
                    matches!(code, Code::UnknownFinish | Code::NoRoute),
                    "{code} goes nowhere else, and so not here"
                );
            }
        }
    }
}
