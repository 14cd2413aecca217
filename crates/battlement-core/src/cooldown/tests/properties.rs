use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Asks for one of the sets of keys.
    Ask(usize),
    /// Comes back with one of the places, at whatever time it is.
    Redeem(usize),
    /// A call that is out is throttled at one of its keys.
    Throttled(usize, u8, Option<u64>),
    Succeeded(usize),
    Force(usize),
    Advance(u64),
}

const KEYS: [&[u8]; 4] = [&[0], &[1], &[0, 1], &[0, 1, 2]];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..KEYS.len()).prop_map(Step::Ask),
        6 => any::<usize>().prop_map(Step::Redeem),
        3 => (any::<usize>(), any::<u8>(), proptest::option::of(1..9000_u64))
            .prop_map(|(which, key, hint)| Step::Throttled(which, key, hint)),
        2 => any::<usize>().prop_map(Step::Succeeded),
        1 => (0..KEYS.len()).prop_map(Step::Force),
        5 => (0..3000_u64).prop_map(Step::Advance),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    (0.0..1.0_f64, 1..3000_u64).prop_map(|(spread, ramp)| Config {
        spread,
        ramp: Duration::from_millis(ramp),
        ..config()
    })
}

/// What is known of a key, written down in the plainest way.
#[derive(Clone, Debug)]
struct Written {
    /// No call before any of these.
    floors: Vec<Instant>,
    /// The number of the step that changed it last.
    changed: usize,
}

struct Call {
    keys: &'static [u8],
    pass: Pass,
    since: usize,
}

fn play(
    config: Config,
    steps: Vec<Step>,
    mut check: impl FnMut(
        &Cooldown<u8>,
        &[Written],
        &'static [u8],
        Instant,
    ) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut now, mut random) = (start(), Seeded(5));
    let mut cooldown: Cooldown<u8> = Cooldown::new(config).unwrap();
    let mut written = vec![Written { floors: vec![], changed: 0 }; 3];
    let (mut places, mut calls): (Vec<(&'static [u8], Place)>, Vec<Call>) = (vec![], vec![]);
    for (since, step) in steps.into_iter().enumerate() {
        let before: Vec<_> = (0..3)
            .map(|key| cooldown.gates.get(&cooldown.hasher.hash_one(key)).map(|gate| gate.until))
            .collect();
        let mut proved: &[u8] = &[];
        let admission = match step {
            Step::Ask(which) => Some((KEYS[which], cooldown.ask(KEYS[which], now))),
            Step::Redeem(which) => which.checked_rem(places.len()).map(|which| {
                let (keys, place) = places.swap_remove(which);
                (keys, cooldown.redeem(keys, place, now))
            }),
            Step::Throttled(which, key, hint) => {
                if let Some(which) = which.checked_rem(calls.len()) {
                    let call = calls.swap_remove(which);
                    let key = call.keys[usize::from(key) % call.keys.len()];
                    let hint = hint.map(Duration::from_millis);
                    let until = cooldown.throttled(&key, &call.pass, hint, now, &mut random);
                    let known = &mut written[usize::from(key)];
                    known.floors.extend(hint.map(|hint| now + hint));
                    known.changed = since;
                    prop_assert!(hint.is_none_or(|hint| until >= now + hint));
                }
                None
            }
            Step::Succeeded(which) => {
                if let Some(which) = which.checked_rem(calls.len()) {
                    let call = calls.swap_remove(which);
                    let _ = cooldown.succeeded(call.keys, &call.pass, now);
                    for key in call.keys {
                        let known = &mut written[usize::from(*key)];
                        if call.since > known.changed {
                            known.floors.clear();
                            proved = call.keys;
                        }
                    }
                }
                None
            }
            Step::Force(which) => {
                calls.push(Call { keys: KEYS[which], pass: cooldown.force(), since });
                None
            }
            Step::Advance(milliseconds) => {
                now += Duration::from_millis(milliseconds);
                None
            }
        };
        match admission {
            Some((keys, Admission::Go(pass))) => {
                check(&cooldown, &written, keys, now)?;
                calls.push(Call { keys, pass, since });
            }
            Some((keys, Admission::Wait(place))) => {
                prop_assert!(place.at() > now);
                places.push((keys, place));
            }
            None => {}
        }
        // Never earlier than before, but for proof.
        for key in 0..3_u8 {
            let after = cooldown.gates.get(&cooldown.hasher.hash_one(key)).map(|gate| gate.until);
            if let (Some(before), Some(after)) = (before[usize::from(key)], after) {
                prop_assert!(after >= before || proved.contains(&key));
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn r2_nobody_goes_before_a_hint(config in any_config(), steps in vec(step(), 0..300)) {
        play(config, steps, |_, written, keys, now| {
            for key in keys {
                let floors = &written[usize::from(*key)].floors;
                prop_assert!(floors.iter().all(|floor| *floor <= now));
            }
            Ok(())
        })?;
    }

    #[test]
    fn those_who_come_back_double_at_most(
        ramp in 1..3000_u64,
        hint in 1..9000_u64,
        asks in vec(0..500_u64, 1..200),
    ) {
        let config = Config { ramp: Duration::from_millis(ramp), ..config() };
        let (mut now, mut random) = (start(), Seeded(5));
        let mut cooldown: Cooldown<u8> = Cooldown::new(config).unwrap();
        let pass = cooldown.force();
        let until =
            cooldown.throttled(&0, &pass, Some(Duration::from_millis(hint)), now, &mut random);
        let step = ramp.min(hint) as f64 / 1000.0;
        let mut gone = vec![];
        for pause in asks {
            now += Duration::from_millis(pause);
            if cooldown.snapshot(&0, now).is_none() {
                break;
            }
            gone.push(match cooldown.ask(&[0], now) {
                Admission::Go(_) => now,
                Admission::Wait(place) => place.at(),
            });
        }
        prop_assert!(gone.is_sorted());
        for (place, at) in gone.iter().enumerate() {
            prop_assert!(*at >= until);
            let since = (*at - gone[0]).as_secs_f64();
            // Whole nanoseconds are not exact; a step is a million of them.
            prop_assert!((place as f64 + 1.0).log2() <= since / step + 1e-5);
        }
    }

    #[test]
    fn g3_a_clock_that_jumps_opens_no_gate_early(
        config in any_config(),
        jumps in vec((0..KEYS.len(), -1000..9000_i64, proptest::option::of(1..9000_u64)), 0..100),
    ) {
        let (middle, mut random) = (start() + 60 * SECOND, Seeded(5));
        let mut cooldown: Cooldown<u8> = Cooldown::new(config).unwrap();
        let mut floor = middle - 60 * SECOND;
        for (which, offset, hint) in jumps {
            let now = middle + Duration::from_millis(offset.unsigned_abs())
                - if offset < 0 { 2 * Duration::from_millis(offset.unsigned_abs()) } else { Duration::ZERO };
            // What was over once may be forgotten.
            floor = if now >= floor { middle - 60 * SECOND } else { floor };
            if let Admission::Go(pass) = cooldown.ask(KEYS[which], now) {
                prop_assert!(now >= floor || !KEYS[which].contains(&0));
                if let Some(hint) = hint.map(Duration::from_millis) {
                    cooldown.throttled(&0, &pass, Some(hint), now, &mut random);
                    floor = floor.max(now + hint);
                }
            }
        }
    }
}
