use proptest::prelude::*;

use super::*;
use crate::ErrorClass;

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn start() -> Instant {
    Instant::now()
}

fn sent(tokens: Option<u64>) -> Ending {
    Ending::Sent { outcome: Outcome::Failed(ErrorClass::Overloaded), code: None, tokens }
}

/// Runs a script of attempts, each `estimate` tokens: `f` first, `r` retry, `h` hedge, `b` fallback,
/// `c` continuation; `.` settles the oldest as sent, `u` as unsent, `!` commits. Says for each
/// letter whether it may begin: `A` admitted, `n` attempts, `t` tokens, `x` committed, `o` once.
fn check(limits: Limits, script: &str, expected: &str) {
    let mut ledger = Ledger::new(limits);
    let mut running = Vec::new();
    let mut found = String::new();
    for letter in script.chars() {
        let role = match letter {
            'f' => Role::First,
            'r' => Role::Retry,
            'h' => Role::Hedge,
            'b' => Role::Fallback,
            'c' => Role::Continuation,
            '!' => {
                ledger.commit();
                continue;
            }
            _ => {
                let ending = if letter == 'u' { Ending::Unsent } else { sent(None) };
                ledger.settle(running.remove(0), ending, start());
                continue;
            }
        };
        found.push(match ledger.begin(role, None, 10, start()) {
            Ok(attempt) => {
                running.push(attempt);
                'A'
            }
            Err(Refused::Attempts { .. }) => 'n',
            Err(Refused::Tokens { .. }) => 't',
            Err(Refused::Committed) => 'x',
            Err(Refused::NotRepeatable) => 'o',
            Err(Refused::Waiting { .. }) => unreachable!(),
        });
    }
    assert_eq!(found, expected, "{script}");
}

#[test]
fn who_may_begin() {
    let three = Limits::default();
    check(three, "f.r.r.r", "AAAn");
    check(three, "fhb", "AAA");
    check(three, "fhbr", "AAAn");
    check(three, "fururu", "AAA");
    check(three, "f!rhbc.c", "AxxxAA");
    check(three.tokens(20), "f.r.r", "AAt");
    check(three.tokens(20), "fhh", "AAt");
    check(three.tokens(20), "fururu", "AAA");
    check(three.tokens(9), "f", "t");
    check(three.repeatable(false), "f.r", "Ao");
    check(three.repeatable(false), "fh", "Ao");
    check(three.repeatable(false), "fur.r", "AAo");
    check(three.repeatable(false), "fububu", "AAA");
    check(three.repeatable(false), "f!c", "Ao");
}

#[test]
fn what_is_excused_does_not_count() {
    let mut ledger = Ledger::new(Limits::new(2).unwrap());
    ledger.excuse();
    for left in [2, 2, 2] {
        assert_eq!(ledger.attempts_left(), left);
        let attempt = ledger.begin(Role::Fallback, None, 0, start()).unwrap();
        ledger.settle(attempt, Ending::Unsent, start());
        ledger.excuse();
    }
    assert_eq!((ledger.attempts(), ledger.attempts_left()), (3, 2));
    let _first = ledger.begin(Role::Fallback, None, 0, start()).unwrap();
    let _second = ledger.begin(Role::Retry, None, 0, start()).unwrap();
    let refused = ledger.begin(Role::Retry, None, 0, start()).unwrap_err();
    assert_eq!(refused, Refused::Attempts { limit: 2 });
}

#[test]
fn an_uncertain_cost_is_never_given_back() {
    let check = |ending: Option<Ending>, expected| {
        let mut ledger = Ledger::new(Limits::default());
        let attempt = ledger.begin(Role::First, None, 100, start()).unwrap();
        assert_eq!(ledger.tokens(), 100);
        if let Some(ending) = ending {
            ledger.settle(attempt, ending, start());
        }
        assert_eq!(ledger.tokens(), expected);
    };
    check(None, 100);
    check(Some(sent(None)), 100);
    check(Some(sent(Some(30))), 30);
    check(Some(sent(Some(300))), 300);
    check(Some(sent(Some(0))), 0);
    check(Some(Ending::Unsent), 0);
}

#[test]
fn what_is_left_of_the_limits() {
    let limits = Limits::new(7).unwrap().tokens(100);
    assert_eq!(limits.attempts(), 7);
    let mut ledger = Ledger::new(limits);
    assert_eq!(ledger.tokens_left(), Some(100));
    let attempt = ledger.begin(Role::First, None, 30, start()).unwrap();
    assert_eq!(ledger.tokens_left(), Some(70));
    ledger.settle(attempt, sent(Some(20)), start());
    assert_eq!(ledger.tokens_left(), Some(80));
    let overrun = ledger.begin(Role::Retry, None, 80, start()).unwrap();
    ledger.settle(overrun, sent(Some(500)), start());
    assert_eq!(ledger.tokens_left(), Some(0));
    assert_eq!(Ledger::new(Limits::default()).tokens_left(), None);
    assert!(!ledger.is_committed());
    ledger.commit();
    assert!(ledger.is_committed());
}

