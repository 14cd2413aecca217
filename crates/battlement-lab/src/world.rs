//! The providers of the experiment: how much they can do, and how they fail.

use std::time::Duration;

use battlement_core::random::Seeded;
use battlement_sim::capacity::{
    Batcher, Job, Machine, Quota, Regions, Slots, batcher, quota, regions, slots, work::Lognormal,
};

use crate::trigger::Trigger;

/// A provider of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum World {
    /// 50 slots and a queue without end. Who has left is worked for all the same.
    Slots,
    /// The same, and who has left is noticed.
    SlotsCancelling,
    /// 50 slots and a queue of 25; then 529.
    SlotsBounded,
    /// 300 requests in any minute. What is refused counts, and nothing is told.
    QuotaSilent,
    /// 300 requests and tokens in a minute, coming back bit by bit. Says when to come back and what is left.
    QuotaTold,
    /// An inference engine with a batch of 64, streams, and one stream in two hundred that breaks.
    Batcher,
    /// Two regions with 25 slots and caches of their own.
    Regions,
}

/// How long the calls take on average where time is what they cost.
pub(crate) const MEAN: f64 = 10.0;

const INPUT: u64 = 1_000;
const OUTPUT: f64 = 250.0;

impl World {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Slots,
        Self::SlotsCancelling,
        Self::SlotsBounded,
        Self::QuotaSilent,
        Self::QuotaTold,
        Self::Batcher,
        Self::Regions,
    ];

    /// Its name in tables and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::SlotsCancelling => "slots, cancelling",
            Self::SlotsBounded => "slots, short queue",
            Self::QuotaSilent => "quota, silent",
            Self::QuotaTold => "quota, told",
            Self::Batcher => "batcher",
            Self::Regions => "two regions",
        }
    }

    /// Whether its limit is one of calls and tokens in a minute.
    pub const fn is_quota(self) -> bool {
        matches!(self, Self::QuotaSilent | Self::QuotaTold)
    }

    /// Whether its answers are streams.
    pub(crate) const fn streams(self) -> bool {
        matches!(self, Self::Batcher)
    }

    pub(crate) fn machine(self, seed: u64) -> Box<dyn Machine> {
        let slots = slots::Config::default();
        match self {
            Self::Slots => Box::new(Slots::new(slots)),
            Self::SlotsCancelling => Box::new(Slots::new(slots::Config { cancels: true, ..slots })),
            Self::SlotsBounded => {
                Box::new(Slots::new(slots::Config { most_waiting: Some(25), ..slots }))
            }
            Self::QuotaSilent => Box::new(Quota::new(quota::Config {
                window: quota::Window::Sliding,
                counts_refused: true,
                ..quota::Config::default()
            })),
            Self::QuotaTold => Box::new(Quota::new(quota::Config {
                tells: true,
                input: Some(600_000),
                output: Some(200_000),
                ..quota::Config::default()
            })),
            Self::Batcher => Box::new(Batcher::new(batcher_config(seed))),
            Self::Regions => Box::new(Regions::new(regions::Config::default())),
        }
    }

    /// Calls in a second that it can answer, when nothing is wrong.
    pub fn capacity(self) -> f64 {
        match self {
            Self::Slots | Self::SlotsCancelling | Self::SlotsBounded | Self::Regions => 50.0 / MEAN,
            Self::QuotaSilent | Self::QuotaTold => 300.0 / 60.0,
            Self::Batcher => {
                let config = batcher_config(0);
                let mean = Job { input: INPUT, output: OUTPUT as u64, ..Job::default() };
                config.capacity() / config.tokens(&mean)
            }
        }
    }

    /// The part of that which is left while something goes wrong; `None` if that is nothing, or cannot be told
    /// by the answers of that time.
    pub fn capacity_during(self, trigger: Trigger) -> Option<f64> {
        match (trigger, self) {
            // A call that takes two minutes, begun in two minutes, ends after them.
            (Trigger::Outage | Trigger::Flood | Trigger::Slow, _) => None,
            (Trigger::Quarter, Self::Batcher) => {
                // A smaller batch is faster for each in it.
                let config = batcher_config(0);
                let smaller = batcher::Config { most: config.most / 4, ..config };
                Some(smaller.capacity() / config.capacity())
            }
            (Trigger::Quarter, _) => Some(0.25),
            (Trigger::Halved, _) => Some(0.5),
            (Trigger::Calm | Trigger::Burst | Trigger::Restart, _) => Some(1.0),
        }
    }

    /// Whether this can happen to it.
    pub fn knows(self, trigger: Trigger) -> bool {
        match trigger {
            Trigger::Halved => self.is_quota(),
            Trigger::Quarter | Trigger::Outage => !self.is_quota(),
            _ => true,
        }
    }

    /// Draws a call.
    pub(crate) fn draw(self, sizes: &Sizes, random: &mut Seeded) -> Job {
        // Always as many draws, so that the worlds have the same calls.
        let (work, output) = (sizes.work.draw_time(random), sizes.output.draw(random));
        let affinity = (battlement_core::random::Random::unit(random) * 1_000.0) as u64;
        let job = Job { work: work.min(LONGEST), affinity, ..Job::default() };
        match self {
            Self::QuotaTold => Job { input: INPUT, output: (output as u64).clamp(1, 500), ..job },
            Self::Batcher => Job { input: INPUT, output: (output as u64).clamp(1, 4_000), ..job },
            _ => job,
        }
    }
}

/// No call of the experiment is longer, or no deadline could be met.
const LONGEST: Duration = Duration::from_secs(120);

fn batcher_config(seed: u64) -> batcher::Config {
    batcher::Config { breaks: 0.005, seed, ..batcher::Config::default() }
}

/// How much work calls are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    work: Lognormal,
    output: Lognormal,
}

impl Sizes {
    /// With this spread, as a part of the mean.
    pub(crate) fn new(spread: f64) -> Self {
        Self { work: Lognormal::new(MEAN, spread), output: Lognormal::new(OUTPUT, spread) }
    }
}
