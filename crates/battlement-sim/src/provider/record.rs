//! What arrived at a provider, and what became of it.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use battlement_core::{Dialect, request::Facts};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version, request::Parts};
use tokio::{sync::Notify, time::Instant};

use crate::script::Step;

/// One request, and what became of it so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Seen {
    head: Arc<Parts>,
    /// The how-manieth it was; the first is 0.
    pub number: u64,
    /// When its head arrived.
    pub at: Instant,
    /// What it asks for, once it has been read.
    pub facts: Option<Facts>,
    /// How long its body was, once it has been read.
    pub body_bytes: u64,
    /// The body, if they are kept: see [`keep_bodies`](super::Provider::keep_bodies).
    pub body: Option<Bytes>,
    /// What it was decided to do, once it was. One that was turned away has the error as its step.
    pub step: Option<Step>,
    /// The status that went out.
    pub status: Option<StatusCode>,
    /// When the head went out.
    pub head_at: Option<Instant>,
    /// How many events of the body went out; a body that is no stream counts as one.
    pub events: u32,
    /// How it ended, once it has.
    pub end: Option<End>,
    /// When it ended.
    pub ended_at: Option<Instant>,
}

/// How a call ended, seen from the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// All that was to be sent went out.
    Finished,
    /// The provider broke it off, as the script says.
    Broken,
    /// The caller went away.
    Cancelled(Stage),
}

/// How far a call had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The request was not there completely.
    Request,
    /// The head of the answer had not been sent.
    Head,
    /// The head was sent, and the body not completely.
    Body,
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that arrived.
    pub arrived: u64,
    /// Those that got a head.
    pub answered: u64,
    /// Those whose head has a status of 400 or more.
    pub errors: u64,
    /// Those that a limit or a [`Site`](super::Site) turned away; they are among the errors.
    pub limited: u64,
    /// Those that [finished](End::Finished).
    pub finished: u64,
    /// Those that the provider [broke off](End::Broken).
    pub broken: u64,
    /// Those whose caller [went away](End::Cancelled).
    pub cancelled: u64,
}

impl Seen {
    pub(super) fn new(head: Arc<Parts>, at: Instant) -> Self {
        Self {
            head,
            number: 0,
            at,
            facts: None,
            body_bytes: 0,
            body: None,
            step: None,
            status: None,
            head_at: None,
            events: 0,
            end: None,
            ended_at: None,
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// The path of the address.
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The version of HTTP; what a request in memory says.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The headers. Those with keys in them hide their values when printed.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The model, if one is named.
    pub fn model(&self) -> Option<&str> {
        self.facts.as_ref()?.model.as_deref()
    }

    /// The dialect, if it can be told.
    pub fn dialect(&self) -> Option<Dialect> {
        self.facts.as_ref()?.dialect
    }

    /// Whether a stream is asked for.
    pub fn stream(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.stream)
    }
}

impl Counts {
    /// How many calls are over.
    pub const fn ended(&self) -> u64 {
        self.finished + self.broken + self.cancelled
    }

    /// How many calls are under way.
    pub const fn open(&self) -> u64 {
        self.arrived - self.ended()
    }
}

/// The memory of a provider.
#[derive(Debug, Default)]
pub(super) struct Record {
    log: Mutex<Log>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Log {
    counts: Counts,
    /// The last of those that arrived, in a row.
    seen: VecDeque<Seen>,
}

impl Record {
    /// The request is there. Remembers the last `keep`.
    pub(super) fn arrive(self: &Arc<Self>, mut seen: Seen, keep: usize) -> Ticket {
        let mut log = self.lock();
        let number = log.counts.arrived;
        seen.number = number;
        log.counts.arrived += 1;
        if keep == 0 {
            log.seen.clear();
        } else {
            while log.seen.len() >= keep {
                log.seen.pop_front();
            }
            log.seen.push_back(seen);
        }
        drop(log);
        self.changed.notify_waiters();
        Ticket { record: self.clone(), number, stage: Stage::Request, is_over: false }
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.lock().seen.iter().cloned().collect()
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Waits until the counts are as wanted.
    pub(super) async fn until(&self, is_reached: impl Fn(&Counts) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before looking, so that no change falls between.
            changed.as_mut().enable();
            if is_reached(&self.counts()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn find(&mut self, number: u64) -> Option<&mut Seen> {
        let first = self.seen.front()?.number;
        self.seen.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

/// A call that is under way. When it is dropped, its caller has gone away.
#[derive(Debug)]
pub(crate) struct Ticket {
    record: Arc<Record>,
    pub(super) number: u64,
    stage: Stage,
    is_over: bool,
}

impl Ticket {
    /// The request has been read.
    pub(super) fn read(&mut self, read: impl FnOnce(&mut Seen)) {
        self.stage = Stage::Head;
        self.note(read);
    }

    /// Something about the call has become known.
    pub(super) fn note(&self, note: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.record.lock().find(self.number) {
            note(seen);
        }
    }

    /// A limit turned it away.
    pub(super) fn limited(&self) {
        self.record.lock().counts.limited += 1;
    }

    /// The head goes out.
    pub(super) fn head(&mut self, status: StatusCode, now: Instant) {
        self.stage = Stage::Body;
        let mut log = self.record.lock();
        log.counts.answered += 1;
        log.counts.errors += u64::from(status.as_u16() >= 400);
        if let Some(seen) = log.find(self.number) {
            (seen.status, seen.head_at) = (Some(status), Some(now));
        }
    }

    /// An event goes out.
    pub(super) fn event(&self) {
        self.note(|seen| seen.events += 1);
    }

    /// Its end, unless it has ended.
    pub(super) fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let now = Instant::now();
        let mut log = self.record.lock();
        let count = match end {
            End::Finished => &mut log.counts.finished,
            End::Broken => &mut log.counts.broken,
            End::Cancelled(_) => &mut log.counts.cancelled,
        };
        *count += 1;
        if let Some(seen) = log.find(self.number) {
            (seen.end, seen.ended_at) = (Some(end), Some(now));
        }
        drop(log);
        self.record.changed.notify_waiters();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(End::Cancelled(self.stage));
    }
}
