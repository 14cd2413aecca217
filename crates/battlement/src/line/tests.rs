//! The line against a list and two numbers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use battlement_core::{
    bucket::{self, Bucket, Rate},
    lanes::Lane,
    queue::{self, Tenant, Waiter},
};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::clock::now;

/// So many calls may run.
const PLACES: usize = 3;
/// So many tokens may be spent at once; one comes back in a millisecond.
const BURST: u64 = 10;

/// Places, which are given back, and tokens, which come back with time.
struct Pool {
    places: usize,
    tokens: Bucket,
}

impl Supply for Pool {
    type Config = ();
    type Invalid = ();
    type Ask = u64;
    type Grant = u64;
    type Never = ();

    fn new((): &(), now: Instant) -> Result<Self, ()> {
        let rate = Rate::new(1_000, Duration::from_secs(1)).unwrap().with_burst(BURST).unwrap();
        Ok(Self { places: PLACES, tokens: Bucket::new(rate, now) })
    }

    fn take(&mut self, cost: &u64, now: Instant) -> Result<u64, NotNow<()>> {
        if self.places == 0 {
            return Err(NotNow::Busy);
        }
        match self.tokens.take(*cost, now) {
            Ok(()) => {
                self.places -= 1;
                Ok(*cost)
            }
            Err(bucket::Refused::Until(at)) => Err(NotNow::Until(at)),
            Err(bucket::Refused::TooLarge { .. }) => Err(NotNow::Never(())),
        }
    }

    fn put_back(&mut self, cost: u64, now: Instant) {
        self.places += 1;
        self.tokens.raise(cost, now);
    }

    fn never(&mut self, cost: &u64, _now: Instant) -> Option<()> {
        (*cost > BURST).then_some(())
    }

    fn forecast(&mut self, _now: Instant) -> Option<impl FnMut(&u64) -> Option<Instant>> {
        None::<fn(&u64) -> Option<Instant>>
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A call of this cost that may wait so many milliseconds.
    Arrive(u64, Option<u64>),
    Advance(u64),
    /// One of those that run ends.
    Finish(usize),
    /// Some tokens come back early.
    Refund(u64),
    /// One of those that wait goes away.
    Drop(usize),
    /// Both, and who goes away may just have been let through.
    FinishAndDrop(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let patience = proptest::option::of(0..20u64);
    prop_oneof![
        5 => (1..=BURST + 1, patience).prop_map(|(cost, patience)| Op::Arrive(cost, patience)),
        2 => (1..6u64).prop_map(Op::Advance),
        3 => any::<usize>().prop_map(Op::Finish),
        1 => (1..BURST).prop_map(Op::Refund),
        1 => any::<usize>().prop_map(Op::Drop),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(end, leave)| Op::FinishAndDrop(end, leave)),
    ]
}

/// What should be: whose turn it is, in a list.
#[derive(Debug)]
struct Model {
    now: u64,
    places: usize,
    tokens: u64,
    /// Id, cost and deadline.
    waiting: Vec<(u32, u64, Option<u64>)>,
    running: Vec<u32>,
    late: usize,
}

impl Model {
    fn serve(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|(_, _, deadline)| deadline.is_none_or(|at| at > self.now));
        self.late += before - self.waiting.len();
        while let Some(&(id, cost, _)) = self.waiting.first() {
            if self.places == 0 || self.tokens < cost {
                break;
            }
            self.waiting.remove(0);
            self.places -= 1;
            self.tokens -= cost;
            self.running.push(id);
        }
    }

    fn finish(&mut self, id: u32) {
        self.running.retain(|running| *running != id);
        self.places += 1;
        self.serve();
    }

    fn leave(&mut self, id: u32, cost: u64) {
        self.waiting.retain(|(waiting, ..)| *waiting != id);
        if self.running.contains(&id) {
            self.tokens = BURST.min(self.tokens + cost);
            self.finish(id);
        }
        self.serve();
    }
}

