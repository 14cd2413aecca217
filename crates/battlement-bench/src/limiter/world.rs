//! A simulated quota and those who call against it.
//!
//! The provider reserves the maximum of a call when it arrives, replaces it by what was used when
//! the answer ends, and writes what remains into its headers. It lets pass, and counts, what it should
//! refuse, so that all of a mistake is seen. Calls wait in our queue and are let through by our ledger, or by the bucket that most limiters have: capped
//! at its capacity, refunds added on top when they come. Time is a number, so that days take seconds.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant, SystemTime},
};

use battlement_core::{
    Provider, Usage, bucket,
    bucket::{Bucket, Rate},
    estimator::{self, Estimator},
    hint,
    lanes::Lane,
    ledger::{Actual, Config, Estimate, Ledger, Limit, Meter, Refused, Reservation},
    queue::{self, Queue, Tenant, Waiter},
    random::{Random, Seeded},
};

/// Tokens a minute, all of which may be spent at once.
const AMOUNT: u64 = 600_000;
const MINUTE: Duration = Duration::from_secs(60);
const INPUT: u64 = 500;

/// What is asked of the quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// When calls come.
    pub(crate) demand: Demand,
    /// What the requests allow for an answer, and how long answers are at most.
    pub(crate) maximum: u64,
    pub(crate) longest: u64,
    /// So many calls a round reserve most of the bucket each, use little of it, and end together.
    pub(crate) long: u64,
    /// What part of the quota somebody else uses.
    pub(crate) other: f64,
    /// Whether the quota is halved for the middle third.
    pub(crate) changes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Demand {
    /// Some always wait.
    Backlog,
    /// So many a second, at random.
    Poisson(f64),
    /// So many at once, every minute.
    Bursts(u32),
}

const SATURATED: Shape = Shape {
    name: "saturated",
    demand: Demand::Backlog,
    maximum: 2_000,
    longest: 2_000,
    long: 0,
    other: 0.0,
    changes: false,
};

/// A quarter of 2,000 in the mean, and the input: ten calls a second are the quota.
pub(crate) const SHAPES: [Shape; 8] = [
    SATURATED,
    Shape { name: "steady", demand: Demand::Poisson(9.0), ..SATURATED },
    Shape { name: "bursts", demand: Demand::Bursts(540), ..SATURATED },
    Shape { name: "1 long call", long: 1, ..SATURATED },
    Shape { name: "4 end together", long: 4, ..SATURATED },
    Shape { name: "8 end together", long: 8, ..SATURATED },
    Shape { name: "shared", other: 0.4, ..SATURATED },
    Shape { name: "limit changed", changes: true, ..SATURATED },
];

/// Answers of which nobody knows how long they will be, under a maximum that nobody thought about.
pub(crate) const UNKNOWN: Shape = Shape { name: "maximum of 32,000", maximum: 32_000, ..SATURATED };

/// Who lets calls through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Our ledger, told what the headers say.
    Ledger,
    /// Our ledger, told nothing.
    Deaf,
    /// The same, reserving what the estimator has learnt instead of the maximum.
    Learned,
    /// A bucket that is capped at its capacity and adds refunds on top.
    Naive,
}

/// What became of the quota.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// The part of it that was used, by all.
    pub(crate) utilisation: f64,
    /// Calls at which more had been used in truth than burst and rate allow.
    pub(crate) violations: u64,
    /// What was used in the worst window, as a multiple of burst and rate.
    pub(crate) worst: f64,
    /// The part of the calls that came when the provider had too little left.
    pub(crate) refused: f64,
}

/// Makes so many calls.
pub(crate) fn run(shape: Shape, who: Who, calls: u64) -> Outcome {
    let mut world = World::new(shape, who, calls);
    world.begin();
    while !world.is_over() {
        let Some(Reverse((at, _, event))) = world.events.pop() else { break };
        world.now = at;
        world.take_in(event);
        world.pump();
    }
    world.outcome()
}

/// Nanoseconds since the beginning.
type Time = u64;

const SECOND: Time = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A call joins the line.
    Comes,
    /// Those of a burst do.
    Burst,
    /// A long call does, the n-th of its round.
    Long(u64),
    /// The first in line may pass.
    Wake,
    /// The provider hears of a call.
    Arrives(usize),
    /// The caller reads its headers.
    Headers(usize),
    /// Its answer ends.
    Ends(usize),
    /// Somebody else makes a call.
    Other,
    /// The quota is another.
    Changes(u64),
}

