//! What is late, for each model.

use std::sync::{Arc, Mutex, PoisonError};

use battlement_core::{
    budget::Budget,
    hedge::{Config, Hedge as Decision},
};

use crate::{
    call::{ByKey, Call, Key},
    clock::now,
};

/// How many keys are kept, a few kilobytes each: more than most accounts have models.
const MOST_KEYS: usize = 1_024;

/// What holds for all calls of a layer.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) config: Config,
    pub(super) budget: Arc<Budget>,
    /// Whether first attempts are paid in here. Others do that for a budget that is theirs as well.
    pub(super) feeds: bool,
    pub(super) learned: Arc<Mutex<Learned>>,
}

/// One decision for each key, and for streams apart from whole answers, whose first output is their end.
#[derive(Debug, Default)]
pub(super) struct Learned {
    keys: ByKey<Kept>,
    /// How often one was asked for.
    asked: u64,
}

#[derive(Debug, Default)]
struct Kept {
    whole: Option<Box<Decision>>,
    streamed: Option<Box<Decision>>,
    /// The last time that it was asked for.
    asked: u64,
}

impl Policy {
    /// Asks or tells the decision that a call belongs to. `None` if there is none, which the settings
    /// were checked against.
    pub(super) fn of<T>(&self, call: &Call, act: impl FnOnce(&mut Decision) -> T) -> Option<T> {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = learned.of(call.key());
        let decision = if call.facts().stream { &mut kept.streamed } else { &mut kept.whole };
        if decision.is_none() {
            *decision = Decision::new(self.config.clone(), now()).ok().map(Box::new);
        }
        decision.as_deref_mut().map(act)
    }
}

impl Learned {
    fn of(&mut self, key: &Key) -> &mut Kept {
        self.asked += 1;
        if !self.keys.contains_key(key) {
            if self.keys.len() >= MOST_KEYS {
                let oldest = self.keys.iter().min_by_key(|(_, kept)| kept.asked);
                let oldest = oldest.map(|(key, _)| key.clone());
                oldest.and_then(|oldest| self.keys.remove(&oldest));
            }
            self.keys.insert(key.clone(), Kept::default());
        }
        let kept = self.keys.get_mut(key).expect("put there");
        kept.asked = self.asked;
        kept
    }
}

/// The prompt of a call, in the measure of decisions.
pub(super) fn prompt(call: &Call) -> u32 {
    u32::try_from(call.facts().input_tokens).unwrap_or(u32::MAX)
}