#[test]
fn waits_are_bounded_together() {
    let mut ledger = Ledger::new(Limits::default().waiting(5 * SECOND));
    assert_eq!(ledger.wait(3 * SECOND), Ok(()));
    let refused = Refused::Waiting { needed: 3 * SECOND, left: 2 * SECOND };
    assert_eq!(ledger.wait(3 * SECOND), Err(refused));
    assert_eq!(ledger.wait(2 * SECOND), Ok(()));
    assert_eq!(ledger.waited(), 5 * SECOND);
    let attempt = ledger.begin(Role::First, None, 0, start()).unwrap();
    assert_eq!(ledger.trail().next().unwrap().waited, 5 * SECOND);
    assert_eq!((attempt.number(), ledger.running()), (1, 1));
}

#[test]
fn a_trail_keeps_the_first_and_the_latest() {
    let mut ledger = Ledger::new(Limits::new(40).unwrap());
    let now = start();
    let mut attempts = Vec::new();
    for number in 1..=40 {
        let role = if number == 1 { Role::First } else { Role::Retry };
        attempts.push(ledger.begin(role, Some("here".into()), 1, now).unwrap());
    }
    let numbers: Vec<u32> = ledger.trail().map(|step| step.number).collect();
    assert_eq!(numbers, std::iter::once(1).chain(26..=40).collect::<Vec<_>>());
    assert_eq!(ledger.left_out(), 24);
    for attempt in attempts {
        ledger.settle(attempt, sent(Some(2)), now + SECOND);
    }
    assert_eq!((ledger.tokens(), ledger.running()), (80, 0));
    assert!(ledger.trail().all(|step| step.took == Some(SECOND) && step.tokens == 2));
    let shown = ledger.trail().next().unwrap().to_string();
    assert_eq!(shown, "1 first to here: overloaded after 1s");
}

#[test]
fn a_number_of_attempts_out_of_range() {
    assert!(Limits::new(1).is_ok() && Limits::new(MOST_ATTEMPTS).is_ok());
    let check = |attempts, expected: &str| {
        assert_eq!(Limits::new(attempts).unwrap_err().to_string(), expected);
    };
    check(0, "0 attempts are not between 1 and 100");
    check(101, "101 attempts are not between 1 and 100");
}

/// What retry, hedge and fallback do to one ledger, in any order.
#[derive(Clone, Debug)]
enum Op {
    Begin(Role, u64),
    /// Ends one of those that run, with this cost; `None` for one that was not sent.
    End(prop::sample::Index, Option<Option<u64>>),
    Drop(prop::sample::Index),
    Commit,
}

fn op() -> impl Strategy<Value = Op> {
    let roles = [Role::First, Role::Retry, Role::Hedge, Role::Fallback, Role::Continuation];
    let cost = prop::option::of(prop::option::of(0..300_u64));
    prop_oneof![
        6 => (prop::sample::select(roles.to_vec()), 0..200_u64).prop_map(|(role, n)| Op::Begin(role, n)),
        6 => (any::<prop::sample::Index>(), cost).prop_map(|(at, cost)| Op::End(at, cost)),
        1 => any::<prop::sample::Index>().prop_map(Op::Drop),
        1 => Just(Op::Commit),
    ]
}

/// Plays the operations; `look` sees the ledger, what was begun in order, and what is open, after
/// each.
fn play(
    limits: Limits,
    ops: Vec<Op>,
    mut look: impl FnMut(&Ledger, &[Begun]) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::new(limits);
    let now = start();
    let (mut open, mut begun) = (Vec::new(), Vec::<Begun>::new());
    for op in ops {
        match op {
            Op::Begin(role, estimate) => {
                let committed = ledger.is_committed();
                if let Ok(attempt) = ledger.begin(role, None, estimate, now) {
                    open.push(attempt);
                    begun.push(Begun { role, estimate, committed, sent: true, cost: estimate });
                }
            }
            Op::End(at, ending) if !open.is_empty() => {
                let attempt = open.remove(at.index(open.len()));
                let record = &mut begun[attempt.number() as usize - 1];
                record.sent = ending.is_some();
                record.cost = ending.map_or(0, |cost| cost.unwrap_or(record.estimate));
                ledger.settle(attempt, ending.map_or(Ending::Unsent, sent), now);
            }
            Op::Drop(at) if !open.is_empty() => drop(open.remove(at.index(open.len()))),
            Op::Commit => ledger.commit(),
            Op::End(..) | Op::Drop(_) => {}
        }
        look(&ledger, &begun)?;
    }
    Ok(())
}

