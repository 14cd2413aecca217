//! Who waits for which gate, in the order in which they came.
//!
//! The cool-down gives out places and knows no order. So only the first in line holds one; the next
//! asks for one when the first has gone, and gets the same as if it had asked before.

use std::{
    collections::{BTreeMap, HashMap},
    task::Waker,
    time::{Duration, Instant},
};

use battlement_core::{
    cooldown::{Admission, Config, Cooldown, InvalidConfig, Pass, Place},
    hint::Dimension,
    random::Seeded,
    request::Operation,
};
use smallvec::SmallVec;

use crate::call::{Call, Key};

/// What has a gate of its own.
pub(super) type GateKey = (Key, Dimension);

/// Calls that are kept back by the same gates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LineKey {
    pub(super) key: Key,
    /// Whether they cost tokens.
    pub(super) tokens: bool,
}

/// Wakers to be woken once the lock is released.
pub(super) type Wakers = SmallVec<[Waker; 1]>;

/// All gates, and everybody who waits for one.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cooldown: Cooldown<GateKey>,
    lines: HashMap<LineKey, Line>,
    /// The number of the last to come.
    serial: u64,
    pub(super) random: Seeded,
    pub(super) wakers: Wakers,
    /// How many may wait for the same.
    pub(super) most_waiting: usize,
}

/// As many as wait for a limit by default.
const MOST_WAITING: usize = 1_024;

/// Those who wait for the same. Never empty.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<u64, Waiter>,
    /// Of the first.
    place: Option<Place>,
}

#[derive(Debug)]
struct Waiter {
    /// When it gives up.
    limit: Option<Instant>,
    waker: Option<Waker>,
}

/// What becomes of somebody who comes, or comes back.
#[derive(Debug)]
pub(super) enum Step {
    /// It may go.
    Go(Pass),
    /// It waits, under this number, and comes back then or when it is woken.
    Wait {
        serial: u64,
        /// When to come back.
        back: Option<Instant>,
        /// When its turn is likely to be.
        turn: Instant,
    },
    /// Its turn would be only then, which is too late. It does not wait any more.
    Late(Instant),
}

impl LineKey {
    /// Of calls like this one, by the key of the call unless they have one of their own.
    pub(super) fn of(own: Option<&Key>, call: &Call) -> Self {
        let key = own.unwrap_or_else(|| call.key()).clone();
        let tokens = !matches!(call.facts().operation, Operation::CountTokens | Operation::Models);
        Self { key, tokens }
    }

    /// The gates that concern it.
    pub(super) fn gates(&self) -> SmallVec<[GateKey; 3]> {
        let mut dimensions: SmallVec<[Dimension; 3]> =
            SmallVec::from_slice(&[Dimension::Requests, Dimension::Other]);
        if self.tokens {
            dimensions.push(Dimension::Tokens);
        }
        dimensions.into_iter().map(|dimension| (self.key.clone(), dimension)).collect()
    }
}

impl Shared {
    pub(super) fn new(config: Config, random: Seeded) -> Result<Self, InvalidConfig> {
        Ok(Self {
            cooldown: Cooldown::new(config)?,
            lines: HashMap::new(),
            serial: 0,
            random,
            wakers: Wakers::new(),
            most_waiting: MOST_WAITING,
        })
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lines.values().map(|line| line.waiting.len()).sum()
    }

    /// Whether nothing is known against anybody.
    pub(super) fn is_idle(&self) -> bool {
        self.cooldown.is_empty() && self.lines.is_empty()
    }

    /// Somebody comes.
    pub(super) fn arrive(&mut self, key: &LineKey, limit: Option<Instant>, now: Instant) -> Step {
        let gates = key.gates();
        let line = self.lines.get(key);
        let is_first = line.is_none();
        let ahead = line.map_or(0, Line::without_place);
        let turn = self.cooldown.when_after(&gates, ahead, now);
        let is_full = line.is_some_and(|line| line.waiting.len() >= self.most_waiting);
        if is_full || (turn > now && is_beyond(turn, limit)) {
            return Step::Late(turn);
        }
        let place = match is_first.then(|| self.cooldown.ask(&gates, now)) {
            Some(Admission::Go(pass)) => return Step::Go(pass),
            Some(Admission::Wait(place)) => Some(place),
            None => None,
        };
        self.serial += 1;
        let serial = self.serial;
        let back = place.as_ref().map(Place::at).or(limit);
        let line = self.lines.entry(key.clone()).or_default();
        line.place = place.or(line.place.take());
        line.waiting.insert(serial, Waiter { limit, waker: None });
        Step::Wait { serial, back, turn }
    }

