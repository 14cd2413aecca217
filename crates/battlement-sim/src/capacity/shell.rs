//! The shell around a machine: tokio's clock, and those who wait.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::{
    task::JoinHandle,
    time::{Sleep, sleep_until},
};

use super::{Change, Id, Job, Machine, Progress, Refusal, Told};

/// A provider of limited capacity. A clone is another handle for the same.
pub struct Capacity<M> {
    shared: Arc<Mutex<State<M>>>,
}

struct State<M> {
    machine: M,
    callers: Vec<Caller>,
    free: Vec<u32>,
    told: Vec<(Id, Progress)>,
    /// When the driver looks again, and how to call it before.
    armed: Option<Instant>,
    driver: Option<Waker>,
    /// The task that looks, if there is one.
    task: Option<JoinHandle<()>>,
}

/// Somebody who waits.
#[derive(Default)]
struct Caller {
    serial: u32,
    progress: VecDeque<Progress>,
    waker: Option<Waker>,
}

impl<M: Machine> Capacity<M> {
    /// Keeps time for a machine.
    ///
    /// Whoever first waits at a [`Place`] starts a task for that in its runtime, which ends with the last handle;
    /// should the runtime end before, whoever waits next starts another one. So this can be called anywhere.
    pub fn start(machine: M) -> Self {
        let shared = Arc::new(Mutex::new(State {
            machine,
            callers: Vec::new(),
            free: Vec::new(),
            told: Vec::new(),
            armed: None,
            driver: None,
            task: None,
        }));
        Self { shared }
    }

    /// Asks for an answer.
    ///
    /// # Errors
    ///
    /// When the provider does not take it.
    pub fn ask(&self, job: Job) -> Result<Place<M>, Refusal> {
        let now = now();
        let mut state = self.lock();
        let slot = state.slot();
        let serial = state.callers[slot as usize].serial;
        let id = u64::from(serial) << 32 | u64::from(slot);
        // What should have happened by now comes first.
        let mut woken = state.settle(now);
        let asked = state.machine.arrive(id, job, now);
        woken.append(&mut state.settle(now));
        if asked.is_err() {
            state.release(slot);
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        asked.map(|()| Place { capacity: self.clone(), id, is_over: false })
    }

    /// Something happens to the provider.
    pub fn change(&self, change: Change) {
        self.act(|machine, now| machine.change(change, now));
    }

    /// What the provider says of its limits, if it does.
    pub fn told(&self) -> Option<Told> {
        self.act(|machine, now| machine.told(now))
    }

    /// Looks at the machine.
    pub fn inspect<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        self.act(|machine, _| look(machine))
    }

    fn act<T>(&self, act: impl FnOnce(&mut M, Instant) -> T) -> T {
        let now = now();
        let mut state = self.lock();
        let mut woken = state.settle(now);
        let acted = act(&mut state.machine, now);
        woken.append(&mut state.settle(now));
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        acted
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        lock(&self.shared)
    }
}

fn lock<M>(shared: &Mutex<State<M>>) -> MutexGuard<'_, State<M>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M> Drop for State<M> {
    fn drop(&mut self) {
        // There is nothing left to drive.
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}

impl<M: Machine> State<M> {
    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.callers.push(Caller::default());
            (self.callers.len() - 1) as u32
        })
    }

    fn release(&mut self, slot: u32) {
        let caller = &mut self.callers[slot as usize];
        caller.serial = caller.serial.wrapping_add(1);
        caller.progress.clear();
        caller.waker = None;
        self.free.push(slot);
    }

    fn caller(&mut self, id: Id) -> Option<&mut Caller> {
        let caller = self.callers.get_mut(id as u32 as usize)?;
        (caller.serial == (id >> 32) as u32).then_some(caller)
    }

    /// Hands out what has happened, and says whom to wake.
    fn settle(&mut self, now: Instant) -> Vec<Waker> {
        let mut woken = Vec::new();
        let mut told = std::mem::take(&mut self.told);
        self.machine.advance(now, &mut told);
        for (id, progress) in told.drain(..) {
            if let Some(caller) = self.caller(id) {
                caller.progress.push_back(progress);
                woken.extend(caller.waker.take());
            }
        }
        self.told = told;
        let due = self.machine.due();
        let is_sooner = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if is_sooner {
            woken.extend(self.driver.take());
        }
        woken
    }
}

/// Looks at the machine whenever something happens in it.
async fn drive<M: Machine>(shared: Weak<Mutex<State<M>>>) {
    let mut sleep: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            let Some(shared) = shared.upgrade() else { return Poll::Ready(()) };
            let mut state = lock(&shared);
            state.driver = None;
            let woken = state.settle(now());
            state.armed = state.machine.due();
            state.driver = Some(cx.waker().clone());
            let due = state.armed;
            drop(state);
            drop(shared);
            woken.into_iter().for_each(Waker::wake);
            let Some(due) = due else { return Poll::Pending };
            let sleep = match &mut sleep {
                Some(sleep) => {
                    sleep.as_mut().reset(due.into());
                    sleep
                }
                None => sleep.insert(Box::pin(sleep_until(due.into()))),
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// A call that the provider has taken. Dropped before its end, its caller has left.
#[must_use = "a call that is dropped is given up"]
pub struct Place<M: Machine> {
    capacity: Capacity<M>,
    id: Id,
    is_over: bool,
}

impl<M: Machine> Place<M> {
    /// What happens next. Pending for ever after the end.
    ///
    /// # Panics
    ///
    /// When it has to wait outside of a runtime of tokio.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let mut state = self.capacity.lock();
        let Some(caller) = state.caller(self.id) else { return Poll::Pending };
        let Some(progress) = caller.progress.pop_front() else {
            caller.waker = Some(cx.waker().clone());
            if state.task.as_ref().is_none_or(JoinHandle::is_finished) {
                (state.armed, state.driver) = (None, None);
                let shared = Arc::downgrade(&self.capacity.shared);
                state.task = Some(tokio::spawn(drive(shared)));
            }
            return Poll::Pending;
        };
        self.is_over |= !matches!(progress, Progress::First);
        Poll::Ready(progress)
    }

    /// What happens next.
    pub async fn next(&mut self) -> Progress {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Who answers.
    pub fn capacity(&self) -> &Capacity<M> {
        &self.capacity
    }
}

impl<M: Machine> Drop for Place<M> {
    fn drop(&mut self) {
        let id = self.id;
        if !self.is_over {
            // Before its number is given to somebody else.
            self.capacity.act(|machine, now| machine.leave(id, now));
        }
        self.capacity.lock().release(id as u32);
    }
}

impl<M> Clone for Capacity<M> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<M> fmt::Debug for Capacity<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capacity").finish_non_exhaustive()
    }
}

impl<M: Machine> fmt::Debug for Place<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("id", &self.id).finish_non_exhaustive()
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
