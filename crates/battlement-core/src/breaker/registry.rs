//! Many circuits, one for each key, in bounded memory.

use std::{collections::HashMap, hash::Hash, time::Instant};

use foldhash::fast::RandomState;

use super::{
    Config, Health, InvalidConfig, Mode, Rejected, Snapshot, Ticket, circuit::Circuit,
    evidence::Sign,
};
use crate::random::Random;

/// A breaker for each key, such as provider, region, model and account.
///
/// Keys come from requests, so anybody can invent them. The registry keeps at most as many as it
/// was told and makes room by forgetting: first those that were used once, then those that were
/// not used for a while, and a circuit that is not closed only if nobody used it for longer (the
/// CLOCK algorithm of Corbató, with more than one life). A key that was forgotten starts anew, and
/// tickets from before mean nothing to it.
///
/// A key is stored twice, so keep it small and cheap to clone: an `Arc<str>`, or numbers.
///
/// ```
/// use std::{num::NonZeroU32, sync::Arc, time::Instant};
///
/// use battlement_core::{
///     breaker::{Config, Health, Registry},
///     random::Seeded,
/// };
///
/// let (now, mut random) = (Instant::now(), Seeded(7));
/// let limit = NonZeroU32::new(1000).unwrap();
/// let mut breakers: Registry<(&str, Arc<str>)> = Registry::new(Config::default(), limit)?;
/// let key = ("anthropic", Arc::from("claude-sonnet"));
/// let ticket = breakers.admit(&key, now, &mut random).expect("nothing is known against it");
/// breakers.settle(&key, ticket, Health::Good, now, &mut random);
/// assert_eq!(breakers.snapshot(&key, now).unwrap().good, 1.0);
/// # Ok::<(), battlement_core::breaker::InvalidConfig>(())
/// ```
#[derive(Debug)]
pub struct Registry<K> {
    config: Config,
    limit: usize,
    places: HashMap<K, u32, RandomState>,
    /// The circuits beside the map, where there is no room left unused between them.
    slots: Vec<Slot<K>>,
    /// Where the search for somebody to forget goes on.
    hand: usize,
    /// Set apart from each other, so that no generation is used twice, even by different keys.
    next_generation: u64,
    transition: Option<(Mode, Mode)>,
}

#[derive(Debug)]
struct Slot<K> {
    key: K,
    circuit: Circuit,
    /// How often the hand passes before the circuit is forgotten.
    lives: u8,
}

/// A key that is asked for once and never again, as in a flood of invented ones, has none.
const LIVES_USED_AGAIN: u8 = 1;
const LIVES_NOT_CLOSED: u8 = 3;

/// How many circuits the hand looks at before it takes the one with the fewest lives: what one
/// call costs at most.
const STEPS: usize = 32;

/// More transitions than a circuit can have.
const GENERATIONS: u64 = 1 << 32;

