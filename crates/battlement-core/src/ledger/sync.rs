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

use super::{Ledger, Limit, Meter, Reservation};
use crate::{
    bucket::{Rate, Tank},
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    /// All that was charged at admission or as it was produced.
    pub(super) charged: u128,
    /// How many looks in a row showed more than we believe.
    pub(super) higher: u8,
    /// When the limit was last changed.
    changed: Instant,
}

impl Gauge {
    pub(super) fn new(now: Instant) -> Self {
        Self { charged: 0, higher: 0, changed: now }
    }

    /// Whether nothing of it has to be remembered when no call is open and the limit is as configured.
    pub(super) fn knows_nothing(&self) -> bool {
        self.higher == 0
    }
}

impl Ledger {
    /// Takes in what the headers of a call say, errors included.
    pub fn heard(&mut self, reservation: &Reservation, limits: &RateLimits, now: Instant) {
        self.refill(now);
        let Some(open) = &mut self.open else { return };
        if !open.hear(reservation) {
            return;
        }
        let is_last = reservation.serial == open.serial;
        let is_stale = reservation.serial < open.latest;
        for (name, told) in limits.iter() {
            let is_told = |(limit, _): &(Limit, Rate)| is_limit(limit, name, told);
            let Some(index) = self.rules.limits.iter().position(is_told) else { continue };
            let (limit, configured) = self.rules.limits[index];
            let tank = &mut self.tanks[index];
            if let Some(told) = told.limit {
                open.gauges[index].adopt(tank, configured, told, is_stale, now);
            }
            if let Some(remaining) = told.remaining {
                let unseen = open.unseen(index, reservation);
                let is_clear = is_last && unseen == 0;
                let is_rounded = limit.meter != Meter::Requests;
                let rounding = if is_rounded { self.rules.charging.rounding } else { 1 };
                let left = i128::from(remaining) - i128::from(rounding / 2) - i128::from(unseen);
                let left = left.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
                open.gauges[index].look(tank, left, rounding, is_clear);
            }
        }
        open.latest = open.latest.max(reservation.serial);
    }
}

impl Gauge {
    /// Takes in another limit.
    fn adopt(
        &mut self,
        tank: &mut Tank,
        configured: Rate,
        told: u64,
        is_stale: bool,
        now: Instant,
    ) {
        let current = tank.rate().amount();
        let told = told.clamp(1, configured.amount());
        let amount = if told <= current {
            told
        } else {
            let pause = configured.period() / STEPS_IN_PERIOD;
            if is_stale || now.saturating_duration_since(self.changed) < pause {
                return;
            }
            told.min(current.saturating_add(configured.amount().div_ceil(STEP)))
        };
        if amount != current {
            self.changed = now;
            let burst = u128::from(configured.burst()) * u128::from(amount);
            let burst = burst.div_ceil(configured.amount().into());
            let burst = u64::try_from(burst).unwrap_or(u64::MAX);
            // Both are between 1 and what was configured.
            let _unchanged = tank.change(amount, burst);
        }
    }

    /// Takes in what is left for sure; `is_clear` when nothing was sent that may not be counted in it.
    fn look(&mut self, tank: &mut Tank, left: i64, rounding: u64, is_clear: bool) {
        tank.lower(left);
        let margin = (tank.rate().burst() / MARGIN).max(rounding).max(1);
        let missing = i128::from(left) - i128::from(tank.tokens(0));
        if !is_clear || missing <= i128::from(margin) {
            self.higher = 0;
            return;
        }
        self.higher += 1;
        if self.higher >= LOOKS {
            self.higher = 0;
            tank.raise(u64::try_from(missing).unwrap_or(0));
        }
    }
}

/// Whether a window of the provider's is this limit.
fn is_limit(limit: &Limit, name: &str, told: &hint::Window) -> bool {
    meter(name, told.dimension) == Some(limit.meter)
        // What is not told is a minute everywhere.
        && told.period.unwrap_or(Duration::from_secs(60)) == limit.period
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
