//! Limits that change while calls are open.

use std::{sync::Arc, time::Instant};

use super::{InvalidLedger, Ledger, Limit};

impl Ledger {
    /// Takes in another amount and burst of a limit that there is: what is spent stays spent, and
    /// headers raise it no further than this. Other ledgers with the same limits keep theirs.
    ///
    /// # Errors
    ///
    /// If nothing of that meter and period is limited, or the amount or burst is out of range. Nothing
    /// is changed then.
    pub fn change(&mut self, limit: Limit, now: Instant) -> Result<(), InvalidLedger> {
        let invalid = |source| InvalidLedger::Rate { meter: limit.meter, source };
        let rate = limit.rate(&self.rules.charging).map_err(invalid)?;
        let mut limits = self.rules.limits.iter();
        let index = limits
            .position(|(known, _)| (known.meter, known.period) == (limit.meter, limit.period))
            .ok_or(InvalidLedger::Absent(limit.meter, limit.period))?;
        self.refill(now);
        self.tanks[index].change(rate.amount(), rate.burst()).map_err(invalid)?;
        Arc::make_mut(&mut self.rules).limits[index] = (limit, rate);
        Ok(())
    }
}
