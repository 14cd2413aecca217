//! The invariants of the queue, and those of the limiter that a queue owns.

use proptest::{collection::vec, prelude::*, sample};

use super::*;
use crate::{
    Provider,
    ledger::{self, Estimate, Ledger, Limit, Meter},
};

const LARGEST: u64 = 100;

fn class() -> impl Strategy<Value = Lane> {
    sample::select(Lane::ALL.to_vec())
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(Lane, u64, u64, Option<u64>),
    Pop,
    Remove(usize),
    Charge(Lane, u64, i64),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (class(), 0..6u64, 1..LARGEST, proptest::option::of(0..20u64))
            .prop_map(|(class, tenant, cost, deadline)| Op::Push(class, tenant, cost, deadline)),
        2 => Just(Op::Pop),
        1 => any::<usize>().prop_map(Op::Remove),
        1 => (class(), 0..6u64, -50..50i64)
            .prop_map(|(class, tenant, tokens)| Op::Charge(class, tenant, tokens)),
        1 => (0..5u64).prop_map(Op::Pass),
    ]
}

proptest! {
    #[test]
    fn q1_tenants_who_wait_are_served_alike(
        weights in vec(1..5u16, 2..6),
        costs in vec(1..=LARGEST, 1..300),
    ) {
        let now = start();
        let mut queue = Queue::new(Config::default()).unwrap();
        let mut costs = costs.into_iter().cycle();
        let mut push = |queue: &mut Queue<_>, index: usize| {
            let cost = costs.next().unwrap_or(1);
            let weight = NonZeroU16::new(weights[index]).unwrap();
            let tenant = Tenant { id: index as u64, weight };
            let waiter = Waiter { tenant, ..waiter(Lane::Deferred, 0, cost) };
            let _place = queue.push(waiter, (index, cost), now).unwrap();
        };
        for index in 0..weights.len() {
            push(&mut queue, index);
            push(&mut queue, index);
        }
        let mut served = vec![0.0; weights.len()];
        let least = f64::from(*weights.iter().min().unwrap());
        for _ in 0..300 {
            let (index, cost) = queue.pop(now, |_| ()).unwrap();
            served[index] += cost as f64 / f64::from(weights[index]);
            push(&mut queue, index);
            let most = served.iter().copied().fold(f64::MIN, f64::max);
            let few = served.iter().copied().fold(f64::MAX, f64::min);
            prop_assert!(most - few <= 2.0 * LARGEST as f64 / least + 0.01);
        }
    }

    #[test]
    fn q2_every_class_that_waits_gets_its_share(
        shares in [0..34u8, 0..34u8, 0..33u8],
        costs in vec(1..=LARGEST, 1..300),
    ) {
        let now = start();
        let mut queue = Queue::new(Config { shares, ..Config::default() }).unwrap();
        let mut costs = costs.into_iter().cycle();
        let mut push = |queue: &mut Queue<_>, class: Lane| {
            let cost = costs.next().unwrap_or(1);
            let _place = queue.push(waiter(class, 1, cost), (class, cost), now).unwrap();
        };
        for class in Lane::ALL {
            push(&mut queue, class);
            push(&mut queue, class);
        }
        let mut served = [0; 3];
        for _ in 0..300 {
            let (class, cost) = queue.pop(now, |_| ()).unwrap();
            served[class as usize] += cost;
            push(&mut queue, class);
            let all: u64 = served.iter().sum();
            for (served, share) in served.into_iter().zip(shares) {
                // Short by no more than a call of each class.
                prop_assert!(100 * served + 300 * LARGEST >= all * u64::from(share));
            }
        }
    }

    #[test]
    fn q3_time_away_is_no_credit(
        before in vec(1..=LARGEST, 1..100),
        costs in vec(1..=LARGEST, 2..200),
    ) {
        let now = start();
        let mut queue = Queue::new(Config::default()).unwrap();
        let push = |queue: &mut Queue<_>, tenant, cost| {
            let _place =
                queue.push(waiter(Lane::Batch, tenant, cost), (tenant, cost), now).unwrap();
        };
        push(&mut queue, 2, 1);
        queue.pop(now, |_| ());
        for cost in before {
            push(&mut queue, 1, cost);
            push(&mut queue, 1, cost);
            queue.pop(now, |_| ());
        }
        // Tenant 2 comes back. From here on, both are served alike.
        let mut served = [0i64; 2];
        for cost in costs {
            push(&mut queue, 1, cost);
            push(&mut queue, 2, cost);
            let (tenant, cost) = queue.pop(now, |_| ()).unwrap();
            served[tenant as usize - 1] += cost as i64;
            prop_assert!((served[0] - served[1]).unsigned_abs() <= 2 * LARGEST);
        }
    }

    #[test]
    fn q4_memory_is_bounded(ops in vec(op(), 1..300)) {
        let mut now = start();
        let config =
            Config { most_waiting: 10, most_of_tenant: 4, most_idle: 3, ..Config::default() };
        let mut queue = Queue::new(config).unwrap();
        let mut places = Vec::new();
        let mut count = 0;
        for op in ops {
            match op {
                Op::Push(class, tenant, cost, deadline) => {
                    let deadline = deadline.map(|seconds| now + Duration::from_secs(seconds));
                    let waiter = Waiter { deadline, ..waiter(class, tenant, cost) };
                    match queue.push(waiter, deadline, now) {
                        Ok(place) => {
                            places.push(place);
                            count += 1;
                        }
                        Err(rejected) => match rejected.reason {
                            Reason::Full { waiting } => prop_assert_eq!(waiting, 10),
                            Reason::TenantFull { waiting } => prop_assert_eq!(waiting, 4),
                            reason => prop_assert_eq!(reason, Reason::TooLate { turn: now }),
                        },
                    }
                }
                Op::Pop => {
                    let mut expired = 0;
                    let passed = queue.pop(now, |_| expired += 1);
                    count -= expired + usize::from(passed.is_some());
                }
                Op::Remove(which) if !places.is_empty() => {
                    let place = places.swap_remove(which % places.len());
                    count -= usize::from(queue.remove(place).is_some());
                }
                Op::Remove(_) => {}
                Op::Charge(class, tenant, tokens) => {
                    queue.charge(class, Tenant::new(tenant), tokens);
                }
                Op::Pass(seconds) => now += Duration::from_secs(seconds),
            }
            prop_assert_eq!(queue.len(), count);
            let waiting = queue.waiters.iter().filter(|slot| slot.item.is_some());
            prop_assert_eq!(queue.cost(), waiting.map(|slot| slot.cost).sum::<u64>());
            prop_assert!(count <= 10 && queue.waiters.len() <= 10);
            // Those who wait, those who are remembered, and one on the way between.
            prop_assert!(queue.lanes.iter().all(|lane| lane.accounts.len() <= 10 + 3 + 1));
        }
    }

    #[test]
    fn q5_nobody_passes_after_its_deadline(
        calls in vec((class(), 0..4u64, 1..100u64), 1..60),
        gaps in vec(0..20u64, 60),
    ) {
        let start = start();
        let mut queue = Queue::new(Config::default()).unwrap();
        let mut waiting = calls.len();
        for (class, tenant, seconds) in calls {
            let deadline = start + Duration::from_secs(seconds);
            let waiter = Waiter { deadline: Some(deadline), ..waiter(class, tenant, 1) };
            let _place = queue.push(waiter, deadline, start).unwrap();
        }
        let mut now = start;
        for gap in gaps {
            now += Duration::from_secs(gap);
            let mut expired = Vec::new();
            let passed = queue.pop(now, |deadline| expired.push(deadline));
            prop_assert!(expired.iter().all(|deadline| *deadline <= now));
            prop_assert!(passed.is_none_or(|deadline| deadline > now));
            waiting -= expired.len() + usize::from(passed.is_some());
            prop_assert_eq!(queue.len(), waiting);
        }
    }

    #[test]
    fn the_line_is_the_order_in_which_calls_pass(ops in vec(op(), 1..200)) {
        let now = start();
        let mut queue = Queue::new(Config::default()).unwrap();
        let mut places = Vec::new();
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Push(class, tenant, cost, _) => {
                    places.push(queue.push(waiter(class, tenant, cost), number, now).unwrap());
                }
                Op::Pop => {
                    queue.pop(now, |_| ());
                }
                Op::Remove(which) if !places.is_empty() => {
                    queue.remove(places.swap_remove(which % places.len()));
                }
                Op::Charge(class, tenant, tokens) => {
                    queue.charge(class, Tenant::new(tenant), tokens);
                }
                Op::Remove(_) | Op::Pass(_) => {}
            }
        }
        let line: Vec<usize> = queue.line().copied().collect();
        let passed: Vec<usize> = std::iter::from_fn(|| queue.pop(now, |_| ())).collect();
        prop_assert_eq!(line, passed);
    }

    #[test]
    fn l5_who_comes_first_passes_first_and_when_it_was_told(
        calls in vec((1..=LARGEST, 0..30u64), 1..60),
    ) {
        let start = start();
        let limits = vec![Limit::per_second(Meter::Input, LARGEST)];
        let config = ledger::Config::new(Provider::Generic, limits);
        let mut ledger = Ledger::new(config, start).unwrap();
        let mut queue = Queue::new(Config::default()).unwrap();
        let call = |cost| Estimate { input: cost, ..Estimate::default() };
        let rate = |cost: u64| Duration::from_secs(cost) / LARGEST as u32;
        let (mut now, mut ahead, mut passed) = (start, 0, 0);
        for (number, (cost, gap)) in calls.iter().copied().enumerate() {
            let until = now + Duration::from_millis(gap * 20);
            // Whoever can pass meanwhile does, at the very moment.
            while let Some(&(next, cost, turn)) = queue.next(now, |_| ()) {
                if let Err(ledger::Refused::Wait { until: at, .. }) = ledger.check(&call(cost), now) {
                    if at > until {
                        break;
                    }
                    now = at;
                }
                prop_assert_eq!((next, turn), (passed, Some(now)));
                let _open = ledger.reserve(&call(cost), now).unwrap();
                queue.pop(now, |_| ());
                (passed, ahead) = (passed + 1, ahead - cost);
            }
            now = until;
            // The new one is told when its turn comes.
            let waiter = waiter(Lane::Interactive, 1, cost);
            let mut forecast = ledger.forecast(now);
            let mut told = None;
            let place = queue.push_by(waiter, (number, cost, None), now, |(_, cost, turn)| {
                told = forecast.next(&call(*cost));
                assert!(turn.is_none() || *turn == told);
                told
            });
            let (place, turn) = place.unwrap();
            prop_assert_eq!(Some(turn), told);
            queue.waiters[place.slot as usize].item = Some((number, cost, told));
            ahead += cost;
            prop_assert!(turn - now <= rate(ahead) + Duration::from_nanos(1));
        }
    }

    #[test]
    fn l6_who_leaves_delays_nobody(
        costs in vec((class(), 1..=LARGEST), 1..60),
        leaving in vec(any::<usize>(), 1..30),
    ) {
        // With a tenant per class; between tenants, fairness may bring another's turn forward.
        let now = start();
        let mut queue = Queue::new(Config { shares: [0; 3], ..Config::default() }).unwrap();
        let mut places: Vec<_> = costs.iter().enumerate().map(|(number, (class, cost))| {
            (number, queue.push(waiter(*class, 1, *cost), number, now).unwrap())
        }).collect();
        for which in leaving {
            if places.is_empty() {
                break;
            }
            let before: Vec<usize> = queue.line().copied().collect();
            let (number, place) = places.swap_remove(which % places.len());
            let removed = queue.remove(place).unwrap();
            prop_assert_eq!(removed, Removed { item: number, was_next: before[0] == number });
            let after: Vec<usize> = queue.line().copied().collect();
            let expected: Vec<usize> =
                before.into_iter().filter(|other| *other != number).collect();
            prop_assert_eq!(&after, &expected);
            prop_assert_eq!(queue.next(now, |_| ()), expected.first());
        }
    }

    #[test]
    fn a_heap_yields_what_a_sorted_list_would(
        ops in vec((0..12u32, proptest::option::of(0..20u128)), 1..200),
    ) {
        let mut heap = heap::Heap::default();
        let mut list: Vec<(u32, u128)> = Vec::new();
        for (item, key) in ops {
            match key {
                Some(key) => {
                    heap.set(item, key);
                    match list.iter_mut().find(|(other, _)| *other == item) {
                        Some(entry) => entry.1 = key,
                        None => list.push((item, key)),
                    }
                }
                None => {
                    prop_assert_eq!(heap.remove(item), list.iter().any(|(other, _)| *other == item));
                    list.retain(|(other, _)| *other != item);
                }
            }
            // Of equal keys, who came first; `min_by_key` takes the first.
            let first = list.iter().min_by_key(|(_, key)| *key).map(|(item, key)| (*key, *item));
            prop_assert_eq!(heap.first(), first);
        }
    }
}
