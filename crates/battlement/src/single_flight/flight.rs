//! One call that several callers wait for, and what has come of it.
//!
//! Nobody owns it. Whoever is polled and has read all that there is polls what is below, in the stead of everybody, and puts what
//! comes where all find it. So it goes on as long as one of them is there, in the task of one of them, and is dropped with the
//! last one; nothing is ever spawned.
//!
//! Two locks, and never the second one before the first: `upstream` while what is below is polled, which nobody waits for,
//! and `state` for a few instructions. Who finds `upstream` taken says so in `state`, under which it has left its waker: whoever
//! has taken it looks there when it is done, and wakes those who came in vain. What is below has one waker, which wakes all.

#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    sync::{Arc, PoisonError, TryLockError},
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::{call::Attempt, error::BoxError, hold::weight};

/// What is below: first its head, then its frames.
pub(super) trait Upstream: Send {
    /// What comes next; `None` after the last frame.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Item>, BoxError>>;

    /// Whether nothing more comes.
    fn is_over(&self) -> bool;
}

/// What comes from below.
pub(super) enum Item {
    Head(Head),
    Frame(Frame<Bytes>),
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) response: Response<()>,
    /// The length of its body, if that is told.
    pub(super) length: Option<u64>,
    /// The attempt that was answered.
    pub(super) attempt: Attempt,
}

/// A call that is shared.
pub(super) struct Flight {
    state: Mutex<State>,
    upstream: Mutex<Option<Pin<Box<dyn Upstream>>>>,
    /// How much of the answer is held.
    most: usize,
}

#[derive(Default)]
struct State {
    head: Option<Arc<Head>>,
    frames: VecDeque<Frame<Bytes>>,
    /// The number of the first frame that is held.
    first: usize,
    /// What those that are held take of memory.
    held: usize,
    ending: Option<Ending>,
    readers: SmallVec<[Option<Reader>; 2]>,
    /// Nobody joins any longer: it is over, or its beginning is gone, or nobody was left.
    is_closed: bool,
    /// Somebody has found `upstream` taken.
    missed: bool,
}

struct Reader {
    /// The number of the frame that it reads next.
    next: usize,
    waker: Option<Waker>,
    /// It has fallen behind what is held.
    is_lost: bool,
}

enum Ending {
    Whole,
    Failed(Arc<BoxError>),
    Panicked,
}

/// Why somebody does not get the answer.
pub(super) enum Missed {
    /// It has failed. The error as it is, if there is nobody else who gets it.
    Failed(Result<BoxError, Arc<BoxError>>),
    /// What is below has panicked.
    Panicked,
    /// The others were too fast.
    Lost,
}

