//! What is known of a call while it is under way.

use std::{
    fmt,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use battlement_core::{Code, Verdict, attempts::Role};
use http::{Response, Uri};
use smallvec::SmallVec;

use super::{
    finished::{Finished, Tried},
    incident,
    layer::Settings,
    spans::{AttemptSpan, CallSpan},
};
use crate::{
    call::{Attempt, Call, Progress},
    clock::now,
    error::{BoxError, explain, no_answer},
    events::{Event, Observer},
    observe::Guard,
    seed,
    source::{Hit, Source},
};

/// The account of one call, from its beginning to the end of its answer.
pub(super) struct Record {
    settings: Arc<Settings>,
    id: u64,
    /// Gone with the end of the call: this is held by whoever holds the call, and a span is over when nobody has it.
    span: Mutex<CallSpan>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order in which they began. Each holds its call, which holds this: emptied at the end.
    tried: SmallVec<[Running; 1]>,
    /// Waited since the latest attempt, between attempts.
    wait: Duration,
    /// When the caller was given the first output.
    first_output: Option<Instant>,
    ending: Ending,
    is_over: bool,
}

struct Running {
    tried: Tried,
    span: AttemptSpan,
}

/// How the call itself ended, as far as its future goes.
#[derive(Default)]
enum Ending {
    /// The caller went away.
    #[default]
    None,
    /// There is an answer, from here; and whether it was kept, and is as good as a new one.
    Answered { source: Option<Box<str>>, is_fresh: bool },
    /// There is an error.
    Failed { outcome: &'static str, code: Code },
}

/// Calls are told apart by a number that is drawn once and counted on.
static IDS: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(seed::fresh()));

impl Record {
    /// Begins one, unless nobody would look at it.
    pub(super) fn begin(
        settings: &Arc<Settings>,
        attempt: &Attempt,
        uri: &Uri,
    ) -> Option<Arc<Self>> {
        let call = attempt.call();
        if call.is_watched() {
            return None;
        }
        let span = if settings.spans { CallSpan::open(call, uri) } else { CallSpan::none() };
        if span.is_none() && settings.meters.is_none() && settings.incidents.is_none() {
            return None;
        }
        let (settings, id) = (settings.clone(), IDS.fetch_add(1, Ordering::Relaxed));
        span.identify(id);
        let span = Mutex::new(span);
        let record = Arc::new(Self { settings, id, span, state: Mutex::default() });
        if !call.watch(record.clone()) {
            return None;
        }
        if let Some(meters) = &record.settings.meters {
            meters.begun(call);
        }
        Some(record)
    }

    pub(super) fn span(&self) -> CallSpan {
        self.span.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// There is an answer.
    pub(super) fn answered<R>(&self, response: &Response<R>) {
        let source = Source::of(response);
        let is_fresh = response.extensions().get::<Hit>().is_some_and(|hit| !hit.stale);
        let source = (source != Source::Primary).then(|| source.to_string().into());
        self.lock().ending = Ending::Answered { source, is_fresh };
    }

    /// There is an error instead.
    pub(super) fn failed(&self, error: &BoxError) {
        let (outcome, code) = match explain(error) {
            Some(explanation) => {
                let told = explanation.verdict.map(|verdict| verdict.outcome.as_str());
                let untold = if explanation.sent { "overdue" } else { "rejected" };
                (told.unwrap_or(untold), explanation.code)
            }
            None => {
                let verdict = Verdict::no_answer(no_answer(error));
                (verdict.outcome.as_str(), verdict.code().unwrap_or(Code::Disconnected))
            }
        };
        self.lock().ending = Ending::Failed { outcome, code };
    }

    /// The caller is given the first output.
    fn first_output(&self) {
        let now = now();
        self.lock().first_output.get_or_insert(now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new attempt.
    fn begun(&self, attempt: &Attempt, number: u32, role: Role, started: Instant) {
        let waited = std::mem::take(&mut self.lock().wait);
        let tried = Tried::new(attempt.clone(), number, role, started, waited);
        let span = AttemptSpan::open(&self.span(), &tried);
        let mut state = self.lock();
        if !state.is_over {
            state.tried.push(Running { tried, span });
        }
    }

    /// Does something to what is known of an attempt. One that nobody has counted begins with whatever is heard
    /// of it first.
    fn with<T>(&self, attempt: &Attempt, act: impl FnOnce(&mut Running) -> T) -> Option<T> {
        let number = attempt.number();
        let is_it =
            |running: &Running| running.tried.number == number && running.tried.ended.is_none();
        let latest = {
            let mut state = self.lock();
            if state.is_over {
                return None;
            }
            if let Some(running) = state.tried.iter_mut().rev().find(|running| is_it(running)) {
                return Some(act(running));
            }
            state.tried.iter().filter_map(|running| running.tried.ended).max()
        };
        let role = if latest.is_none() { Role::First } else { Role::Retry };
        let started = latest.unwrap_or_else(|| attempt.call().started());
        self.begun(attempt, number, role, started);
        let mut state = self.lock();
        state.tried.iter_mut().rev().find(|running| is_it(running)).map(act)
    }

    /// The attempt is over.
    fn ended(&self, attempt: &Attempt) {
        let ended = attempt.ended();
        let over = self.with(attempt, |running| {
            running.tried.waits_no_longer(ended);
            running.tried.ended = Some(ended);
            let span = std::mem::take(&mut running.span);
            (!span.is_none()).then(|| (span, running.tried.clone()))
        });
        // Subscribers are told outside of the lock.
        if let Some((span, tried)) = over.flatten() {
            span.close(&tried);
        }
    }

    /// The call is over, and this attempt is the one that was answered, if any was.
    fn finish(&self, attempt: &Attempt) {
        let (tried, first_output, ending, wait) = {
            let mut state = self.lock();
            if std::mem::replace(&mut state.is_over, true) {
                return;
            }
            let ending = std::mem::take(&mut state.ending);
            (std::mem::take(&mut state.tried), state.first_output, ending, state.wait)
        };
        let mut all = SmallVec::new();
        for Running { tried, span } in tried {
            if !span.is_none() {
                span.close(&tried);
            }
            all.push(tried);
        }
        let call = attempt.call();
        let (outcome, code, source, is_answer, is_fresh) = match ending {
            Ending::Failed { outcome, code } => (outcome, Some(code), None, false, false),
            Ending::Answered { source, is_fresh } => {
                let outcome =
                    attempt.verdict().map_or("rejected", |verdict| verdict.outcome.as_str());
                let code = attempt.verdict().map_or(attempt.rejection(), Verdict::code);
                (outcome, code, source, true, is_fresh)
            }
            Ending::None => {
                let expired = call.is_expired();
                let code = if expired { Code::DeadlineExceeded } else { Code::Abandoned };
                ("abandoned", Some(code), None, false, false)
            }
        };
        let answered = is_answer
            .then(|| all.iter().position(|tried: &Tried| tried.attempt.is(attempt)))
            .flatten();
        let finished = Finished {
            id: self.id,
            call: call.clone(),
            ended: attempt.ended().max(call.started()),
            first_output,
            tried: all,
            answered,
            is_made_of_several: is_answer
                && answered.is_none()
                && !matches!(source.as_deref(), Some("cache" | "simplified" | "static")),
            outcome,
            code,
            source,
            is_fresh,
            wait,
            settings: &self.settings,
        };
        let span = {
            let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *span, CallSpan::none())
        };
        span.close(&finished);
        drop(span);
        if let Some(meters) = &self.settings.meters {
            meters.finished(&finished);
        }
        if let Some(sink) = self.settings.incidents.as_ref().filter(|_| finished.is_incident()) {
            sink(&incident::line(&finished));
        }
    }
}

impl Observer for Record {
    fn event(&self, call: &Call, event: &Event<'_>) {
        if let Event::Retrying { wait, .. } = event {
            let mut state = self.lock();
            state.wait = state.wait.saturating_add(*wait);
        }
        if let Some(meters) = &self.settings.meters {
            meters.event(call, event);
        }
    }

    fn attempt(&self, attempt: &Attempt, event: &Event<'_>) {
        match event {
            Event::Attempt { number, role } => self.begun(attempt, *number, *role, now()),
            Event::Head { status } => {
                self.with(attempt, |running| running.tried.status = Some(status.as_u16()));
            }
            Event::FirstOutput if attempt.call().facts().stream => {
                let now = now();
                self.with(attempt, |running| running.tried.first_output = Some(now));
            }
            Event::Waiting { layer, .. } => {
                let (layer, now) = (*layer, now());
                self.with(attempt, |running| {
                    running.tried.waits_no_longer(now);
                    running.tried.waiting = Some((layer, now));
                });
            }
            Event::Waited => {
                let now = now();
                self.with(attempt, |running| running.tried.waits_no_longer(now));
            }
            Event::Ended { .. } | Event::Rejected { .. } => self.ended(attempt),
            _ => {}
        }
    }
}

/// What a call owes to its record: to be told of its end.
pub struct Watch {
    record: Option<Arc<Record>>,
    has_output: bool,
}

impl Watch {
    pub(super) fn new(record: Option<Arc<Record>>) -> Self {
        Self { record, has_output: false }
    }

    pub(super) fn record(&self) -> Option<&Arc<Record>> {
        self.record.as_ref()
    }
}

impl Guard for Watch {
    fn progress(&mut self, _attempt: &Attempt, progress: Progress) {
        if !self.has_output && progress.has_output() {
            self.has_output = true;
            if let Some(record) = &self.record {
                record.first_output();
            }
        }
    }

    fn settle(self, attempt: &Attempt) {
        if let Some(record) = self.record {
            record.finish(attempt);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("is_on", &self.record.is_some()).finish_non_exhaustive()
    }
}
