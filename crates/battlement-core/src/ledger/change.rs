//! Limits that change while calls are open.

use std::time::Instant;

use super::{InvalidLedger, Ledger, Limit};

impl Ledger {
    /// Takes in another amount and burst of a limit that there is: what is spent stays spent, and
    /// headers raise it no further than this.
    ///
    /// # Errors
    ///
    /// If nothing of that meter and period is limited, or the amount or burst is out of range. Nothing
    /// is changed then.
    pub fn change(&mut self, limit: Limit, now: Instant) -> Result<(), InvalidLedger> {
        let invalid = |source| InvalidLedger::Rate { meter: limit.meter, source };
        let rate = limit.rate(&self.charging).map_err(invalid)?;
        let same = self.windows.iter_mut().find(|window| {
            (window.limit.meter, window.limit.period) == (limit.meter, limit.period)
        });
        let window = same.ok_or(InvalidLedger::Absent(limit.meter, limit.period))?;
        window.bucket.change(rate.amount(), rate.burst(), now).map_err(invalid)?;
        window.gauge.configured = rate;
        window.limit = limit;
        Ok(())
    }
}
