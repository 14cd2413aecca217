//! Slots in two places, one with the caller's cache.

use std::time::Instant;

use super::{Change, Id, Job, Machine, Progress, Refusal, Slots, length, slots};

/// How a provider with two regions is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Each of the two.
    pub region: slots::Config,
    /// How many calls may wait in the region that has the cache, for each slot, before a call goes to the
    /// other. 0.5 by default.
    pub spill: f64,
    /// How much longer a call takes where its prompt is not in the cache, as a part of it. 0.5 by
    /// default.
    pub miss: f64,
    /// How far the second region is as slow as the first: 0 for not at all, 1 for just as slow. 0.2 by
    /// default.
    pub together: f64,
}

impl Default for Config {
    fn default() -> Self {
        let region = slots::Config { slots: 25, ..slots::Config::default() };
        Self { region, spill: 0.5, miss: 0.5, together: 0.2 }
    }
}

/// Slots in two places. A call goes where its prompt is in the cache, and to the other place if too many
/// wait there; but then it is more work. So an overload makes work.
#[derive(Debug)]
pub struct Regions {
    config: Config,
    regions: [Slots; 2],
}

impl Regions {
    /// All slots are free.
    pub fn new(config: Config) -> Self {
        Self { config, regions: [Slots::new(config.region), Slots::new(config.region)] }
    }

    fn is_crowded(&self, region: usize) -> bool {
        self.regions[region].waiting() as f64 > self.config.spill * self.config.region.slots as f64
    }
}

impl Machine for Regions {
    fn arrive(&mut self, id: Id, job: Job, now: Instant) -> Result<(), Refusal> {
        let home = (job.affinity % 2) as usize;
        let waiting = self.regions.each_ref().map(Slots::waiting);
        if self.is_crowded(home) && waiting[1 - home] < waiting[home] {
            let more = length(job.in_range().work.as_secs_f64() * (1.0 + self.config.miss));
            return self.regions[1 - home].arrive(id, Job { work: more, ..job }, now);
        }
        self.regions[home].arrive(id, job, now)
    }

    fn leave(&mut self, id: Id, now: Instant) {
        // Only one of them knows it.
        self.regions.iter_mut().for_each(|region| region.leave(id, now));
    }

    fn advance(&mut self, now: Instant, told: &mut Vec<(Id, Progress)>) {
        self.regions.iter_mut().for_each(|region| region.advance(now, told));
    }

    fn due(&self) -> Option<Instant> {
        self.regions.iter().filter_map(Slots::due).min()
    }

    fn change(&mut self, change: Change, now: Instant) {
        match change.in_range() {
            Change::Slowness(factor) => {
                self.regions[0].change(change, now);
                let other = 1.0 + (factor - 1.0) * self.config.together;
                self.regions[1].change(Change::Slowness(other), now);
            }
            _ => self.regions.iter_mut().for_each(|region| region.change(change, now)),
        }
    }

    fn spent(&self) -> f64 {
        self.regions.iter().map(Slots::spent).sum()
    }
}