/// What the oracle knows of an attempt.
struct Begun {
    role: Role,
    estimate: u64,
    committed: bool,
    /// Whether it may have been sent.
    sent: bool,
    cost: u64,
}

proptest! {
    #[test]
    fn g6_attempts_of_all_roles_stay_within_the_limit(
        limit in 1..8_u32,
        ops in prop::collection::vec(op(), 0..60),
    ) {
        play(Limits::new(limit).unwrap(), ops, |ledger, begun| {
            prop_assert_eq!(ledger.attempts() as usize, begun.len());
            prop_assert!(ledger.attempts() <= limit);
            Ok(())
        })?;
    }

    #[test]
    fn g7_cost_exceeds_its_cap_by_overruns_only(
        cap in 0..600_u64,
        ops in prop::collection::vec(op(), 0..60),
    ) {
        play(Limits::new(50).unwrap().tokens(cap), ops, |ledger, begun| {
            let cost: u64 = begun.iter().map(|attempt| attempt.cost).sum();
            prop_assert_eq!(ledger.tokens(), cost);
            let overruns =
                begun.iter().map(|attempt| attempt.cost.saturating_sub(attempt.estimate));
            prop_assert!(cost <= cap + overruns.sum::<u64>());
            Ok(())
        })?;
    }

    /// One after the other, as a retry does: no attempt begins after an overrun has spent the cap.
    #[test]
    fn g7_one_after_the_other_exceeds_the_cap_by_one_overrun(
        cap in 0..2000_u64,
        attempts in prop::collection::vec((0..300_u64, 0..600_u64), 0..40),
    ) {
        let mut ledger = Ledger::new(Limits::new(100).unwrap().tokens(cap));
        let mut worst = 0;
        for (estimate, cost) in attempts {
            if let Ok(attempt) = ledger.begin(Role::Retry, None, estimate, start()) {
                ledger.settle(attempt, sent(Some(cost)), start());
                worst = worst.max(cost.saturating_sub(estimate));
            }
            prop_assert!(ledger.tokens() <= cap + worst);
        }
    }

    #[test]
    fn r4_after_output_only_a_continuation(ops in prop::collection::vec(op(), 0..60)) {
        play(Limits::new(50).unwrap(), ops, |_, begun| {
            let is_legal = |attempt: &Begun| !attempt.committed || attempt.role == Role::Continuation;
            prop_assert!(begun.iter().all(is_legal));
            Ok(())
        })?;
    }

    #[test]
    fn r5_what_may_not_be_repeated_is_sent_once(ops in prop::collection::vec(op(), 0..60)) {
        play(Limits::new(50).unwrap().repeatable(false), ops, |_, begun| {
            prop_assert!(begun.iter().filter(|attempt| attempt.sent).count() <= 1);
            Ok(())
        })?;
    }
}

#[test]
fn one_is_kept_for_the_end() {
    let mut ledger = Ledger::new(Limits::default());
    ledger.keep();
    for left in [2, 1] {
        assert_eq!(ledger.attempts_left(), left);
        let attempt = ledger.begin(Role::Retry, None, 0, start()).unwrap();
        ledger.settle(attempt, sent(None), start());
    }
    assert_eq!(ledger.check(Role::Retry, 0), Err(Refused::Attempts { limit: 3 }));
    ledger.release();
    assert!(ledger.begin(Role::Simplified, None, 0, start()).is_ok());
    assert_eq!(ledger.attempts_left(), 0);

    let mut only = Ledger::new(Limits::new(1).unwrap());
    only.keep();
    assert_eq!(only.attempts_left(), 1, "the first is never kept");
}

#[test]
fn what_was_held_back_may_be_tried_again() {
    let mut ledger = Ledger::new(Limits::default());
    ledger.commit();
    assert_eq!(ledger.check(Role::Repair, 0), Err(Refused::Committed));
    ledger.take_back();
    assert_eq!(ledger.check(Role::Repair, 0), Ok(()));
}

#[test]
fn what_builds_on_output_may_be_tried_again_until_it_has_some_of_its_own() {
    let now = start();
    let mut ledger = Ledger::new(Limits::new(4).unwrap());
    let _first = ledger.begin(Role::First, None, 0, now).unwrap();
    ledger.commit();
    assert_eq!(ledger.check(Role::Retry, 0), Err(Refused::Committed));
    ledger.resume();
    let second = ledger.begin(Role::Retry, None, 0, now).unwrap();
    assert_eq!(second.role(), Role::Continuation, "whatever it is called");
    let third = ledger.begin(Role::Retry, None, 0, now).unwrap();
    assert_eq!(third.role(), Role::Retry);
    ledger.commit();
    assert_eq!(ledger.check(Role::Fallback, 0), Err(Refused::Committed));
}
