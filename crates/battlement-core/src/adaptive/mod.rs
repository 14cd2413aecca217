//! How many calls to have running at once, learned from what comes back.
//!
//! Nobody is told how many concurrent calls an account may have; one finds out by being refused. So
//! the limit grows while calls succeed and is cut when the provider says that it is too much: 503,
//! 529, a 429 that does not name a limit of requests or tokens, or no first token in time. Response times are no signal
//! here: they are made of the length of the answer, so limiters built on their gradient (Vegas, Gradient2) do not transfer.
//!
//! - **One cut for one overload.** What is refused together counts once: only a call admitted after
//!   the last cut can cause another, as in TCP, and not before an epoch is over, which is the usual
//!   time to a first token and at least [`Config::epoch`].
//! - **What was too much is cut.** A refusal says that those in flight are too many, so a part of them is what is left:
//!   of a limit that is twice as high it would change nothing. Of fewer than [`Config::initial`] none are too many: then
//!   others were. A first token that does not come says less, since
//!   the call may just be long, and takes a part of the limit.
//! - **Waiting is a sign, length is not.** When a call has said nothing for half of the time that it has, for twice
//!   as long as usual, and nobody who came after it was answered either, then it is not long, it is kept waiting
//!   behind others. Then no more may be in flight than were answered of late in such a time, so that who goes out
//!   is answered within it (Little's law). Nothing is cut: answers may only be slow for a while, and a provider that is
//!   well again shows it by its pace, with the calls that it has. The limit holds again once the pace is enough for all
//!   of it, or a call sent since then is answered as quickly as usual, or alone. Waiting that leaves enough
//!   time is no sign: nothing is gained if a call waits here and not at the provider.
//! - **No growth on credit.** The limit rises only while at least half of it is in use. A limit that
//!   rises on quiet nights says nothing in the morning.
//! - **Growth** doubles in the time of a first token until the first cut; then it is CUBIC (RFC 9438), counted in
//!   that time and not in seconds, or additive. After a pause it starts again from [`Config::initial`],
//!   doubling up to where it was.
//! - A call counts as good at its first content, and is in flight until its end.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use battlement_core::adaptive::{Adaptive, Config, Signal};
//!
//! let now = Instant::now();
//! let mut limit = Adaptive::new(Config::default(), now)?;
//! let permits: Vec<_> = (0..4).map(|_| limit.admit(now).unwrap()).collect();
//! assert!(limit.admit(now).is_err(), "four to begin with");
//! for permit in permits {
//!     limit.release(permit, Signal::Good, now + Duration::from_secs(1));
//! }
//! assert!(limit.limit() > 4);
//! # Ok::<(), battlement_core::adaptive::InvalidConfig>(())
//! ```

mod config;
mod pace;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use config::{Config, Growth, InvalidConfig};

use self::pace::Pace;
use crate::{ErrorClass, FinishClass, Outcome};

/// A limit of concurrent calls that adapts.
#[derive(Debug)]
pub struct Adaptive {
    config: Config,
    limit: f64,
    in_flight: u32,
    /// Cuts so far, so that a permit can tell which it has seen.
    cuts: u64,
    last_cut: Option<Instant>,
    /// Where the limit was when it was cut last; below it, growth after a pause doubles.
    peak: f64,
    /// Whether the limit doubles.
    is_searching: bool,
    /// For how long the limit has been growing since the cut: time in which it was not in use does not count.
    grown: Duration,
    /// The last sign of a call that was good, or of life at all.
    last_good: Instant,
    last_used: Instant,
    /// The usual time to a first token, and from how many calls it is known.
    first_token: Duration,
    learned: u32,
    /// How quickly calls are answered.
    pace: Pace,
    /// There while calls are kept waiting.
    stall: Option<Stall>,
    /// Calls that have said nothing, and neither has any that was admitted after them.
    silent: VecDeque<Silent>,
    admitted: u64,
}

/// A call that has said nothing.
#[derive(Clone, Copy, Debug)]
struct Silent {
    number: u64,
    since: Instant,
    /// How long it may be kept waiting; `None` if it has all the time.
    patience: Option<Duration>,
}

