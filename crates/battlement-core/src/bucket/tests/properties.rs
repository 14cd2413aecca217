//! The invariants of the limiter that a bucket owns, against replays from the beginning.

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Pass(u64),
    GoBack(u64),
    Take(u64),
    Charge(u64),
    Reserve(u64),
    ReserveAnyway(u64),
    /// Which open reservation, and its true cost in percent of what was reserved.
    Settle(usize, u64),
    Keep(usize),
    Change(u64, u64),
    Lower(i64),
    Raise(u64),
}

/// What happened, as it is known now.
#[derive(Clone, Copy, Debug)]
enum Event {
    Charge(u64),
    Change(Rate),
    Lower(i64),
    Raise(u64),
}

fn calls(percent: u64) -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..40_000_000_000u64).prop_map(Op::Pass),
        1 => (0..3_000_000_000u64).prop_map(Op::GoBack),
        1 => (0..60u64).prop_map(Op::Take),
        4 => (0..60u64).prop_map(Op::Reserve),
        3 => (any::<usize>(), 0..=percent).prop_map(|(which, percent)| Op::Settle(which, percent)),
        1 => any::<usize>().prop_map(Op::Keep),
    ]
}

fn anything() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => calls(300),
        1 => (0..90u64).prop_map(Op::Charge),
        1 => (1..200u64, 1..200u64).prop_map(|(amount, burst)| Op::Change(amount, burst)),
        1 => (-50..100i64).prop_map(Op::Lower),
        1 => (0..50u64).prop_map(Op::Raise),
    ]
}

/// So that dozens are open at once, whatever the limit.
fn crowd() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..60u64).prop_map(Op::ReserveAnyway),
        5 => anything(),
    ]
}

/// A bucket, and all that ever happened to it.
struct Run {
    bucket: Bucket,
    first: Rate,
    start: Instant,
    now: Instant,
    /// The latest moment at which the bucket was told something.
    latest: Instant,
    events: Vec<(Instant, Event)>,
    /// The reservation, which event it is, and what was reserved.
    open: Vec<(Reservation, usize, u64)>,
}

impl Run {
    fn new(rate: Rate) -> Self {
        let start = start() + Duration::from_secs(1_000_000);
        Self {
            bucket: Bucket::new(rate, start),
            first: rate,
            start,
            now: start,
            latest: start,
            events: Vec::new(),
            open: Vec::new(),
        }
    }

    fn note(&mut self, event: Event) {
        self.latest = self.latest.max(self.now);
        self.events.push((self.latest, event));
    }

    fn step(&mut self, op: Op) {
        let now = self.now;
        match op {
            Op::Pass(nanoseconds) => self.now += Duration::from_nanos(nanoseconds),
            Op::GoBack(nanoseconds) => self.now -= Duration::from_nanos(nanoseconds),
            Op::Take(cost) => {
                if self.bucket.take(cost, now).is_ok() {
                    self.note(Event::Charge(cost));
                }
            }
            Op::Charge(cost) => {
                self.bucket.charge(cost, now);
                self.note(Event::Charge(cost));
            }
            Op::Reserve(cost) => {
                if let Ok(reservation) = self.bucket.reserve(cost, now) {
                    self.open.push((reservation, self.events.len(), cost));
                    self.note(Event::Charge(cost));
                }
            }
            Op::ReserveAnyway(cost) => {
                let reservation = self.bucket.reserve_anyway(cost, now);
                self.open.push((reservation, self.events.len(), cost));
                self.note(Event::Charge(cost));
            }
            Op::Settle(which, percent) if !self.open.is_empty() => {
                let (reservation, event, reserved) = self.open.swap_remove(which % self.open.len());
                let cost = reserved * percent / 100;
                self.bucket.settle(reservation, cost, now);
                self.latest = self.latest.max(now);
                self.events[event].1 = Event::Charge(cost);
            }
            Op::Keep(which) if !self.open.is_empty() => {
                let (reservation, ..) = self.open.swap_remove(which % self.open.len());
                self.bucket.keep(reservation, now);
                self.latest = self.latest.max(now);
            }
            Op::Settle(..) | Op::Keep(_) => {}
            Op::Change(amount, burst) => {
                self.bucket.change(amount, burst, now).unwrap();
                self.note(Event::Change(self.bucket.rate()));
            }
            Op::Lower(level) => {
                self.bucket.lower(level, now);
                self.note(Event::Lower(level));
            }
            Op::Raise(tokens) => {
                self.bucket.raise(tokens, now);
                self.note(Event::Raise(tokens));
            }
        }
    }