impl<K: Clone + Eq + Hash> Registry<K> {
    /// A registry of at most `limit` keys, without any yet.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config, limit: std::num::NonZeroU32) -> Result<Self, InvalidConfig> {
        config.check()?;
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let (places, slots) = (HashMap::default(), Vec::new());
        Ok(Self { config, limit, places, slots, hand: 0, next_generation: 0, transition: None })
    }

    /// Asks to make one call; see [`Breaker::admit`](super::Breaker::admit).
    ///
    /// # Errors
    ///
    /// When the call is not to be made.
    pub fn admit(
        &mut self,
        key: &K,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) -> Result<Ticket, Rejected> {
        let known = self.places.get(key).map(|place| *place as usize);
        let place = known.unwrap_or_else(|| self.enter(key, now));
        let config = self.config;
        let lives = if known.is_some() { LIVES_USED_AGAIN } else { 0 };
        self.change(place, lives, |circuit| circuit.admit(&config, now, random))
    }

    /// The call is overdue; see [`Breaker::slow`](super::Breaker::slow).
    pub fn slow(
        &mut self,
        key: &K,
        ticket: &mut Ticket,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        let config = self.config;
        self.with(key, |circuit| circuit.note(&config, ticket, Sign::Bad, now, random));
    }

    /// The first content has arrived; see [`Breaker::first_content`](super::Breaker::first_content).
    pub fn first_content(
        &mut self,
        key: &K,
        ticket: &mut Ticket,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        let config = self.config;
        self.with(key, |circuit| circuit.note(&config, ticket, Sign::Good, now, random));
    }

    /// Feeds back what became of the call; see [`Breaker::settle`](super::Breaker::settle).
    pub fn settle(
        &mut self,
        key: &K,
        ticket: Ticket,
        health: Health,
        now: Instant,
        random: &mut (impl Random + ?Sized),
    ) {
        let config = self.config;
        self.with(key, |circuit| circuit.settle(&config, ticket, health, now, random));
    }

    /// Opens by hand; see [`Breaker::open`](super::Breaker::open).
    pub fn open(&mut self, key: &K, until: Option<Instant>, now: Instant) {
        let known = self.places.get(key).map(|place| *place as usize);
        let place = known.unwrap_or_else(|| self.enter(key, now));
        self.change(place, 0, |circuit| circuit.open(until));
    }

    /// Closes by hand; see [`Breaker::close`](super::Breaker::close).
    pub fn close(&mut self, key: &K, now: Instant) {
        let config = self.config;
        self.with(key, |circuit| circuit.close(&config, now));
    }

    /// Forgets everything about a key; see [`Breaker::reset`](super::Breaker::reset).
    pub fn reset(&mut self, key: &K, now: Instant) {
        self.with(key, |circuit| circuit.reset(now));
    }

    /// The circuit of a key as it stands; `None` if nothing is known of it, which is as good as closed.
    pub fn snapshot(&self, key: &K, now: Instant) -> Option<Snapshot> {
        let slot = self.slots.get(*self.places.get(key)? as usize)?;
        Some(slot.circuit.snapshot(&self.config, now))
    }

    /// Every circuit as it stands, in no order.
    pub fn snapshots(&self, now: Instant) -> impl Iterator<Item = (&K, Snapshot)> {
        self.slots.iter().map(move |slot| (&slot.key, slot.circuit.snapshot(&self.config, now)))
    }

    /// From which state to which the last call of a method took its circuit, if it did.
    pub fn transition(&self) -> Option<(Mode, Mode)> {
        self.transition
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Acts on a circuit; what comes for a key that was forgotten is too late to mean anything.
    fn with(&mut self, key: &K, act: impl FnOnce(&mut Circuit)) {
        if let Some(place) = self.places.get(key) {
            self.change(*place as usize, 0, act);
        }
    }

    fn change<T>(&mut self, place: usize, lives: u8, act: impl FnOnce(&mut Circuit) -> T) -> T {
        let slot = &mut self.slots[place];
        let from = slot.circuit.mode();
        let result = act(&mut slot.circuit);
        slot.keep(lives);
        let to = slot.circuit.mode();
        self.transition = (from != to).then_some((from, to));
        result
    }

    /// Room for a key that is new.
    fn enter(&mut self, key: &K, now: Instant) -> usize {
        let circuit = Circuit::new(self.next_generation, now);
        self.next_generation = self.next_generation.wrapping_add(GENERATIONS);
        let slot = Slot { key: key.clone(), circuit, lives: 0 };
        let place = if self.slots.len() < self.limit {
            self.grow();
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let place = self.forgettable();
            self.places.remove(&self.slots[place].key);
            self.slots[place] = slot;
            place
        };
        // The limit is a `u32`.
        self.places.insert(key.clone(), place as u32);
        place
    }

    /// Doubling would leave up to half of the room unused; a quarter is enough.
    fn grow(&mut self) {
        if self.slots.len() == self.slots.capacity() {
            let more = (self.slots.len() / 4).max(4);
            self.slots.reserve_exact(more.min(self.limit - self.slots.len()));
        }
    }

    fn forgettable(&mut self) -> usize {
        let (mut found, mut fewest) = (self.hand, u8::MAX);
        for _ in 0..STEPS {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            let lives = &mut self.slots[place].lives;
            if *lives < fewest {
                (found, fewest) = (place, *lives);
            }
            if *lives == 0 {
                break;
            }
            *lives -= 1;
        }
        found
    }
}

impl<K> Slot<K> {
    fn keep(&mut self, lives: u8) {
        let lives = match self.circuit.mode() {
            Mode::Closed => lives,
            Mode::Open | Mode::HalfOpen => LIVES_NOT_CLOSED,
        };
        self.lives = self.lives.max(lives);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_left_unused() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let limit = std::num::NonZeroU32::MIN.saturating_add(999);
        let mut breakers = Registry::new(Config::default(), limit).unwrap();
        let mut moves = 0;
        for key in 0..1000 {
            let before = breakers.slots.capacity();
            breakers.open(&key, None, now);
            let room = breakers.slots.capacity();
            let unused = room - breakers.len();
            assert!(unused <= 3.max(breakers.len() / 4), "{unused} of {room}");
            moves += u32::from(room != before);
        }
        assert_eq!(breakers.slots.capacity(), 1000);
        assert!(moves < 30, "{moves}");
    }
}
