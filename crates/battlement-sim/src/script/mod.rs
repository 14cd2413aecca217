//! What a provider does to one call after the other.
//!
//! A test says what should go wrong, and then looks at what its client makes of it. So that this is one
//! line, a [`Step`] says what becomes of one call, and a [`Script`] is a list of them. The same can be
//! said in words, which a test can show when it fails, a flag can hold and a fuzzer can make up:
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_sim::script::{Script, Step};
//!
//! let said: Script = "2x 429 after 2s; cut after 3 events; ok".parse()?;
//! let limited = Step::rate_limited().hint(Duration::from_secs(2));
//! assert_eq!(said, Script::from([limited.clone(), limited, Step::ok().cut_after(3), Step::ok()]));
//! assert_eq!(said.to_string(), "2x 429 after 2s; cut after 3 events; ok");
//!
//! let error = "429 after 2 bananas".parse::<Script>().unwrap_err();
//! assert_eq!(error.to_string(), "at byte 10: expected a time such as `2s`, or `events` behind a number");
//! # Ok::<(), battlement_sim::script::InvalidScript>(())
//! ```
//!
//! # After the list
//!
//! The last step is repeated for ever. A script that ends with `cycle` begins again instead.
//!
//! # Chance
//!
//! `90% ok, 10% cut after 3 events` draws for each call, from a seed: the draw of a call depends on the seed
//! and the call's number only, so a run repeats however its calls overlap. Write `seed 7; ` in front to choose
//! another one.
//!
//! # The words
//!
//! A script is steps between semicolons. `3x` in front repeats one, shares in front of several between
//! commas draw one. `seed N` may come first and `cycle` last.
//!
//! A step says what is answered, if that is not `ok`, and then any of the rest:
//!
//! | words | what happens |
//! |---|---|
//! | `ok` | a whole answer |
//! | `truncate`, `filter`, `refuse`, `tool call`, `empty`, `stop sequence`, `pause`, `window full`, `recite`, `bad tool call`, `fail` | an answer that ended so, see [`Ending`](crate::answer::Ending) |
//! | `unfinished` | one that ends in good order and without a reason |
//! | `429`, `503`, … | an error with this status |
//! | `overloaded`, `rate limited`, `tokens limited`, `throttled`, `never fits`, `quota exhausted`, `model loading`, `internal`, `timeout`, `bad gateway`, `unavailable`, `gateway timeout`, `invalid key`, `missing key`, `access denied`, `model not found`, `context overflow`, `content policy`, `too large`, `invalid request`, `conflict` | an error with the status that this provider gives it, see [`Fault`](crate::answer::Fault) |
//! | `… after 2s` behind an error | with a hint to come back then |
//! | `page 502` | an error page in HTML, as proxies send |
//! | `answer 418 "x-tea: green" saying "short"` | this answer, headers and body |
//! | `reset` | no answer: the connection is reset |
//! | `unreachable` | no connection |
//! | `never` | no answer, ever |
//! | `head after 2s` | the head comes late |
//! | `first token after 2s` | so does the first event behind the head |
//! | `every 50ms` | time between events |
//! | `saying "Hi"`, `100 tokens` | what the model writes, how much it costs |
//! | `cut after 3 events` | the connection is closed in the middle |
//! | `torn after 3 events` | … and in the middle of an event |
//! | `end after 3 events` | the answer ends in good order before it is over |
//! | `stall after 3 events` | nothing more comes |
//! | `reset after 3 events` | the connection is reset |
//! | `overloaded after 3 events`, `error after 3 events` | an error among the events, which ends the stream |
//! | `malformed after 3 events` | an event that is none, and then the rest |
//! | `bad chunk after 3 events` | bytes that are no chunk of HTTP |
//! | `wrong length` | the head promises more bytes than come |
//! | `early` | answers before the request has been read |
//!
//! Times are written as `2s`, `1.5s`, `1m30s`, `250ms`. An answer that is no stream breaks in its middle.

mod chance;
mod cursor;
mod names;
mod print;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub use chance::{Chance, InvalidChance};
pub use cursor::InvalidScript;
pub use step::Step;

pub(crate) use step::{Break, How, What};

use std::{fmt, sync::Arc};

use battlement_core::random::{Random, Seeded};

use crate::provider::Seen;

/// What becomes of one call after the other. See the [module](self).
#[derive(Clone)]
pub struct Script {
    source: Source,
}

#[derive(Clone)]
enum Source {
    List(List),
    By(Choose),
}

/// A function that makes up a step for a request.
type Choose = Arc<dyn Fn(&Seen) -> Step + Send + Sync>;

/// Turns, of which there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List {
    seed: u64,
    turns: Vec<Turn>,
    cycles: bool,
}

/// What happens several times in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    /// At least one.
    times: u32,
    /// At least one. The shares are in millionths and add up.
    choices: Vec<(u32, Step)>,
}

/// A hundred per cent.
pub(crate) const WHOLE: u32 = 1_000_000;

impl Script {
    /// One step for ever: the start of a script that is built up with [`then`](Self::then).
    pub fn new(step: Step) -> Self {
        Self::list(List { seed: 0, turns: vec![Turn::of(step)], cycles: false })
    }

