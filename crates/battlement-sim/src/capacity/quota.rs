//! Requests and tokens in a minute: the limits of an account.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::{Change, Id, Job, Machine, Progress, Refusal, Told, Why, later, length};

/// How the limits of an account are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Requests in a minute. With 0 nothing passes.
    pub requests: u64,
    /// Tokens of input in a minute; not limited by default.
    pub input: Option<u64>,
    /// Tokens of output in a minute, charged when a call arrives; not limited by default.
    pub output: Option<u64>,
    /// How what was used comes back.
    pub window: Window,
    /// Whether a call that is refused is charged all the same, as OpenAI's documentation says.
    pub counts_refused: bool,
    /// Whether the provider says when to come back, and what is left.
    pub tells: bool,
}

/// How what was used of a limit comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A minute after it was used.
    Sliding,
    /// Bit by bit; so much of it may be used at once as comes back in this time, and at least one request or token.
    Continuous(Duration),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests: 300,
            input: None,
            output: None,
            window: Window::Continuous(Duration::from_secs(10)),
            counts_refused: false,
            tells: false,
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// What a call uses of each limit: requests, input, output.
type Amounts = [u64; 3];

/// Requests and tokens in a minute. What passes takes its time, however many they are.
#[derive(Debug)]
pub struct Quota {
    config: Config,
    part: f64,
    slowness: f64,
    floods: bool,
    ledger: Ledger,
    running: BinaryHeap<Reverse<(Instant, Id, u64)>>,
    /// Those of them whose callers are there.
    heard: HashSet<Id>,
    spent: f64,
}

/// What was used.
#[derive(Debug)]
enum Ledger {
    /// Each use, and the sum of all that are not a minute old.
    Sliding { uses: VecDeque<(Instant, Amounts)>, sum: Amounts },
    /// What is left, in parts of `MINUTE` in nanoseconds.
    Continuous { left: [u128; 3], at: Option<Instant>, burst: Duration },
}

impl Quota {
    /// Nothing is used.
    pub fn new(config: Config) -> Self {
        let ledger = match config.window {
            Window::Sliding => Ledger::Sliding { uses: VecDeque::new(), sum: [0; 3] },
            Window::Continuous(burst) => Ledger::Continuous { left: [0; 3], at: None, burst },
        };
        Self {
            config,
            part: 1.0,
            slowness: 1.0,
            floods: false,
            ledger,
            running: BinaryHeap::new(),
            heard: HashSet::new(),
            spent: 0.0,
        }
    }

    /// The limits at present.
    fn limits(&self) -> [Option<u64>; 3] {
        let Config { requests, input, output, .. } = self.config;
        [Some(requests), input, output]
            .map(|limit| limit.map(|limit| (limit as f64 * self.part) as u64))
    }

    /// How long until a call of this size passes: zero if it does now, and `None` if it never does.
    fn wait(&mut self, amounts: Amounts, now: Instant) -> Option<Duration> {
        let limits = self.limits();
        self.ledger.advance(limits, now);
        (0..3).try_fold(Duration::ZERO, |longest, at| {
            let Some(limit) = limits[at] else { return Some(longest) };
            Some(longest.max(self.ledger.wait(at, amounts[at], limit, now)?))
        })
    }
}

impl Ledger {
    fn advance(&mut self, limits: [Option<u64>; 3], now: Instant) {
        match self {
            Self::Sliding { uses, sum } => {
                while uses.front().is_some_and(|(at, _)| *at + MINUTE <= now) {
                    let Some((_, amounts)) = uses.pop_front() else { return };
                    (0..3).for_each(|at| sum[at] = sum[at].saturating_sub(amounts[at]));
                }
            }
            Self::Continuous { left, at, burst } => {
                let limits = limits.map(|limit| u128::from(limit.unwrap_or(0)));
                // In the beginning all of it is there.
                let gone = at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
                for (left, limit) in left.iter_mut().zip(limits) {
                    let back = limit.saturating_mul(gone.as_nanos());
                    *left = left.saturating_add(back).min(most(limit, *burst));
                }
                *at = Some(now);
            }
        }
    }

