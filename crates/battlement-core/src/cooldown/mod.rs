//! Who may not be called until when, and how traffic comes back.
//!
//! One call is told "try again in 20 seconds". Without a place where that is written down, every
//! other call finds it out for itself, and each of those counts against the limit it ran into. And
//! where it is written down, all who waited come back in the same instant and are told again. So
//! this is a gate, shared by all calls, which gives each of those who wait a time of its own.
//!
//! # What counts
//!
//! - A gate belongs to a key: provider, model, account and dimension, or whatever the caller limits
//!   apart. A call names all of the keys that concern it, and goes when all of them let it.
//! - **A hint is a floor.** A gate opens later than told (see [`Config::spread`]), never earlier; a hint
//!   beyond [`Config::longest`] is taken for that. LiteLLM keeps the shorter of two hints, and the
//!   Anthropic SDK, told to wait for 90 seconds, waits for half a second.
//! - **A shorter hint never shortens a longer one.** Only a success does, and only of a call that was
//!   admitted after the throttle: one that was on its way before proves nothing. A [`Pass`] carries
//!   the generation that tells.
//! - **One throttle is one.** Of a hundred calls that were on their way, all hundred are throttled. What is
//!   doubled when no wait is told is doubled once, not a hundred times.
//! - **A ramp, not a herd.** Those who wait get places: one when the gate opens, two after a
//!   [`Config::ramp`], four after two of them. A throttle on the way back takes the places away, and shuts
//!   the gate again.
//!
//! It is no queue: it says when, and whoever comes first gets the first place. In what order they
//! should come is for a queue before it.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::{
//!     cooldown::{Admission, Config, Cooldown},
//!     random::Seeded,
//! };
//!
//! let (now, mut random) = (Instant::now(), Seeded(7));
//! let mut cooldown = Cooldown::new(Config::default())?;
//! let keys = [("openai", "gpt-5", "tokens"), ("openai", "gpt-5", "requests")];
//! let Admission::Go(pass) = cooldown.ask(&keys, now) else { panic!("nothing is known against it") };
//! let hint = Duration::from_secs(20);
//! cooldown.throttled(&keys[0], &pass, Some(hint), now, &mut random);
//!
//! // Whoever cannot wait that long is told so at once; whoever can gets a place.
//! assert!(cooldown.when(&keys, now) >= now + hint);
//! let Admission::Wait(place) = cooldown.ask(&keys, now) else { panic!("it was just shut") };
//! let now = place.at();
//! assert!(matches!(cooldown.redeem(&keys, place, now), Admission::Go(_)));
//! # Ok::<(), battlement_core::cooldown::InvalidConfig>(())
//! ```

mod config;
mod gate;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, Hash, RandomState},
    marker::PhantomData,
    time::{Duration, Instant},
};

pub use config::{Config, InvalidConfig};

use smallvec::SmallVec;

use self::gate::{Gate, later};
use crate::{
    by_hash::ByHash,
    random::{Random, between},
};

/// The gates of all keys.
///
/// Keys are kept as 64-bit hashes, of which nobody outside knows how they come about. Should two of
/// them ever be the same, they share a gate.
#[derive(Debug)]
pub struct Cooldown<K> {
    config: Config,
    /// Those that are shut, or were so lately.
    gates: ByHash<Gate>,
    hasher: RandomState,
    keys: PhantomData<fn(K)>,
    /// Grows with every change, of any gate, that takes places away.
    generation: u64,
}

/// Whether to make a call now.
#[must_use = "a call that is told to wait must not be made"]
#[derive(Debug)]
pub enum Admission {
    /// Now.
    Go(Pass),
    /// At [`Place::at`], through [`Cooldown::redeem`].
    Wait(Place),
}

/// Says when a call was admitted, to judge what it proves.
#[derive(Debug)]
pub struct Pass {
    generation: u64,
}

/// A time at which to come back. One that is dropped is left free: others do not move up. See
/// [`Cooldown::give_back`].
#[must_use = "a place is used through `Cooldown::redeem`"]
#[derive(Debug)]
pub struct Place {
    at: Instant,
    generation: u64,
    /// Which of the keys it is for.
    index: usize,
}

/// A gate as it stands, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Until when nobody goes through.
    pub until: Instant,
    /// When the next to come may go through.
    pub next: Instant,
    /// Places given away since it was shut.
    pub booked: u32,
    /// How often in a row it was shut without being told for how long.
    pub strikes: u32,
}

