//! One run: a provider, those who call it, and what goes wrong.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use battlement_core::random::Seeded;
use battlement_sim::capacity::{Capacity, Job};
use tokio::{
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    load::{Arrival, ITEMS, Kind, Load, People, STEP, STEPS, arrivals},
    log::{Attempt, Call, Ending, Log},
    policy::{Client, Policy, Shared, derived},
    service::{Asked, Provider},
    trigger::Trigger,
    world::{Sizes, World},
};

/// How many processes call, each with a state of its own.
pub const PROCESSES: usize = 20;

/// For how long an answer is of use, to those who have time.
pub(crate) const PATIENT: Duration = Duration::from_secs(180);
/// And to those who have not.
pub(crate) const HURRIED: Duration = Duration::from_secs(60);

/// One run. The same again gives the same, to the last bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experiment {
    /// Who is called.
    pub world: World,
    /// How often.
    pub load: Load,
    /// What goes wrong.
    pub trigger: Trigger,
    /// What the callers do then.
    pub policy: Policy,
    /// What chance is drawn from.
    pub seed: u64,
    /// When what happens.
    pub timing: Timing,
    /// For how long an answer is of use.
    pub deadline: Duration,
    /// How different the calls are: the spread of their work as a part of its mean.
    pub spread: f64,
}

/// When what happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From when on it is measured.
    pub warm: Duration,
    /// When something goes wrong.
    pub wrong: Duration,
    /// Until when calls are made.
    pub horizon: Duration,
}

impl Timing {
    /// Trouble after five minutes, and half an hour to get over it.
    pub const USUAL: Self = Self {
        warm: Duration::from_secs(120),
        wrong: Duration::from_secs(300),
        horizon: Duration::from_secs(2_100),
    };

    /// Room for the steps of [`Load::UpAndDown`].
    pub const STEPS: Self =
        Self { horizon: Duration::from_secs(STEP.as_secs() * STEPS.len() as u64), ..Self::USUAL };

    /// When it is over.
    pub fn right(&self, trigger: Trigger) -> Duration {
        self.wrong + trigger.lasts()
    }

    pub(crate) fn is_wrong(&self, trigger: Trigger, at: Duration) -> bool {
        (self.wrong..self.right(trigger)).contains(&at)
    }
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it was.
    pub experiment: Experiment,
    /// Every call, as they were made.
    pub calls: Vec<Call>,
    /// Every attempt that reached the provider, as they did.
    pub attempts: Vec<Attempt>,
    /// What the provider was paid in all, in its own unit.
    pub spent: f64,
}

impl Experiment {
    /// An open load with the usual times.
    pub fn new(world: World, load: f64, trigger: Trigger, policy: Policy, seed: u64) -> Self {
        let (load, timing) = (Load::Open(load), Timing::USUAL);
        let deadline = PATIENT;
        Self { world, load, trigger, policy, seed, timing, deadline, spread: 1.0 }
    }

    /// Does it.
    pub fn run(&self) -> Run {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the system");
        LocalSet::new().block_on(&runtime, self.walk())
    }

    async fn walk(&self) -> Run {
        let Self { world, load, trigger, policy, seed, timing, deadline, spread } = *self;
        let log = Arc::new(Log::new());
        let capacity = Capacity::start(world.machine(derived(seed, 10)));
        let provider = Provider::new(capacity.clone(), log.clone());
        let shared = (policy == Policy::OursLimited).then(|| Shared::of(world)).flatten();
        let client = move |number: usize| {
            let seed = derived(seed, 100 + number as u64);
            Rc::new(Client::new(policy, provider.clone(), shared.as_ref(), seed))
        };
        let clients: Vec<_> = (0..PROCESSES).map(&client).collect();
        let stage = Rc::new(Stage {
            world,
            log: log.clone(),
            clients: RefCell::new(clients),
            deadline,
            sizes: Sizes::new(spread),
            start: Instant::now(),
            horizon: Instant::now() + timing.horizon,
            items: AtomicUsize::new(ITEMS),
        });
        let others = {
            let (stage, capacity) = (stage.clone(), capacity.clone());
            spawn_local(async move {
                sleep_until(stage.start + timing.wrong).await;
                if trigger == Trigger::Restart {
                    let half = (0..PROCESSES / 2).map(|number| client(PROCESSES + number));
                    let half: Vec<_> = half.collect();
                    stage.clients.borrow_mut().splice(0..PROCESSES / 2, half);
                }
                if let Some((wrong, right)) = trigger.changes() {
                    capacity.change(wrong);
                    sleep(trigger.lasts()).await;
                    capacity.change(right);
                }
            })
        };
        match load.people(world) {
            None => {
                let calls = arrivals(load, world, trigger, timing, &stage.sizes, seed);
                come(&stage, calls).await;
            }
            Some(people) => stay(&stage, people, seed).await,
        }
        drop(others);
        // Until the last of them is over.
        sleep(deadline + Duration::from_secs(1)).await;
        let spent = capacity.inspect(|machine| machine.spent());
        let entries = log.take();
        Run { experiment: *self, calls: entries.calls, attempts: entries.attempts, spent }
    }
}