impl Flight {
    /// One that nobody has joined yet.
    pub(super) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), upstream: Mutex::new(None), most }
    }

    /// Sets off. Whoever was here before is woken.
    pub(super) fn start(&self, upstream: Pin<Box<dyn Upstream>>) {
        *lock(&self.upstream) = Some(upstream);
        self.wake();
    }

    /// Joins it, from the beginning of the answer; `None` if that is no longer there.
    pub(super) fn join(self: &Arc<Self>) -> Option<Seat> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return None;
        }
        let reader = Some(Reader { next: 0, waker: None, is_lost: false });
        let free = state.readers.iter().position(Option::is_none);
        let index = free.unwrap_or(state.readers.len());
        match free {
            Some(index) => state.readers[index] = reader,
            None => state.readers.push(reader),
        }
        Some(Seat { flight: self.clone(), index })
    }

    /// Whether nobody can join it any longer.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }

    /// What is held takes so many bytes, in so many frames.
    #[cfg(all(test, not(loom)))]
    pub(super) fn held(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.held, state.frames.len())
    }

    /// Everybody has a look.
    fn wake(&self) {
        let wakers = lock(&self.state).wakers();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// It is over before it has set off, as setting off has panicked.
    pub(super) fn crash(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.end(Ending::Panicked);
            state.wakers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Polls what is below, if nobody else does and it is not over; whether there is something new.
    fn drive(self: &Arc<Self>) -> bool {
        loop {
            let mut upstream = match self.upstream.try_lock() {
                Ok(upstream) => upstream,
                // It has panicked, which everybody is told.
                Err(TryLockError::Poisoned(_)) => return true,
                Err(TryLockError::WouldBlock) => {
                    // Whoever has taken it looks for this after it has given it back. If that was just now, it is free.
                    lock(&self.state).missed = true;
                    match self.upstream.try_lock() {
                        Ok(upstream) => upstream,
                        Err(TryLockError::Poisoned(_)) => return true,
                        Err(TryLockError::WouldBlock) => return false,
                    }
                }
            };
            let Some(below) = &mut *upstream else { return lock(&self.state).ending.is_some() };
            let waker = Waker::from(self.clone());
            let crash = Crash(self);
            let polled = below.as_mut().poll(&mut Context::from_waker(&waker));
            let is_over = below.is_over();
            mem::forget(crash);
            let news = polled.is_ready();
            let (wakers, gone, missed) = {
                let mut state = lock(&self.state);
                match polled {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(item))) => {
                        state.add(item, self.most);
                        if is_over {
                            state.end(Ending::Whole);
                        }
                    }
                    Poll::Ready(Ok(None)) => state.end(Ending::Whole),
                    Poll::Ready(Err(error)) => state.end(Ending::Failed(Arc::new(error))),
                }
                let gone = state.ending.is_some().then(|| upstream.take());
                drop(upstream);
                // Those who came in vain came before this.
                let missed = mem::take(&mut state.missed);
                (if news { state.wakers() } else { SmallVec::new() }, gone, missed)
            };
            drop(gone);
            wakers.into_iter().for_each(Waker::wake);
            // Who came in vain may have come with the news that there is some. Whoever is here looks for it: if all were
            // woken to do so, they would only come in vain again.
            if news || !missed {
                return news;
            }
        }
    }
}

/// Dropped by a panic below, of which everybody learns.
struct Crash<'a>(&'a Flight);

impl Drop for Crash<'_> {
    fn drop(&mut self) {
        self.0.crash();
    }
}

impl State {
    fn add(&mut self, item: Item, most: usize) {
        match item {
            Item::Head(head) => self.head = Some(Arc::new(head)),
            Item::Frame(frame) => {
                self.held += weight(&frame);
                self.frames.push_back(frame);
                if self.held > most {
                    // Who joined now would miss the beginning.
                    self.is_closed = true;
                }
                if self.is_closed {
                    self.trim(most);
                }
            }
        }
    }

    /// Lets go of what everybody has read, and of those who have read too little.
    fn trim(&mut self, most: usize) {
        loop {
            let readers = self.readers.iter().flatten().filter(|reader| !reader.is_lost);
            let end = self.first + self.frames.len();
            let next = readers.map(|reader| reader.next).min().unwrap_or(end);
            while self.first < next {
                let Some(frame) = self.frames.pop_front() else { break };
                (self.first, self.held) = (self.first + 1, self.held - weight(&frame));
            }
            // One frame is held, however large.
            if self.held <= most || self.frames.len() <= 1 {
                return;
            }
            for reader in self.readers.iter_mut().flatten() {
                reader.is_lost |= reader.next == next;
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        self.is_closed = true;
    }

    /// Of all who wait.
    fn wakers(&mut self) -> SmallVec<[Waker; 2]> {
        self.readers.iter_mut().flatten().filter_map(|reader| reader.waker.take()).collect()
    }
}

impl Wake for Flight {
    fn wake(self: Arc<Self>) {
        Self::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Self::wake(self);
    }
}

/// Somebody who waits for the answer. What is below is dropped with the last one.
pub(super) struct Seat {
    flight: Arc<Flight>,
    index: usize,
}

impl Seat {
    /// What comes next, of what `look` finds.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut State, usize) -> Option<T>,
    ) -> Poll<T> {
        loop {
            let old = {
                let mut state = lock(&self.flight.state);
                if let Some(found) = look(&mut state, self.index) {
                    return Poll::Ready(found);
                }
                let reader = state.readers[self.index].as_mut().expect(SEATED);
                match &reader.waker {
                    Some(waker) if waker.will_wake(cx.waker()) => None,
                    _ => reader.waker.replace(cx.waker().clone()),
                }
            };
            // Whatever a waker does when it is dropped it does not do under the lock.
            drop(old);
            if !self.flight.drive() {
                return Poll::Pending;
            }
        }
    }

    /// The head of the answer.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Head>, Missed>> {
        self.poll(cx, |state, index| {
            // Of those that are lost before they have begun, each makes a call of its own.
            if state.readers[index].as_ref().is_some_and(|reader| reader.is_lost) {
                return Some(Err(Missed::Lost));
            }
            match &state.head {
                Some(head) => Some(Ok(head.clone())),
                None => Some(Err(state.missed()?)),
            }
        })
    }

