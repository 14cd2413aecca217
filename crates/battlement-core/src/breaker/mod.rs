//! When to stop calling a provider, and when to call it again.
//!
//! A provider that is down takes a minute of each caller's time before it fails the call, and is
//! kept down by those who try again. A breaker notices and refuses calls at once; then it lets a
//! probe through, and, if that goes well, lets the traffic come back.
//!
//! # What is different about LLM calls
//!
//! - **They are few.** At one call in ten seconds nobody ever sees "50 % of the last hundred". This
//!   breaker asks how likely it is that more than the threshold fails, given what it has seen, so
//!   four failures of four trip it and one of one does not. Counts fade with time (see
//!   [`Config::half_life`]) instead of living in a window that has to fill.
//! - **They are long.** Waiting for a call to end means to learn of trouble a minute late. So a call
//!   speaks as soon as it knows: [`Breaker::slow`] at the moment it is overdue,
//!   [`Breaker::first_content`] when it is decided, and a correction if a stream dies later. Until it
//!   speaks a call counts as one that may succeed: failures are quick and answers are slow, and
//!   whoever counts only what has ended sees nothing but failures at the start of a burst.
//! - **Their results are late.** A call that began before the trip ends during the probe. Its
//!   [`Ticket`] carries the generation in which it was admitted, and what comes from another
//!   generation moves nothing. (resilience4j, Polly 8, linkerd2-proxy and tower-resilience 0.14 apply a
//!   result to whatever state they are in when it arrives.)
//! - **They are abandoned.** A caller who goes away says nothing about the provider: see
//!   [`Health::Neutral`], which gives a probe's place back and counts nothing.
//!
//! # States
//!
//! ```text
//!             evidence or a row of failures                  open time over, at the next call
//! closed ────────────────────────────────────▶ open ◀──┐ ─────────────────────────▶ half-open
//!    ▲                                                 └── a bad probe, or none good in time ──┤
//!    └────────────────────────────────────────────────────── enough good probes ───────────────┘
//! ```
//!
//! Transitions happen inside calls, at most one in each. Whoever wants to report them compares
//! [`Breaker::generation`] before and after.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::{
//!     breaker::{Breaker, Config, Health, Mode},
//!     random::Seeded,
//! };
//!
//! let (mut now, mut random) = (Instant::now(), Seeded(7));
//! let mut breaker = Breaker::new(Config::default(), now)?;
//! for _ in 0..4 {
//!     let ticket = breaker.admit(now, &mut random).expect("nothing is known against it");
//!     breaker.settle(ticket, Health::Bad, now, &mut random);
//! }
//! let rejected = breaker.admit(now, &mut random).expect_err("four of four failed");
//!
//! now = rejected.until.expect("nobody opened it by hand");
//! let mut probe = breaker.admit(now, &mut random).expect("the open time is over");
//! assert!(breaker.admit(now, &mut random).is_err(), "one probe at a time");
//! breaker.first_content(&mut probe, now, &mut random);
//! let second = breaker.admit(now, &mut random).expect("decided, though not at its end");
//! breaker.settle(second, Health::Good, now, &mut random);
//! assert_eq!(breaker.mode(), Mode::Closed);
//! breaker.settle(probe, Health::Neutral, now + Duration::from_secs(60), &mut random);
//! # Ok::<(), battlement_core::breaker::InvalidConfig>(())
//! ```
//!
//! For many of them, one for each model and key, see [`Registry`].

mod circuit;
mod config;
mod evidence;
mod health;
mod registry;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use config::{Config, InvalidConfig, OpenTime};
pub use health::Health;
pub use registry::Registry;

use self::{circuit::Circuit, evidence::Sign};
use crate::random::Random;

/// Decides whether a provider is called.
#[derive(Debug)]
pub struct Breaker {
    config: Config,
    circuit: Circuit,
}