/// What all tasks of a run share.
struct Stage {
    world: World,
    log: Arc<Log>,
    clients: RefCell<Vec<Rc<Client>>>,
    deadline: Duration,
    sizes: Sizes,
    start: Instant,
    horizon: Instant,
    items: AtomicUsize,
}

impl Stage {
    /// Makes a call and waits for its end.
    async fn call(&self, process: usize, job: Job, kind: Kind) -> Ending {
        let call = self.log.begin(process);
        let client = self.clients.borrow()[process].clone();
        let asked = Asked { call, job, stream: self.world.streams() };
        let ending = client.call(asked, kind, self.deadline).await;
        self.log.end(call, ending);
        ending
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.horizon
    }
}

/// Calls that come by themselves.
async fn come(stage: &Rc<Stage>, calls: Vec<Arrival>) {
    for Arrival { at, process, job } in calls {
        sleep_until(stage.start + at).await;
        let stage = stage.clone();
        spawn_local(async move { stage.call(process, job, Kind::Person).await });
    }
    sleep_until(stage.horizon).await;
}

/// Calls of those who are there all the time.
async fn stay(stage: &Rc<Stage>, people: People, seed: u64) {
    for person in 0..people.count {
        let stage = stage.clone();
        let mut random = Seeded(derived(seed, 1_000 + person as u64));
        spawn_local(async move {
            let process = person % PROCESSES;
            // Not all in the same instant.
            let wait = battlement_core::random::Random::unit(&mut random);
            sleep(people.pause.mul_f64(wait)).await;
            while !stage.is_over() {
                match people.kind {
                    Kind::Agent => chain(&stage, process, &mut random).await,
                    Kind::Batch if !take(&stage.items) => return,
                    Kind::Batch => item(&stage, process, &mut random).await,
                    Kind::Person => {
                        let job = stage.world.draw(&stage.sizes, &mut random);
                        stage.call(process, job, people.kind).await;
                    }
                }
                // A turn for the others, also if there is no pause.
                sleep(people.pause.max(Duration::from_millis(1))).await;
            }
        });
    }
    sleep_until(stage.horizon).await;
}

fn take(items: &AtomicUsize) -> bool {
    items.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// An item of a backlog, taken up again until it is done: after a second, and after twice as long each time,
/// as job queues do.
async fn item(stage: &Stage, process: usize, random: &mut Seeded) {
    let job = stage.world.draw(&stage.sizes, random);
    let mut pause = Duration::from_secs(1);
    while stage.call(process, job, Kind::Batch).await != Ending::Answered && !stage.is_over() {
        // Not all in the same instant.
        sleep(pause.mul_f64(0.5 + battlement_core::random::Random::unit(random))).await;
        pause = (pause * 2).min(Duration::from_secs(60));
    }
}

/// Ten steps, each of which is tried three times.
async fn chain(stage: &Stage, process: usize, random: &mut Seeded) {
    for _step in 0..10 {
        let job = stage.world.draw(&stage.sizes, random);
        let mut is_done = false;
        for _attempt in 0..3 {
            is_done = stage.call(process, job, Kind::Agent).await == Ending::Answered;
            if is_done || stage.is_over() {
                break;
            }
        }
        if !is_done {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}