    /// The next frame; `None` after the last one.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Missed>>> {
        let most = self.flight.most;
        self.poll(cx, |state, index| {
            let (first, is_closed) = (state.first, state.is_closed);
            let reader = state.readers[index].as_mut().expect(SEATED);
            if reader.is_lost {
                return Some(Some(Err(Missed::Lost)));
            }
            if let Some(frame) = state.frames.get(reader.next - first) {
                let frame = copy(frame);
                reader.next += 1;
                if is_closed {
                    state.trim(most);
                }
                return Some(Some(Ok(frame)));
            }
            match state.ending {
                Some(Ending::Whole) => Some(None),
                _ => Some(Some(Err(state.missed()?))),
            }
        })
    }

    /// Whether all of it was read.
    pub(super) fn is_over(&self) -> bool {
        let state = lock(&self.flight.state);
        let next = state.readers[self.index].as_ref().map_or(0, |reader| reader.next);
        matches!(state.ending, Some(Ending::Whole)) && next == state.first + state.frames.len()
    }

    /// The flight that it is in.
    pub(super) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Whether others are there, and something is still to come.
    pub(super) fn goes_on(&self) -> bool {
        let state = lock(&self.flight.state);
        state.ending.is_none() && state.readers.iter().flatten().count() > 1
    }
}

const SEATED: &str = "there until the seat is dropped";

impl State {
    /// Why there is nothing more, if there is not.
    fn missed(&mut self) -> Option<Missed> {
        let is_alone = self.readers.iter().flatten().count() == 1;
        match &self.ending {
            Some(Ending::Failed(error)) => {
                let shared = error.clone();
                if is_alone {
                    self.ending = Some(Ending::Panicked);
                }
                Some(Missed::Failed(Arc::try_unwrap(shared)))
            }
            Some(Ending::Panicked) => Some(Missed::Panicked),
            Some(Ending::Whole) | None => None,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (reader, is_last) = {
            let mut state = lock(&self.flight.state);
            let reader = state.readers[self.index].take();
            let is_last = state.readers.iter().all(Option::is_none);
            if is_last {
                state.is_closed = true;
            } else if state.is_closed {
                state.trim(self.flight.most);
            }
            (reader, is_last)
        };
        drop(reader);
        if is_last {
            // Nobody polls it, as nobody else is there.
            let gone = lock(&self.flight.upstream).take();
            drop(gone);
        }
    }
}

/// The same frame. Its bytes are not copied.
fn copy(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (_, Some(trailers)) => Frame::trailers(trailers.clone()),
        (data, None) => Frame::data(data.cloned().unwrap_or_default()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("most", &self.most).finish_non_exhaustive()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("index", &self.index).finish_non_exhaustive()
    }
}
