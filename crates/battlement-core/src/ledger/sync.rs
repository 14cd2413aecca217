//! What headers tell about limits, taken in safely.
//!
//! A header is a look at the provider's ledger some time between sending and hearing: it knows
//! nothing of calls that are still on their way, and headers overtake each other. So from what remains
//! is subtracted all that may not be counted in it, and the level is lowered to that, whichever order
//! headers come in. Nothing here forgets a charge. Raising is the dangerous direction: others may
//! share the key, and some remains are rounded. It takes two looks in a row after which nothing was
//! sent. A limit that is lower is adopted at once, a higher one in steps, and never beyond what
//! was configured.

use std::time::{Duration, Instant};

use super::{Call, Ledger, Meter, Reservation, Window, call_mut};
use crate::{
    bucket::Rate,
    hint::{self, Dimension, RateLimits},
};

/// How many looks in a row must show more than we believe.
const LOOKS: u8 = 2;
/// What a limit grows by at a time, as a part of what was configured.
const STEP: u64 = 8;
/// Steps are as far apart as this part of the period.
const STEPS_IN_PERIOD: u32 = 60;
/// What a level must be too low by to be raised, as a part of the burst.
const MARGIN: u64 = 100;

/// What one limit knows from headers.
#[derive(Debug)]
pub(super) struct Gauge {
    /// All that was ever charged at admission or as it was produced.
    pub(super) charged: u128,
    pub(super) configured: Rate,
    /// The latest call whose headers were read.
    latest: u64,
    /// How many looks in a row showed more than we believe.
    higher: u8,
    /// When the limit was last raised.
    raised: Instant,
}

impl Gauge {
    pub(super) fn new(configured: Rate, now: Instant) -> Self {
        Self { charged: 0, configured, latest: 0, higher: 0, raised: now }
    }
}

impl Ledger {
    /// Takes in what the headers of a call say, errors included.
    pub fn heard(&mut self, reservation: &Reservation, limits: &RateLimits, now: Instant) {
        let Some(call) = call_mut(&mut self.calls, reservation) else { return };
        call.heard = true;
        let is_last = reservation.serial == self.serial;
        for (name, told) in limits.iter() {
            let Some(index) = self.windows.iter().position(|window| window.is(name, told)) else {
                continue;
            };
            if let Some(limit) = told.limit {
                self.windows[index].adopt(limit, reservation.serial, now);
            }
            if let Some(remaining) = told.remaining {
                let unseen = self.unseen(index, reservation);
                let rounding = self.charging.rounding;
                self.windows[index].look(remaining, unseen, rounding, is_last, now);
            }
        }
        for window in &mut self.windows {
            window.gauge.latest = window.gauge.latest.max(reservation.serial);
        }
    }

    /// What was charged and may not be counted in the headers of a call: by calls sent after it, and
    /// by calls sent before it whose headers did not come yet.
    fn unseen(&self, index: usize, reservation: &Reservation) -> u64 {
        let own = &self.calls[reservation.place as usize];
        let after = self.windows[index].gauge.charged - own.shares[index].mark;
        let is_before = |call: &&Call| (1..own.serial).contains(&call.serial) && !call.heard;
        let before = self.calls.iter().filter(is_before);
        let before: u128 = before.map(|call| u128::from(call.shares[index].charge.now)).sum();
        u64::try_from(after.saturating_add(before)).unwrap_or(u64::MAX)
    }
}

impl Window {
    /// Whether a window of the provider's is this one.
    fn is(&self, name: &str, told: &hint::Window) -> bool {
        meter(name, told.dimension) == Some(self.limit.meter)
            // What is not told is a minute everywhere.
            && told.period.unwrap_or(Duration::from_secs(60)) == self.limit.period
    }

    /// Takes in another limit.
    fn adopt(&mut self, told: u64, serial: u64, now: Instant) {
        let configured = self.gauge.configured;
        let current = self.bucket.rate().amount();
        let told = told.clamp(1, configured.amount());
        let amount = if told <= current {
            told
        } else {
            let pause = configured.period() / STEPS_IN_PERIOD;
            if serial < self.gauge.latest
                || now.saturating_duration_since(self.gauge.raised) < pause
            {
                return;
            }
            told.min(current.saturating_add(configured.amount().div_ceil(STEP)))
        };
        if amount != current {
            self.gauge.raised = now;
            let burst = u128::from(configured.burst()) * u128::from(amount);
            let burst = burst.div_ceil(configured.amount().into());
            let burst = u64::try_from(burst).unwrap_or(u64::MAX);
            // Both are between 1 and what was configured.
            let _unchanged = self.bucket.change(amount, burst, now);
        }
    }

    /// Takes in what remains, of which `unseen` may be spent already.
    fn look(&mut self, remaining: u64, unseen: u64, rounding: u64, is_last: bool, now: Instant) {
        let counts_tokens = self.limit.meter != Meter::Requests;
        let rounding = if counts_tokens { rounding } else { 1 };
        let left = i128::from(remaining) - i128::from(rounding / 2) - i128::from(unseen);
        let left = left.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        self.bucket.lower(left, now);

        let margin = (self.bucket.rate().burst() / MARGIN).max(rounding).max(1);
        let missing = i128::from(left) - i128::from(self.bucket.level(now));
        if !is_last || unseen > 0 || missing <= i128::from(margin) {
            self.gauge.higher = 0;
            return;
        }
        self.gauge.higher += 1;
        if self.gauge.higher >= LOOKS {
            self.gauge.higher = 0;
            self.bucket.raise(u64::try_from(missing).unwrap_or(0), now);
        }
    }
}

/// What a window of that name counts, if it is one that limits every call.
fn meter(name: &str, dimension: Dimension) -> Option<Meter> {
    if dimension == Dimension::Requests {
        return Some(Meter::Requests);
    }
    let (what, period) = name.split_once("tokens")?;
    if !matches!(period, "" | "_minute" | "_hour" | "_day" | "_month") {
        return None;
    }
    match what {
        "" => Some(Meter::Tokens),
        "input_" => Some(Meter::Input),
        "output_" => Some(Meter::Output),
        _ => None,
    }
}
