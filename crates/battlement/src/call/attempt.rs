//! One attempt at a call: what its answer has shown so far, and what it means in the end.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use battlement_core::{
    Clock, Code, FinishClass, NoAnswer, Outcome, Phase, Signals, Usage, Verdict, attempts::Role,
    fallback::InPlace,
};
use http::Request;

use super::{
    Call, Misordered, Passed, Place,
    progress::{HEAD, NEWS, Progress, UNREAD},
};
use crate::{
    clock::now,
    error::{BoxError, local_code, no_answer},
    events::Event,
};

/// One attempt at a call, as it stands.
///
/// Every layer finds it in the extensions of the request, and the caller in those of the response:
/// once the body has ended, [`Attempt::verdict`] says what it meant.
#[derive(Clone)]
pub struct Attempt(Arc<State>, Passed);

struct State {
    call: Call,
    /// Whether somebody reads the answer.
    observed: AtomicBool,
    /// What any request with it has come through; the attempt in the extensions of a request knows
    /// what that one has. See [`Passed`].
    passed: AtomicU32,
    /// Which of the call it is, from one; 0 as long as nobody has counted it.
    number: AtomicU32,
    /// Whether it is in the ledger of its call.
    counted: AtomicBool,
    /// Whether it consists of several, each of which tells what happens to it.
    whole: AtomicBool,
    /// Whether somebody further out may send another one beside it.
    raced: AtomicBool,
    /// Whether a layer has held it back for a time.
    held_back: AtomicBool,
    /// See [`Attempt::is_spare`].
    spare: OnceLock<f64>,
    /// See [`Progress`].
    progress: AtomicU64,
    /// Tokens of input and of output that the answer has told of; 0 if it has not.
    input: AtomicU64,
    output: AtomicU64,
    /// What the answer is called if nothing more comes: its place in [`FinishClass::ALL`], from one.
    told: AtomicU8,
    /// Where it goes, if there is a choice.
    errand: OnceLock<Arc<Errand>>,
    /// And when that was known.
    ending: OnceLock<(Ending, Instant)>,
}

/// Where an attempt goes, where there are several routes.
#[derive(Debug)]
pub(crate) struct Errand {
    /// The name of the route.
    pub(crate) route: Arc<str>,
    /// What is tried again there, if the call could go elsewhere; without limits of this kind if it could
    /// not.
    pub(crate) in_place: Option<InPlace>,
}

/// How an attempt ended.
#[derive(Debug)]
enum Ending {
    /// The request was turned away on our side, with this code, and never left.
    Unsent(Code),
    /// There was an answer, or there was none.
    Verdict(Verdict),
    /// It goes on as this one, which knows more about the call.
    As(Attempt),
}

impl Attempt {
    /// The first attempt at this call, or another one.
    pub(crate) fn new(call: Call) -> Self {
        Self::after(call, Passed::default())
    }

    fn after(call: Call, passed: Passed) -> Self {
        let state = State {
            call,
            observed: AtomicBool::new(false),
            passed: AtomicU32::new(passed.0),
            number: AtomicU32::new(0),
            counted: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            raced: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            spare: OnceLock::new(),
            progress: AtomicU64::new(0),
            input: AtomicU64::new(0),
            output: AtomicU64::new(0),
            told: AtomicU8::new(0),
            errand: OnceLock::new(),
            ending: OnceLock::new(),
        };
        Self(Arc::new(state), passed)
    }

    /// Another attempt at the same call, on the same way.
    pub(crate) fn again(&self) -> Self {
        let again = Self::after(self.0.call.clone(), self.1);
        if let Some(errand) = self.errand() {
            again.send(errand.clone());
        }
        again
    }

    /// Another attempt at the same call, of which somebody knows more, or that is made elsewhere.
    pub(crate) fn at_call(&self, call: Call) -> Self {
        Self::after(call, self.1)
    }

