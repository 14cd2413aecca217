//! Who wins among the attempts of a call.
//!
//! The first **output** wins, never the first response head or the first end: a quick 503 has not
//! answered anything. Whoever lost has to be dropped before the winner's output goes down, so
//! [`Output::Won`] names them. When all fail, the error is that of the latest attempt that was really
//! made, whatever the order in which they failed: it knows best how things stand, and one that was
//! turned away on our side knows nothing. Without any such it is that of the earliest.

/// How many attempts may run against each other.
pub const MOST_CONTENDERS: u32 = 5;

/// The attempts of one call that run at once, from the first one on.
///
/// ```
/// use battlement_core::hedge::{Failed, Output, Race};
///
/// let (mut race, first) = Race::start();
/// let second = race.join().expect("nobody has won yet");
/// assert_eq!(race.failed(first, true), Failed::Waiting);
/// let Output::Won { losers } = race.output(second) else { unreachable!() };
/// assert_eq!(losers.count(), 0);
/// assert!(race.join().is_none());
/// ```
#[derive(Debug)]
pub struct Race {
    /// One bit per contender that still runs.
    running: u8,
    joined: u8,
    /// One bit per contender that has failed after it was sent.
    sent: u8,
    /// Whether it is decided.
    over: bool,
}

/// An attempt in a [`Race`]; comes to its end once.
#[must_use = "a contender ends with its output or its failure"]
#[derive(Debug, PartialEq, Eq)]
pub struct Contender(u8);

impl Contender {
    /// Which attempt it is, from zero.
    pub const fn index(&self) -> usize {
        self.0 as usize
    }
}

/// What an output means.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is the answer. Drop the losers, then pass it on.
    Won {
        /// The indexes of those that still run.
        losers: Rivals,
    },
    /// Another was faster: drop this one.
    Lost,
}

/// What a failure means.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Another attempt is still running, or has won.
    Waiting,
    /// All have failed: the error to return is that of this index.
    All {
        /// The latest attempt that was sent; without one, the earliest.
        error: usize,
    },
}

/// The indexes of some contenders, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rivals(u8);

impl Iterator for Rivals {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let index = self.0.trailing_zeros();
        // Clears the lowest bit that is set.
        self.0 &= self.0.checked_sub(1)?;
        Some(index as usize)
    }
}

impl Race {
    /// The first attempt sets off.
    pub const fn start() -> (Self, Contender) {
        (Self { running: 1, joined: 1, sent: 0, over: false }, Contender(0))
    }

    /// Another attempt sets off; `None` when the race is over or full.
    pub fn join(&mut self) -> Option<Contender> {
        if self.over || u32::from(self.joined) >= MOST_CONTENDERS {
            return None;
        }
        let contender = Contender(self.joined);
        self.running |= contender.bit();
        self.joined += 1;
        Some(contender)
    }

    /// An attempt has its first output.
    pub fn output(&mut self, contender: Contender) -> Output {
        self.running &= !contender.bit();
        if self.over {
            return Output::Lost;
        }
        self.over = true;
        Output::Won { losers: Rivals(self.running) }
    }

    /// An attempt failed before any output. It was `sent`, or turned away on our side.
    pub fn failed(&mut self, contender: Contender, sent: bool) -> Failed {
        self.running &= !contender.bit();
        if sent {
            self.sent |= contender.bit();
        }
        if self.over || self.running != 0 {
            return Failed::Waiting;
        }
        self.over = true;
        Failed::All { error: self.sent.checked_ilog2().unwrap_or(0) as usize }
    }

    /// How many attempts run.
    pub const fn running(&self) -> u32 {
        self.running.count_ones()
    }

    /// Whether it is decided.
    pub const fn is_over(&self) -> bool {
        self.over
    }
}

impl Contender {
    const fn bit(&self) -> u8 {
        1 << self.0
    }
}