    fn wait(&self, meter: usize, amount: u64, limit: u64, now: Instant) -> Option<Duration> {
        match self {
            Self::Sliding { uses, sum } => {
                if amount > limit {
                    return None;
                }
                let mut over = sum[meter].saturating_add(amount).saturating_sub(limit);
                let mut wait = Duration::ZERO;
                for (at, amounts) in uses {
                    if over == 0 {
                        break;
                    }
                    over = over.saturating_sub(amounts[meter]);
                    wait = (*at + MINUTE).saturating_duration_since(now);
                }
                Some(if over == 0 { wait } else { MINUTE })
            }
            Self::Continuous { left, burst, .. } => {
                let (amount, limit) = (u128::from(amount) * MINUTE.as_nanos(), u128::from(limit));
                if amount > most(limit, *burst) {
                    return None;
                }
                let nanos = amount.saturating_sub(left[meter]).div_ceil(limit.max(1));
                Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    fn charge(&mut self, amounts: Amounts, now: Instant) {
        match self {
            Self::Sliding { uses, sum } => {
                (0..3).for_each(|at| sum[at] = sum[at].saturating_add(amounts[at]));
                uses.push_back((now, amounts));
            }
            Self::Continuous { left, .. } => {
                for (left, amount) in left.iter_mut().zip(amounts) {
                    *left = left.saturating_sub(u128::from(amount) * MINUTE.as_nanos());
                }
            }
        }
    }
}

/// How much is left of a limit at most, in parts of `MINUTE` in nanoseconds. Where nothing could be used at once
/// nothing ever would be.
fn most(limit: u128, burst: Duration) -> u128 {
    let least = if limit == 0 { 0 } else { MINUTE.as_nanos() };
    limit.saturating_mul(burst.as_nanos()).max(least)
}

impl Machine for Quota {
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal> {
        if self.floods {
            return Err(Refusal { why: Why::RateLimit, after: None });
        }
        let job = job.in_range();
        let amounts = [1, job.input, job.output];
        let wait = self.wait(amounts, now);
        let passes = wait == Some(Duration::ZERO);
        if passes || self.config.counts_refused {
            self.ledger.charge(amounts, now);
        }
        if !passes {
            let after = wait.filter(|_| self.config.tells);
            return Err(Refusal { why: Why::RateLimit, after });
        }
        let end = later(now, length(job.work.as_secs_f64() * self.slowness));
        self.running.push(Reverse((end, id, job.input + job.output)));
        self.heard.insert(id);
        Ok(())
    }

    fn leave(&mut self, id: Id, _now: Instant) {
        self.heard.remove(&id);
    }

    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>) {
        while let Some(&Reverse((at, id, tokens))) = self.running.peek() {
            if at > now {
                return;
            }
            self.running.pop();
            let cost = tokens as f64;
            self.spent += cost;
            if self.heard.remove(&id) {
                told.push((id, Progress::First));
                told.push((id, Progress::Done { cost }));
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        self.running.peek().map(|Reverse((at, ..))| *at)
    }

    fn change(&mut self, change: Change, now: Instant) {
        let limits = self.limits();
        self.ledger.advance(limits, now);
        match change.in_range() {
            Change::Limits(part) | Change::Room(part) => self.part = part,
            Change::Slowness(factor) => self.slowness = factor,
            Change::Flood(floods) => self.floods = floods,
        }
    }

    fn spent(&self) -> f64 {
        self.spent
    }

    fn told(&self, now: Instant) -> Option<Told> {
        if !self.config.tells {
            return None;
        }
        let limit = self.limits()[0]?;
        Some(match &self.ledger {
            Ledger::Sliding { uses, sum } => {
                let last = uses.back().map(|(at, _)| *at + MINUTE);
                let reset = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(now));
                Told { limit, left: limit.saturating_sub(sum[0]), reset }
            }
            Ledger::Continuous { left, burst, .. } => {
                let left = u64::try_from(left[0] / MINUTE.as_nanos()).unwrap_or(u64::MAX);
                let most = most(limit.into(), *burst) as f64 / MINUTE.as_nanos() as f64;
                let missing = (most - left as f64).max(0.0) * 60.0 / limit.max(1) as f64;
                let reset = Duration::try_from_secs_f64(missing).unwrap_or(MINUTE);
                Told { limit, left, reset }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_calls_that_are_over() {
        let (mut quota, now) = (Quota::new(Config::default()), Instant::now());
        let mut told = Vec::new();
        for id in 0..3 {
            quota.arrive(id, Job::default(), now).unwrap();
        }
        quota.leave(0, now);
        quota.advance(now, &mut told);
        assert!(told.iter().all(|(id, _)| *id != 0) && told.len() == 4, "{told:?}");
        // Its end was told, and its caller went away without a look at it.
        quota.leave(1, now);
        quota.leave(7, now);
        assert!(quota.heard.is_empty() && quota.running.is_empty());
        // A number is given again.
        quota.arrive(1, Job::default(), now).unwrap();
        told.clear();
        quota.advance(now, &mut told);
        assert_eq!(told.len(), 2);
    }
}
