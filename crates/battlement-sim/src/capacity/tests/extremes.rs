//! Whatever is asked of a machine, it goes on.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Arrive(Job),
    Leave(Id),
    Change(Change),
    Pass(Duration),
}

fn number() -> impl Strategy<Value = f64> {
    select(vec![
        0.0,
        -0.0,
        1.0,
        0.5,
        -1.0,
        1e-300,
        1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MIN_POSITIVE,
    ])
}

fn time() -> impl Strategy<Value = Duration> {
    select(vec![Duration::ZERO, Duration::from_nanos(1), SECOND, 3 * LONGEST, Duration::MAX])
}

fn count() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 100, u64::MAX - 1, u64::MAX])
}

fn act() -> impl Strategy<Value = Act> {
    let job = (time(), count(), count(), count()).prop_map(|(work, input, output, affinity)| Job {
        work,
        input,
        output,
        affinity,
    });
    let change = prop_oneof![
        number().prop_map(Change::Room),
        number().prop_map(Change::Slowness),
        number().prop_map(Change::Limits),
    ];
    prop_oneof![
        3 => job.prop_map(Act::Arrive),
        1 => (0_u64..12).prop_map(Act::Leave),
        2 => change.prop_map(Act::Change),
        // No clock ever shows more than what is due.
        2 => time().prop_map(|time| Act::Pass(time.min(3 * LONGEST))),
    ]
}

fn machine() -> impl Strategy<Value = fn(u64, Duration, f64) -> Box<dyn Machine>> {
    select(vec![
        (|most, _, _| {
            let (slots, cancels) = (most.min(1_000) as usize, most % 2 == 0);
            Box::new(Slots::new(slots::Config { slots, cancels, most_waiting: None }))
        }) as fn(u64, Duration, f64) -> Box<dyn Machine>,
        |requests, burst, _| {
            let (input, output) = (Some(requests), Some(requests));
            let (window, tells) = (quota::Window::Continuous(burst), true);
            let counts_refused = requests % 2 == 0;
            Box::new(Quota::new(quota::Config {
                requests,
                input,
                output,
                window,
                counts_refused,
                tells,
            }))
        },
        |requests, _, _| {
            let (input, window, tells) = (Some(requests), quota::Window::Sliding, true);
            let counts_refused = requests % 2 == 0;
            let config =
                quota::Config { requests, input, window, counts_refused, tells, output: None };
            Box::new(Quota::new(config))
        },
        |most, token, number| {
            let (prefill, most) = (most, usize::try_from(most).unwrap());
            let (crowding, breaks) = (token, number);
            let config =
                batcher::Config { most, token, crowding, prefill, breaks, ..Default::default() };
            Box::new(Batcher::new(config))
        },
        |most, _, number| {
            let slots = most.min(1_000) as usize;
            let region = slots::Config { slots, ..Default::default() };
            let (spill, miss, together) = (number, number, number);
            Box::new(Regions::new(regions::Config { region, spill, miss, together }))
        },
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn extremes_stop_no_machine(
        make in machine(),
        setup in (count(), time(), number()),
        acts in vec(act(), 1..40),
    ) {
        let (mut machine, mut now) = (make(setup.0, setup.1, setup.2), start());
        let (mut taken, mut ends) = (0, 0);
        let mut advance = |machine: &mut Box<dyn Machine>, now| {
            ends += ended(machine, now).len();
        };
        for (id, act) in (0_u64..).zip(acts) {
            match act {
                Act::Arrive(job) => taken += usize::from(machine.arrive(id, job, now).is_ok()),
                Act::Leave(id) => machine.leave(id, now),
                Act::Change(change) => machine.change(change, now),
                Act::Pass(time) => now += time,
            }
            advance(&mut machine, now);
            let _ = machine.told(now);
            prop_assert!(machine.due().is_none_or(|due| due > now), "due, and has not happened");
        }
        for _ in 0..200 {
            let Some(due) = machine.due() else { break };
            now = due;
            advance(&mut machine, now);
        }
        prop_assert!(machine.due().is_none(), "it comes to an end");
        prop_assert!(ends <= taken);
        prop_assert!(machine.spent().is_finite());
    }
}
