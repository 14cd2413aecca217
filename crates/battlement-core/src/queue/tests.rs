mod properties;

use std::{num::NonZeroU16, time::Duration};

use super::*;

#[expect(clippy::disallowed_methods, reason = "tests count from some moment, whichever it is")]
fn start() -> Instant {
    Instant::now()
}

fn waiter(class: Lane, tenant: u64, cost: u64) -> Waiter {
    Waiter { class, tenant: Tenant::new(tenant), cost, deadline: None }
}

/// Walks a queue whose classes are sure of 0, 20 and 5 percent through a script:
///
/// - `i1:50` an interactive call of tenant 1 with a cost of 50 comes, `d` deferred, `b` batch; calls
///   are named `a`, `b`, `c` … in the order they come
/// - `p` the next one passes, `-x` call x leaves
/// - `+1:50` interactive tenant 1 is charged 50 more
///
/// and expects the names of those who pass, in order; the rest passes at the end.
fn check(script: &str, expected: &str) {
    let now = start();
    let mut queue = Queue::new(Config::default()).unwrap();
    let mut places = Vec::new();
    let mut passed = String::new();
    for step in script.split(' ') {
        let (kind, rest) = step.split_at(1);
        let (tenant, cost) = rest.split_once(':').unwrap_or((rest, "1"));
        let class = match kind {
            "i" => Lane::Interactive,
            "d" => Lane::Deferred,
            "b" => Lane::Batch,
            "p" => {
                passed.extend(queue.pop(now, |_| ()));
                continue;
            }
            "-" => {
                let index = usize::from(rest.as_bytes()[0] - b'a');
                let place: Option<Place> = std::mem::take(&mut places[index]);
                queue.remove(place.unwrap()).unwrap();
                continue;
            }
            "+" => {
                let tenant = Tenant::new(tenant.parse().unwrap());
                queue.charge(Lane::Interactive, tenant, cost.parse().unwrap());
                continue;
            }
            _ => panic!("no such step: {step}"),
        };
        let waiter = waiter(class, tenant.parse().unwrap(), cost.parse().unwrap());
        let name = char::from(b'a' + places.len() as u8);
        places.push(Some(queue.push(waiter, name, now).unwrap()));
    }
    while let Some(name) = queue.pop(now, |_| ()) {
        passed.push(name);
    }
    assert_eq!(passed, expected, "{script}");
    assert_eq!(queue.len(), 0);
}

#[test]
fn first_come_first_served() {
    check("i1 i1 i1", "abc");
    check("i1:900 i1:1 i1:1", "abc");
    check("i1 i1 i1 -b", "ac");
    check("i1 i1 i1 -a i1 -c", "bd");
}

#[test]
fn the_urgent_goes_first_but_everyone_gets_a_share() {
    check("b1 d1 i1", "cba");
    // A fifth of what passes is owed to the deferred call after five urgent ones.
    check("d1 i1 i1 i1 i1 i1 i1 i1", "bcdefagh");
    check("d1:2 i1 i1 i1 i1 i1 i1 i1 i1 i1 i1 i1", "bcdefghijkal");
    // Nothing is owed to a class that does not wait.
    check("i1 i1 i1 i1 i1 i1 p p p p p p d1 i1", "abcdefhg");
    // Nor to one that left and came back; but to one in which somebody else still waits.
    check("d1 i1 i1 i1 i1 i1 i1 i1 i1 i1 i1 p p p p -a d1", "bcdefghijlk");
    check("d1 d2 i1 i1 i1 i1 i1 i1 i1 p p p p -a", "cdefgbhi");
}

#[test]
fn of_two_that_are_owed_a_call_the_one_that_is_owed_more_goes_first() {
    // After the first call 20 are owed to the deferred one, and 5 to the batch.
    check("i1:100 i1:100 d1:19 b1:1", "adcb");
    check("i1:100 i1:100 d1:16 b1:2", "acdb");
    // Of equals, the more urgent.
    check("i1:100 i1:100 d1:19 b1:4", "acdb");
}

#[test]
fn tenants_are_served_in_turn_by_what_they_cost() {
    check("i1 i1 i1 i2 i2 i2", "adbecf");
    check("i1:4 i1:4 i2 i2 i2 i2 i2 i2", "acdefbgh");
}

#[test]
fn who_comes_back_has_no_credit_and_who_leaves_no_gain() {
    // Tenant 2 comes when 1 was served thrice; they take turns from there.
    check("i1 i1 i1 i1 i1 p p p i2 i2 i2", "abcdfegh");
    // Tenant 1 leaves after a large call; the others catch up before it is served again.
    check("i1:3 i2 i2 i2 i2 i2 p i1", "abcdegf");
}

#[test]
fn what_was_not_expected_is_charged_and_paid_back() {
    check("i1 i1 i2 i2 +1:9", "cdab");
    check("i1 i1 i2:2 i2:2 p p +2:-2", "acdb");
    // What passed without waiting counts, too.
    check("+1:5 i2 i2 i2 i1", "abcd");
    check("+1:5 +1:-5 i2 i2 i2 i1", "adbc");
}

#[test]
fn tenants_who_come_and_go_are_forgotten_in_time() {
    let now = start();
    let mut queue = Queue::new(Config { most_idle: 10, ..Config::default() }).unwrap();
    let come_and_go = |queue: &mut Queue<_>, tenant| {
        let _place = queue.push(waiter(Lane::Batch, tenant, 1), (), now).unwrap();
        queue.pop(now, |_| ());
        assert!(queue.is_empty());
    };
    for tenant in 0..100 {
        queue.charge(Lane::Batch, Tenant::new(tenant), 50);
        come_and_go(&mut queue, 1000 + tenant);
        come_and_go(&mut queue, 1);
        assert!(queue.lanes[2].accounts.len() <= 12);
    }
}

