//! Where answers are kept.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use battlement_core::request::canonical::Fingerprint;
use foldhash::fast::RandomState;
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};

use super::Answer;

/// Where answers are kept: in [memory](Memory), unless it is somewhere else.
///
/// Whatever fails there is nobody's answer: a store that cannot be reached has nothing.
pub trait Store: Send + Sync + 'static {
    /// Looks for an answer. It may be of any age: the layer decides whether that is too old.
    fn get(&self, key: &Fingerprint) -> LookUp;

    /// Keeps an answer for so long, in the place of one that is there. Returns at once, as it may be called where a
    /// body is dropped: a store that is elsewhere sends it on in a task of its own.
    fn put(&self, key: Fingerprint, answer: Arc<Answer>, time: Duration);
}

/// A search for an answer.
pub enum LookUp {
    /// This is what was found.
    Now(Option<Arc<Answer>>),
    /// It takes a while. The layer waits for it a quarter of a second, and has found nothing then.
    Later(Pin<Box<dyn Future<Output = Option<Arc<Answer>>> + Send>>),
}

impl fmt::Debug for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// In memory, up to a number of bytes. What is asked for often stays.
pub struct Memory {
    answers: Cache<Fingerprint, Arc<Answer>, BySize, RandomState>,
}

/// Room for a thousand answers of the usual length, or far more short ones.
const USUAL: u64 = 64 << 20;

/// How large an answer is, to guess their number by.
const USUAL_ANSWER: u64 = 4 << 10;

/// How many parts have locks of their own. Each has its share of the room, which has to be enough for any answer.
const PARTS: usize = 8;

impl Memory {
    /// Up to so many bytes. An answer that takes more than an eighth of that is not kept.
    pub fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / USUAL_ANSWER).unwrap_or(usize::MAX).max(PARTS * 32);
        let mut options = OptionsBuilder::new();
        options.shards(PARTS).estimated_items_capacity(items).weight_capacity(bytes);
        let options = options.build().expect("all that it needs is set");
        let answers =
            Cache::with_options(options, BySize, RandomState::default(), Default::default());
        Self { answers }
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// What they take, in bytes.
    pub fn size(&self) -> u64 {
        self.answers.weight()
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.answers.clear();
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(USUAL)
    }
}

impl Store for Memory {
    fn get(&self, key: &Fingerprint) -> LookUp {
        LookUp::Now(self.answers.get(key))
    }

    fn put(&self, key: Fingerprint, answer: Arc<Answer>, _time: Duration) {
        // What is too old is found to be when it is looked at, or makes room for others before.
        self.answers.insert(key, answer);
    }
}

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<Fingerprint, Arc<Answer>> for BySize {
    fn weight(&self, _key: &Fingerprint, answer: &Arc<Answer>) -> u64 {
        answer.size() as u64
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("answers", &self.len()).field("size", &self.size()).finish()
    }
}
