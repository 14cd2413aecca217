//! How long the provider has been waited for, and for how long it may be.
//!
//! Pure: the caller says what time it is. A clock runs only while somebody waits for the provider:
//! from the moment that there was nothing to have, to the moment that there was. A frame that is there
//! at once costs no look at the clock.

use std::time::{Duration, Instant};

use battlement_core::{Clock, Signals, deadline::Deadline};

use super::{Throughput, Timeouts};
use crate::call::Progress;

/// Whoever looks so much later than it was called to was busy elsewhere. Less may be a full runtime, or the
/// grain of a timer.
const LATE: Duration = Duration::from_millis(100);

/// The clocks of one attempt.
#[derive(Debug)]
pub(super) struct Clocks {
    limits: Timeouts,
    deadline: Deadline,
    began: Instant,
    /// Any byte is news: the answer is not a stream.
    by_bytes: bool,
    /// The head was passed on to the caller.
    passed: bool,
    /// Since when the provider is waited for; `None` while it is the caller's turn.
    since: Option<Instant>,
    /// When to look again.
    due: Option<Instant>,
    /// What was seen last: the head, or the number of news.
    mark: u64,
    /// Waited for the provider: since the beginning, since the last news, in the present window.
    total: Duration,
    idle: Duration,
    window: Duration,
    /// Bytes of news in the present window.
    bytes: u64,
}

/// What is to be done about an attempt that has nothing to show at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Wait until then; or for ever.
    Until(Option<Instant>),
    /// A limit has passed.
    Over(Limit),
    /// The answer is complete, and the provider keeps the connection open.
    Complete,
}

/// A limit that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) clock: Clock,
    pub(super) after: Duration,
    /// It was the deadline of the call.
    pub(super) is_deadline: bool,
}

impl Clocks {
    pub(super) fn new(limits: Timeouts, deadline: Deadline, stream: bool, now: Instant) -> Self {
        Self {
            limits,
            deadline,
            began: now,
            by_bytes: !stream,
            passed: false,
            since: None,
            due: None,
            mark: 0,
            total: Duration::ZERO,
            idle: Duration::ZERO,
            window: Duration::ZERO,
            bytes: 0,
        }
    }

    /// There is nothing to have from the provider at present.
    pub(super) fn wait(&mut self, progress: Progress, now: Instant) -> Patience {
        // A layer below may have had something that it keeps for itself.
        let mark = progress.mark();
        let is_news = mark != self.mark;
        self.stop(now, is_news);
        if is_news {
            self.mark = mark;
            self.idle = Duration::ZERO;
        }
        self.since = Some(now);
        let patience = self.patience(progress, now);
        self.due = match patience {
            Patience::Until(due) => due,
            Patience::Over(_) | Patience::Complete => None,
        };
        patience
    }

    /// The head goes to the caller.
    pub(super) fn pass(&mut self, progress: Progress, now: impl FnOnce() -> Instant) {
        self.passed = true;
        self.arrived(progress, 0, now);
        self.idle = Duration::ZERO;
        self.window = Duration::ZERO;
    }

    /// So many bytes go to the caller.
    pub(super) fn arrived(
        &mut self,
        progress: Progress,
        bytes: usize,
        now: impl FnOnce() -> Instant,
    ) {
        if self.since.is_some() {
            self.stop(now(), true);
        }
        let mark = progress.mark();
        let is_news =
            if self.by_bytes || progress.is_unread() { bytes > 0 } else { mark != self.mark };
        self.mark = mark;
        if is_news {
            self.idle = Duration::ZERO;
            self.bytes += bytes as u64;
        }
    }

    /// Stops the clocks, if they run.
    fn stop(&mut self, now: Instant, came: bool) {
        let Some(since) = self.since.take() else { return };
        // The caller was called to look and did not, and something has come: nobody knows when, so the
        // provider is not blamed for the time.
        let late = self.due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        if came && late > LATE {
            return;
        }
        let waited = now.saturating_duration_since(since);
        self.total = self.total.saturating_add(waited);
        self.idle = self.idle.saturating_add(waited);
        self.window = self.window.saturating_add(waited);
    }

    fn patience(&mut self, progress: Progress, now: Instant) -> Patience {
        let signals = progress.signals();
        let is_complete = self.passed && signals.contains(Signals::END);
        let has_spoken = progress.has_output() || progress.is_unread();
        let is_flowing = has_spoken || self.by_bytes;
        let limits = self.limits;
        let mut next = Next::default();
        if !progress.has_head() {
            next.offer(Clock::Head, limits.head, self.total);
        }
        if !has_spoken && !is_complete {
            next.offer(Clock::Output, limits.output, self.total);
        }
        if progress.has_head() && (is_flowing || is_complete) {
            next.offer(Clock::Idle, limits.idle, self.idle);
        }
        if let Some(throughput) =
            limits.throughput.filter(|_| has_spoken && self.passed && !is_complete)
        {
            if self.window >= throughput.over && self.bytes >= needed(throughput) {
                (self.window, self.bytes) = (Duration::ZERO, 0);
            }
            next.offer(Clock::Throughput, Some(throughput.over), self.window);
        }
        if !is_complete {
            next.offer(Clock::Total, limits.total, self.total);
        }
        if let Some(left) = self.deadline.remaining(now) {
            if next.0.is_none_or(|(first, _)| left < first) {
                let after = now.saturating_duration_since(self.began);
                next = Next(Some((left, Limit { clock: Clock::Total, after, is_deadline: true })));
            }
        }
        match next.0 {
            Some((Duration::ZERO, _)) if is_complete => Patience::Complete,
            Some((Duration::ZERO, limit)) => Patience::Over(limit),
            Some((left, _)) => Patience::Until(now.checked_add(left)),
            None => Patience::Until(None),
        }
    }
}

/// The limit that passes next, and how much is left of it.
#[derive(Default)]
struct Next(Option<(Duration, Limit)>);

impl Next {
    fn offer(&mut self, clock: Clock, limit: Option<Duration>, spent: Duration) {
        let Some(after) = limit else { return };
        let left = after.saturating_sub(spent);
        if self.0.is_none_or(|(first, _)| left < first) {
            self.0 = Some((left, Limit { clock, after, is_deadline: false }));
        }
    }
}

/// How many bytes a window has to bring.
fn needed(throughput: Throughput) -> u64 {
    let bytes = u128::from(throughput.bytes_per_second) * throughput.over.as_millis() / 1000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
