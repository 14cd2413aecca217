//! One batch, which slows down as it fills: an inference engine.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use battlement_core::random::{Random, Seeded};

use super::{Change, Id, Job, Machine, Progress, Refusal, Why, later, length};

/// How an inference engine is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many answers are written at once. 64 by default.
    pub most: usize,
    /// How long a token takes if one answer is written. 10 ms by default.
    pub token: Duration,
    /// By how much that grows with each further answer. 0.4 ms by default: a full batch is a third as
    /// fast for each, and 18 times as fast in all.
    pub crowding: Duration,
    /// How many tokens of a prompt are read in the time of one token written. 50 by default.
    pub prefill: u64,
    /// How many may wait before others are refused; without a limit by default.
    pub most_waiting: Option<usize>,
    /// Which part of the answers breaks off in the middle. 0 by default.
    pub breaks: f64,
    /// Whether a call whose caller has left gives its place back. By default it does: engines notice
    /// that a stream was closed.
    pub cancels: bool,
    /// What decides which answers break off.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            most: 64,
            token: Duration::from_millis(10),
            crowding: Duration::from_micros(400),
            prefill: 50,
            most_waiting: None,
            breaks: 0.0,
            cancels: true,
            seed: 0,
        }
    }
}

impl Config {
    /// Tokens in a second of a full batch, prompts counted as what their reading takes.
    pub fn capacity(&self) -> f64 {
        self.most as f64 / self.token_time(self.most)
    }

    /// What a call costs of that capacity.
    pub fn tokens(&self, job: &Job) -> f64 {
        (job.input / self.prefill.max(1)).max(1) as f64 + job.output as f64
    }

    fn token_time(&self, batch: usize) -> f64 {
        let others = batch.saturating_sub(1) as f64;
        // A token that takes no time would not be countable.
        (self.token.as_secs_f64() + self.crowding.as_secs_f64() * others).max(1e-9)
    }
}

/// One batch, which slows down as it fills. Who finds no place in it queues.
///
/// Everyone in the batch gets the same share, so what is kept is how many tokens a call in it would have
/// by now, and what each is waiting for on that scale: nothing is done for each token.
#[derive(Debug)]
pub struct Batcher {
    config: Config,
    most: usize,
    slowness: f64,
    floods: bool,
    random: Seeded,
    /// Tokens of one who was in the batch from the beginning, in millionths.
    scale: u64,
    at: Option<Instant>,
    /// What comes next, by place on the scale.
    marks: BTreeMap<(u64, Id), Mark>,
    queue: VecDeque<Id>,
    waiting: usize,
    batch: usize,
    jobs: HashMap<Id, Entry>,
    spent: f64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    job: Job,
    /// Where it began, and where it is at its mark, if it is in the batch.
    place: Option<(u64, u64)>,
    is_left: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    First { end: u64, breaks: bool },
    End { breaks: bool },
}

const TOKEN: f64 = 1e6;

impl Batcher {
    /// An empty batch.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            most: config.most,
            slowness: 1.0,
            floods: false,
            random: Seeded(config.seed),
            scale: 0,
            at: None,
            marks: BTreeMap::new(),
            queue: VecDeque::new(),
            waiting: 0,
            batch: 0,
            jobs: HashMap::new(),
            spent: 0.0,
        }
    }

    /// How many answers are written.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How far the scale moves in a second.
    fn speed(&self) -> f64 {
        TOKEN / (self.config.token_time(self.batch) * self.slowness)
    }

    fn move_to(&mut self, now: Instant) {
        let gone = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if self.batch > 0 {
            let moved = (gone.as_secs_f64() * self.speed()).round() as u64;
            self.scale = self.scale.saturating_add(moved);
        }
        self.at = Some(now);
    }

    fn start(&mut self) {
        while self.batch < self.most {
            let Some(id) = self.queue.pop_front() else { return };
            let Some(entry) = self.jobs.get_mut(&id) else { continue };
            self.waiting -= 1;
            self.batch += 1;
            let reading = (entry.job.input / self.config.prefill.max(1)).max(1);
            let first = self.scale.saturating_add((reading as f64 * TOKEN) as u64);
            let (chance, part) = (self.random.unit(), self.random.unit());
            let breaks = chance < self.config.breaks;
            let output = entry.job.output as f64 * if breaks { part } else { 1.0 };
            let end = first.saturating_add((output * TOKEN) as u64);
            entry.place = Some((self.scale, first));
            self.marks.insert((first, id), Mark::First { end, breaks });
        }
    }

    /// What a call has had of the batch, in tokens.
    fn had(&self, began: u64) -> f64 {
        self.scale.saturating_sub(began) as f64 / TOKEN
    }

    fn end(&mut self, id: Id, breaks: bool, told: &mut Vec<(Id, Progress)>) {
        let Some(Entry { place: Some((began, _)), is_left, .. }) = self.jobs.remove(&id) else {
            return;
        };
        let cost = self.had(began);
        self.spent += cost;
        self.batch -= 1;
        if !is_left {
            told.push((id, if breaks { Progress::Broken } else { Progress::Done { cost } }));
        }
    }
}

impl Machine for Batcher {
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal> {
        if self.floods {
            return Err(Refusal { why: Why::RateLimit, after: None });
        }
        let is_full = self.config.most_waiting.is_some_and(|most| self.waiting >= most);
        if is_full && self.batch >= self.most {
            return Err(Refusal { why: Why::Overloaded, after: None });
        }
        self.move_to(now);
        self.jobs.insert(id, Entry { job: job.in_range(), place: None, is_left: false });
        self.queue.push_back(id);
        self.waiting += 1;
        self.start();
        Ok(())
    }

    fn leave(&mut self, id: Id, now: Instant) {
        self.move_to(now);
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        entry.is_left = true;
        if !self.config.cancels {
            return;
        }
        match entry.place {
            Some((began, mark)) => {
                self.spent += self.had(began);
                self.marks.remove(&(mark, id));
                self.batch -= 1;
            }
            None => self.waiting -= 1,
        }
        self.jobs.remove(&id);
        self.start();
    }

    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>) {
        while let Some(at) = self.due().filter(|at| *at <= now) {
            let Some(((place, id), mark)) = self.marks.pop_first() else { return };
            self.scale = place;
            self.at = Some(at);
            match mark {
                Mark::First { end, breaks } => {
                    let Some(entry) = self.jobs.get_mut(&id) else { continue };
                    if !entry.is_left {
                        told.push((id, Progress::First));
                    }
                    entry.place = entry.place.map(|(began, _)| (began, end));
                    self.marks.insert((end, id), Mark::End { breaks });
                }
                Mark::End { breaks } => self.end(id, breaks, told),
            }
            self.start();
        }
    }

    fn due(&self) -> Option<Instant> {
        let (&(place, _), _) = self.marks.first_key_value()?;
        let seconds = place.saturating_sub(self.scale) as f64 / self.speed();
        Some(later(self.at?, length(seconds)))
    }

    fn change(&mut self, change: Change, now: Instant) {
        self.move_to(now);
        match change.in_range() {
            Change::Room(part) => self.most = (self.config.most as f64 * part).round() as usize,
            Change::Slowness(factor) => self.slowness = factor,
            Change::Flood(floods) => self.floods = floods,
            Change::Limits(_) => {}
        }
        self.start();
    }

    fn spent(&self) -> f64 {
        self.spent
    }
}