    /// Somebody who waits comes back.
    pub(super) fn come_back(
        &mut self,
        key: &LineKey,
        serial: u64,
        now: Instant,
        waker: &Waker,
    ) -> Step {
        let gates = key.gates();
        let line = self.lines.get_mut(key);
        let first = line.as_ref().and_then(|line| line.first());
        let waiter = line.and_then(|line| Some((line.waiting.get_mut(&serial)?, &mut line.place)));
        // Who is not in line any more was told that its turn is too late.
        let Some((waiter, place)) = waiter else {
            return Step::Late(self.cooldown.when(&gates, now));
        };
        let limit = waiter.limit;
        if limit.is_some_and(|limit| limit <= now) {
            self.leave(key, serial);
            return Step::Late(self.cooldown.when(&gates, now));
        }
        if !waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiter.waker = Some(waker.clone());
        }
        if first != Some(serial) {
            return Step::Wait { serial, back: limit, turn: now };
        }
        let admission = match place.take() {
            Some(place) => self.cooldown.redeem(&gates, place, now),
            None => self.cooldown.ask(&gates, now),
        };
        match admission {
            Admission::Go(pass) => {
                self.leave(key, serial);
                Step::Go(pass)
            }
            Admission::Wait(next) => {
                let turn = next.at();
                *place = Some(next);
                if is_beyond(turn, limit) {
                    self.leave(key, serial);
                    return Step::Late(turn);
                }
                Step::Wait { serial, back: Some(turn), turn }
            }
        }
    }

    /// Somebody does not wait any more; the next is woken if that was the first.
    pub(super) fn leave(&mut self, key: &LineKey, serial: u64) {
        let Some(line) = self.lines.get_mut(key) else { return };
        let was_first = line.first() == Some(serial);
        line.waiting.remove(&serial);
        if line.waiting.is_empty() {
            self.close(key);
        } else if was_first {
            self.wakers.extend(line.wake_first());
        }
    }

    /// A gate of this key was shut, or opened: places are given anew, and those for whom it is too
    /// late now are told so.
    pub(super) fn restart(&mut self, key: &Key, now: Instant) {
        for tokens in [false, true] {
            let key = LineKey { key: key.clone(), tokens };
            let Some(line) = self.lines.get_mut(&key) else { continue };
            let gates = key.gates();
            if let Some(place) = line.place.take() {
                self.cooldown.give_back(&gates, place);
            }
            let (cooldown, wakers) = (&self.cooldown, &mut self.wakers);
            let mut ahead = 0;
            line.waiting.retain(|_, waiter| {
                let stays = !is_beyond(cooldown.when_after(&gates, ahead, now), waiter.limit);
                if stays {
                    ahead += 1;
                } else {
                    wakers.extend(waiter.waker.take());
                }
                stays
            });
            if line.waiting.is_empty() {
                self.close(&key);
            } else {
                self.wakers.extend(line.wake_first());
            }
        }
    }

    /// Forgets a line without anybody in it.
    fn close(&mut self, key: &LineKey) {
        if let Some(place) = self.lines.remove(key).and_then(|line| line.place) {
            self.cooldown.give_back(&key.gates(), place);
        }
    }

    /// A call was throttled, or somebody says so. Returns until when the gate is shut; and a pass, if
    /// this was what shut it, that is as good as one given out now.
    pub(super) fn throttle(
        &mut self,
        gate: &GateKey,
        pass: &Pass,
        hint: Option<Duration>,
        now: Instant,
    ) -> (Instant, Option<Pass>) {
        let before = self.cooldown.snapshot(gate, now).map(|gate| gate.until);
        let until = self.cooldown.throttled(gate, pass, hint, now, &mut self.random);
        if before == Some(until) {
            return (until, None);
        }
        self.restart(&gate.0, now);
        (until, Some(self.cooldown.force()))
    }

    /// A call was not throttled.
    pub(super) fn succeed(&mut self, gates: &[GateKey], pass: &Pass, now: Instant) {
        if self.cooldown.succeeded(gates, pass, now) {
            if let Some((key, _)) = gates.first() {
                self.restart(key, now);
            }
        }
    }
}

impl Line {
    fn first(&self) -> Option<u64> {
        self.waiting.keys().next().copied()
    }

    /// How many have no place yet.
    fn without_place(&self) -> usize {
        self.waiting.len() - usize::from(self.place.is_some())
    }

    fn wake_first(&mut self) -> Option<Waker> {
        self.waiting.values_mut().next()?.waker.take()
    }
}

/// Whether a turn comes too late for somebody.
fn is_beyond(turn: Instant, limit: Option<Instant>) -> bool {
    limit.is_some_and(|limit| turn >= limit)
}
