//! How urgent a call is, and what follows from it.
//!
//! A person who watches the cursor and a nightly job want opposite things from the same limit: one
//! would rather fail than wait, the other would rather wait than fail. Served alike, the job's ten
//! thousand calls stand in front of the person. So a call has a [`Lane`], and a lane has [`Terms`]:
//! how long the answer is of use, how often and how patiently it is tried, and whether speed may be
//! bought with a hedge. Who goes first in a line is a matter of the [queue](crate::queue).
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::lanes::{Lane, Lanes, Terms};
//!
//! let lanes = Lanes::default();
//! let lane: Lane = "batch".parse()?;
//! let now = Instant::now();
//! assert!(lanes.deadline(lane, now) > lanes.deadline(Lane::Interactive, now));
//!
//! let impatient = Terms { time: Some(Duration::from_secs(20)), ..Terms::interactive() };
//! let lanes = Lanes::new(impatient, Terms::deferred(), Terms::batch())?;
//! assert_eq!(lanes.limits(Lane::Interactive).attempts(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use crate::{
    attempts::{InvalidLimits, Limits},
    deadline::Deadline,
};

/// How urgent a call is.
///
/// Complete: finer distinctions are a matter of tenants and deadlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Somebody is watching. What a call is when nobody says otherwise.
    #[default]
    Interactive,
    /// Somebody waits for the result, but not for this call: the steps of an agent.
    Deferred,
    /// Nobody waits.
    Batch,
}

impl Lane {
    /// Every lane, from urgent to patient.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Deferred, Self::Batch];

    /// The word for headers, logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Deferred => "deferred",
            Self::Batch => "batch",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(name: &str) -> Result<Self, UnknownLane> {
        let is_named = |lane: &Self| lane.as_str().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is_named).ok_or(UnknownLane)
    }
}

/// The word names no lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of interactive, deferred and batch")]
pub struct UnknownLane;

/// What a lane may expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// How long the answer is of use, from the beginning of the call.
    pub time: Option<Duration>,
    /// How often a call is tried, the first attempt included.
    pub attempts: u32,
    /// How long a call may wait between its attempts, all waits together. A longer hint of the
    /// provider ends it.
    pub waiting: Duration,
    /// Whether a second attempt may be sent beside a slow first one.
    pub hedge: bool,
}

impl Terms {
    /// Ten minutes, as the providers' SDKs; three attempts within half a minute of waits; hedged.
    pub const fn interactive() -> Self {
        Self {
            time: Some(Duration::from_secs(600)),
            attempts: 3,
            waiting: Duration::from_secs(30),
            hedge: true,
        }
    }

    /// Half an hour; five attempts within five minutes of waits.
    pub const fn deferred() -> Self {
        Self {
            time: Some(Duration::from_secs(30 * 60)),
            attempts: 5,
            waiting: Duration::from_secs(300),
            hedge: false,
        }
    }

    /// A day, as the providers' own batches; ten attempts within an hour of waits.
    pub const fn batch() -> Self {
        Self {
            time: Some(Duration::from_secs(24 * 60 * 60)),
            attempts: 10,
            waiting: Duration::from_secs(60 * 60),
            hedge: false,
        }
    }
}

/// The terms of every lane, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Lanes {
    terms: [Terms; 3],
    limits: [Limits; 3],
}

impl Lanes {
    /// Checks the terms.
    pub fn new(interactive: Terms, deferred: Terms, batch: Terms) -> Result<Self, InvalidLanes> {
        let terms = [interactive, deferred, batch];
        let mut limits = [Limits::default(); 3];
        for (lane, terms) in Lane::ALL.into_iter().zip(terms) {
            limits[lane as usize] = Limits::new(terms.attempts)
                .map_err(|source| InvalidLanes::Attempts { lane, source })?
                .waiting(terms.waiting);
        }
        Ok(Self { terms, limits })
    }

    /// What this lane may expect.
    pub const fn terms(&self, lane: Lane) -> &Terms {
        &self.terms[lane as usize]
    }

    /// The limits for the ledger of a call in this lane.
    pub const fn limits(&self, lane: Lane) -> Limits {
        self.limits[lane as usize]
    }

    /// The deadline of a call in this lane that begins now.
    pub fn deadline(&self, lane: Lane, now: Instant) -> Deadline {
        self.terms(lane).time.map_or(Deadline::NEVER, |time| Deadline::after(time, now))
    }
}

impl Default for Lanes {
    fn default() -> Self {
        let terms = [Terms::interactive(), Terms::deferred(), Terms::batch()];
        let limits = terms
            .map(|terms| Limits::new(terms.attempts).unwrap_or_default().waiting(terms.waiting));
        Self { terms, limits }
    }
}

/// Why lanes cannot have these terms.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLanes {
    /// A number of attempts is out of range.
    #[error("the attempts of {lane} are out of range")]
    Attempts {
        /// Whose attempts.
        lane: Lane,
        /// What is wrong with them.
        source: InvalidLimits,
    },
}
