//! What a provider can do at most, and what happens to those who ask for more.
//!
//! A script says how each answer goes wrong. What it cannot say is how things go wrong *because of* the
//! caller: the queue that grows with every retry, the limit that rejected calls use up, the work that
//! is done for callers who have left. The four models here do that.
//!
//! | model | is limited by | like |
//! |---|---|---|
//! | [`Slots`] | so many calls at once; the others queue | a model server behind a queue |
//! | [`Quota`] | requests and tokens in a minute | the limits of an account |
//! | [`Batcher`] | one batch, which slows down as it fills | an inference engine with streams |
//! | [`Regions`] | slots in two places, one with the caller's cache | a provider with regions |
//!
//! Each is a [`Machine`]: pure, time comes in as an argument and chance from a seed, so a test walks it
//! through an hour in a millisecond. [`Capacity`] is the one shell around any of them. It keeps time
//! by tokio's clock, and a provider awaits it. What goes wrong from outside is a [`Change`], made
//! at any time.
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_sim::capacity::{Capacity, Job, Progress, Slots, slots};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // Two at once, and one may wait.
//! let config = slots::Config { slots: 2, most_waiting: Some(1), ..slots::Config::default() };
//! let provider = Capacity::start(Slots::new(config));
//!
//! let job = Job { work: Duration::from_secs(10), ..Job::default() };
//! let start = tokio::time::Instant::now();
//! let _first = provider.ask(job).unwrap();
//! let _second = provider.ask(job).unwrap();
//! let mut third = provider.ask(job).unwrap();
//! assert!(provider.ask(job).is_err(), "overloaded");
//!
//! assert!(matches!(third.next().await, Progress::First));
//! assert!(matches!(third.next().await, Progress::Done { .. }));
//! assert_eq!(start.elapsed(), Duration::from_secs(20));
//! # }
//! ```

pub mod batcher;
pub mod quota;
pub mod regions;
mod shell;
pub mod slots;
#[cfg(test)]
mod tests;
pub mod work;

use std::time::{Duration, Instant};

pub use batcher::Batcher;
pub use quota::Quota;
pub use regions::Regions;
pub use shell::{Capacity, Place};
pub use slots::Slots;

/// What a call asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// For how long it keeps a slot, a year at most; what a machine that counts tokens does not look at.
    pub work: Duration,
    /// Tokens of the prompt, a billion at most.
    pub input: u64,
    /// Tokens of the answer, a billion at most.
    pub output: u64,
    /// Calls with the same number share a prompt, which is cached where the first of them ran.
    pub affinity: u64,
}

/// Which call, by the number that it arrived with.
pub type Id = u64;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "progress is for the caller"]
pub enum Progress {
    /// The model has said its first word.
    First,
    /// The answer is complete. It cost so much, in the unit of [`Machine::spent`].
    Done {
        /// What it cost.
        cost: f64,
    },
    /// It broke off in the middle.
    Broken,
}

/// A call that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why:?}")]
pub struct Refusal {
    /// Why not.
    pub why: Why,
    /// When to come back, if the provider tells. It does not where no wait helps.
    pub after: Option<Duration>,
}

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A limit per minute is used up: 429.
    RateLimit,
    /// There is no room: 529, or 503.
    Overloaded,
}

/// What a provider says of its limits in the headers of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Requests in a minute.
    pub limit: u64,
    /// How many of them are left.
    pub left: u64,
    /// When all of them are back.
    pub reset: Duration,
}

/// No call takes longer, and nothing that is to happen is farther away.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MOST_TOKENS: u64 = 1_000_000_000;

impl Job {
    /// What machines can count with.
    fn in_range(self) -> Self {
        Self {
            work: self.work.min(LONGEST),
            input: self.input.min(MOST_TOKENS),
            output: self.output.min(MOST_TOKENS),
            affinity: self.affinity,
        }
    }
}

/// A length of time, or the nearest that there is.
fn length(seconds: f64) -> Duration {
    let beyond = if seconds > 0.0 { Duration::MAX } else { Duration::ZERO };
    Duration::try_from_secs_f64(seconds).unwrap_or(beyond)
}

/// So long after a moment, and not so far that there is none.
fn later(at: Instant, wait: Duration) -> Instant {
    at + wait.min(LONGEST)
}

/// Something that happens to a provider. Numbers out of range count as the nearest in it, and what is no number
/// as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// It has this part of its usual room; 0 for none, 1 for all of it, a million times as much at most.
    Room(f64),
    /// It takes so many times as long, from a millionth to a million. In one of [`Regions`], and in the other as
    /// far as they go together.
    Slowness(f64),
    /// Its limits are this part of the usual ones, from 0 to a million.
    Limits(f64),
    /// It refuses every call as if a limit were used up, and says nothing more; or does so no longer.
    Flood(bool),
}

impl Change {
    fn in_range(self) -> Self {
        const MOST: f64 = 1e6;
        let within = |number: f64, least: f64| {
            if number.is_nan() { 1.0 } else { number.clamp(least, MOST) }
        };
        match self {
            Self::Room(part) => Self::Room(within(part, 0.0)),
            Self::Slowness(factor) => Self::Slowness(within(factor, 1.0 / MOST)),
            Self::Limits(part) => Self::Limits(within(part, 0.0)),
            Self::Flood(floods) => Self::Flood(floods),
        }
    }
}

/// A model of a provider. Time is an argument, and never goes back.
pub trait Machine: Send + 'static {
    /// A call arrives.
    ///
    /// # Errors
    ///
    /// When it is not taken; nothing more is heard of it then.
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal>;

    /// The caller of a call that is not over has gone away.
    fn leave(&mut self, id: Id, now: Instant);

    /// Lets time pass, and tells everything that has happened until now, in order.
    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>);

    /// When something happens next, if nobody comes or goes.
    fn due(&self) -> Option<Instant>;

    /// Something happens to it. What does not concern it is ignored.
    fn change(&mut self, change: Change, now: Instant);

    /// All that was paid so far: seconds of slots, or tokens. Work for those who have left is in it.
    fn spent(&self) -> f64;

    /// What it says of its limits, if it does.
    fn told(&self, _now: Instant) -> Option<Told> {
        None
    }
}

/// Whichever of them.
impl Machine for Box<dyn Machine> {
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal> {
        (**self).arrive(id, job, now)
    }

    fn leave(&mut self, id: Id, now: Instant) {
        (**self).leave(id, now);
    }

    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>) {
        (**self).advance(now, told);
    }

    fn due(&self) -> Option<Instant> {
        (**self).due()
    }

    fn change(&mut self, change: Change, now: Instant) {
        (**self).change(change, now);
    }

    fn spent(&self) -> f64 {
        (**self).spent()
    }

    fn told(&self, now: Instant) -> Option<Told> {
        (**self).told(now)
    }
}
