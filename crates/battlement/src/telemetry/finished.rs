//! A call that is over, and what it comes to.

use std::time::{Duration, Instant};

use battlement_core::{Code, Kind, Usage, Verdict, attempts::Role, prices::Cost, request::Facts};
use smallvec::SmallVec;

use super::layer::Settings;
use crate::call::{Attempt, Call};

/// One attempt at a call.
#[derive(Clone)]
pub(super) struct Tried {
    pub(super) attempt: Attempt,
    /// As its call counts, from one; 0 if nobody counts.
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) started: Instant,
    pub(super) ended: Option<Instant>,
    /// How long the call waited before it.
    pub(super) waited: Duration,
    /// How long it stood in lines of ours, and in whose.
    pub(super) lines: Vec<(&'static str, Duration)>,
    /// In whose it stands, and since when.
    pub(super) waiting: Option<(&'static str, Instant)>,
    pub(super) first_output: Option<Instant>,
    pub(super) status: Option<u16>,
}

impl Tried {
    pub(super) fn new(
        attempt: Attempt,
        number: u32,
        role: Role,
        started: Instant,
        waited: Duration,
    ) -> Self {
        let (lines, waiting) = (Vec::new(), None);
        let (ended, first_output, status) = (None, None, None);
        Self { attempt, number, role, started, ended, waited, lines, waiting, first_output, status }
    }

    /// Whatever it stood in line for is over.
    pub(super) fn waits_no_longer(&mut self, now: Instant) {
        if let Some((layer, since)) = self.waiting.take() {
            self.lines.push((layer, now.saturating_duration_since(since)));
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        self.attempt.call().facts()
    }

    pub(super) fn took(&self) -> Duration {
        let ended = self.ended.unwrap_or_else(|| self.attempt.ended());
        ended.saturating_duration_since(self.started)
    }

    pub(super) fn in_lines(&self) -> Duration {
        self.lines.iter().map(|(_, took)| *took).sum()
    }

    pub(super) fn outcome(&self) -> &'static str {
        self.attempt.verdict().map_or("rejected", |verdict| verdict.outcome.as_str())
    }

    pub(super) fn code(&self) -> Option<Code> {
        self.attempt.verdict().map_or(self.attempt.rejection(), Verdict::code)
    }

    pub(super) fn usage(&self) -> Option<&Usage> {
        self.attempt.verdict()?.usage.as_ref()
    }

    /// Whether it may have cost something that nobody has told.
    pub(super) fn is_untold(&self) -> bool {
        let Some(verdict) = self.attempt.verdict() else { return false };
        let is_free = verdict.kind == Kind::HttpError
            || verdict.code() == Some(Code::Unreachable)
            || !self.facts().operation.generates();
        !is_free && self.usage().and_then(Usage::total).is_none()
    }

    pub(super) fn cost(&self, settings: &Settings) -> Option<Cost> {
        let facts = self.facts();
        settings.prices().cost(facts.provider, facts.model.as_deref()?, self.usage()?)
    }
}

/// A call that is over.
pub(super) struct Finished<'a> {
    pub(super) id: u64,
    pub(super) call: Call,
    pub(super) ended: Instant,
    /// When the caller was given the first output.
    pub(super) first_output: Option<Instant>,
    pub(super) tried: SmallVec<[Tried; 1]>,
    /// Which of them was answered.
    pub(super) answered: Option<usize>,
    /// There is an answer, and it is that of none of them: it was made of several, such as rounds of a continuation.
    pub(super) is_made_of_several: bool,
    pub(super) outcome: &'static str,
    /// `None` of a success.
    pub(super) code: Option<Code>,
    /// Where the answer is from, if not from the first choice.
    pub(super) source: Option<Box<str>>,
    /// It was kept, and is as good as a new one.
    pub(super) is_fresh: bool,
    /// Waited after the last attempt, for one that was not made.
    pub(super) wait: Duration,
    pub(super) settings: &'a Settings,
}

impl Finished<'_> {
    /// The attempt that the caller has got something of, or the last one.
    pub(super) fn last(&self) -> Option<&Tried> {
        self.answered.map_or(self.tried.last(), |index| self.tried.get(index))
    }

    /// What is known of the call: of the route that it took at last, if there were several.
    pub(super) fn facts(&self) -> &Facts {
        self.last().map_or(self.call.facts(), Tried::facts)
    }

    pub(super) fn is_success(&self) -> bool {
        self.code.is_none()
    }

    /// Whether the tokens of this attempt bought an answer that was of use.
    pub(super) fn was_of_use(&self, index: usize) -> bool {
        let is_part = || {
            let tried = self.tried.get(index);
            self.is_made_of_several && tried.is_some_and(|tried| tried.attempt.has_output())
        };
        self.is_success() && (self.answered == Some(index) || is_part())
    }

    /// Whether a person may want to know: it has failed, or would have without help. What was only late has not.
    pub(super) fn is_incident(&self) -> bool {
        let is_plain = |tried: &&Tried| tried.role != Role::Hedge;
        !self.is_success()
            || self.tried.iter().filter(is_plain).count() > 1
            || (self.source.is_some() && !self.is_fresh)
    }

    pub(super) fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.call.started())
    }

    /// Until the caller was given the first output of a stream.
    pub(super) fn first_output(&self) -> Option<Duration> {
        let at = self.first_output.filter(|_| self.facts().stream)?;
        Some(at.saturating_duration_since(self.call.started()))
    }

    /// Between two tokens of a stream, on average.
    pub(super) fn per_token(&self) -> Option<Duration> {
        let at = self.first_output.filter(|_| self.facts().stream)?;
        let tokens = self.usage()?.output?.checked_sub(1).filter(|&tokens| tokens > 0)?;
        let tokens = u32::try_from(tokens).ok()?;
        Some(self.ended.saturating_duration_since(at) / tokens)
    }

    /// What the answer cost that the caller has got.
    pub(super) fn usage(&self) -> Option<&Usage> {
        self.last()?.usage()
    }

    /// What all of it cost, as far as that is known.
    pub(super) fn cost(&self) -> Option<Cost> {
        let mut costs = self.tried.iter().filter_map(|tried| tried.cost(self.settings));
        let mut sum = costs.next()?;
        costs.for_each(|cost| sum += cost);
        Some(sum)
    }

    /// How long it waited on our side: between attempts, and in lines.
    pub(super) fn waited(&self) -> Duration {
        let waits = self.tried.iter().map(|tried| tried.waited + tried.in_lines());
        waits.sum::<Duration>() + self.wait
    }

    pub(super) fn is_committed(&self) -> bool {
        self.first_output.is_some()
            || self.answered.is_some()
                && self.last().is_some_and(|tried| tried.attempt.has_output())
    }

    pub(super) fn source(&self) -> &str {
        self.source.as_deref().unwrap_or("primary")
    }
}