    /// The credits that would be there, had every cost been known from the beginning.
    fn replay(&self) -> i128 {
        let mut rate = self.first;
        let token = rate.period().as_nanos() as i128;
        let mut level = token * i128::from(rate.burst());
        let mut at = self.start;
        let refill = |level: i128, rate: Rate, passed: Duration| {
            let more = passed.as_nanos() as i128 * i128::from(rate.amount());
            (level + more).min(token * i128::from(rate.burst()))
        };
        for (when, event) in &self.events {
            level = refill(level, rate, *when - at);
            at = *when;
            match *event {
                Event::Charge(cost) => level -= token * i128::from(cost),
                Event::Change(new) => {
                    rate = new;
                    level = level.min(token * i128::from(rate.burst()));
                }
                Event::Lower(to) => level = level.min(token * i128::from(to)),
                Event::Raise(by) => {
                    level = (level + token * i128::from(by)).min(token * i128::from(rate.burst()));
                }
            }
        }
        refill(level, rate, self.latest - at)
    }

    /// The most that was charged beyond `burst + rate · T`, of all windows, in credits.
    fn worst_excess(&self) -> i128 {
        let rate = self.first;
        let token = rate.period().as_nanos() as i128;
        let mut worst = i128::MIN;
        for (first, (from, _)) in self.events.iter().enumerate() {
            let mut sum = 0;
            for (when, event) in &self.events[first..] {
                if let Event::Charge(cost) = event {
                    sum += token * i128::from(*cost);
                }
                let brought = (*when - *from).as_nanos() as i128 * i128::from(rate.amount());
                worst = worst.max(sum - token * i128::from(rate.burst()) - brought);
            }
        }
        worst
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    (1..200u64, 1..120u64, 1..100u64)
        .prop_map(|(amount, seconds, burst)| rate(amount, seconds).with_burst(burst).unwrap())
}

proptest! {
    #[test]
    fn l1_no_window_passes_more_than_burst_and_rate(
        rate in rates(),
        ops in vec(calls(100), 1..120),
    ) {
        let mut run = Run::new(rate);
        for op in ops {
            run.step(op);
            // Whatever is charged at this moment, open reservations included.
            prop_assert!(run.worst_excess() <= 0);
        }
    }

    #[test]
    fn l2_settled_costs_count_as_if_known_from_the_beginning(
        rate in rates(),
        ops in vec(anything(), 1..200),
    ) {
        let mut run = Run::new(rate);
        for op in ops {
            run.step(op);
            prop_assert_eq!(run.bucket.tank.credits(passed(run.bucket.at, run.latest)), run.replay());
            prop_assert_eq!(run.bucket.open(), run.open.len());
        }
    }

    #[test]
    fn settled_costs_count_so_in_a_crowd_too(rate in rates(), ops in vec(crowd(), 50..200)) {
        let mut run = Run::new(rate);
        for op in ops {
            run.step(op);
            prop_assert_eq!(run.bucket.tank.credits(passed(run.bucket.at, run.latest)), run.replay());
        }
    }

    #[test]
    fn l3_what_is_spent_is_missing(
        rate in rates(),
        ops in vec(calls(300), 1..120),
    ) {
        // No time passes, so nothing comes back and every token must be accounted for.
        let mut run = Run::new(rate);
        for op in ops {
            if !matches!(op, Op::Pass(_) | Op::GoBack(_)) {
                run.step(op);
            }
            let spent: i128 = run
                .events
                .iter()
                .map(|(_, event)| if let Event::Charge(cost) = event { i128::from(*cost) } else { 0 })
                .sum();
            let level = i128::from(run.bucket.level(run.now));
            prop_assert_eq!(level, i128::from(rate.burst()) - spent);
        }
    }

    #[test]
    fn l10_nothing_is_rounded(
        amount in 1..10_000_000_000u64,
        hours in 1..1000u64,
        gaps in vec(1..100_000_000_000u64, 1..50),
    ) {
        // However the hours are cut to pieces, they bring what the rate says.
        let start = start();
        let minute = Duration::from_secs(60);
        let rate = Rate::new(amount, minute).unwrap().with_burst(MAX_AMOUNT).unwrap();
        let mut bucket = Bucket::new(rate, start);
        bucket.charge(MAX_AMOUNT, start);
        let end = start + Duration::from_secs(hours * 3600);
        let mut now = start;
        for gap in gaps {
            now = (now + Duration::from_nanos(gap)).min(end);
            bucket.charge(0, now);
        }
        bucket.charge(0, end);
        prop_assert_eq!(i128::from(bucket.level(end)), i128::from(amount) * i128::from(hours) * 60);
    }

    #[test]
    fn memory_follows_what_is_open_not_how_long(settled in 1..2000usize) {
        // One call hangs while thousands come and go.
        let start = start();
        let mut bucket = Bucket::new(rate(10, 1), start);
        let hanging = bucket.reserve_anyway(1, start);
        for second in 0..settled as u64 {
            let now = start + Duration::from_secs(second);
            let reservation = bucket.reserve_anyway(3, now);
            bucket.settle(reservation, 2, now);
        }
        prop_assert!((1..=16).contains(&bucket.tank.size()));
        bucket.settle(hanging, 1, start);
        prop_assert_eq!(bucket.open(), 0);
    }
}
