//! So many calls at once; the others queue.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{Change, Id, Job, Machine, Progress, Refusal, Why, later, length};

/// How a provider with slots is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many calls run at once. 50 by default.
    pub slots: usize,
    /// How many may wait before others are refused; without a limit by default.
    pub most_waiting: Option<usize>,
    /// Whether a call whose caller has left gives its place back. By default it does not, and
    /// is worked on to its end: few queues notice.
    pub cancels: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { slots: 50, most_waiting: None, cancels: false }
    }
}

/// So many calls at once; the others queue, first come, first served.
///
/// A call that runs is finished even if slots are taken away meanwhile. When everything gets slower, or
/// is well again, so does what runs.
#[derive(Debug)]
pub struct Slots {
    config: Config,
    /// How many there are at present.
    slots: usize,
    slowness: f64,
    floods: bool,
    busy: usize,
    waiting: usize,
    /// The work that one who ran from the beginning would have had. All run at the same speed, so a call ends
    /// at a place on this scale that stays, however slow it gets.
    scale: Duration,
    at: Option<Instant>,
    /// By where on the scale they end. What is not in `jobs` any more was cancelled.
    running: BinaryHeap<Reverse<(Duration, Id)>>,
    queue: VecDeque<Id>,
    jobs: HashMap<Id, Entry>,
    spent: f64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    work: Duration,
    /// Since when it runs.
    started: Option<Instant>,
    is_left: bool,
}

impl Slots {
    /// All slots are free.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            slots: config.slots,
            slowness: 1.0,
            floods: false,
            busy: 0,
            waiting: 0,
            scale: Duration::ZERO,
            at: None,
            running: BinaryHeap::new(),
            queue: VecDeque::new(),
            jobs: HashMap::new(),
            spent: 0.0,
        }
    }

    /// How many calls run.
    pub fn busy(&self) -> usize {
        self.busy
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn start(&mut self, now: Instant) {
        while self.busy < self.slots {
            let Some(id) = self.queue.pop_front() else { return };
            // What was cancelled in the queue is skipped.
            let Some(entry) = self.jobs.get_mut(&id) else { continue };
            self.waiting -= 1;
            self.busy += 1;
            entry.started = Some(now);
            self.running.push(Reverse((self.scale.saturating_add(entry.work), id)));
        }
    }

    fn move_to(&mut self, now: Instant) {
        let gone = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.scale = self.scale.saturating_add(length(gone.as_secs_f64() / self.slowness));
        self.at = Some(now);
    }
}

impl Machine for Slots {
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal> {
        if self.floods {
            return Err(Refusal { why: Why::RateLimit, after: None });
        }
        let is_full = self.config.most_waiting.is_some_and(|most| self.waiting >= most);
        if is_full && self.busy >= self.slots {
            return Err(Refusal { why: Why::Overloaded, after: None });
        }
        self.move_to(now);
        self.jobs.insert(id, Entry { work: job.in_range().work, started: None, is_left: false });
        self.queue.push_back(id);
        self.waiting += 1;
        self.start(now);
        Ok(())
    }

    fn leave(&mut self, id: Id, now: Instant) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        entry.is_left = true;
        if !self.config.cancels {
            return;
        }
        match entry.started {
            Some(since) => {
                self.spent += now.saturating_duration_since(since).as_secs_f64();
                self.busy -= 1;
            }
            None => self.waiting -= 1,
        }
        self.jobs.remove(&id);
        self.move_to(now);
        self.start(now);
    }

    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>) {
        while let Some(at) = self.due().filter(|at| *at <= now) {
            let Some(Reverse((place, id))) = self.running.pop() else { return };
            // In the instant that it ended, which may be a little ago.
            (self.scale, self.at) = (self.scale.max(place), Some(at));
            let Some(entry) = self.jobs.remove(&id) else { continue };
            let ran = entry.started.map_or(Duration::ZERO, |since| at - since);
            let cost = ran.as_secs_f64();
            self.spent += cost;
            self.busy -= 1;
            if !entry.is_left {
                told.push((id, Progress::First));
                told.push((id, Progress::Done { cost }));
            }
            self.start(at);
        }
    }

    fn due(&self) -> Option<Instant> {
        let Reverse((place, _)) = self.running.peek()?;
        let left = place.saturating_sub(self.scale).as_secs_f64() * self.slowness;
        Some(later(self.at?, length(left)))
    }

    fn change(&mut self, change: Change, now: Instant) {
        self.move_to(now);
        match change.in_range() {
            Change::Room(part) => self.slots = (self.config.slots as f64 * part).round() as usize,
            Change::Slowness(factor) => self.slowness = factor,
            Change::Flood(floods) => self.floods = floods,
            Change::Limits(_) => {}
        }
        self.start(now);
    }

    fn spent(&self) -> f64 {
        self.spent
    }
}