/// A call in line.
#[derive(Clone, Copy, Debug)]
struct Call {
    estimate: Estimate,
    output: u64,
    /// When its answer ends, if not some seconds after it is sent.
    end: Option<Time>,
}

/// A call on its way.
#[derive(Debug)]
struct Running {
    call: Call,
    permit: Option<Permit>,
    /// What the provider has reserved.
    counted: Option<bucket::Reservation>,
    /// What the provider wrote into its headers.
    told: (u64, i64),
}

#[derive(Debug)]
enum Permit {
    Ledger(Reservation),
    Naive(u64),
}

enum Limiter {
    Ledger(Ledger),
    Naive(Naive),
}

struct World {
    shape: Shape,
    who: Who,
    start: Instant,
    now: Time,
    random: Seeded,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    order: u64,
    wake: Time,
    limiter: Limiter,
    estimator: Estimator,
    queue: Queue<Call>,
    provider: Bucket,
    running: Vec<Running>,
    free: Vec<usize>,
    /// How many calls are still to come into line.
    coming: u64,
    calls: u64,
    /// When calls were sent, and what they used.
    sent: Vec<(Time, u64)>,
    refused: u64,
    others: u64,
    /// Which limits were told, and when.
    told: Vec<(Time, u64)>,
    /// What the quota was in all that time, in tokens.
    quota: f64,
    since: Time,
}

impl World {
    fn new(shape: Shape, who: Who, calls: u64) -> Self {
        let start = Instant::now();
        let limits = vec![Limit::per_minute(Meter::Tokens, AMOUNT)];
        // What is expected is reserved, and replaced by what was used.
        let config = Config::new(Provider::Generic, limits);
        let limiter = match who {
            Who::Naive => Limiter::Naive(Naive { level: AMOUNT as f64, at: 0 }),
            _ => Limiter::Ledger(Ledger::new(config, start).expect("it is in range")),
        };
        Self {
            shape,
            who,
            start,
            now: 0,
            random: Seeded(7),
            events: BinaryHeap::new(),
            order: 0,
            wake: Time::MAX,
            limiter,
            estimator: Estimator::new(estimator::Config::default()).expect("it is in range"),
            queue: Queue::new(queue::Config::default()).expect("it is in range"),
            provider: Bucket::new(rate(AMOUNT), start),
            running: Vec::new(),
            free: Vec::new(),
            coming: calls,
            calls,
            sent: Vec::with_capacity(calls as usize),
            refused: 0,
            others: 0,
            told: vec![(0, AMOUNT)],
            quota: AMOUNT as f64,
            since: 0,
        }
    }

    fn begin(&mut self) {
        match self.shape.demand {
            Demand::Backlog => {}
            Demand::Poisson(_) => self.after(0, Event::Comes),
            Demand::Bursts(_) => self.after(0, Event::Burst),
        }
        if self.shape.long > 0 {
            self.after(60 * SECOND, Event::Long(0));
        }
        if self.shape.other > 0.0 {
            self.after(SECOND, Event::Other);
        }
        if self.shape.changes {
            // A call uses a thousand tokens in the mean.
            let third = self.calls / 3 * 1_000 / (AMOUNT / 60) * SECOND;
            self.after(third, Event::Changes(AMOUNT / 2));
            self.after(3 * third, Event::Changes(AMOUNT));
        }
        self.pump();
    }

    fn is_over(&self) -> bool {
        self.coming == 0 && self.queue.is_empty()
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_nanos(self.now)
    }

