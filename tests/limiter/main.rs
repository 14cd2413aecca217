//! A quota under load: the invariants of our ledger and queue, on what was used in truth.
//!
//! The world is that of the benchmark `battlement-bench limiter`, with fewer calls.

// Not an item of a library, as a crate of its own for one file would cost more than this line.
#[path = "../../crates/battlement-bench/src/limiter/world.rs"]
mod world;

use world::{Outcome, SHAPES, UNKNOWN, Who, run};

fn shape(name: &str) -> world::Shape {
    SHAPES.into_iter().find(|shape| shape.name == name).unwrap()
}

#[test]
fn l2_what_was_used_stays_within_the_envelope_in_every_shape() {
    for shape in SHAPES {
        let Outcome { violations, worst, .. } = run(shape, Who::Ledger, 3_000);
        assert_eq!(violations, 0, "{}", shape.name);
        assert!(worst <= 1.0, "{}: {worst}", shape.name);
    }
}

#[test]
fn a_quota_that_is_asked_for_is_used() {
    let Outcome { utilisation, refused, .. } = run(shape("saturated"), Who::Ledger, 20_000);
    // The calls that are open at the end have reserved what they do not use.
    assert!(utilisation > 0.96, "{utilisation}");
    assert_eq!(refused, 0.0);
}

#[test]
fn what_somebody_else_uses_is_heard_of() {
    let Outcome { utilisation, refused, .. } = run(shape("shared"), Who::Ledger, 10_000);
    assert!(utilisation > 0.95, "{utilisation}");
    let deaf = run(shape("shared"), Who::Naive, 10_000);
    assert!(refused < 0.05 && deaf.refused > 0.5, "{refused} {}", deaf.refused);
}

/// So that the tests above are known to have something to notice.
#[test]
fn refunds_on_top_pass_several_bursts_when_calls_end_together() {
    let naive = |name| run(shape(name), Who::Naive, 10_000).worst;
    let (four, eight) = (naive("4 end together"), naive("8 end together"));
    assert!(four > 2.0 && eight > 4.0, "{four} {eight}");
}

#[test]
fn lengths_that_are_learnt_use_what_maxima_leave_idle() {
    let maxima = run(UNKNOWN, Who::Deaf, 3_000);
    let learnt = run(UNKNOWN, Who::Learned, 3_000);
    let (maxima, learnt) = (maxima.utilisation, learnt.utilisation);
    assert!(learnt > 2.0 * maxima, "{maxima} {learnt}");
}
