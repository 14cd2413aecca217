//! A handle for the limits of a layer.

use std::fmt;

use battlement_core::ledger::{InvalidLedger, Limit};

use super::book::Book;
use crate::{
    call::Key,
    clock::now,
    line::{Line, Lines},
};

/// The limits of a layer, to look at them or to change them. A clone is another handle for the same.
#[derive(Clone)]
pub struct Limits {
    pub(super) lines: Lines<Book>,
}

/// Limits as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Each limit as it is in force, and what is left of it; negative when in debt.
    pub levels: Vec<(Limit, i64)>,
    /// How many calls are running.
    pub open: usize,
    /// How many calls wait.
    pub waiting: usize,
}

impl Limits {
    /// The limits that all calls share; without meaning once there are keys.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.lines.common())
    }

    /// The limits of a key; `None` if it has had no call.
    pub fn snapshot_of(&self, key: &Key) -> Option<Snapshot> {
        self.lines.get(key).map(|line| snapshot(&line))
    }

    /// Every key, in no order.
    pub fn keys(&self) -> Vec<Key> {
        self.lines.keys()
    }

    /// Changes the amount and burst of a limit, from now on, for all calls, and for all keys that have
    /// no limit of their own. What is spent stays spent; who waits passes sooner, or waits longer.
    ///
    /// # Errors
    ///
    /// If nothing of that meter and period was limited, or the amount is out of range.
    pub fn set(&self, limit: Limit) -> Result<(), InvalidLedger> {
        change(self.lines.common(), limit)?;
        let others = self.lines.reconfigure(|config| {
            let same = config
                .ledger
                .limits
                .iter_mut()
                .find(|known| (known.meter, known.period) == (limit.meter, limit.period));
            if let Some(known) = same {
                *known = limit;
            }
        });
        others.iter().try_for_each(|line| change(line, limit))
    }

    /// Changes a limit for one key, which is not forgotten from then on.
    ///
    /// # Errors
    ///
    /// As [`Limits::set`].
    pub fn set_for(&self, key: &Key, limit: Limit) -> Result<(), InvalidLedger> {
        change(&self.lines.set(key), limit)
    }
}

fn snapshot(line: &Line<Book>) -> Snapshot {
    let now = now();
    line.inspect(|book, waiting| {
        let levels = book.ledger.levels(now).collect();
        Snapshot { levels, open: book.ledger.open(), waiting }
    })
}

fn change(line: &Line<Book>, limit: Limit) -> Result<(), InvalidLedger> {
    let now = now();
    line.change(now, |book, _queue| book.ledger.change(limit, now))
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("keys", &self.keys().len()).finish_non_exhaustive()
    }
}