/// Counts how often it was called.
#[derive(Default)]
struct Calls(AtomicU32);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A call that waits, and is polled only when it was called.
struct Sleeper {
    cost: u64,
    waiting: Waiting<Pool>,
    calls: Arc<Calls>,
    seen: u32,
}

struct World {
    line: Arc<Line<Pool>>,
    model: Model,
    sleepers: BTreeMap<u32, Sleeper>,
    running: Vec<u32>,
    late: usize,
    next: u32,
    /// How often somebody was called who still has to wait.
    in_vain: u32,
}

impl World {
    fn new() -> Self {
        let pool = Pool::new(&(), now()).unwrap();
        let line = Arc::new(Line::new(pool, Some(queue::Config::default())).unwrap());
        let model = Model {
            now: 0,
            places: PLACES,
            tokens: BURST,
            waiting: Vec::new(),
            running: Vec::new(),
            late: 0,
        };
        let (sleepers, running) = (BTreeMap::new(), Vec::new());
        Self { line, model, sleepers, running, late: 0, next: 0, in_vain: 0 }
    }

    async fn act(&mut self, op: Op) {
        match op {
            Op::Arrive(cost, patience) => self.arrive(cost, patience),
            Op::Advance(milliseconds) => {
                for _ in 0..milliseconds {
                    tokio::time::advance(Duration::from_millis(1)).await;
                    self.model.now += 1;
                    self.model.tokens = BURST.min(self.model.tokens + 1);
                    self.model.serve();
                    self.poll_called();
                    self.compare();
                }
            }
            Op::Finish(index) => self.finish(index),
            Op::Refund(tokens) => {
                let now = now();
                self.line.change(now, |pool, _| pool.tokens.raise(tokens, now));
                self.model.tokens = BURST.min(self.model.tokens + tokens);
                self.model.serve();
            }
            Op::Drop(index) => self.leave(index),
            Op::FinishAndDrop(end, leave) => {
                self.finish(end);
                self.leave(leave);
            }
        }
        self.poll_called();
        self.compare();
    }

    fn arrive(&mut self, cost: u64, patience: Option<u64>) {
        let deadline = patience.map(|time| now() + Duration::from_millis(time));
        let waiter = Waiter { class: Lane::Interactive, tenant: Tenant::new(0), cost, deadline };
        let entered = self.line.enter(now(), |_| (cost, waiter));
        if cost > BURST {
            assert!(matches!(entered, Err(Missed::Never(()))));
            return;
        }
        let id = self.next;
        self.next += 1;
        self.model.waiting.push((id, cost, None));
        self.model.serve();
        // A call that passes at once is not asked for its deadline.
        if let Some(new) = self.model.waiting.last_mut().filter(|(waiting, ..)| *waiting == id) {
            new.2 = patience.map(|time| self.model.now + time);
            self.model.serve();
        }
        match entered {
            Ok(Entered::Now(_)) => self.running.push(id),
            Ok(Entered::Waits(seat, _)) => {
                let waiting = Waiting::new(self.line.clone(), seat);
                let calls = Arc::new(Calls(AtomicU32::new(1)));
                self.sleepers.insert(id, Sleeper { cost, waiting, calls, seen: 0 });
            }
            Err(_) => self.late += 1,
        }
    }

    fn finish(&mut self, index: usize) {
        if self.running.is_empty() {
            return;
        }
        let id = self.running.remove(index % self.running.len());
        self.line.change(now(), |pool, _| pool.places += 1);
        self.model.finish(id);
    }

    fn leave(&mut self, index: usize) {
        if self.sleepers.is_empty() {
            return;
        }
        let id = *self.sleepers.keys().nth(index % self.sleepers.len()).unwrap();
        let sleeper = self.sleepers.remove(&id).unwrap();
        self.model.leave(id, sleeper.cost);
    }

