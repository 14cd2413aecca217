//! The machine itself, apart from its settings, so that many circuits share one set of them.

use std::time::{Duration, Instant};

use super::{
    Config, Health, Mode, Reason, Rejected, Snapshot, Ticket,
    evidence::{Evidence, Sign},
};
use crate::random::{Random, between};

#[derive(Clone, Copy, Debug)]
pub(super) struct Circuit {
    state: State,
    /// Grows by one with every transition, so that a ticket can tell which state issued it.
    generation: u64,
    /// Calls admitted in this generation that have said nothing yet. In half-open these are the
    /// probes.
    undecided: u32,
    /// How often it opened since it was last in good health.
    trips: u32,
    evidence: Evidence,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        ramp: Option<Ramp>,
    },
    /// Until `None` means until told otherwise.
    Open {
        until: Option<Instant>,
    },
    HalfOpen {
        /// Since it was entered, or since the last good probe.
        since: Instant,
        good: u32,
    },
}

/// Holds traffic back after closing.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    until: Instant,
    /// How many calls may be undecided.
    allowed: u32,
}

impl Circuit {
    /// A closed circuit that counts its generations from `generation`.
    pub(super) fn new(generation: u64, now: Instant) -> Self {
        Self {
            state: State::Closed { ramp: None },
            generation,
            undecided: 0,
            trips: 0,
            evidence: Evidence::new(now),
        }
    }

    pub(super) fn admit(
        &mut self,
        config: &Config,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) -> Result<Ticket, Rejected> {
        match self.state {
            State::Closed { ramp: None } => {}
            State::Closed { ramp: Some(ramp) } => {
                if now >= ramp.until {
                    self.state = State::Closed { ramp: None };
                } else if self.undecided >= ramp.allowed {
                    return Err(Rejected { reason: Reason::Returning, until: Some(ramp.until) });
                }
            }
            State::Open { until: Some(until) } if now >= until => self.probe(now),
            State::Open { until } => return Err(Rejected { reason: Reason::Open, until }),
            State::HalfOpen { since, .. } => {
                let end = later(since, config.half_open_max_age);
                if now >= end && self.undecided > 0 {
                    let until = self.trip(config, now, random);
                    return Err(Rejected { reason: Reason::Open, until });
                } else if now >= end {
                    // Nobody is being waited for: nobody called, or all went away.
                    self.probe(now);
                } else if self.undecided >= config.probes.get() {
                    return Err(Rejected { reason: Reason::Probing, until: Some(end) });
                }
            }
        }
        self.undecided = self.undecided.saturating_add(1);
        Ok(Ticket { generation: self.generation, said: None })
    }

    /// A call shows its provider's health while it runs, or at its end.
    pub(super) fn note(
        &mut self,
        config: &Config,
        ticket: &mut Ticket,
        sign: Sign,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        if ticket.generation != self.generation {
            return;
        }
        match ticket.said {
            Some((said, _)) if said == sign => return,
            Some((said, booked)) => self.evidence.take_back(said, booked, config.half_life),
            None => self.undecided = self.undecided.saturating_sub(1),
        }
        ticket.said = Some((sign, self.evidence.add(sign, now, config.half_life)));
        match (&mut self.state, sign) {
            (State::Closed { ramp: Some(ramp) }, Sign::Good) => {
                ramp.allowed = ramp.allowed.saturating_add(1);
            }
            (State::Closed { ramp }, Sign::Bad) => {
                let is_settled = ramp.is_none_or(|ramp| now >= ramp.until);
                if self.is_convicted(config) {
                    self.trips = if is_settled { 0 } else { self.trips };
                    self.trip(config, now, random);
                }
            }
            (State::HalfOpen { since, good }, Sign::Good) => {
                (*since, *good) = (now.max(*since), good.saturating_add(1));
                if *good >= config.good_probes.get() {
                    self.close(config, now);
                }
            }
            (State::HalfOpen { .. }, Sign::Bad) => {
                self.trip(config, now, random);
            }
            (State::Closed { ramp: None }, Sign::Good) | (State::Open { .. }, _) => {}
        }
    }

    pub(super) fn settle(
        &mut self,
        config: &Config,
        mut ticket: Ticket,
        health: Health,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        match health {
            Health::Good => self.note(config, &mut ticket, Sign::Good, now, random),
            Health::Bad => self.note(config, &mut ticket, Sign::Bad, now, random),
            Health::Neutral => {
                // What it has shown before stays true.
                if ticket.generation == self.generation && ticket.said.is_none() {
                    self.undecided = self.undecided.saturating_sub(1);
                }
            }
        }
    }

    pub(super) fn open(&mut self, until: Option<Instant>) {
        self.enter(State::Open { until });
    }

    pub(super) fn close(&mut self, config: &Config, now: Instant) {
        let allowed = config.good_probes.get().saturating_add(1);
        let ramp = Ramp { until: later(now, config.ramp), allowed };
        self.enter(State::Closed { ramp: (!config.ramp.is_zero()).then_some(ramp) });
        self.evidence = Evidence::new(now);
    }

    pub(super) fn reset(&mut self, now: Instant) {
        *self = Self::new(self.generation.wrapping_add(1), now);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn mode(&self) -> Mode {
        match self.state {
            State::Closed { .. } => Mode::Closed,
            State::Open { .. } => Mode::Open,
            State::HalfOpen { .. } => Mode::HalfOpen,
        }
    }

    pub(super) fn snapshot(&self, config: &Config, now: Instant) -> Snapshot {
        let mut snapshot = Snapshot {
            mode: self.mode(),
            generation: self.generation,
            good: self.evidence.good(now, config.half_life),
            bad: self.evidence.bad(now, config.half_life),
            streak: self.evidence.streak(),
            undecided: self.undecided,
            trips: self.trips,
            good_probes: 0,
            allowed: None,
            until: None,
        };
        match self.state {
            State::Closed { ramp } => {
                let ramp = ramp.filter(|ramp| now < ramp.until);
                snapshot.allowed = ramp.map(|ramp| ramp.allowed);
                snapshot.until = ramp.map(|ramp| ramp.until);
            }
            State::Open { until } => snapshot.until = until,
            State::HalfOpen { since, good } => {
                snapshot.good_probes = good;
                snapshot.until = Some(later(since, config.half_open_max_age));
            }
        }
        snapshot
    }

    fn is_convicted(&self, config: &Config) -> bool {
        let streak = self.evidence.streak();
        // A burst in which the failures come first says little about the rest of it: a row of
        // failures counts once it outnumbers those that may yet succeed.
        let in_a_row = config.streak.is_some_and(|limit| streak >= limit.get());
        (in_a_row && streak > self.undecided)
            || self.evidence.convicts(self.undecided, config.threshold, config.confidence)
    }

    fn probe(&mut self, now: Instant) {
        self.enter(State::HalfOpen { since: now, good: 0 });
    }

    /// Opens, for longer each time; returns until when.
    fn trip(
        &mut self,
        config: &Config,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) -> Option<Instant> {
        let open = &config.open;
        // Overflows to infinity, of which the shorter of the two makes the longest time.
        let exponent = i32::try_from(self.trips).unwrap_or(i32::MAX);
        let seconds = open.first.as_secs_f64() * open.growth.powi(exponent);
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(open.longest);
        let until = Some(later(now, between(time.mul_f64(1.0 - open.jitter), time, random)));
        self.trips = self.trips.saturating_add(1);
        self.enter(State::Open { until });
        until
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
        self.undecided = 0;
    }
}

/// The time after a wait; where the clock ends, the wait is over.
fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait).unwrap_or(from)
}