/// Calls are kept waiting.
#[derive(Clone, Copy, Debug)]
struct Stall {
    /// The last call that was admitted before it was noticed.
    last: u64,
    /// How long one may be kept waiting.
    patience: Duration,
    /// How long the last answer took.
    took: Duration,
}

/// Permission for one call, given back through [`Adaptive::release`].
#[must_use = "a permit that is not released is in flight for ever"]
#[derive(Debug)]
pub struct Permit {
    number: u64,
    cuts: u64,
    since: Instant,
    has_spoken: bool,
    /// Whether it was the only one when it was admitted.
    is_alone: bool,
}

/// What a call says about the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The provider had room for it.
    Good,
    /// The provider had no room for it.
    Overload,
    /// Neither.
    Neutral,
}

/// As many calls as allowed are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{in_flight} calls are in flight, the limit is {limit}")]
#[non_exhaustive]
pub struct Full {
    /// Calls in flight.
    pub in_flight: u32,
    /// The limit.
    pub limit: u32,
}

/// The constant of CUBIC, in calls per cubed time to a first token: that of RFC 9438, which counts in seconds.
const CUBIC: f64 = 0.4;

/// By which part the usual time to a first token moves with each call: half of the calls push it up and
/// half down when it is the median.
const MEDIAN_STEP: f64 = 0.05;

/// An epoch is no longer than this, however slow the model.
const LONGEST_EPOCH: Duration = Duration::from_secs(60);

/// An answer in so many times the usual time is still a quick one.
const QUICK: u32 = 2;
/// Which part of its time a call may be kept waiting. As long as answers come in time, it does not matter
/// whether calls wait here or at the provider.
const PATIENCE: u32 = 2;
/// How many who came later have to be waiting for longer than usual.
const WITNESSES: usize = 2;
/// From how many calls it is known what is usual.
const ENOUGH: u32 = 20;

impl Signal {
    /// What an outcome says about the load.
    ///
    /// A 500 or a broken stream is trouble, but not a sign of too many calls; that is the
    /// breaker's business. Nor is an account without money, or a limit that is said to be one of requests or tokens
    /// in a minute: fewer at once are as many in a minute. A rate limit that is not named may be one of calls at
    /// once.
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Finished(FinishClass::InsufficientResource) => Self::Overload,
            Outcome::Finished(FinishClass::Timeout | FinishClass::Aborted) => Self::Neutral,
            Outcome::Finished(_) => Self::Good,
            Outcome::Failed(ErrorClass::RateLimitOther | ErrorClass::Overloaded) => Self::Overload,
            Outcome::Failed(_) | Outcome::Cut | Outcome::Corrupt | Outcome::Abandoned => {
                Self::Neutral
            }
        }
    }
}

