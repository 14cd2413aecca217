//! Runs contenders side by side, so that their ratios mean something on a machine that is not quiet.
//!
//! The rounds are interleaved (A B C, A B C, …): a slow moment hits everybody. A row is the median
//! over the rounds with its spread, and a ratio is the median of the ratios within each round. A
//! contender that gives a wrong answer has no time worth showing, so each is checked first.

use std::{
    fmt::Debug,
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{
    alloc::{self, Allocated},
    report::{Goal, Row, Spread, Table},
};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Interleaved rounds, each of which gives every contender one sample.
    pub(crate) rounds: usize,
    /// How long one sample lasts at least.
    pub(crate) sample: Duration,
}

impl Settings {
    pub(crate) const FULL: Self = Self { rounds: 41, sample: Duration::from_millis(8) };
    pub(crate) const QUICK: Self = Self { rounds: 11, sample: Duration::from_millis(2) };

    /// A contender whose single run takes longer has had its only round when it was checked.
    const SLOW: Duration = Duration::from_millis(150);
}

/// What a contender stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Battlement.
    Ours,
    /// What people use today.
    Peer,
    /// Gives less than was asked, or is right on this data only: a bound on what is possible.
    Floor,
}

/// What one run goes through.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Work {
    /// 0 where nothing is read.
    pub(crate) bytes: usize,
    /// What a row is given per.
    pub(crate) unit: Unit,
    /// How many of them one run goes through.
    pub(crate) units: usize,
}

/// What a row is given per.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// A whole answer.
    Answer,
    /// One event of a stream.
    Event,
    /// A request, and its answer to the end.
    Call,
    /// One question to a machine, or one answer given back to it.
    Decision,
    /// A whole request.
    Request,
}

impl Unit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Call => "call",
            Self::Decision => "decision",
            Self::Request => "request",
        }
    }
}

/// One input, and everybody who reads it.
pub(crate) struct Scenario<'a, I: ?Sized> {
    id: String,
    title: String,
    work: Work,
    input: &'a I,
    goals: Vec<Goal>,
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: &'static str,
    role: Role,
    allocated: Allocated,
    /// Nanoseconds of the checked run, if it was slow enough to stand as the only sample.
    slow: Option<f64>,
    run: Box<dyn FnMut(u64) + 'a>,
}

impl<'a, I: ?Sized> Scenario<'a, I> {
    pub(crate) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        work: Work,
        input: &'a I,
    ) -> Self {
        let (id, title) = (id.into(), title.into());
        Self { id, title, work, input, goals: Vec::new(), contenders: Vec::new() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What our rows are meant to reach here.
    pub(crate) fn goals(mut self, goals: impl IntoIterator<Item = Goal>) -> Self {
        self.goals.extend(goals);
        self
    }

    /// Adds a contender, after checking that it reads the input as it should.
    pub(crate) fn contender<T: PartialEq + Debug>(
        mut self,
        name: &'static str,
        role: Role,
        expected: &T,
        read: impl Fn(&I) -> T + 'a,
    ) -> Self {
        let input = self.input;
        let check = || {
            let start = Instant::now();
            let answer = read(black_box(input));
            let elapsed = start.elapsed();
            assert_eq!(answer, *expected, "{name} misreads {}", self.id);
            elapsed
        };
        // The first run may pay for things done once in a process, so a second one is counted.
        let (elapsed, mut allocated) = alloc::count(check);
        let slow = (elapsed > Settings::SLOW).then_some(elapsed.as_secs_f64() * 1e9);
        if slow.is_none() {
            (_, allocated) = alloc::count(check);
        }
        let run = Box::new(move |times| {
            for _ in 0..times {
                black_box(read(black_box(input)));
            }
        });
        self.contenders.push(Contender { name, role, allocated, slow, run });
        self
    }

    /// Measures everybody.
    pub(crate) fn measure(mut self, settings: Settings) -> Table {
        let plan: Vec<u64> =
            self.contenders.iter_mut().map(|contender| contender.repeats(settings)).collect();
        let mut samples = vec![Vec::with_capacity(settings.rounds); self.contenders.len()];
        for _ in 0..settings.rounds {
            for ((contender, &times), samples) in
                self.contenders.iter_mut().zip(&plan).zip(&mut samples)
            {
                match contender.slow {
                    Some(nanos) if samples.is_empty() => samples.push(nanos),
                    Some(_) => {}
                    None => samples.push(contender.time(times).as_secs_f64() * 1e9 / times as f64),
                }
            }
        }
        self.table(&samples)
    }

    fn table(self, samples: &[Vec<f64>]) -> Table {
        let ours = self.contenders.iter().position(|contender| contender.role == Role::Ours);
        let units = self.work.units as f64;
        let rows = self.contenders.iter().zip(samples).map(|(contender, own)| {
            let nanos = Spread::of(own.iter().map(|nanos| nanos / units));
            Row {
                name: contender.name,
                role: contender.role,
                rounds: own.len(),
                nanos,
                gigabytes_per_second: self.work.bytes as f64 / (nanos.median * units),
                allocations: contender.allocated.count as f64 / units,
                allocated_bytes: contender.allocated.bytes as f64 / units,
                times_ours: ours.map(|ours| ratio(own, &samples[ours])),
            }
        });
        let rows = rows.collect();
        let (id, title, work) = (self.id, self.title, self.work);
        Table { id, title, work, rows, goals: self.goals }
    }
}

impl Contender<'_> {
    /// How often to run for one sample; finding out also warms everything up.
    fn repeats(&mut self, settings: Settings) -> u64 {
        if self.slow.is_some() {
            return 1;
        }
        let mut times = 1;
        loop {
            let elapsed = self.time(times);
            if elapsed >= settings.sample / 2 {
                let wanted = settings.sample.as_secs_f64() / elapsed.as_secs_f64();
                return ((times as f64 * wanted).ceil() as u64).max(1);
            }
            times *= 2;
        }
    }

    fn time(&mut self, times: u64) -> Duration {
        let start = Instant::now();
        (self.run)(times);
        start.elapsed()
    }
}

/// How many times our time they take: round by round where both had all rounds.
fn ratio(theirs: &[f64], ours: &[f64]) -> Spread {
    if theirs.len() == ours.len() {
        Spread::of(theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours))
    } else {
        let (theirs, ours) = (Spread::of(theirs.iter().copied()), Spread::of(ours.iter().copied()));
        Spread::of([theirs.median / ours.median])
    }
}