#[test]
fn who_was_served_much_is_remembered_however_many_come_and_go() {
    let now = start();
    let mut queue = Queue::new(Config { most_idle: 2, ..Config::default() }).unwrap();
    // One more than are remembered: of those, the one that was served least is forgotten.
    for (tenant, tokens) in [(1, 1000), (4, 900), (5, 800)] {
        queue.charge(Lane::Batch, Tenant::new(tenant), tokens);
    }
    for _ in 0..100 {
        let _place = queue.push(waiter(Lane::Batch, 2, 1), 'a', now).unwrap();
        queue.pop(now, |_| ());
        // And however often it comes itself, and leaves.
        let place = queue.push(waiter(Lane::Batch, 1, 1), 'a', now).unwrap();
        assert!(queue.remove(place).is_some());
    }
    for (tenant, name) in [(3, 'b'), (3, 'c'), (1, 'd')] {
        let _place = queue.push(waiter(Lane::Batch, tenant, 1), name, now).unwrap();
    }
    assert!(!queue.is_empty());
    assert_eq!(queue.line().collect::<String>(), "bcd");
}

#[test]
fn weights_are_shares_of_a_tenant() {
    let now = start();
    let mut queue = Queue::new(Config::default()).unwrap();
    for _ in 0..40 {
        for weight in [1, 3] {
            let tenant = Tenant { id: weight.into(), weight: NonZeroU16::new(weight).unwrap() };
            let waiter = Waiter { tenant, ..waiter(Lane::Batch, 0, 10) };
            let _place = queue.push(waiter, weight, now).unwrap();
        }
    }
    let first: Vec<u16> = queue.line().copied().take(40).collect();
    assert_eq!(first.iter().filter(|weight| **weight == 3).count(), 30);
}

#[test]
fn rejections_are_typed_and_give_back_what_was_to_wait() {
    let now = start();
    let config = Config { most_waiting: 3, most_of_tenant: 2, ..Config::default() };
    let mut queue = Queue::new(config).unwrap();
    let call = |tenant| waiter(Lane::Interactive, tenant, 1);
    let _first = queue.push(call(1), 'a', now).unwrap();
    let _second = queue.push(call(1), 'b', now).unwrap();
    let rejected = queue.push(call(1), 'c', now).unwrap_err();
    assert_eq!(rejected, Rejected { reason: Reason::TenantFull { waiting: 2 }, item: 'c' });
    let _third = queue.push(call(2), 'd', now).unwrap();
    let rejected = queue.push(call(3), 'e', now).unwrap_err();
    assert_eq!(rejected.reason, Reason::Full { waiting: 3 });
    queue.pop(now, |_| ());
    let past = Waiter { deadline: Some(now), ..call(3) };
    let rejected = queue.push(past, 'f', now).unwrap_err();
    assert_eq!(rejected.reason, Reason::TooLate { turn: now });
    let rejected = queue.push_by(call(3), 'g', now, |_| None).unwrap_err();
    assert_eq!(rejected, Rejected { reason: Reason::Never, item: 'g' });
    assert_eq!(queue.len(), 2);
}

#[test]
fn a_deadline_is_met_or_the_call_rejected_on_arrival() {
    let now = start();
    let mut queue = Queue::new(Config::default()).unwrap();
    let turn = |count: u64| now + Duration::from_secs(count);
    let mut push = |class, deadline: u64| {
        let waiter = Waiter { deadline: Some(turn(deadline)), ..waiter(class, 1, 1) };
        let mut count = 0;
        let pushed = queue.push_by(waiter, (), now, |()| {
            count += 1;
            Some(turn(count))
        });
        pushed.map(|(_, turn)| turn).map_err(|rejected| rejected.reason)
    };
    assert_eq!(push(Lane::Deferred, 1), Ok(turn(1)));
    assert_eq!(push(Lane::Deferred, 1), Err(Reason::TooLate { turn: turn(2) }));
    assert_eq!(push(Lane::Interactive, 1), Ok(turn(1)));
    assert_eq!(push(Lane::Deferred, 9), Ok(turn(3)));
}

#[test]
fn a_place_that_was_served_cannot_be_left() {
    let now = start();
    let mut queue = Queue::new(Config::default()).unwrap();
    let first = queue.push(waiter(Lane::Batch, 1, 1), 'a', now).unwrap();
    assert_eq!(queue.pop(now, |_| ()), Some('a'));
    // Its slot is another's now.
    let second = queue.push(waiter(Lane::Batch, 1, 1), 'b', now).unwrap();
    assert_eq!(queue.remove(first), None);
    assert_eq!(queue.remove(second), Some(Removed { item: 'b', was_next: true }));
}

#[test]
fn out_of_range_is_refused_at_build() {
    let refused = |config| Queue::<()>::new(config).unwrap_err();
    let config = Config::default();
    assert_eq!(refused(Config { most_waiting: 0, ..config }), InvalidQueue::Size(0));
    assert_eq!(refused(Config { most_of_tenant: 0, ..config }), InvalidQueue::Size(0));
    assert_eq!(refused(Config { most_idle: 1 << 21, ..config }), InvalidQueue::Size(1 << 21));
    assert_eq!(refused(Config { shares: [50, 50, 1], ..config }), InvalidQueue::Shares(101));
    assert!(Queue::<()>::new(Config { shares: [50, 50, 0], ..config }).is_ok());
}
