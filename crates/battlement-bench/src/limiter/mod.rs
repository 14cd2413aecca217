//! How much of a quota is used, and whether it holds: our ledger and queue, and the refund that
//! most limiters make, under the same calls.
//!
//! `tests/limiter` runs the same world with fewer calls.

mod world;

use world::{Outcome, SHAPES, Shape, UNKNOWN, Who};

use crate::{
    Bench,
    report::{Bound, Figure},
};

const CALLS: u64 = 1_000_000;
const CALLS_QUICK: u64 = 20_000;

pub(crate) fn run(bench: &mut Bench) {
    for shape in SHAPES {
        measure(bench, shape, Who::Ledger);
        measure(bench, shape, Who::Naive);
    }
    measure(bench, UNKNOWN, Who::Deaf);
    measure(bench, UNKNOWN, Who::Learned);
}

fn measure(bench: &mut Bench, shape: Shape, who: Who) {
    let scenario = format!("limiter/{}", shape.name);
    if !bench.wants(&scenario) {
        return;
    }
    let calls = if bench.is_quick() { CALLS_QUICK } else { CALLS };
    let Outcome { utilisation, violations, worst, refused } = world::run(shape, who, calls);
    let mut figure = |what, value, goal: Option<Bound>| {
        let (scenario, contender) = (scenario.clone(), name(who));
        bench.figure(Figure { scenario, contender, what, value, goal });
    };
    let is_ours = who == Who::Ledger;
    let saturated = is_ours && shape.name == "saturated";
    figure("part of the quota used", utilisation, saturated.then_some(Bound::AtLeast(0.98)));
    figure("envelope violations", violations as f64, is_ours.then_some(Bound::AtMost(0.0)));
    figure("worst window, times the envelope", worst, None);
    figure("part of the calls to be refused", refused, None);
}

const fn name(who: Who) -> &'static str {
    match who {
        Who::Ledger => "battlement",
        Who::Deaf => "battlement, without headers",
        Who::Learned => "battlement, lengths learnt",
        Who::Naive => "naive refund",
    }
}
