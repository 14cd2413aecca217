//! A provider on a bad day: what it does to whom.
//!
//! What happens to a request follows from the seed, the call that it belongs to and how often that was tried, so
//! both clients meet the same. It also follows from the time: there are spells in which nobody is served, and
//! whoever comes back too early is turned away again. Chance of the moment, or which client came first, has no
//! part in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use battlement_core::random::{Random, Seeded, between};
use battlement_sim::{Provider, Script, Step, answer::Reply, provider::Seen};
use tokio::time::Instant;

use super::mishap::{self, Mishap, PROMPT, WORDS};

/// The header that says which call a request belongs to.
pub(super) const CALL: &str = "x-demo-call";

/// How many calls come in a second.
pub(super) const RATE: f64 = 4.0;

/// Of a thousand requests outside of the spells, so many meet this; the rest is answered well. How far an answer
/// comes is drawn as well.
const SHARES: [(u32, Draw); 15] = [
    (22, |words| Mishap::Slow(Duration::from_secs(u64::from(5 + words / 4)))),
    (22, |_| Mishap::Internal),
    (12, |_| Mishap::Overloaded),
    (12, |_| Mishap::Lost),
    (14, |_| Mishap::Ends(0)),
    (16, |words| Mishap::Ends(early(words))),
    (16, |words| Mishap::Ends(late(words))),
    (6, |words| Mishap::Closed(early(words))),
    (6, |words| Mishap::TooShort(late(words))),
    (6, |words| Mishap::Reset(late(words))),
    (4, |_| Mishap::Stalls(0)),
    (6, |words| Mishap::Stalls(late(words))),
    (10, |words| Mishap::Error(early(words))),
    (20, |words| Mishap::Truncated(late(words))),
    (12, |words| Mishap::Filtered(early(words))),
];

/// Something that happens, at a word if it is one that does.
type Draw = fn(u32) -> Mishap;

const fn early(words: u32) -> u32 {
    1 + words / 6
}

const fn late(words: u32) -> u32 {
    WORDS / 2 + words / 3
}

/// A provider, and the diary of what it did on purpose.
#[derive(Debug)]
pub(super) struct Troubled {
    pub(super) provider: Provider,
    begun: Instant,
    diary: Arc<Mutex<Diary>>,
}

#[derive(Debug, Default)]
struct Diary {
    /// How often each call was tried.
    tries: HashMap<u64, u64>,
    /// What happened to each request, by its number.
    mishaps: HashMap<u64, Mishap>,
}

/// One request, as the provider saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Of which call.
    pub(super) call: usize,
    pub(super) mishap: Mishap,
    /// What it is charged.
    pub(super) tokens: u64,
    /// When it arrived.
    pub(super) at: Duration,
    /// When the head of its answer went out, if one did.
    pub(super) head_at: Option<Duration>,
}

impl Troubled {
    /// From this seed, for so many calls. Its time begins now.
    pub(super) fn new(seed: u64, calls: u32) -> Self {
        let (plan, diary) = (Plan::new(seed, calls), Arc::<Mutex<Diary>>::default());
        let (begun, notes) = (Instant::now(), diary.clone());
        let script = Script::by(move |seen| {
            let (call, mut diary) = (call_of(seen), lock(&notes));
            let tried = diary.tries.entry(call).or_default();
            let before = std::mem::replace(tried, *tried + 1);
            let (mishap, step) = plan.decide(call, before, seen.at - begun);
            diary.mishaps.insert(seen.number, mishap);
            step
        });
        let reply = Reply::default().input_tokens(PROMPT).chunks(WORDS);
        let provider = Provider::serving(script).reply(reply).keep(usize::MAX);
        Self { provider, begun, diary }
    }

    /// Everything that arrived, in that order.
    pub(super) fn requests(&self) -> Vec<Request> {
        let diary = lock(&self.diary);
        let request = |seen: &Seen| {
            let mishap = *diary.mishaps.get(&seen.number)?;
            Some(Request {
                call: usize::try_from(call_of(seen)).ok()?,
                mishap,
                tokens: mishap.charge(seen.events),
                at: seen.at - self.begun,
                head_at: seen.head_at.map(|at| at - self.begun),
            })
        };
        self.provider.record().iter().filter_map(request).collect()
    }
}

fn call_of(seen: &Seen) -> u64 {
    let value = seen.headers().get(CALL).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn lock(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When each call comes: at random, [`RATE`] of them in a second.
pub(super) fn arrivals(seed: u64, calls: u32) -> Vec<Duration> {
    let mut draws = Seeded(seed).fork();
    let mut at = Duration::ZERO;
    let next = |_| {
        // The times between independent arrivals.
        at += Duration::from_secs_f64(-(1.0 - draws.unit()).ln() / RATE);
        at
    };
    (0..calls).map(next).collect()
}

/// What will happen.
#[derive(Debug)]
struct Plan {
    seed: u64,
    spells: Vec<Spell>,
}

/// A time in which nobody is served.
#[derive(Debug)]
struct Spell {
    from: Duration,
    until: Duration,
}

impl Plan {
    /// The limits are reached every half a minute or so, for some seconds.
    fn new(seed: u64, calls: u32) -> Self {
        let mut draws = Seeded(seed ^ 0xB05E).fork();
        let mut seconds =
            |low, high| between(Duration::from_secs(low), Duration::from_secs(high), &mut draws);
        let mut spells = Vec::new();
        let mut at = seconds(6, 14);
        let end = Duration::from_secs_f64(f64::from(calls) / RATE);
        while at < end {
            let until = at + seconds(3, 6);
            spells.push(Spell { from: at, until });
            at = until + seconds(25, 50);
        }
        Self { seed, spells }
    }

    /// What happens to a request of this call that was tried so often before.
    fn decide(&self, call: u64, before: u64, at: Duration) -> (Mishap, Step) {
        // A generator for each: calls overlap as they like, and one has its draws.
        let mut draws =
            Seeded(self.seed ^ ((call << 8) + before).wrapping_mul(0xD134_2543_DE82_EF95));
        let mut time = |low, high| {
            between(Duration::from_millis(low), Duration::from_millis(high), &mut draws)
        };
        let (head, first, every) = (time(100, 500), time(100, 600), time(20, 60));
        let mishap = self.mishap(at, &mut draws);
        let step = mishap.step(&mishap::text(call)).head_after(head).every(every);
        let step = if let Mishap::Slow(_) = mishap { step } else { step.first_after(first) };
        (mishap, step)
    }

    fn mishap(&self, at: Duration, draws: &mut Seeded) -> Mishap {
        let mut below = |limit: u32| (draws.unit() * f64::from(limit)) as u32;
        let (draw, words) = (below(1000), below(WORDS));
        if let Some(spell) =
            self.spells.iter().find(|spell| (spell.from..spell.until).contains(&at))
        {
            // Told in whole seconds, as providers do, and never too little.
            let left = (spell.until - at).as_secs_f64().ceil();
            return Mishap::Limited(Duration::from_secs_f64(left));
        }
        let mut rest = draw;
        for (share, mishap) in SHARES {
            match rest.checked_sub(share) {
                Some(left) => rest = left,
                None => return mishap(words),
            }
        }
        Mishap::None
    }
}
