//! What a queue is told when it is built.

use std::time::Instant;

/// The bounds of a queue, and what each class is sure to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many calls may wait. 1,024 by default: at 600 requests a minute, the last of them waits
    /// for a hundred seconds, longer than most deadlines.
    pub most_waiting: usize,
    /// How many of them may be of one tenant. As many by default.
    pub most_of_tenant: usize,
    /// How many tenants who do not wait are remembered, so that nobody gains by coming and going.
    /// 4,096 by default.
    pub most_idle: usize,
    /// What share of all that passes a class is sure to get while it waits, in percent, by
    /// [`Lane::ALL`](crate::lanes::Lane::ALL). What is left goes to the most urgent. 0, 20 and 5 by default.
    pub shares: [u8; 3],
}

impl Default for Config {
    fn default() -> Self {
        Self { most_waiting: 1_024, most_of_tenant: 1_024, most_idle: 4_096, shares: [0, 20, 5] }
    }
}

/// How many may wait at most.
const MOST: usize = 1 << 20;

impl Config {
    pub(super) fn check(&self) -> Result<(), InvalidQueue> {
        let sizes = [self.most_waiting, self.most_of_tenant, self.most_idle];
        if let Some(size) = sizes.into_iter().find(|size| !(1..=MOST).contains(size)) {
            return Err(InvalidQueue::Size(size));
        }
        let sum: u32 = self.shares.iter().map(|share| u32::from(*share)).sum();
        if sum > 100 { Err(InvalidQueue::Shares(sum)) } else { Ok(()) }
    }
}

/// Why a queue is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidQueue {
    /// A size is zero or too large.
    #[error("a size of {0} is not between 1 and {MOST}")]
    Size(usize),
    /// More is promised than there is.
    #[error("the classes are sure to get {0} percent together")]
    Shares(u32),
}

/// Why a call may not wait. It holds what was to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected<T> {
    /// The reason.
    pub reason: Reason,
    /// What was to wait.
    pub item: T,
}

/// Why a call may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// As many wait as may.
    #[error("{waiting} calls wait, and no more may")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// As many of this tenant wait as may.
    #[error("{waiting} calls of this tenant wait, and no more may")]
    TenantFull {
        /// How many.
        waiting: usize,
    },
    /// Its turn would come after its deadline.
    #[error("its turn would come after its deadline")]
    TooLate {
        /// When.
        turn: Instant,
    },
    /// Its turn would never come.
    #[error("its turn would never come")]
    Never,
}
