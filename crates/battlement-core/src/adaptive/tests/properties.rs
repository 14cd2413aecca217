use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// With so many milliseconds, or with all the time.
    Admit(Option<u64>),
    FirstContent(usize),
    Overdue(usize),
    Release(usize, Signal),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let signals = vec![Signal::Good, Signal::Overload, Signal::Neutral];
    prop_oneof![
        10 => proptest::option::of(1..20_000_u64).prop_map(Step::Admit),
        3 => any::<usize>().prop_map(Step::FirstContent),
        1 => any::<usize>().prop_map(Step::Overdue),
        6 => (any::<usize>(), proptest::sample::select(signals))
            .prop_map(|(which, signal)| Step::Release(which, signal)),
        3 => (0..3000_u64).prop_map(Step::Advance),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    (1..5_u32, 0..5_u32, 0..30_u32, 0.3..0.95_f64, any::<bool>(), 1..5000_u64).prop_map(
        |(min, above, more, cut, is_cubic, idle)| Config {
            min: number(min),
            initial: number(min + above),
            max: number(min + above + more),
            cut,
            growth: if is_cubic { Growth::Cubic } else { Growth::Additive },
            epoch: SECOND,
            idle: Duration::from_millis(idle),
        },
    )
}

/// Before and after each step: the limit, its use, the cuts, and the time.
type Seen = (u32, u32, u64, f64, Instant);

fn play(config: Config, steps: Vec<Step>) -> Vec<(Step, Seen, Seen)> {
    let mut now = start();
    let mut limit = Adaptive::new(config, now).unwrap();
    let (mut out, mut seen) = (Vec::<Permit>::new(), vec![]);
    let look =
        |limit: &Adaptive, now| (limit.limit(), limit.in_flight(), limit.cuts(), limit.limit, now);
    for step in steps {
        let before = look(&limit, now);
        match step {
            Step::Admit(time) => {
                let deadline = time.map(|time| now + Duration::from_millis(time));
                out.extend(limit.admit_until(deadline, now).ok());
            }
            Step::FirstContent(which) => {
                if let Some(which) = which.checked_rem(out.len()) {
                    limit.first_content(&mut out[which], now);
                }
            }
            Step::Overdue(which) => {
                if let Some(which) = which.checked_rem(out.len()) {
                    limit.overdue(&mut out[which], now);
                }
            }
            Step::Release(which, signal) => {
                if let Some(which) = which.checked_rem(out.len()) {
                    limit.release(out.swap_remove(which), signal, now);
                }
            }
            Step::Advance(milliseconds) => now += Duration::from_millis(milliseconds),
        }
        seen.push((step, before, look(&limit, now)));
        assert_eq!(out.len(), limit.in_flight() as usize);
    }
    seen
}

proptest! {
    #[test]
    fn a1_the_limit_stays_in_bounds_and_holds(config in any_config(), steps in vec(step(), 0..400)) {
        for (_, before, after) in play(config, steps) {
            prop_assert!((config.min.get()..=config.max.get()).contains(&after.0));
            // Whoever is admitted is so below the limit of that moment.
            prop_assert!(after.1 <= before.1 || after.1 <= after.0);
        }
    }

    #[test]
    fn a2_one_cut_in_an_epoch(config in any_config(), steps in vec(step(), 0..400)) {
        let mut last = None;
        for (step, before, after) in play(config, steps) {
            if after.2 != before.2 {
                prop_assert_eq!(after.2, before.2 + 1);
                let least = f64::from(config.min.get());
                let in_use = before.3.min(f64::from(before.1.max(config.initial.get())));
                let is_refused = matches!(step, Step::Release(..));
                let too_much = if is_refused { in_use } else { before.3 };
                let floor = least.max(too_much * config.cut);
                prop_assert!((after.3 - floor).abs() < 1e-9);
                prop_assert!(last.is_none_or(|last| after.4 - last >= config.epoch));
                last = Some(after.4);
            } else if !matches!(step, Step::Admit(_)) {
                // Only a cut, or a pause, takes anything away.
                prop_assert!(after.3 >= before.3);
            }
        }
    }

    #[test]
    fn a3_a_limit_not_in_use_does_not_rise(config in any_config(), steps in vec(step(), 0..400)) {
        for (_, before, after) in play(config, steps) {
            if f64::from(before.1) * 2.0 < before.3 {
                prop_assert!(after.3 <= before.3);
            }
        }
    }

    #[test]
    fn a4_over_admission_is_what_was_in_flight(
        config in any_config(),
        steps in vec(step(), 0..400),
    ) {
        let mut at_the_drop = 0;
        for (_, before, after) in play(config, steps) {
            if after.0 < before.0 {
                at_the_drop = before.1;
            }
            // Whoever is above the limit was there when it fell, and the number only goes down.
            if after.1 > after.0 {
                prop_assert!(after.1 <= at_the_drop);
                at_the_drop = after.1;
            }
        }
    }
}
