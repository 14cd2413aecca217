//! A line for each key, in bounded number.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use battlement_core::queue;

use super::{Line, Supply};
use crate::{
    call::{ByKey, Call, Key, KeyOf},
    clock::now,
};

/// How many keys are kept, unless told otherwise: more than most accounts have models, and each may hold a
/// line of calls in memory.
const MOST_KEYS: usize = 1_024;

/// One line for all calls; or one for each key, all alike until told otherwise.
pub(crate) struct Lines<S: Supply> {
    common: Arc<Line<S>>,
    keyed: Arc<Mutex<Keyed<S>>>,
    apart: Apart,
}

/// Who has a line apart from others.
#[derive(Clone)]
enum Apart {
    Nobody,
    /// Each [key of a call](Key::of).
    Usual,
    By(Arc<KeyOf>),
}

struct Keyed<S: Supply> {
    config: S::Config,
    queue: Option<queue::Config>,
    most: usize,
    lines: ByKey<Kept<S>>,
    /// How often a line was asked for.
    asked: u64,
}

struct Kept<S: Supply> {
    line: Arc<Line<S>>,
    /// The last time that it was asked for.
    asked: u64,
    /// Whether it differs from the others, and must not be forgotten.
    is_set: bool,
}

impl<S: Supply> Lines<S> {
    /// One line, in which calls wait if there is a configuration of the queue.
    pub(crate) fn new<E>(config: S::Config, queue: Option<queue::Config>) -> Result<Self, E>
    where
        E: From<S::Invalid> + From<queue::InvalidQueue>,
    {
        let common = Arc::new(Line::new(S::new(&config, now())?, queue)?);
        let (most, lines) = (MOST_KEYS, ByKey::default());
        let keyed = Keyed { config, queue, most, lines, asked: 0 };
        Ok(Self { common, keyed: Arc::new(Mutex::new(keyed)), apart: Apart::Nobody })
    }

    /// One line for each of these keys from here on.
    pub(crate) fn set_key(&mut self, key: Arc<KeyOf>) {
        self.apart = Apart::By(key);
    }

    /// One line for each [key of a call](Key::of) from here on.
    pub(crate) fn set_usual_key(&mut self) {
        self.apart = Apart::Usual;
    }

    pub(crate) fn set_most(&self, most: NonZeroUsize) {
        self.lock().most = most.get();
    }

    /// The line of a call.
    pub(crate) fn of(&self, call: &Call, now: Instant) -> Arc<Line<S>> {
        match &self.apart {
            Apart::Nobody => self.common.clone(),
            Apart::Usual => self.lock().of(call.key(), &self.common, now),
            Apart::By(key) => {
                let key = key(call);
                self.lock().of(&key, &self.common, now)
            }
        }
    }

    /// The line for all calls, where there are no keys.
    pub(crate) fn common(&self) -> &Arc<Line<S>> {
        &self.common
    }

    /// The line of a key, if there is one.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Line<S>>> {
        self.lock().lines.get(key).map(|kept| kept.line.clone())
    }

    /// The line of a key, which shall not be forgotten.
    pub(crate) fn set(&self, key: &Key) -> Arc<Line<S>> {
        let mut keyed = self.lock();
        let line = keyed.of(key, &self.common, now());
        if let Some(kept) = keyed.lines.get_mut(key) {
            kept.is_set = true;
        }
        line
    }

    /// Every key, in no order.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.lock().lines.keys().cloned().collect()
    }

    /// Changes how lines are made from here on, and says which there are.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(&mut S::Config)) -> Vec<Arc<Line<S>>> {
        let mut keyed = self.lock();
        change(&mut keyed.config);
        let others = keyed.lines.values().filter(|kept| !kept.is_set);
        others.map(|kept| kept.line.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Keyed<S>> {
        self.keyed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Supply> Keyed<S> {
    fn of(&mut self, key: &Key, common: &Arc<Line<S>>, now: Instant) -> Arc<Line<S>> {
        self.asked += 1;
        if let Some(kept) = self.lines.get_mut(key) {
            kept.asked = self.asked;
            return kept.line.clone();
        }
        // Both were built from the same settings once.
        let line = S::new(&self.config, now).ok().and_then(|new| Line::new(new, self.queue).ok());
        let Some(line) = line.map(Arc::new) else { return common.clone() };
        self.make_room();
        let kept = Kept { line: line.clone(), asked: self.asked, is_set: false };
        self.lines.insert(key.clone(), kept);
        line
    }

    /// Forgets the line that nobody has asked for longest, one without calls if there is any. Calls that it
    /// has keep it until they end.
    fn make_room(&mut self) {
        while self.lines.values().filter(|kept| !kept.is_set).count() >= self.most {
            let others = self.lines.iter().filter(|(_, kept)| !kept.is_set);
            let is_used = |kept: &Kept<S>| Arc::strong_count(&kept.line) > 1;
            let oldest = others.min_by_key(|(_, kept)| (is_used(kept), kept.asked));
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.lines.remove(&key);
        }
    }
}

impl<S: Supply> Clone for Lines<S> {
    fn clone(&self) -> Self {
        let Self { common, keyed, apart } = self;
        Self { common: common.clone(), keyed: keyed.clone(), apart: apart.clone() }
    }
}