impl Adaptive {
    /// A limit that has seen nothing.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config, now: Instant) -> Result<Self, InvalidConfig> {
        config.check()?;
        Ok(Self {
            config,
            limit: f64::from(config.initial.get()),
            in_flight: 0,
            cuts: 0,
            last_cut: None,
            peak: f64::from(config.max.get()),
            is_searching: true,
            grown: Duration::ZERO,
            last_good: now,
            last_used: now,
            first_token: config.epoch,
            learned: 0,
            pace: Pace::new(now),
            stall: None,
            silent: VecDeque::new(),
            admitted: 0,
        })
    }

    /// Asks to make one call that has all the time.
    ///
    /// # Errors
    ///
    /// When as many as allowed are in flight.
    pub fn admit(&mut self, now: Instant) -> Result<Permit, Full> {
        self.admit_until(None, now)
    }

    /// Asks to make one call whose answer is of use until then.
    ///
    /// # Errors
    ///
    /// When as many as allowed are in flight.
    pub fn admit_until(&mut self, deadline: Option<Instant>, now: Instant) -> Result<Permit, Full> {
        let pause = now.saturating_duration_since(self.last_used);
        if self.in_flight == 0 && pause >= self.config.idle {
            self.restart();
        }
        self.last_used = self.last_used.max(now);
        self.pace.move_to(now);
        self.look_for_stall(now);
        if self.in_flight >= self.limit() {
            return Err(Full { in_flight: self.in_flight, limit: self.limit() });
        }
        self.in_flight += 1;
        self.admitted = self.admitted.wrapping_add(1);
        let (number, cuts) = (self.admitted, self.cuts);
        let patience = deadline.map(|at| at.saturating_duration_since(now) / PATIENCE);
        self.silent.push_back(Silent { number, since: now, patience });
        let is_alone = self.in_flight == 1;
        Ok(Permit { number, cuts, since: now, has_spoken: false, is_alone })
    }

    /// The first content of the answer has arrived: there was room for the call.
    pub fn first_content(&mut self, permit: &mut Permit, now: Instant) {
        if !permit.has_spoken {
            permit.has_spoken = true;
            // Those before it are long, and not kept waiting.
            while self.silent.front().is_some_and(|silent| silent.number <= permit.number) {
                self.silent.pop_front();
            }
            self.pace.answer(now);
            self.look_for_stall(now);
            let took = now.saturating_duration_since(permit.since);
            self.look_for_end(permit, took);
            if self.stall.is_none() {
                self.learn(took);
                self.grow(permit, now);
            }
        }
    }

    /// The first content is overdue: there was no room for the call.
    pub fn overdue(&mut self, permit: &mut Permit, now: Instant) {
        if !permit.has_spoken {
            permit.has_spoken = true;
            self.cut(permit.cuts, self.limit, now);
        }
    }

    /// The call is over; [`Signal::Neutral`] also when its future was dropped.
    pub fn release(&mut self, mut permit: Permit, signal: Signal, now: Instant) {
        match signal {
            Signal::Good => self.first_content(&mut permit, now),
            // It may be refused in the middle of its answer, too.
            Signal::Overload => {
                let in_use = self.in_flight.max(self.config.initial.get());
                self.cut(permit.cuts, self.limit.min(f64::from(in_use)), now);
            }
            Signal::Neutral => self.look_for_stall(now),
        }
        if let Ok(at) = self.silent.binary_search_by_key(&permit.number, |silent| silent.number) {
            self.silent.remove(at);
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_used = self.last_used.max(now);
    }

    /// Starts again from [`Config::initial`], as after a pause: when a breaker has closed again.
    pub fn restart(&mut self) {
        self.peak = self.peak.min(self.limit.max(self.min()));
        self.limit = self.limit.min(f64::from(self.config.initial.get()));
        self.is_searching = true;
        self.grown = Duration::ZERO;
        self.stall = None;
    }

    /// How many calls may be in flight.
    pub fn limit(&self) -> u32 {
        let answered = self.stall.map_or(f64::INFINITY, |stall| self.pace.within(stall.patience));
        // At least 1 and at most a `u32`, see `Config`.
        self.limit.min(answered.max(self.min())) as u32
    }

    /// How many calls are in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How much time a call should have left to be answered in it; `None` until a few were. Twice as long as
    /// usual, and while calls are kept waiting as long as the last that was answered.
    pub fn takes(&self) -> Option<Duration> {
        let took = self.stall.map_or(Duration::ZERO, |stall| stall.took);
        (self.learned >= ENOUGH).then(|| took.max(self.first_token * QUICK))
    }

    /// How often the limit was cut.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// In what time it is seen what a limit does.
    fn round(&self) -> Duration {
        self.first_token.max(self.config.epoch)
    }

    fn min(&self) -> f64 {
        f64::from(self.config.min.get())
    }

    /// Whether calls are kept waiting until they are of no use: for a good part of their time and longer than
    /// usual, and it is not that they are long, since none that came after them has said anything either; nor are
    /// answers coming so quickly that they will be in time. Says for how long they may be.
    fn is_stalled(&self, now: Instant) -> Option<Duration> {
        let (first, witness) = (self.silent.front()?, self.silent.get(WITNESSES)?);
        let waited = |silent: &Silent| now.saturating_duration_since(silent.since);
        let patience = first.patience?;
        let is_stalled = self.learned >= ENOUGH
            && waited(first) >= patience.max(self.first_token * QUICK)
            && waited(witness) >= self.first_token
            && self.pace.within(patience) < f64::from(self.in_flight);
        is_stalled.then_some(patience)
    }

    /// Goes by the pace of the answers when calls are kept waiting.
    fn look_for_stall(&mut self, now: Instant) {
        if self.stall.is_none() {
            let (last, took) = (self.admitted, Duration::ZERO);
            self.stall = self.is_stalled(now).map(|patience| Stall { last, patience, took });
        }
    }

    /// Goes back to the limit from before when an answer shows that nobody is kept waiting any more.
    fn look_for_end(&mut self, permit: &Permit, took: Duration) {
        let Some(stall) = &mut self.stall else { return };
        stall.took = took;
        if permit.is_alone {
            // It has waited for nobody of ours, so perhaps answers have become longer.
            self.first_token = self.first_token.max((self.first_token + took) / 2);
        }
        let is_new = permit.number > stall.last;
        let is_quick = is_new && (permit.is_alone || took <= self.first_token * QUICK);
        if is_quick || self.pace.within(stall.patience) >= self.limit {
            self.stall = None;
        }
    }

    /// Leaves a part of what was too much.
    fn cut(&mut self, seen: u64, too_much: f64, now: Instant) {
        let epoch = self.first_token.clamp(self.config.epoch, LONGEST_EPOCH.max(self.config.epoch));
        let is_recent =
            self.last_cut.is_some_and(|last| now.saturating_duration_since(last) < epoch);
        if seen != self.cuts || is_recent {
            return;
        }
        // Cut below the last peak: others want room as well, so leave them some (RFC 9438, 4.7).
        let is_lower = too_much < self.peak && !self.is_searching;
        let share = if is_lower { (1.0 + self.config.cut) / 2.0 } else { 1.0 };
        self.peak = too_much * share;
        self.limit = (too_much * self.config.cut).max(self.min());
        self.is_searching = false;
        self.grown = Duration::ZERO;
        self.cuts = self.cuts.wrapping_add(1);
        self.last_cut = Some(now);
        self.last_good = now;
    }

    fn grow(&mut self, permit: &Permit, now: Instant) {
        let since = now.saturating_duration_since(self.last_good);
        self.last_good = self.last_good.max(now);
        // What was admitted before the cut was let in by a limit that was too high.
        let is_in_use = f64::from(self.in_flight) * 2.0 >= self.limit;
        if permit.cuts != self.cuts || !is_in_use {
            return;
        }
        // A pause is no growth.
        self.grown += since.min(self.round());
        let target = if self.is_searching {
            self.is_searching = self.limit + 1.0 < self.peak;
            self.limit + 1.0
        } else {
            match self.config.growth {
                Growth::Additive => self.limit + 1.0 / self.limit,
                // By no more than one for each answer, however long ago the cut.
                Growth::Cubic => self.cubic().min(self.limit + 1.0),
            }
        };
        self.limit = self.limit.max(target.min(f64::from(self.config.max.get())));
    }

    fn cubic(&self) -> f64 {
        let to_peak = (self.peak * (1.0 - self.config.cut) / CUBIC).cbrt();
        let grown = self.grown.as_secs_f64() / self.round().as_secs_f64();
        CUBIC * (grown - to_peak).powi(3) + self.peak
    }

    fn learn(&mut self, first_token: Duration) {
        // The first ones move it far, or it would be known after a hundred calls only.
        let step = MEDIAN_STEP.max(1.0 / f64::from(self.learned + 1));
        self.learned = self.learned.saturating_add(1).min(ENOUGH);
        let moved = match (self.learned, first_token > self.first_token) {
            (1, _) => first_token,
            (_, true) => self.first_token.mul_f64(1.0 + step).min(first_token),
            (_, false) => self.first_token.mul_f64(1.0 - step).max(first_token),
        };
        self.first_token = moved.clamp(Duration::from_millis(1), LONGEST_EPOCH);
    }
}
