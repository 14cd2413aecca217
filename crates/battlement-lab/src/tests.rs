use std::{num::NonZeroUsize, sync::Mutex, time::Duration};

use super::*;

/// A run of a few minutes.
fn short(world: World, load: f64, trigger: Trigger, policy: Policy) -> Experiment {
    let timing = Timing {
        warm: Duration::from_secs(60),
        wrong: Duration::from_secs(120),
        horizon: Duration::from_secs(480),
    };
    Experiment { timing, ..Experiment::new(world, load, trigger, policy, 5) }
}

#[test]
fn a_seed_gives_the_same_run_to_the_last_bit() {
    let check = |world: World, policy: Policy| {
        let trigger = if world.is_quota() { Trigger::Halved } else { Trigger::Quarter };
        let experiment = short(world, 0.8, trigger, policy);
        let (run, again) = (experiment.run(), experiment.run());
        let place = Row::of(&run).place();
        assert_eq!(run.fingerprint(), again.fingerprint(), "{place}, {policy:?}");
        assert_eq!(run, again, "{place}, {policy:?}");
        run.fingerprint()
    };
    check(World::Slots, Policy::Ours);
    check(World::QuotaTold, Policy::Ours);
    check(World::Batcher, Policy::Ours);
    check(World::Slots, Policy::Aws);
    check(World::Regions, Policy::TowerBudget);
    check(World::QuotaSilent, Policy::Cooldown);
    let other = Experiment { seed: 6, ..short(World::Slots, 0.8, Trigger::Quarter, Policy::Sdk) };
    assert_ne!(check(World::Slots, Policy::Sdk), other.run().fingerprint());
}

#[test]
fn every_policy_meets_the_same_calls() {
    let calls = |policy| {
        let run = short(World::Slots, 0.6, Trigger::Calm, policy).run();
        run.calls.iter().map(|call| (call.at, call.process)).collect::<Vec<_>>()
    };
    assert_eq!(calls(Policy::Once), calls(Policy::Ours));
    assert_eq!(calls(Policy::Once), calls(Policy::SdkTwice));
}

#[test]
fn a_collapse_is_seen_and_so_is_its_absence() {
    let last = |policy| {
        let figures = short(World::Slots, 0.75, Trigger::Quarter, policy).run().figures();
        (figures.after, figures.recovery)
    };
    assert_eq!(last(Policy::Sdk), (0.0, None));
    assert!(last(Policy::Ours).0 > 0.97);
}

#[test]
fn in_calm_weather_nothing_is_wrong_with_anybody() {
    for policy in [Policy::Ours, Policy::Once, Policy::Sdk, Policy::Aws, Policy::Finagle] {
        let figures = short(World::SlotsBounded, 0.5, Trigger::Calm, policy).run().figures();
        assert!(figures.goodput > 0.96, "{policy:?}: {figures:?}");
        assert!(figures.amplification < 1.06, "{policy:?}: {figures:?}");
        assert!(figures.fairness > 0.99, "{policy:?}: {figures:?}");
    }
}

#[test]
fn the_other_callers_get_through_a_bad_time() {
    for load in [Load::Closed(0.6), Load::Agents(0.6), Load::Backlog] {
        let experiment = short(World::Slots, 0.6, Trigger::Quarter, Policy::Ours);
        let run = Experiment { load, ..experiment }.run();
        assert!(run.calls.len() > 500, "{load:?}: {}", run.calls.len());
        let good = run.calls.iter().filter(|call| call.end_as == Ending::Answered).count();
        assert!(good as f64 > 0.9 * run.calls.len() as f64, "{load:?}: {good}");
    }
}

#[test]
fn recovery_has_to_last() {
    let call = |at: u32, good: bool| Call {
        at,
        end: at + 1_000,
        process: 0,
        end_as: if good { Ending::Answered } else { Ending::Failed },
        attempts: 1,
        cost: 1.0,
    };
    let check = |bad: &[(u32, u32)], expected: Option<f64>| {
        let experiment = short(World::Slots, 0.5, Trigger::Quarter, Policy::Once);
        let is_bad = |second: &u32| bad.iter().any(|(from, to)| (*from..*to).contains(second));
        let calls = (0..480).map(|second| call(second * 1_000, !is_bad(&second))).collect();
        let run = Run { experiment, calls, attempts: Vec::new(), spent: 480.0 };
        assert_eq!(run.figures().recovery, expected, "{bad:?}");
    };
    // It is over at 240 seconds.
    check(&[], Some(0.0));
    check(&[(120, 240)], Some(0.0));
    check(&[(120, 300)], Some(60.0));
    check(&[(120, 300), (330, 360)], Some(120.0));
    check(&[(120, 480)], None);
}

#[test]
fn a_report_tells_what_does_not_hold() {
    let run = |policy, trigger| Row::of(&short(World::Slots, 0.75, trigger, policy).run());
    let rows = vec![
        run(Policy::Ours, Trigger::Quarter),
        run(Policy::Ours, Trigger::Calm),
        run(Policy::Once, Trigger::Quarter),
        run(Policy::Sdk, Trigger::Quarter),
    ];
    let mut report = Report { seed: 5, is_full: false, rows };
    assert!(report.verdicts().iter().any(|verdict| verdict.goal == Goal::After));
    let missed = |report: &Report, goal: Goal| {
        let misses = report.misses();
        misses
            .into_iter()
            .filter(|miss| miss.goal == goal)
            .map(|miss| miss.value)
            .collect::<Vec<_>>()
    };
    assert!(missed(&report, Goal::After).is_empty() && missed(&report, Goal::Collapse).is_empty());
    // Nothing in it says anything of this, so it does not hold.
    assert!(matches!(missed(&report, Goal::Refused)[..], [value] if value.is_nan()));
    report.rows[0].figures.after = 0.5;
    report.rows[3].figures.last = 0.9;
    assert_eq!(missed(&report, Goal::After), [0.5]);
    assert_eq!(missed(&report, Goal::Collapse), [0.9]);

    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!((&json["version"], &json["seed"]), (&1.into(), &5.into()));
    assert_eq!(json["rows"].as_array().unwrap().len(), 4);
    assert!(report.to_table().contains("1 MISSED, 1 new"));
    for (name, svg) in report.plots() {
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
}

#[test]
fn threads_change_nothing() {
    let experiments: Vec<_> = [Policy::Ours, Policy::Once, Policy::Sdk]
        .map(|policy| short(World::Slots, 0.5, Trigger::Restart, policy))
        .into();
    let run = |threads| {
        let seen = Mutex::new(0);
        let lab = Lab::of(1, false, experiments.clone()).threads(threads);
        let report = lab.run(|progress| *seen.lock().unwrap() = progress.done);
        assert_eq!(*seen.lock().unwrap(), 3);
        report.rows
    };
    assert_eq!(run(NonZeroUsize::MIN), run(NonZeroUsize::MIN.saturating_add(2)));
}

#[test]
fn the_full_set_has_three_seeds() {
    assert!(Lab::full(u64::MAX - 2).is_ok());
    let error = Lab::full(u64::MAX - 1).unwrap_err();
    assert_eq!(error, LastSeed { seed: u64::MAX - 1 });
}