    fn poll_called(&mut self) {
        loop {
            let called: Vec<u32> = self
                .sleepers
                .iter()
                .filter(|(_, sleeper)| sleeper.calls.0.load(Ordering::Relaxed) > sleeper.seen)
                .map(|(id, _)| *id)
                .collect();
            if called.is_empty() {
                return;
            }
            for id in called {
                let sleeper = self.sleepers.get_mut(&id).unwrap();
                let is_new = sleeper.seen == 0;
                sleeper.seen = sleeper.calls.0.load(Ordering::Relaxed);
                let waker = Waker::from(sleeper.calls.clone());
                match sleeper.waiting.poll(&mut Context::from_waker(&waker)) {
                    Poll::Pending => self.in_vain += u32::from(!is_new),
                    Poll::Ready(end) => {
                        self.sleepers.remove(&id);
                        match end {
                            Ok(_) => self.running.push(id),
                            Err(_) => self.late += 1,
                        }
                    }
                }
            }
        }
    }

    fn compare(&mut self) {
        let waiting: Vec<u32> = self.model.waiting.iter().map(|(id, ..)| *id).collect();
        assert!(self.sleepers.keys().eq(&waiting), "{:?}", self.model);
        self.running.sort_unstable();
        self.model.running.sort_unstable();
        assert_eq!(self.running, self.model.running);
        assert_eq!(self.late, self.model.late);
        let now = now();
        let pool = self.line.inspect(|pool, _| (pool.places, pool.tokens.level(now)));
        assert_eq!(pool, (self.model.places, self.model.tokens as i64));
        assert_eq!(pool.0 + self.running.len(), PLACES);
    }
}

/// Does all that, and looks on after each step.
fn run_and(ops: Vec<Op>, mut look: impl FnMut(&World)) -> World {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut world = World::new();
        for op in ops {
            world.act(op).await;
            look(&world);
        }
        world
    })
}

fn run(ops: Vec<Op>) -> World {
    run_and(ops, |_| ())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Who runs and who waits is what the list says, after every step.
    #[test]
    fn g2_what_is_held_is_what_runs(ops in vec(op(), 1..80)) {
        run(ops);
    }

    #[test]
    fn g1_everything_comes_back(ops in vec(op(), 1..80)) {
        let mut world = run(ops);
        world.sleepers.clear();
        let running = world.running.len();
        world.line.change(now(), |pool, _| pool.places += running);
        let state = world.line.lock();
        assert_eq!((state.supply.places, state.queue.len()), (PLACES, 0));
        assert_eq!(state.seats.len(), state.free.len());
    }

    /// Nobody is polled in these tests who was not called, so nobody is forgotten. In vain is called
    /// only the first in line: when its alarm has to be earlier, and when an alarm was too early.
    #[test]
    fn g8_who_can_pass_is_called_and_hardly_anybody_else(ops in vec(op(), 1..80)) {
        let events = ops.len() as u32;
        let world = run(ops);
        assert!(world.in_vain <= 2 * events, "{} in {events}", world.in_vain);
    }

    /// The same list says so, when hardly anybody stays.
    #[test]
    fn l6_who_leaves_delays_nobody(
        ops in vec(
            prop_oneof![
                4 => (1..=BURST).prop_map(|cost| Op::Arrive(cost, None)),
                2 => any::<usize>().prop_map(Op::Drop),
                2 => (any::<usize>(), any::<usize>()).prop_map(|(end, leave)| Op::FinishAndDrop(end, leave)),
                1 => (1..6u64).prop_map(Op::Advance),
            ],
            1..80,
        ),
    ) {
        run(ops);
    }

    /// Of calls that are patient, none is overtaken, however large it is.
    #[test]
    fn l5_nobody_is_overtaken(costs in vec(1..=BURST, 1..30)) {
        let mut ops: Vec<Op> = costs.iter().map(|cost| Op::Arrive(*cost, None)).collect();
        ops.extend(costs.iter().flat_map(|_| [Op::Finish(0), Op::Advance(BURST)]));
        let mut passed = Vec::new();
        run_and(ops, |world| {
            let is_new = |id: &u32| !passed.contains(id);
            let new: Vec<u32> = world.running.iter().copied().filter(is_new).collect();
            passed.extend(new);
        });
        assert!(passed.is_sorted() && passed.len() == costs.len(), "{passed:?}");
    }
}