    /// It goes on as one at the same call, of which somebody knows more.
    pub(crate) fn becomes(&self, call: Call) -> Self {
        let next = self.at_call(call);
        next.0.number.store(self.number(), Ordering::Relaxed);
        next.0.counted.store(self.0.counted.load(Ordering::Acquire), Ordering::Release);
        next.0.raced.store(self.0.raced.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(headroom) = self.spare() {
            next.make_spare(headroom);
        }
        if let Some(errand) = self.errand() {
            next.send(errand.clone());
        }
        let _over = self.0.ending.set((Ending::As(next.clone()), now()));
        next
    }

    /// One of several at the same call that together are this one: rounds of which one answer is made.
    ///
    /// Each has an end of its own, which is told, and its own place in the account; what becomes of the whole is for those further
    /// out to know.
    pub(crate) fn part(&self, call: Call) -> Self {
        let part = self.at_call(call);
        let was_counted = self.0.counted.swap(true, Ordering::AcqRel);
        let is_first = !self.0.whole.swap(true, Ordering::Relaxed);
        part.0.counted.store(is_first && was_counted, Ordering::Release);
        if is_first {
            part.0.number.store(self.number(), Ordering::Relaxed);
        }
        part.0.raced.store(self.0.raced.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(headroom) = self.spare() {
            part.make_spare(headroom);
        }
        if let Some(errand) = self.errand() {
            part.send(errand.clone());
        }
        part
    }

    /// Tells whoever watches what happens to it, unless those tell that it consists of.
    pub(crate) fn report(&self, event: &Event<'_>) {
        if !self.0.whole.load(Ordering::Relaxed) {
            self.call().each_observer(|observer| observer.attempt(self, event));
        }
    }

    /// What it goes on as; itself, if it does not.
    fn latest(&self) -> &Self {
        let mut latest = self;
        while let Some((Ending::As(next), _)) = latest.0.ending.get() {
            latest = next;
        }
        latest
    }

    /// Sends it to a route.
    pub(crate) fn send(&self, errand: Arc<Errand>) {
        let _sent_before = self.0.errand.set(errand);
    }

    /// Where it goes, if there is a choice.
    pub(crate) fn errand(&self) -> Option<&Arc<Errand>> {
        self.0.errand.get()
    }

    /// How long it may stand in a line of ours, where the call could go to another route instead.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.errand()?.in_place.map(|in_place| in_place.patience())
    }

    /// Until when it makes sense to wait for a turn, if an answer takes as long as `needed`.
    pub(crate) fn latest_start(&self, needed: Duration, now: Instant) -> Option<Instant> {
        let in_time = self.call().deadline().latest_start(needed, now);
        let in_place = self.patience().and_then(|patience| now.checked_add(patience));
        in_time.into_iter().chain(in_place).min()
    }

    /// How many hold on to it.
    #[cfg(all(test, feature = "telemetry", feature = "metrics"))]
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Whether both are the same attempt.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.latest().0, &other.latest().0)
    }

    /// Whether both are about the same call.
    pub(crate) fn is_of_the_call_of(&self, other: &Self) -> bool {
        self.0.call.is(&other.0.call)
    }

    /// Whether any request with it has come through the layer at this place.
    pub(crate) fn has_passed(&self, place: Place) -> bool {
        Passed(self.0.passed.load(Ordering::Relaxed)).has(place)
    }

    /// The attempt that a request belongs to; a new one, with what the head tells, if nobody has
    /// made one.
    #[cfg(test)]
    pub(crate) fn of<B>(request: &mut Request<B>) -> Self {
        if let Some(attempt) = request.extensions().get::<Self>() {
            return attempt.clone();
        }
        let attempt = Self::new(Call::from_head(request));
        request.extensions_mut().insert(attempt.clone());
        attempt
    }

    /// The attempt of a request that comes through the layer at this place.
    #[inline]
    pub(crate) fn at<B>(request: &mut Request<B>, place: Place) -> Self {
        Self::at_each(request, [place].into_iter())
    }

    /// The attempt of a request that comes through layers at these places.
    #[inline]
    pub(crate) fn at_each<B>(
        request: &mut Request<B>,
        places: impl Iterator<Item = Place>,
    ) -> Self {
        let attempt = match request.extensions_mut().get_mut::<Self>() {
            Some(attempt) => attempt,
            None => {
                let attempt = Self::new(Call::from_head(request));
                request.extensions_mut().get_or_insert_with(|| attempt)
            }
        };
        for place in places {
            if let Some(misordered) = attempt.pass(place) {
                attempt.call().report(&Event::Misordered { misordered: &misordered });
            }
        }
        attempt.clone()
    }

    /// Comes through the layer at this place.
    fn pass(&mut self, place: Place) -> Option<Misordered> {
        let passed = Passed(self.0.passed.load(Ordering::Relaxed));
        if passed.has(place) && !self.1.has(place) {
            // A copy of the request, such as a hedge makes, is in there: this one ends by itself.
            self.call().report(&Event::SentAgain);
            *self = self.again();
        }
        let (passed, misordered) = self.1.with(place);
        self.1 = passed;
        self.0.passed.store(passed.0, Ordering::Relaxed);
        misordered
    }

    /// The call it is part of.
    pub fn call(&self) -> &Call {
        &self.0.call
    }

    /// Which of its call it is, from one: as it was counted by the layer that makes several. 0 if nobody
    /// has counted it.
    pub fn number(&self) -> u32 {
        self.latest().0.number.load(Ordering::Relaxed)
    }

    /// It begins, as the one that it is in the account of its call.
    pub(crate) fn begun(&self, number: u32, role: Role) {
        self.latest().0.number.store(number, Ordering::Relaxed);
        self.report(&Event::Attempt { number, role });
    }

    /// The name of the route that it takes, if there is a choice.
    pub fn route(&self) -> Option<&str> {
        self.errand().map(|errand| &*errand.route)
    }

    /// What the answer means. `None` before its end, and if the request was never sent.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.latest().0.ending.get()?.0 {
            Ending::Verdict(verdict) => Some(verdict),
            Ending::Unsent(_) | Ending::As(_) => None,
        }
    }

    /// Whether the model has said something.
    pub fn has_output(&self) -> bool {
        self.progress().has_output()
    }

    /// When it ended; now, if it has not. One look at the clock is enough for all who settle something.
    pub(crate) fn ended(&self) -> Instant {
        self.latest().0.ending.get().map_or_else(now, |(_, at)| *at)
    }

    /// Whether it is known how it ended.
    pub fn is_over(&self) -> bool {
        self.latest().is_past()
    }

    /// Whether it ended, or goes on as another.
    pub(crate) fn is_past(&self) -> bool {
        self.0.ending.get().is_some()
    }

    /// Why the request was turned away on our side, if it was.
    pub fn rejection(&self) -> Option<Code> {
        match &self.latest().0.ending.get()?.0 {
            Ending::Unsent(code) => Some(*code),
            Ending::Verdict(_) | Ending::As(_) => None,
        }
    }

    /// Whether the request was turned away on our side.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self.latest().0.ending.get(), Some((Ending::Unsent(_), _)))
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress(self.0.progress.load(Ordering::Acquire))
    }

    /// Tokens of output that the answer has told of so far.
    pub(crate) fn output_told(&self) -> u64 {
        self.0.output.load(Ordering::Relaxed)
    }

    /// What the answer is called if nothing more comes; see [`battlement_core::Reader::told`].
    pub(crate) fn told(&self) -> Option<FinishClass> {
        let place = usize::from(self.0.told.load(Ordering::Relaxed));
        FinishClass::ALL.get(place.checked_sub(1)?).copied()
    }

    /// Claims the reading of the answer: true for the first who asks, which is the innermost.
    pub(crate) fn claim(&self) -> bool {
        // A look costs the others less than a swap.
        !self.0.observed.load(Ordering::Relaxed) && !self.0.observed.swap(true, Ordering::AcqRel)
    }

    /// Claims the account of the attempt: true for the first who asks, which is the outermost.
    ///
    /// Who gets it enters the attempt in the ledger of the call, and may make further ones. Others that
    /// repeat calls pass it through, so that attempts never multiply.
    pub(crate) fn count(&self) -> bool {
        !self.latest().0.counted.swap(true, Ordering::AcqRel)
    }

    /// Whether somebody has claimed its account.
    pub(crate) fn is_counted(&self) -> bool {
        self.latest().0.counted.load(Ordering::Acquire)
    }

    /// Whether another one beat it to the account: a layer in between has made that, and keeps its account.
    pub(crate) fn is_outdone_by(&self, other: &Self) -> bool {
        !Arc::ptr_eq(&self.latest().0, &other.latest().0) && other.is_counted()
    }

    /// Claims to send another one beside it when it is late: true for the first who asks, which is the
    /// outermost.
    pub(crate) fn race(&self) -> bool {
        !self.0.raced.swap(true, Ordering::Relaxed)
    }

    /// A layer holds it back: it waits for a turn, and not for the provider.
    pub(crate) fn hold_back(&self) {
        self.latest().0.held_back.store(true, Ordering::Relaxed);
    }

    /// Whether a layer has held it back for a time.
    pub(crate) fn was_held_back(&self) -> bool {
        self.latest().0.held_back.load(Ordering::Relaxed)
    }

    /// It goes out beside another one, if there is room for it now: if so much of each limit is free.
    pub(crate) fn make_spare(&self, headroom: f64) {
        let _made_before = self.0.spare.set(headroom);
    }

    /// The share of each limit that has to be free for it, if it goes out beside another one.
    pub(crate) fn spare(&self) -> Option<f64> {
        self.0.spare.get().copied()
    }

    /// Whether it goes out beside another one, at once or not at all.
    pub(crate) fn is_spare(&self) -> bool {
        self.spare().is_some()
    }

    /// It shows what another one has shown that is made in its stead. Whoever watches was told of that one.
    #[cfg(feature = "cache")]
    pub(crate) fn shows(&self, other: &Self) {
        self.0.progress.store(other.progress().0, Ordering::Release);
    }

    /// There is a head. Only whoever has claimed the reading says so.
    pub(crate) fn head(&self) {
        self.advance(HEAD);
    }

    /// Nobody reads the body, or goes on reading it. Only whoever has claimed the reading says so.
    pub(crate) fn unread(&self) {
        self.advance(UNREAD);
    }

    /// A slice came, which is news whatever is in it. Only whoever has claimed the reading says so.
    pub(crate) fn heard(&self) {
        self.advance(NEWS);
    }

    /// A slice of the answer brought this. Only whoever has claimed the reading says so.
    pub(crate) fn saw(&self, signals: Signals) {
        let news = signals.contains(Signals::EVENT) || signals.contains(Signals::OUTPUT);
        let before = self.progress();
        self.advance(u64::from(signals.bits()) | if news { NEWS } else { 0 });
        if signals.contains(Signals::OUTPUT) && !before.has_output() {
            self.report(&Event::FirstOutput);
        }
    }

    /// So many tokens of input were told of.
    pub(crate) fn tell_input(&self, tokens: u64) {
        self.0.input.store(tokens, Ordering::Relaxed);
    }

    /// So many tokens of output were told of.
    pub(crate) fn tell_output(&self, tokens: u64) {
        self.0.output.store(tokens, Ordering::Relaxed);
    }

    /// If nothing more comes, it is called this. To be said before the signals that it follows from.
    pub(crate) fn tell(&self, class: Option<FinishClass>) {
        let place =
            class.and_then(|class| FinishClass::ALL.iter().position(|known| *known == class));
        self.0.told.store(place.map_or(0, |place| place as u8 + 1), Ordering::Relaxed);
    }

    /// Adds to the progress. There is one writer, so no exchange is needed.
    fn advance(&self, more: u64) {
        let old = self.0.progress.load(Ordering::Relaxed);
        let flags = (old | more) & (NEWS - 1);
        let news = (old & !(NEWS - 1)).wrapping_add(more & !(NEWS - 1));
        self.0.progress.store(news | flags, Ordering::Release);
    }

    /// Says what became of it, unless that is known already.
    pub(crate) fn conclude(&self, verdict: impl FnOnce() -> Verdict) {
        let this = self.latest();
        if this.is_past() {
            return;
        }
        let mut verdict = verdict();
        if verdict.outcome == Outcome::Abandoned {
            if let Some(failure) = &mut verdict.failure {
                // Who gives an answer up for a reason of its own says which.
                if failure.code == Code::Abandoned {
                    failure.code = this.abandoned();
                }
            }
        }
        if this.0.ending.set((Ending::Verdict(verdict), now())).is_ok() {
            if let Some(verdict) = this.verdict() {
                this.report(&Event::Ended { verdict });
            }
        }
    }

    /// It ends as another one at the same call that was made in its stead, if it has not ended. Whoever watches was told of that
    /// one.
    #[cfg(feature = "cache")]
    pub(crate) fn ends_as(&self, other: &Self) {
        if !self.is_past() && !Arc::ptr_eq(&self.0, &other.0) {
            let _over = self.0.ending.set((Ending::As(other.clone()), now()));
        }
    }

    /// The request does not leave, for this reason.
    pub(crate) fn turn_away(&self, code: Code) {
        let code = if code == Code::Abandoned { self.abandoned() } else { code };
        let this = self.latest();
        if this.0.ending.set((Ending::Unsent(code), now())).is_ok() {
            this.report(&Event::Rejected { code });
        }
    }

    /// We give the answer up, for this reason, which says nothing about the provider. To be said
    /// before the answer is dropped.
    pub(crate) fn give_up(&self, code: Code) {
        self.conclude(|| {
            let mut verdict = Verdict::abandoned();
            verdict.has_output = self.has_output();
            verdict.usage = self.usage_told();
            if let Some(failure) = &mut verdict.failure {
                failure.code = code;
            }
            verdict
        });
    }

    /// What the answer has told of its cost so far.
    fn usage_told(&self) -> Option<Usage> {
        let told =
            |tokens: &AtomicU64| Some(tokens.load(Ordering::Relaxed)).filter(|&tokens| tokens > 0);
        let mut usage = Usage::default();
        (usage.input, usage.output) = (told(&self.0.input), told(&self.0.output));
        Some(usage).filter(|usage| !usage.is_unknown())
    }

    /// What it is called when an attempt is dropped: it may be us who left.
    fn abandoned(&self) -> Code {
        if self.call().is_expired() { Code::DeadlineExceeded } else { Code::Abandoned }
    }

    /// The service below failed. Whoever is next to the client is asked first, and knows.
    pub(crate) fn failed(&self, error: &BoxError) {
        match local_code(error) {
            Some(code) => self.turn_away(code),
            None => self.conclude(|| Verdict::no_answer(no_answer(error))),
        }
    }

    /// A time limit of ours passed. To be said before the answer is dropped, which would otherwise
    /// look as if the caller had gone away.
    pub(crate) fn overdue(&self, clock: Clock) {
        if self.is_over() {
            return;
        }
        self.report(&Event::Overdue { clock });
        self.conclude(|| {
            let mut verdict = Verdict::no_answer(NoAnswer::Overdue(clock));
            verdict.has_output = self.has_output();
            verdict.usage = self.usage_told();
            if let Some(failure) = verdict.failure.as_mut().filter(|_| verdict.has_output) {
                failure.phase = Phase::During;
            }
            verdict
        });
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("progress", &self.progress().signals())
            .field("ending", &self.latest().0.ending.get().map(|(ending, _)| ending))
            .finish_non_exhaustive()
    }
}
