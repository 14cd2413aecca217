use super::*;
use crate::attempts::Ledger;

fn check(change: fn(&mut [Terms; 3]), expected: &str) {
    let mut terms = [Terms::interactive(), Terms::deferred(), Terms::batch()];
    change(&mut terms);
    let [interactive, deferred, batch] = terms;
    let found = Lanes::new(interactive, deferred, batch);
    assert_eq!(found.map_or_else(|error| error.to_string(), |_| String::new()), expected);
}

#[test]
fn terms_out_of_range_are_named() {
    check(|_| (), "");
    check(|terms| terms[1].attempts = 0, "the attempts of deferred are out of range");
    check(|terms| terms[2].attempts = 101, "the attempts of batch are out of range");
}

#[test]
fn the_default_is_what_the_terms_say() {
    let lanes = Lanes::new(Terms::interactive(), Terms::deferred(), Terms::batch()).unwrap();
    assert_eq!(lanes, Lanes::default());
    for lane in Lane::ALL {
        assert_eq!(lanes.limits(lane).attempts(), lanes.terms(lane).attempts);
        assert_eq!(lane.as_str().parse(), Ok(lane));
    }
    assert_eq!("BATCH".parse(), Ok(Lane::Batch));
    assert_eq!("urgent".parse::<Lane>(), Err(UnknownLane));
    assert_eq!(Lane::default(), Lane::Interactive);
}

#[test]
fn who_waits_less_gets_less_time() {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    let now = Instant::now();
    // Of the answer and of all waits, in seconds.
    let check = |lane, time, waiting| {
        let lanes = Lanes::default();
        assert_eq!(lanes.deadline(lane, now), Deadline::at(now + Duration::from_secs(time)));
        let mut ledger = Ledger::new(lanes.limits(lane));
        let waiting = Duration::from_secs(waiting);
        assert!(ledger.wait(waiting).is_ok(), "{lane}");
        assert!(ledger.wait(Duration::from_nanos(1)).is_err(), "{lane}");
    };
    check(Lane::Interactive, 600, 30);
    check(Lane::Deferred, 1800, 300);
    check(Lane::Batch, 86_400, 3600);
    let patient = Terms { time: None, ..Terms::batch() };
    let lanes = Lanes::new(Terms::interactive(), Terms::deferred(), patient).unwrap();
    assert_eq!(lanes.deadline(Lane::Batch, now), Deadline::NEVER);
}
