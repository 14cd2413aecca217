//! What the settings come to together.

use std::{fmt, time::Duration};

use battlement_core::lanes::Lane;

use super::Stack;
use crate::timeout::Timeouts;

/// What one call in a lane can come to, when everything goes wrong.
///
/// Shown as `interactive: 3 attempts of up to 600s and 30s of waits between them, all within 600s; up to
/// 24000 tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorstCase {
    /// Which lane.
    pub lane: Lane,
    /// How often it is tried.
    pub attempts: u32,
    /// How long one attempt may take; `None` without a limit.
    pub attempt: Option<Duration>,
    /// How long it may wait between its attempts, all waits together.
    pub waiting: Duration,
    /// How long it takes at most: the deadline, or attempts and waits if these are over sooner; `None`
    /// without a limit.
    pub time: Option<Duration>,
    /// What it may cost: every attempt the whole of a request.
    pub tokens: u64,
    /// What looks like a mistake.
    pub doubts: Vec<Doubt>,
}

/// Settings that are valid, and hardly meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// Nothing ends a call that hangs.
    #[error("neither the lane nor an attempt has a limit of time: a call may hang for ever")]
    Endless,
    /// One attempt may use up the whole deadline.
    #[error("one attempt that hangs uses up the {deadline:?} of the call: it is never tried again")]
    NoTimeToRetry {
        /// The time of the call.
        deadline: Duration,
    },
    /// There are to be several attempts, and no time between them.
    #[error(
        "waits between attempts may take nothing: any wait that the provider asks for ends the call"
    )]
    NoWaiting,
}

impl Stack {
    /// What a call in each lane can come to, at worst, with requests of so many tokens, input and
    /// output together.
    ///
    /// Over all calls together the budget of the retries holds: by default there is one second attempt
    /// for ten first ones.
    ///
    /// ```
    /// use battlement::stack::Stack;
    ///
    /// for worst in Stack::openai().worst_case(8_000) {
    ///     println!("{worst}");
    /// }
    /// ```
    pub fn worst_case(&self, tokens: u64) -> [WorstCase; 3] {
        Lane::ALL.map(|lane| {
            let terms = *self.call.terms(lane);
            let limits = self.timeout.limits();
            let attempt = longest(limits[0].total, limits[1].total);
            let waiting = if terms.attempts > 1 { terms.waiting } else { Duration::ZERO };
            let all = attempt
                .map(|attempt| attempt.saturating_mul(terms.attempts).saturating_add(waiting));
            WorstCase {
                lane,
                attempts: terms.attempts,
                attempt,
                waiting,
                time: shortest(terms.time, all),
                tokens: tokens.saturating_mul(terms.attempts.into()),
                doubts: doubts(terms.time, terms.attempts, terms.waiting, &limits),
            }
        })
    }
}

fn doubts(
    deadline: Option<Duration>,
    attempts: u32,
    waiting: Duration,
    limits: &[Timeouts; 2],
) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    // What a provider that never answers is given up after.
    let silent =
        limits.map(|limits| [limits.head, limits.output, limits.total].into_iter().flatten().min());
    if deadline.is_none() && silent.contains(&None) {
        doubts.push(Doubt::Endless);
    }
    if attempts > 1 {
        if let Some(deadline) = deadline {
            let hangs = |silent: Option<Duration>| silent.is_none_or(|silent| silent >= deadline);
            if silent.into_iter().all(hangs) {
                doubts.push(Doubt::NoTimeToRetry { deadline });
            }
        }
        if waiting.is_zero() {
            doubts.push(Doubt::NoWaiting);
        }
    }
    doubts
}

/// The longer of two limits; none is the longest.
fn longest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    Some(one?.max(other?))
}

/// The shorter of two limits.
fn shortest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

impl fmt::Display for WorstCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, attempts, waiting, tokens, .. } = self;
        let of = |time: Option<Duration>| {
            time.map_or("any length".to_owned(), |time| format!("up to {time:?}"))
        };
        match attempts {
            1 => write!(f, "{lane}: 1 attempt of {}", of(self.attempt))?,
            _ => write!(
                f,
                "{lane}: {attempts} attempts of {} and {waiting:?} of waits between them",
                of(self.attempt)
            )?,
        }
        if let Some(time) = self.time {
            write!(f, ", all within {time:?}")?;
        }
        write!(f, "; up to {tokens} tokens")?;
        for doubt in &self.doubts {
            write!(f, "\n  doubtful: {doubt}")?;
        }
        Ok(())
    }
}