    fn after(&mut self, wait: Time, event: Event) {
        self.order += 1;
        self.events.push(Reverse((self.now + wait, self.order, event)));
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Comes => {
                self.join();
                if let (Demand::Poisson(rate), 1..) = (self.shape.demand, self.coming) {
                    let gap = -(1.0 - self.random.unit()).ln() / rate;
                    self.after((gap * SECOND as f64) as Time, Event::Comes);
                }
            }
            Event::Burst => {
                if let Demand::Bursts(calls) = self.shape.demand {
                    (0..calls).for_each(|_| self.join());
                    self.after(60 * SECOND, Event::Burst);
                }
            }
            Event::Long(number) => self.long(number),
            // One that an earlier one overtook finds the line as it is.
            Event::Wake if self.wake == self.now => self.wake = Time::MAX,
            Event::Wake => {}
            Event::Arrives(index) => self.arrives(index),
            Event::Headers(index) => self.headers(index),
            Event::Ends(index) => self.ends(index),
            Event::Other => {
                let tokens = (AMOUNT as f64 * self.shape.other / 60.0) as u64;
                if self.provider.take(tokens, self.instant()).is_ok() {
                    self.others += tokens;
                }
                self.after(SECOND, Event::Other);
            }
            Event::Changes(amount) => {
                self.count_quota();
                self.provider.change(amount, amount, self.instant()).expect("it is in range");
            }
        }
    }

    /// Another call joins the line.
    fn join(&mut self) {
        if self.coming == 0 {
            return;
        }
        self.coming -= 1;
        let draw = self.random.unit();
        // Most are short.
        let output = (draw * draw * draw * self.shape.longest as f64) as u64;
        self.push(output, self.shape.maximum, None);
    }

    /// Long calls come one a minute, end all in the same second, and a round takes twenty minutes.
    fn long(&mut self, number: u64) {
        if number < self.shape.long {
            let end = self.now + (14 - number) * 60 * SECOND + number * SECOND / 10;
            self.push(2_000, AMOUNT - 2 * INPUT, Some(end));
            self.after(60 * SECOND, Event::Long(number + 1));
        } else {
            self.after((20 - number) * 60 * SECOND, Event::Long(0));
        }
    }

    fn push(&mut self, output: u64, maximum: u64, end: Option<Time>) {
        let expected = match self.who {
            Who::Learned => self.estimator.expected(&"calls", Some(maximum)),
            _ => maximum,
        };
        let estimate = Estimate {
            input: INPUT,
            output: expected,
            max_output: Some(maximum),
            ..Estimate::default()
        };
        let call = Call { estimate, output: output.max(1), end };
        let cost = INPUT + call.estimate.output;
        let (class, tenant) = (Lane::Interactive, Tenant::new(1));
        let waiter = Waiter { class, tenant, cost, deadline: None };
        let _stays = self.queue.push(waiter, call, self.instant());
    }

    /// Lets through whoever may pass.
    fn pump(&mut self) {
        loop {
            while self.shape.demand == Demand::Backlog && self.coming > 0 && self.queue.len() < 30 {
                self.join();
            }
            let now = self.instant();
            let Some(call) = self.queue.next(now, |_| ()).copied() else { return };
            let admitted = match &mut self.limiter {
                Limiter::Ledger(ledger) => match ledger.reserve(&call.estimate, now) {
                    Ok(reservation) => Ok(Permit::Ledger(reservation)),
                    Err(Refused::Wait { until, .. }) => {
                        Err((until - self.start).as_nanos() as Time)
                    }
                    Err(never) => panic!("{never}"),
                },
                Limiter::Naive(naive) => {
                    naive.reserve(INPUT + call.estimate.output, self.now).map(Permit::Naive)
                }
            };
            match admitted {
                Ok(permit) => {
                    self.queue.pop(now, |_| ());
                    self.send(call, permit);
                }
                Err(until) => {
                    if until < self.wake {
                        self.wake = until;
                        self.after(until - self.now, Event::Wake);
                    }
                    return;
                }
            }
        }
    }

    fn send(&mut self, call: Call, permit: Permit) {
        self.sent.push((self.now, INPUT + call.output));
        let running = Running { call, permit: Some(permit), counted: None, told: (AMOUNT, 0) };
        let index = match self.free.pop() {
            Some(index) => {
                self.running[index] = running;
                index
            }
            None => {
                self.running.push(running);
                self.running.len() - 1
            }
        };
        self.after(SECOND / 25, Event::Arrives(index));
    }

    fn arrives(&mut self, index: usize) {
        let now = self.instant();
        let call = self.running[index].call;
        let cost = INPUT + call.estimate.output;
        self.refused += u64::from(self.provider.check(cost, now).is_err());
        self.running[index].counted = Some(self.provider.reserve_anyway(cost, now));
        self.running[index].told = (self.provider.rate().amount(), self.provider.level(now));
        let takes = SECOND + (self.random.unit() * 20.0 * SECOND as f64) as Time;
        let end = call.end.map_or(takes, |end| end.saturating_sub(self.now).max(SECOND));
        self.after(SECOND, Event::Headers(index));
        self.after(end + SECOND / 25, Event::Ends(index));
    }

    fn headers(&mut self, index: usize) {
        let now = self.instant();
        let running = &mut self.running[index];
        let (limit, remaining) = running.told;
        if let (Limiter::Ledger(ledger), Some(Permit::Ledger(reservation)), Who::Ledger) =
            (&mut self.limiter, &running.permit, self.who)
        {
            ledger.heard(reservation, &told(limit, remaining.max(0) as u64), now);
        }
        if self.told.last().is_some_and(|(_, last)| *last != limit) {
            self.told.push((self.now, limit));
        }
    }

    fn ends(&mut self, index: usize) {
        let running = &mut self.running[index];
        let cost = INPUT + running.call.output;
        if let Some(reservation) = running.counted.take() {
            self.provider.settle(reservation, cost, self.start + Duration::from_nanos(self.now));
        }
        let mut usage = Usage::default();
        (usage.input, usage.output) = (Some(INPUT), Some(running.call.output));
        if running.call.end.is_none() {
            self.estimator.learn(&"calls", running.call.output);
        }
        let now = self.instant();
        match (&mut self.limiter, self.running[index].permit.take()) {
            (Limiter::Ledger(ledger), Some(Permit::Ledger(reservation))) => {
                ledger.settle(reservation, Actual::Used(&usage), now);
            }
            (Limiter::Naive(naive), Some(Permit::Naive(reserved))) => {
                naive.settle(reserved, cost, self.now);
            }
            _ => {}
        }
        self.free.push(index);
    }

    fn count_quota(&mut self) {
        let time = (self.now - self.since) as f64 / SECOND as f64;
        self.quota += self.provider.rate().amount() as f64 * time / 60.0;
        self.since = self.now;
    }

    fn outcome(mut self) -> Outcome {
        self.count_quota();
        let used: u64 = self.sent.iter().map(|(_, cost)| *cost).sum();
        Outcome {
            utilisation: (used + self.others) as f64 / self.quota,
            violations: self.violations(),
            worst: worst_window(&self.sent),
            refused: self.refused as f64 / self.sent.len() as f64,
        }
    }

    /// Replays what was used in truth, against the limits as they were known.
    fn violations(&self) -> u64 {
        let at = |time| self.start + Duration::from_nanos(time);
        let mut envelope = Bucket::new(rate(AMOUNT), self.start);
        let mut told = self.told.iter().peekable();
        let mut violations = 0;
        for (time, cost) in &self.sent {
            while let Some((when, amount)) = told.next_if(|(when, _)| when <= time) {
                envelope.change(*amount, *amount, at(*when)).expect("it is in range");
            }
            envelope.charge(*cost, at(*time));
            violations += u64::from(envelope.level(at(*time)) < 0);
        }
        violations
    }
}

