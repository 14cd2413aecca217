//! What happened in a run: every call, and every attempt that reached the provider.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// When it was made, in milliseconds of the run.
    pub at: u32,
    /// When it ended.
    pub end: u32,
    /// Which process made it.
    pub process: u8,
    /// How it ended.
    pub end_as: Ending,
    /// How many attempts reached the provider.
    pub attempts: u32,
    /// What the answer cost that it got.
    pub cost: f64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered in time.
    Answered,
    /// The provider failed it, or was too slow.
    Failed,
    /// Turned away on the caller's side.
    Rejected,
}

/// An attempt that reached the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When, in milliseconds of the run.
    pub at: u32,
    /// Whether the call had reached the provider before.
    pub again: bool,
    /// Whether the provider refused it.
    pub refused: bool,
}

/// Written while a run lasts.
#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) calls: Vec<Call>,
    pub(crate) attempts: Vec<Attempt>,
}

impl Log {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), entries: Mutex::default() }
    }

    pub(crate) fn now(&self) -> u32 {
        u32::try_from(self.start.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    /// A call is made; says which it is.
    pub(crate) fn begin(&self, process: usize) -> u32 {
        let at = self.now();
        let mut entries = self.lock();
        let (end_as, attempts, cost) = (Ending::Failed, 0, 0.0);
        let process = process as u8;
        entries.calls.push(Call { at, end: u32::MAX, process, end_as, attempts, cost });
        (entries.calls.len() - 1) as u32
    }

    pub(crate) fn end(&self, call: u32, end_as: Ending) {
        let now = self.now();
        if let Some(call) = self.lock().calls.get_mut(call as usize) {
            (call.end, call.end_as) = (now, end_as);
        }
    }

    /// An attempt reached the provider.
    pub(crate) fn arrived(&self, call: u32, refused: bool) {
        let at = self.now();
        let mut entries = self.lock();
        let Some(call) = entries.calls.get_mut(call as usize) else { return };
        call.attempts += 1;
        let again = call.attempts > 1;
        entries.attempts.push(Attempt { at, again, refused });
    }

    /// The provider has completed the answer to a call.
    pub(crate) fn answered(&self, call: u32, cost: f64) {
        if let Some(call) = self.lock().calls.get_mut(call as usize) {
            call.cost = cost;
        }
    }

    pub(crate) fn take(&self) -> Entries {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