    /// Draws a step for each call. The shares follow, see [`Chance::often`].
    ///
    /// ```
    /// use battlement_sim::script::{Script, Step};
    ///
    /// let script = Script::chance(7)
    ///     .often(0.9, Step::ok())
    ///     .often(0.1, Step::ok().cut_after(3))
    ///     .build()?;
    /// assert_eq!(script.to_string(), "seed 7; 90% ok, 10% cut after 3 events");
    /// # Ok::<(), battlement_sim::script::InvalidChance>(())
    /// ```
    pub fn chance(seed: u64) -> Chance {
        Chance::new(seed)
    }

    /// Asks a function what to do with each request: for all that a list cannot say.
    ///
    /// It is called when the request has been read, and before anything is answered. What it does not know
    /// yet of [`Seen`] (how it ended, say) is empty. Such a script has no words.
    ///
    /// ```
    /// use battlement_sim::script::{Script, Step};
    ///
    /// let script = Script::by(|seen| match seen.model() {
    ///     Some("gpt-5") => Step::overloaded(),
    ///     _ => Step::ok(),
    /// });
    /// # let _ = script;
    /// ```
    pub fn by(choose: impl Fn(&Seen) -> Step + Send + Sync + 'static) -> Self {
        Self { source: Source::By(Arc::new(choose)) }
    }

    /// Adds a step, which comes after the others and then for ever.
    ///
    /// A script that asks a function, see [`by`](Self::by), has no end and stays as it is.
    #[must_use]
    pub fn then(self, step: Step) -> Self {
        self.change(|list| list.turns.push(Turn::of(step)))
    }

    /// Begins again after the last step, instead of repeating it.
    #[must_use]
    pub fn cycle(self) -> Self {
        self.change(|list| list.cycles = true)
    }

    /// Where draws begin; 0 if it is not said. Without chances it changes nothing.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.change(|list| list.seed = seed)
    }

    fn change(mut self, change: impl FnOnce(&mut List)) -> Self {
        if let Source::List(list) = &mut self.source {
            change(list);
        }
        self
    }

    fn list(list: List) -> Self {
        Self { source: Source::List(list) }
    }

    /// What happens to the call of this number, the first being 0, if that does not depend on what it asks.
    pub(crate) fn step(&self, number: u64) -> Option<&Step> {
        match &self.source {
            Source::List(list) => Some(list.step(number)),
            Source::By(_) => None,
        }
    }

    /// What happens to a request that has been read.
    pub(crate) fn step_for(&self, number: u64, seen: &Seen) -> Step {
        match &self.source {
            Source::List(list) => list.step(number).clone(),
            Source::By(choose) => choose(seen),
        }
    }
}

impl List {
    fn step(&self, number: u64) -> &Step {
        let mut place = number;
        if self.cycles {
            let total: u64 = self.turns.iter().map(|turn| u64::from(turn.times)).sum();
            place %= total.max(1);
        }
        let mut turns = self.turns.iter();
        let mut turn = turns.next().expect("a script has a step");
        while place >= turn.times.into() {
            place -= u64::from(turn.times);
            match turns.next() {
                Some(next) => turn = next,
                None => break,
            }
        }
        turn.choose(self.seed, number)
    }
}

impl Turn {
    fn of(step: Step) -> Self {
        Self { times: 1, choices: vec![(WHOLE, step)] }
    }

    /// With shares that add up. The last one gets what rounding lost, so that they print as a whole.
    fn drawn(times: u32, mut choices: Vec<(u32, Step)>) -> Self {
        if let Some(((share, _), others)) = choices.split_last_mut() {
            let others: u32 = others.iter().map(|(share, _)| *share).sum();
            *share = WHOLE.saturating_sub(others);
        }
        Self { times, choices }
    }

    fn choose(&self, seed: u64, number: u64) -> &Step {
        let (last, others) = self.choices.split_last().expect("a turn has a step");
        if others.is_empty() {
            return &last.1;
        }
        // A generator for each call: whoever comes first in a race of two threads, a number has its draw.
        let mut random = Seeded(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
        let mut draw = (random.unit() * f64::from(WHOLE)) as u32;
        for (share, step) in others {
            match draw.checked_sub(*share) {
                Some(rest) => draw = rest,
                None => return step,
            }
        }
        &last.1
    }
}

impl From<Step> for Script {
    fn from(step: Step) -> Self {
        Self::new(step)
    }
}

/// One after the other; the last one is repeated. An empty list is a provider that always answers well.
impl From<Vec<Step>> for Script {
    fn from(steps: Vec<Step>) -> Self {
        let mut turns: Vec<Turn> = Vec::new();
        for step in steps {
            match turns.last_mut().filter(|turn| turn.choices[0].1 == step) {
                Some(turn) => turn.times = turn.times.saturating_add(1),
                None => turns.push(Turn::of(step)),
            }
        }
        if turns.is_empty() {
            turns.push(Turn::of(Step::ok()));
        }
        Self::list(List { seed: 0, turns, cycles: false })
    }
}

/// One after the other; the last one is repeated.
impl<const N: usize> From<[Step; N]> for Script {
    fn from(steps: [Step; N]) -> Self {
        Vec::from(steps).into()
    }
}

/// Always answers well.
impl Default for Script {
    fn default() -> Self {
        Self::new(Step::ok())
    }
}

/// Scripts that ask a function are equal if they ask the same one.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::List(one), Source::List(other)) => one == other,
            (Source::By(one), Source::By(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({self})")
    }
}
