//! What an attempt on a route owes: its place among those on their way, and an entry in the account.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use battlement_core::attempts::Role;

use super::roster::Roster;
use crate::{
    call::Attempt,
    observe::Guard,
    retry::ticket::{ending, tokens},
};

/// What an attempt on a route owes until the end of its answer.
pub struct Lease {
    roster: Arc<Roster>,
    route: usize,
    /// When it began; with the call, if it is not said.
    started: Option<Instant>,
}

impl Lease {
    pub(super) fn new(roster: Arc<Roster>, route: usize, started: Option<Instant>) -> Self {
        roster.entries[route].in_flight.fetch_add(1, Relaxed);
        Self { roster, route, started }
    }
}

impl Guard for Lease {
    fn settle(self, attempt: &Attempt) {
        // A retry on the route keeps account of it; where there is none, nobody has.
        if attempt.is_unsent() || !attempt.count() {
            return;
        }
        let call = attempt.call();
        let mut ledger = call.ledger();
        let role = if ledger.attempts() == 0 { Role::First } else { Role::Fallback };
        let name = self.roster.entries[self.route].route.name.clone();
        let started = self.started.unwrap_or_else(|| call.started());
        let entered = ledger.enter(role, Some(name), tokens(call.facts()), started);
        if let Some(verdict) = attempt.verdict() {
            ledger.settle(entered, ending(verdict), attempt.ended());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.roster.entries[self.route].in_flight.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("route", &self.route).finish_non_exhaustive()
    }
}
