//! A handle for the limit of a layer.

use std::fmt;

use super::{Config, InvalidConfig, permits::Permits};
use crate::{
    call::Key,
    line::{Line, Lines},
};

/// The limit of a layer, to look at it. A clone is another handle for the same.
#[derive(Clone)]
pub struct Handle {
    pub(super) lines: Lines<Permits>,
    /// Whether the limit moves.
    pub(super) adapts: bool,
}

/// A limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many calls may run.
    pub limit: u32,
    /// How many do, their answers included.
    pub in_flight: u32,
    /// How many wait.
    pub waiting: usize,
}

impl Handle {
    pub(super) fn new(config: &Config) -> Result<Self, InvalidConfig> {
        let bounds = config.bounds()?;
        let lines = Lines::new::<InvalidConfig>(bounds, config.queue)?;
        Ok(Self { lines, adapts: bounds.min != bounds.max })
    }

    /// The limit that all calls share; without meaning once there are keys.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.lines.common())
    }

    /// The limit of a key; `None` if it has had no call.
    pub fn snapshot_of(&self, key: &Key) -> Option<Snapshot> {
        self.lines.get(key).map(|line| snapshot(&line))
    }

    /// Every key, in no order.
    pub fn keys(&self) -> Vec<Key> {
        self.lines.keys()
    }
}

fn snapshot(line: &Line<Permits>) -> Snapshot {
    line.inspect(|permits, waiting| Snapshot {
        limit: permits.limit.limit(),
        in_flight: permits.limit.in_flight(),
        waiting,
    })
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("keys", &self.keys().len()).finish_non_exhaustive()
    }
}
