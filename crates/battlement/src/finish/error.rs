//! What a caller gets instead of an answer that is of no use.

use std::fmt;

use battlement_core::{Advice, Code, Fault, Kind, Verdict};

use crate::{
    call::Attempt,
    error::{BoxError, Explanation},
};

use super::{Action, Policy};

/// The answer is withheld, or its end is: it is not what was asked for.
///
/// The text says what happened, whose fault it is and what to do. It has nothing of the answer in it
/// but the reason for stopping.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unusable {
    /// What the answer means.
    pub verdict: Box<Verdict>,
    /// How its body ended, if that was with an error.
    pub cause: Option<BoxError>,
}

/// Of a reason that is not known, enough to look for it.
const MOST_REASON: usize = 64;

impl Unusable {
    pub(crate) fn new(verdict: Verdict, cause: Option<BoxError>) -> Self {
        Self { verdict: Box::new(verdict), cause }
    }

    /// The stable name of what is wrong with it.
    pub fn code(&self) -> Code {
        self.verdict.code().unwrap_or(Code::AnswerMalformed)
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.code().fault()
    }

    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation::of(&self.verdict)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        write!(f, "unusable answer, {code}, fault of the {}", code.fault())?;
        let reasons = self.verdict.finishes.iter().filter_map(|finish| {
            (self.verdict.kind == Kind::Finish).then_some(finish.reason.as_deref()).flatten()
        });
        for reason in reasons.take(1) {
            let short: String = reason.chars().take(MOST_REASON).collect();
            write!(f, ", reason {short:?}")?;
        }
        write!(f, ": {} {}", code.meaning(), code.what_to_do())
    }
}

impl std::error::Error for Unusable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
    }
}

/// The answer was to be held until its end, and is longer than may be held.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer is longer than the {most} bytes that may be held")]
#[non_exhaustive]
pub struct TooLong {
    /// How much may be held.
    pub most: usize,
}

impl TooLong {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation {
            code: Code::AnswerTooLong,
            retry_after: None,
            retryable: false,
            sent: true,
            verdict: None,
        }
    }
}

/// Says of an answer that was passed on what is wrong with it, if something is.
///
/// It is among the extensions of the response where the policy tags anything. Beside the
/// [`Attempt`], which tells how any answer ended, it tells what the policy thinks of that, and it
/// knows what only this layer can find: refusals in prose, and silence.
///
/// ```
/// use battlement::finish::Tag;
///
/// /// Keeps what is worth keeping; asked when the body has ended.
/// fn is_worth_keeping<R>(response: &http::Response<R>) -> bool {
///     response.extensions().get::<Tag>().is_none_or(|tag| tag.unusable().is_none())
/// }
/// # assert!(is_worth_keeping(&http::Response::new(())));
/// ```
#[derive(Clone, Debug)]
pub struct Tag {
    attempt: Attempt,
    policy: Policy,
    found: Option<Box<Verdict>>,
}

impl Tag {
    pub(super) fn new(attempt: Attempt, policy: Policy, found: Option<Verdict>) -> Self {
        Self { attempt, policy, found: found.map(Box::new) }
    }

    /// What is wrong with the answer. `None` if nothing is, or nothing that the policy minds, and as long
    /// as it is not known: a stream tells at its end.
    pub fn unusable(&self) -> Option<Unusable> {
        let verdict = self.found.as_deref().or_else(|| {
            self.attempt.verdict().filter(|verdict| self.policy.action(verdict) != Action::Pass)
        });
        verdict.map(|verdict| Unusable::new(verdict.clone(), None))
    }
}

/// What a closer look at an answer has found that its provider calls a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It says nothing.
    Silence,
    /// It says that the model declines.
    Refusal,
}

impl Found {
    pub(super) fn action(self, policy: &Policy) -> Action {
        match self {
            Self::Silence => policy.of_silence(),
            Self::Refusal => policy.of_finish(battlement_core::FinishClass::Refusal),
        }
    }

    /// The verdict with this in it.
    pub(super) fn told(self, verdict: &Verdict) -> Verdict {
        use battlement_core::{ErrorClass, FinishClass, Outcome};

        let (outcome, code, advice) = match self {
            Self::Silence => {
                (Outcome::Failed(ErrorClass::ServerError), Code::AnswerEmpty, Advice::Backoff)
            }
            Self::Refusal => {
                (Outcome::Finished(FinishClass::Refusal), Code::Refusal, Advice::Never)
            }
        };
        verdict.clone().worsened(outcome, code, advice)
    }
}
