//! What a run comes to.

use std::{ops::Range, time::Duration};

use serde::Serialize;

use crate::{
    experiment::{PROCESSES, Run},
    load::{Load, STEP, STEPS},
    log::{Call, Ending},
};

/// What a run comes to. Goodput is the part of the calls made in some time that were answered before
/// their deadline, whenever that was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Calls that were made.
    pub calls: usize,
    /// Goodput of the whole run.
    pub goodput: f64,
    /// Goodput before anything went wrong.
    pub before: f64,
    /// Goodput while it was wrong.
    pub during: f64,
    /// Goodput from half a minute after that on.
    pub after: f64,
    /// Goodput in the last ten minutes.
    pub last: f64,
    /// Answers in time while it was wrong, of those that the provider could have given then; `None` if it could
    /// have given none.
    pub use_during: Option<f64>,
    /// After how many seconds nine of ten calls are answered again; `None` if they never are.
    pub recovery: Option<f64>,
    /// Attempts that reached the provider, for each call that did.
    pub amplification: f64,
    /// The part of the attempts that the provider refused.
    pub refused: f64,
    /// One, and the second attempts in the worst minute for each call made in it.
    pub peak: f64,
    /// Half of the answers came within so many seconds, before anything went wrong.
    pub p50: f64,
    /// 99 of 100 did.
    pub p99: f64,
    /// 99 of 100 answers came within so many seconds in the last ten minutes.
    pub p99_last: f64,
    /// The part of what was paid that was paid for nothing.
    pub waste: f64,
    /// The part of the calls that were turned away on the callers' side.
    pub rejected: f64,
    /// How equally the processes were served, after Jain: 1 for all alike.
    pub fairness: f64,
}

/// What a run was like over time, in steps of ten seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Goodput of the calls made in each step.
    pub goodput: Vec<f64>,
    /// Attempts that reached the provider in each step, of what it can answer.
    pub attempts: Vec<f64>,
}