/// Permission for one call, given back through [`Breaker::settle`].
///
/// A ticket that is dropped instead is missed: as a probe until
/// [`Config::half_open_max_age`], as an ordinary call until the next transition.
#[must_use = "a call that is not settled counts as one that may yet succeed"]
#[derive(Debug)]
pub struct Ticket {
    generation: u64,
    /// What the call has said, and the time under which that was booked.
    said: Option<(Sign, Instant)>,
}

/// The call is not to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("circuit breaker: {}", .reason.as_str())]
#[non_exhaustive]
pub struct Rejected {
    /// Why not.
    pub reason: Reason,
    /// When asking again makes sense at the latest; `None` if that takes a person.
    pub until: Option<Instant>,
}

/// Why a call is not to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The circuit is open.
    Open,
    /// As many probes as allowed are on their way.
    Probing,
    /// The provider is back, and not yet given all of the traffic.
    Returning,
}

impl Reason {
    /// The words for messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probing => "waiting for a probe",
            Self::Returning => "traffic is coming back slowly",
        }
    }
}

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Calls are made.
    Closed,
    /// No call is made.
    Open,
    /// A few calls are made to see whether the provider is back.
    HalfOpen,
}

impl Mode {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A circuit as it stands, for display.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state, as of the last call of a method.
    pub mode: Mode,
    /// How many transitions there were; of a key in a [`Registry`], only differences mean something.
    pub generation: u64,
    /// Good results, faded.
    pub good: f64,
    /// Bad results, faded.
    pub bad: f64,
    /// Bad results since the last good one.
    pub streak: u32,
    /// Calls, or probes, of which nothing is known yet.
    pub undecided: u32,
    /// How often it opened since it was last in good health.
    pub trips: u32,
    /// Good probes so far, when half-open.
    pub good_probes: u32,
    /// How many calls may be undecided, while traffic is held back after closing.
    pub allowed: Option<u32>,
    /// When the state, or the holding back, ends at the latest.
    pub until: Option<Instant>,
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config, now: Instant) -> Result<Self, InvalidConfig> {
        config.check()?;
        Ok(Self { config, circuit: Circuit::new(0, now) })
    }

    /// Asks to make one call.
    ///
    /// # Errors
    ///
    /// When the call is not to be made.
    pub fn admit(
        &mut self,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) -> Result<Ticket, Rejected> {
        self.circuit.admit(&self.config, now, random)
    }

    /// The call has not shown a sign of life for longer than is usual.
    ///
    /// It counts as a failure from now on, and as a success again if it turns out well.
    pub fn slow(&mut self, ticket: &mut Ticket, now: Instant, random: &mut (impl Random + ?Sized)) {
        self.circuit.note(&self.config, ticket, Sign::Bad, now, random);
    }

    /// The first content of the answer has arrived: the provider works.
    ///
    /// It counts as a success from now on, and as a failure if the stream dies later.
    pub fn first_content(
        &mut self,
        ticket: &mut Ticket,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        self.circuit.note(&self.config, ticket, Sign::Good, now, random);
    }

    /// Feeds back what became of the call; [`Health::Neutral`] also when its future was dropped.
    pub fn settle(
        &mut self,
        ticket: Ticket,
        health: Health,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        self.circuit.settle(&self.config, ticket, health, now, random);
    }

    /// Opens by hand: until then, or with `None` until [`Breaker::close`] or [`Breaker::reset`].
    pub fn open(&mut self, until: Option<Instant>) {
        self.circuit.open(until);
    }

    /// Closes by hand. Traffic comes back as after good probes.
    pub fn close(&mut self, now: Instant) {
        self.circuit.close(&self.config, now);
    }

    /// Forgets everything: closed, nothing held back, nothing counted, whatever the state was.
    pub fn reset(&mut self, now: Instant) {
        self.circuit.reset(now);
    }

    /// The state as of the last call of a method.
    pub fn mode(&self) -> Mode {
        self.circuit.mode()
    }

    /// Counts the transitions.
    pub fn generation(&self) -> u64 {
        self.circuit.generation()
    }

    /// The circuit as it stands, for display.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        self.circuit.snapshot(&self.config, now)
    }
}