fn rate(amount: u64) -> Rate {
    Rate::new(amount, MINUTE).expect("it is in range")
}

fn told(limit: u64, remaining: u64) -> hint::RateLimits {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-ratelimit-limit-tokens", limit.into());
    headers.insert("x-ratelimit-remaining-tokens", remaining.into());
    hint::rate_limits(&headers, Provider::Generic, SystemTime::UNIX_EPOCH)
}

/// The most that was used in any window, as a multiple of what burst and rate allow for it.
///
/// By halving: whether some window exceeds a multiple is seen in one pass.
fn worst_window(sent: &[(Time, u64)]) -> f64 {
    let per_nanosecond = AMOUNT as f64 / (60.0 * SECOND as f64);
    let exceeds = |multiple: f64| {
        let (mut used, mut least) = (0.0, f64::INFINITY);
        sent.iter().any(|(time, cost)| {
            let allowed = multiple * per_nanosecond * *time as f64;
            least = f64::min(least, used - allowed);
            used += *cost as f64;
            used - allowed - least > multiple * AMOUNT as f64
        })
    };
    let (mut low, mut high) = (0.0, 64.0);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if exceeds(middle) { low = middle } else { high = middle }
    }
    high
}

/// The bucket that most limiters have.
struct Naive {
    level: f64,
    at: Time,
}

impl Naive {
    /// Or when to ask again.
    fn reserve(&mut self, cost: u64, now: Time) -> Result<u64, Time> {
        self.refill(now);
        let missing = cost as f64 - self.level;
        if missing > 0.0 {
            let nanoseconds = missing * 60.0 * SECOND as f64 / AMOUNT as f64;
            return Err(now + nanoseconds as Time + 1);
        }
        self.level -= cost as f64;
        Ok(cost)
    }

    fn settle(&mut self, reserved: u64, cost: u64, now: Time) {
        self.refill(now);
        self.level = (self.level + reserved as f64 - cost as f64).min(AMOUNT as f64);
    }

    fn refill(&mut self, now: Time) {
        let more = (now - self.at) as f64 * AMOUNT as f64 / (60.0 * SECOND as f64);
        self.level = (self.level + more).min(AMOUNT as f64);
        self.at = now;
    }
}