const SECOND: u32 = 1_000;
/// How finely recovery is looked for, and plots are drawn.
const GRAIN: u32 = 10 * SECOND;
const MINUTE: u32 = 60 * SECOND;
/// What counts as recovered, and for how long it has to last.
const RECOVERED: f64 = 0.9;
const HELD: u32 = 120 * SECOND;

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl Run {
    /// What it comes to.
    pub fn figures(&self) -> Figures {
        let timing = self.experiment.timing;
        let trigger = self.experiment.trigger;
        let (warm, horizon) = (millis(timing.warm), millis(timing.horizon));
        let (wrong, right) = (millis(timing.wrong), millis(timing.right(trigger)));
        let last = horizon.saturating_sub(600 * SECOND);
        let (attempts, again) = self
            .attempts
            .iter()
            .fold((0, 0), |(all, again), attempt| (all + 1, again + usize::from(attempt.again)));
        let first = attempts - again;
        let refused = self.attempts.iter().filter(|attempt| attempt.refused).count();
        let useful: f64 = self.answered().map(|call| call.cost).sum();
        let rejected = self.calls.iter().filter(|call| call.end_as == Ending::Rejected).count();
        let before = self.latencies(warm..wrong);
        Figures {
            calls: self.calls.len(),
            goodput: self.goodput(0..horizon),
            before: self.goodput(warm..wrong),
            during: self.goodput(wrong..right),
            after: self.goodput(right + 30 * SECOND..horizon),
            last: self.goodput(last..horizon),
            use_during: self.use_during(wrong..right),
            recovery: self.recovery(right, horizon),
            amplification: attempts as f64 / first.max(1) as f64,
            refused: refused as f64 / attempts.max(1) as f64,
            peak: self.peak(horizon),
            p50: quantile(&before, 0.5),
            p99: quantile(&before, 0.99),
            p99_last: quantile(&self.latencies(last..horizon), 0.99),
            waste: if self.spent > 0.0 { (1.0 - useful / self.spent).max(0.0) } else { 0.0 },
            rejected: rejected as f64 / self.calls.len().max(1) as f64,
            fairness: self.fairness(),
        }
    }

    /// What it was like over time.
    pub fn series(&self) -> Series {
        let horizon = millis(self.experiment.timing.horizon);
        let capacity = self.experiment.world.capacity() * f64::from(GRAIN / SECOND);
        let steps = (0..horizon / GRAIN).map(|step| step * GRAIN..(step + 1) * GRAIN);
        let attempts = |step: Range<u32>| {
            let from = self.attempts.partition_point(|attempt| attempt.at < step.start);
            let to = self.attempts.partition_point(|attempt| attempt.at < step.end);
            (to - from) as f64 / capacity
        };
        Series {
            goodput: steps.clone().map(|step| self.goodput(step)).collect(),
            attempts: steps.map(attempts).collect(),
        }
    }

    /// Goodput in each of the [`STEPS`], but for the first minute of each; empty under another load.
    pub fn steps(&self) -> Vec<f64> {
        if self.experiment.load != Load::UpAndDown {
            return Vec::new();
        }
        let step = millis(STEP);
        let of = |number: u32| self.goodput(number * step + MINUTE..(number + 1) * step);
        (0..STEPS.len() as u32).map(of).collect()
    }

    /// Goodput of the calls made in that time, in milliseconds; 1 if there were none.
    pub fn goodput(&self, time: Range<u32>) -> f64 {
        let made = self.made(time);
        let good = made.iter().filter(|call| call.end_as == Ending::Answered).count();
        if made.is_empty() { 1.0 } else { good as f64 / made.len() as f64 }
    }

    fn made(&self, time: Range<u32>) -> &[Call] {
        let from = self.calls.partition_point(|call| call.at < time.start);
        let to = self.calls.partition_point(|call| call.at < time.end);
        &self.calls[from..to.max(from)]
    }

    fn answered(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.end_as == Ending::Answered)
    }

    fn use_during(&self, time: Range<u32>) -> Option<f64> {
        let experiment = &self.experiment;
        let left = experiment.world.capacity_during(experiment.trigger)?;
        let seconds = f64::from(time.end - time.start) / f64::from(SECOND);
        let could = experiment.world.capacity() * left * seconds;
        let wanted = self.made(time.clone()).len() as f64;
        let given = self.answered().filter(|call| time.contains(&call.end)).count() as f64;
        (seconds > 0.0).then(|| given / could.min(wanted).max(1.0))
    }

    fn recovery(&self, right: u32, horizon: u32) -> Option<f64> {
        let is_good = |at: u32| self.goodput(at..at + MINUTE) >= RECOVERED;
        let mut since = right;
        let mut at = right;
        while at + MINUTE <= horizon {
            if !is_good(at) {
                since = at + GRAIN;
            } else if at - since >= HELD - MINUTE {
                return Some(f64::from(since - right) / f64::from(SECOND));
            }
            at += GRAIN;
        }
        None
    }

    fn peak(&self, horizon: u32) -> f64 {
        let again: Vec<u32> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.again)
            .map(|attempt| attempt.at)
            .collect();
        let mut peak = 1.0_f64;
        let mut at = 0;
        while at + MINUTE <= horizon {
            let from = again.partition_point(|time| *time < at);
            let to = again.partition_point(|time| *time < at + MINUTE);
            let made = self.made(at..at + MINUTE).len().max(1);
            peak = peak.max(1.0 + (to - from) as f64 / made as f64);
            at += GRAIN;
        }
        peak
    }

    /// How long the answers took to calls made in that time, sorted, in seconds.
    fn latencies(&self, time: Range<u32>) -> Vec<f64> {
        let made = self.made(time).iter().filter(|call| call.end_as == Ending::Answered);
        let mut took: Vec<f64> =
            made.map(|call| f64::from(call.end - call.at) / f64::from(SECOND)).collect();
        took.sort_by(f64::total_cmp);
        took
    }

    fn fairness(&self) -> f64 {
        let mut shares = [(0_u32, 0_u32); PROCESSES];
        for call in &self.calls {
            let share = &mut shares[usize::from(call.process) % PROCESSES];
            share.0 += 1;
            share.1 += u32::from(call.end_as == Ending::Answered);
        }
        let served = shares.iter().filter(|share| share.0 > 0);
        let served: Vec<f64> =
            served.map(|(made, good)| f64::from(*good) / f64::from(*made)).collect();
        let sum: f64 = served.iter().sum();
        let squares: f64 = served.iter().map(|share| share * share).sum();
        if squares > 0.0 { sum * sum / (served.len() as f64 * squares) } else { 1.0 }
    }

    /// A number that is the same for runs that are the same (FNV-1a over everything that happened).
    pub fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |number: u64| {
            for byte in number.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        for call in &self.calls {
            let numbers = [call.at, call.end, u32::from(call.process), call.attempts];
            numbers.into_iter().for_each(|number| add(u64::from(number)));
            add(call.end_as as u64);
            add(call.cost.to_bits());
        }
        for attempt in &self.attempts {
            add(u64::from(attempt.at) << 1 | u64::from(attempt.again));
        }
        add(self.spent.to_bits());
        hash
    }
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
