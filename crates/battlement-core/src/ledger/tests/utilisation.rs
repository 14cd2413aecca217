//! A limit under more demand than it can bear: how much of it is used, and whether it holds.
//!
//! A provider with an envelope of its own hears every call 40 ms after it was sent, writes headers a
//! second later, and takes up to 20 more for the answer. Calls reserve the maximum of their
//! request, two and a half times what they use in the mean.

use std::{cmp::Reverse, collections::BinaryHeap};

use http::HeaderMap;

use super::*;
use crate::{
    bucket::{Bucket, Rate},
    hint,
};

const CALLS: usize = 5_000;
const AMOUNT: u64 = 600_000;
const INPUT: u64 = 500;
const MAXIMUM: u64 = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The provider hears of a call.
    Arrive(usize),
    /// The caller reads the headers.
    Headers(usize),
    /// The answer ends.
    End(usize),
}

/// What was used of the limit, and how often more had passed than burst and rate allow.
struct Outcome {
    utilisation: f64,
    violations: usize,
}

fn run(mut ledger: Ledger, rate: Rate, start: Instant) -> Outcome {
    let mut provider = Bucket::new(rate, start);
    let mut state = 1u64;
    let mut events = BinaryHeap::new();
    // When each call was sent, and what it uses.
    let mut sent: Vec<(Instant, u64)> = Vec::new();
    let mut open: Vec<Option<Reservation>> = Vec::new();
    let mut arrived: Vec<Option<crate::bucket::Reservation>> = Vec::new();
    let mut remaining: Vec<i64> = Vec::new();
    let call = Estimate { input: INPUT, max_output: Some(MAXIMUM), ..Estimate::default() };
    let mut now = start;
    let mut used = 0;
    while sent.len() < CALLS {
        let until = match ledger.reserve(&call, now) {
            Ok(reservation) => {
                // PCG's multiplier; lengths from 2 to the maximum, most of them short.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let share = (state >> 33) as f64 / f64::from(1u32 << 31);
                let output = ((share * share * share * MAXIMUM as f64) as u64).max(2);
                let index = sent.len();
                sent.push((now, INPUT + output));
                open.push(Some(reservation));
                arrived.push(None);
                remaining.push(0);
                let after = |milliseconds| now + Duration::from_millis(milliseconds);
                events.push(Reverse((after(40), Event::Arrive(index))));
                events.push(Reverse((after(1_040), Event::Headers(index))));
                events.push(Reverse((after(1_100 + (state >> 13) % 20_000), Event::End(index))));
                continue;
            }
            Err(Refused::Wait { until, .. }) => until,
            Err(why) => panic!("{why}"),
        };
        // Wait for what comes first.
        if events.peek().is_none_or(|Reverse((at, _))| *at > until) {
            now = until;
            continue;
        }
        let Some(Reverse((at, event))) = events.pop() else { break };
        now = at;
        match event {
            Event::Arrive(index) => {
                arrived[index] = Some(provider.reserve_anyway(INPUT + MAXIMUM, now));
                remaining[index] = provider.level(now);
            }
            Event::Headers(index) => {
                if let Some(open) = &open[index] {
                    let mut headers = HeaderMap::new();
                    let left = remaining[index].max(0);
                    headers.insert("x-ratelimit-remaining-tokens", left.into());
                    let epoch = std::time::SystemTime::UNIX_EPOCH;
                    let told = hint::rate_limits(&headers, Provider::Generic, epoch);
                    ledger.heard(open, &told, now);
                }
            }
            Event::End(index) => {
                let cost = sent[index].1;
                used += cost;
                provider.settle(arrived[index].take().unwrap(), cost, now);
                let usage = usage(INPUT, cost - INPUT, 0);
                ledger.settle(open[index].take().unwrap(), Actual::Used(&usage), now);
            }
        }
    }
    // Replay what was used in truth.
    let mut envelope = Bucket::new(rate, start);
    let mut violations = 0;
    for (at, cost) in &sent {
        envelope.charge(*cost, *at);
        violations += usize::from(envelope.level(*at) < 0);
    }
    let possible = AMOUNT as f64 * ((now - start).as_secs_f64() / 60.0 + 1.0);
    Outcome { utilisation: used as f64 / possible, violations }
}

#[test]
fn a_limit_under_pressure_is_used_and_holds() {
    let start = start();
    let limit = Limit::per_minute(Meter::Tokens, AMOUNT);
    let rate = Rate::new(AMOUNT, limit.period).unwrap();
    let outcome = run(ledger(Provider::Bedrock, &[limit], start), rate, start);
    assert_eq!(outcome.violations, 0);
    // What is short of 1 does not grow with the number of calls.
    assert!(outcome.utilisation > 0.85, "{}", outcome.utilisation);
}