/// The most by which a gate opens later than told.
const MOST_SPREAD: Duration = Duration::from_secs(10);

impl<K: Eq + Hash> Cooldown<K> {
    /// All gates open.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        config.check()?;
        let (gates, hasher) = (ByHash::default(), RandomState::new());
        Ok(Self { config, gates, hasher, keys: PhantomData, generation: 0 })
    }

    /// When a call that concerns these keys could be made at the earliest, without asking for it.
    ///
    /// For those with a deadline: it is better to fail now than to wait in vain.
    #[must_use]
    pub fn when(&self, keys: &[K], now: Instant) -> Instant {
        self.latest(&self.hashes(keys), now, None).map_or(now, |(at, _)| at.max(now))
    }

    /// When it could be made if so many others that concern the same keys go before it.
    ///
    /// For a queue in front of the gates, in which only the first holds a place.
    #[must_use]
    pub fn when_after(&self, keys: &[K], ahead: usize, now: Instant) -> Instant {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let hashes = self.hashes(keys);
        let gates = hashes.iter().filter_map(|hash| self.gates.get(hash));
        let turns = gates.filter(|gate| !gate.is_over(now)).map(|gate| gate.next_after(ahead, now));
        turns.max().map_or(now, |turn| turn.max(now))
    }

    /// Asks to make a call that concerns these keys.
    pub fn ask(&mut self, keys: &[K], now: Instant) -> Admission {
        self.ask_but(&self.hashes(keys), None, now)
    }

    /// Comes back at the time of a place, with the same keys; before its time if
    /// [`Cooldown::succeeded`] said so.
    ///
    /// The answer may be another place, if the gate was shut again meanwhile.
    pub fn redeem(&mut self, keys: &[K], place: Place, now: Instant) -> Admission {
        let hashes = self.hashes(keys);
        let gate = hashes.get(place.index).and_then(|hash| self.gates.get(hash));
        // A gate that was forgotten has been over, or has made room for others.
        let is_valid = gate.is_none_or(|gate| gate.generation == place.generation);
        if is_valid && now < place.at {
            return Admission::Wait(place);
        }
        self.ask_but(&hashes, is_valid.then_some(place.index), now)
    }

    /// Gives back a place that nobody will use, so that the next to come gets it, if none was given
    /// away after it.
    pub fn give_back(&mut self, keys: &[K], place: Place) {
        let hash = self.hashes(keys).get(place.index).copied();
        if let Some(gate) = hash.and_then(|hash| self.gates.get_mut(&hash)) {
            if gate.generation == place.generation {
                gate.unbook(place.at);
            }
        }
    }

    /// Whether a gate of these keys was shut since the pass was given out, and still is: who has not gone
    /// out by now, because of something else, had better ask again.
    #[must_use]
    pub fn was_shut_since(&self, keys: &[K], pass: &Pass, now: Instant) -> bool {
        self.hashes(keys).iter().any(|hash| {
            let gate = self.gates.get(hash);
            gate.is_some_and(|gate| gate.generation > pass.generation && now < gate.until)
        })
    }

    /// A pass for a call that is made whatever the gates say, such as a check by hand.
    #[must_use]
    pub fn force(&self) -> Pass {
        Pass { generation: self.generation }
    }

    /// The call was throttled, with the wait that it was told; returns when the gate opens.
    pub fn throttled(
        &mut self,
        key: &K,
        pass: &Pass,
        hint: Option<Duration>,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) -> Instant {
        let hash = self.hasher.hash_one(key);
        let known = self.gates.get(&hash).filter(|gate| !gate.is_over(now)).copied();
        let is_news = known.is_none_or(|gate| pass.generation >= gate.generation);
        let strikes = known.map_or(0, |gate| gate.strikes);
        let (wait, strikes) = match hint {
            Some(hint) => (hint.min(self.config.longest), strikes),
            None => (self.unhinted(strikes), strikes.saturating_add(1)),
        };
        self.generation = self.generation.wrapping_add(1);
        if let Some(gate) = self.gates.get_mut(&hash).filter(|_| known.is_some() && !is_news) {
            // One of many that were on their way together. It can still know of a longer wait.
            gate.heard = self.generation;
            if hint.is_none() || later(now, wait) <= gate.until {
                return gate.until;
            }
        }
        let spread = wait.mul_f64(self.config.spread).min(MOST_SPREAD);
        let until = later(now, wait.saturating_add(between(Duration::ZERO, spread, random)));
        let until = known.map_or(until, |gate| gate.until.max(until));
        let step = self.config.ramp.min(wait);
        self.make_room(hash, now);
        self.gates.insert(hash, Gate::shut(until, step, self.generation, strikes));
        until
    }

    /// The call was not throttled. Returns whether that opened a gate before its time, so that
    /// those who wait had better come back now.
    pub fn succeeded(&mut self, keys: &[K], pass: &Pass, now: Instant) -> bool {
        let mut has_opened = false;
        for hash in self.hashes(keys) {
            if let Some(gate) = self.gates.get_mut(&hash) {
                if pass.generation >= gate.heard {
                    gate.strikes = 0;
                    if now < gate.until {
                        self.generation = self.generation.wrapping_add(1);
                        gate.prove(self.generation, now);
                        has_opened = true;
                    }
                }
            }
        }
        has_opened
    }

    /// The gate of a key as it stands; `None` when it is open.
    pub fn snapshot(&self, key: &K, now: Instant) -> Option<Snapshot> {
        let gate = self.gates.get(&self.hasher.hash_one(key)).filter(|gate| !gate.is_over(now))?;
        Some(Snapshot {
            until: gate.until,
            next: gate.next(now),
            booked: gate.booked(),
            strikes: gate.strikes,
        })
    }

    /// How many gates are kept.
    pub fn len(&self) -> usize {
        self.gates.len()
    }

    /// Whether no gate is kept.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// Asks all gates but one, at which a place was redeemed.
    fn ask_but(&mut self, hashes: &[u64], redeemed: Option<usize>, now: Instant) -> Admission {
        match self.latest(hashes, now, redeemed) {
            // The common case: nothing is known against any of them.
            None => return Admission::Go(self.force()),
            Some((at, index)) if at > now => {
                // A place at the last to open will do; the others are asked again then.
                let mut generation = 0;
                if let Some(gate) = self.gates.get_mut(&hashes[index]) {
                    gate.book(now);
                    generation = gate.generation;
                }
                return Admission::Wait(Place { at, generation, index });
            }
            _ => {}
        }
        for (index, hash) in hashes.iter().enumerate() {
            if let Some(gate) = self.gates.get_mut(hash) {
                if gate.is_over(now) {
                    self.gates.remove(hash);
                } else if redeemed != Some(index) {
                    gate.book(now);
                }
            }
        }
        Admission::Go(self.force())
    }

    /// The gate that opens last, by the index of its key.
    fn latest(&self, hashes: &[u64], now: Instant, but: Option<usize>) -> Option<(Instant, usize)> {
        let gates = hashes.iter().enumerate().filter(|(index, _)| but != Some(*index));
        gates.filter_map(|(index, hash)| Some((self.gates.get(hash)?.next(now), index))).max()
    }

    /// What the keys are known by; none while nothing is known of any.
    fn hashes(&self, keys: &[K]) -> SmallVec<[u64; 4]> {
        let known = if self.gates.is_empty() { &[] } else { keys };
        known.iter().map(|key| self.hasher.hash_one(key)).collect()
    }

    /// The wait after being throttled without a hint.
    fn unhinted(&self, strikes: u32) -> Duration {
        let factor = 1_u32.checked_shl(strikes).unwrap_or(u32::MAX);
        self.config.unhinted.saturating_mul(factor).min(self.config.unhinted_longest)
    }

    /// Keys come from requests, so anybody can invent them.
    fn make_room(&mut self, hash: u64, now: Instant) {
        let limit = usize::try_from(self.config.keys.get()).unwrap_or(usize::MAX);
        if self.gates.len() < limit || self.gates.contains_key(&hash) {
            return;
        }
        self.gates.retain(|_, gate| !gate.is_over(now));
        if self.gates.len() >= limit {
            // A quarter at once, those that open first, so that it is seldom done.
            let mut ends: Vec<Instant> = self.gates.values().map(|gate| gate.until).collect();
            let (_, end, _) = ends.select_nth_unstable(limit / 4);
            let (end, mut more) = (*end, limit / 4 + 1);
            self.gates.retain(|_, gate| {
                let is_first = gate.until <= end && more > 0;
                more -= usize::from(is_first);
                !is_first
            });
        }
    }
}

impl Place {
    /// When to come back.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }
}
