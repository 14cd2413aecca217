//! What headers say, taken in.

use http::{HeaderMap, HeaderName};

use super::*;
use crate::hint;

const PREFIX: &str = "x-ratelimit-";

fn told(fields: &str) -> hint::RateLimits {
    let mut headers = HeaderMap::new();
    for field in fields.split(' ').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=').unwrap();
        let name: HeaderName = format!("{PREFIX}{name}").parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    hint::rate_limits(&headers, Provider::Generic, std::time::SystemTime::UNIX_EPOCH)
}

/// Walks a ledger of 100 requests a minute through a script, and expects the level after each step:
///
/// - `r`: a call is let through
/// - `hn:fields`: the n-th call hears that; `_` stands for a space
/// - `sn`: the n-th call is settled
/// - `+n`: n seconds pass
fn check(script: &str, expected: &str) {
    let mut now = start();
    let limits = [Limit::per_minute(Meter::Requests, 100)];
    let mut ledger = ledger(Provider::Generic, &limits, now);
    let mut calls: Vec<Option<Reservation>> = Vec::new();
    let mut seen = Vec::new();
    for step in script.split(' ') {
        let (kind, rest) = step.split_at(1);
        let (number, fields) = rest.split_once(':').unwrap_or((rest, ""));
        let number = || number.parse::<usize>().unwrap();
        match kind {
            "r" => calls.push(ledger.reserve(&Estimate::default(), now).ok()),
            "h" => {
                let call = calls[number()].as_ref().unwrap();
                ledger.heard(call, &told(&fields.replace('_', " ")), now);
            }
            "s" => ledger.settle(calls[number()].take().unwrap(), Actual::Unknown, now),
            "+" => now += Duration::from_secs(number() as u64),
            _ => panic!("no such step: {step}"),
        }
        seen.push(levels(&ledger, now)[0].to_string());
    }
    assert_eq!(seen.join(" "), expected, "{script}");
}

#[test]
fn a_level_that_is_too_high_is_lowered_at_once() {
    check("r h0:remaining-requests=40", "99 40");
    check("r h0:remaining-requests=0 +6", "99 0 10");
    check("r h0:limit-requests=100", "99 99");
}

#[test]
fn calls_the_provider_may_not_have_seen_are_subtracted() {
    // Sent after, settled or not.
    check("r r r h0:remaining-requests=40", "99 98 97 38");
    check("r r s1 h0:remaining-requests=40", "99 98 98 39");
    // Sent before, but not heard of yet.
    check("r r r h0:remaining-requests=99 h2:remaining-requests=40", "99 98 97 97 39");
}

#[test]
fn what_was_charged_since_a_call_was_sent_is_subtracted() {
    let now = start();
    // Of a first call, after a second one was sent: 60 more are charged at its end, or produced.
    let check = |provider, end: fn(&mut Ledger, Reservation, Instant), expected| {
        let limits = [Meter::Requests, Meter::Tokens].map(|meter| Limit::per_minute(meter, 1000));
        let mut ledger = ledger(provider, &limits, now);
        let call = Estimate { input: 100, ..Estimate::default() };
        let first = ledger.reserve(&call, now).unwrap();
        let second = ledger.reserve(&call, now).unwrap();
        end(&mut ledger, first, now);
        ledger.heard(&second, &told("remaining-tokens=700"), now);
        assert_eq!(levels(&ledger, now), [998, expected], "{provider}");
    };
    let settle = |ledger: &mut Ledger, first, now| {
        ledger.settle(first, Actual::Used(&usage(160, 0, 0)), now);
    };
    check(Provider::Groq, settle, 640);
    let stream = |ledger: &mut Ledger, first, now| {
        ledger.heard(&first, &told(""), now);
        ledger.streamed(&first, 60, now);
    };
    // Where remains are rounded to thousands.
    check(Provider::Anthropic, stream, 640 - 500);
    let produced = |ledger: &mut Ledger, first, now| {
        ledger.settle(first, Actual::Used(&usage(100, 60, 0)), now);
    };
    check(Provider::Anthropic, produced, 640 - 500);
}

#[test]
fn a_look_that_is_overtaken_lowers_but_never_raises() {
    check("r r h1:remaining-requests=30 h0:remaining-requests=90", "99 98 29 29");
    check("r r h1:remaining-requests=30 h0:remaining-requests=20", "99 98 29 19");
}

#[test]
fn a_level_that_is_too_low_is_raised_on_the_second_look() {
    check(
        "r h0:remaining-requests=10 r h1:remaining-requests=60 r h2:remaining-requests=59",
        "99 10 9 9 8 59",
    );
    // Also if no call is open in between.
    check(
        "r h0:remaining-requests=10 s0 r h1:remaining-requests=60 s1 r h2:remaining-requests=59",
        "99 10 10 9 9 9 8 59",
    );
    // Not if something was sent in between, or the second look shows less.
    check(
        "r h0:remaining-requests=10 r h1:remaining-requests=60 r r h2:remaining-requests=59",
        "99 10 9 9 8 7 7",
    );
    check(
        "r h0:remaining-requests=10 r h1:remaining-requests=60 r h2:remaining-requests=9",
        "99 10 9 9 8 8",
    );
    // Not while one that was sent before is not heard of.
    check(
        "r h0:remaining-requests=10 r r h2:remaining-requests=60 r h3:remaining-requests=60",
        "99 10 9 8 8 7 7",
    );
    // Never above what was configured.
    check(
        "r h0:remaining-requests=9 r h1:remaining-requests=999 r h2:remaining-requests=999",
        "99 9 8 8 7 100",
    );
}

#[test]
fn a_level_that_is_nearly_right_is_left_alone() {
    let now = start();
    let after = |remaining: u64| {
        let mut ledger = ledger(Provider::Generic, &[Limit::per_minute(Meter::Tokens, 1000)], now);
        for input in [100, 0] {
            let call = ledger.reserve(&Estimate { input, ..Estimate::default() }, now).unwrap();
            ledger.heard(&call, &told(&format!("remaining-tokens={remaining}")), now);
        }
        levels(&ledger, now)[0]
    };
    // A hundredth of the limit is within what two ledgers may differ by.
    assert_eq!(after(910), 900);
    assert_eq!(after(911), 911);
}

#[test]
fn a_lower_limit_is_adopted_at_once_and_a_higher_one_in_steps() {
    // Steps of 13, an eighth of 100, at least a second apart.
    check(
        "r h0:limit-requests=20 +60 h0:limit-requests=500 +60 h0:limit-requests=500 +60 +60",
        "99 20 20 20 33 33 46 46",
    );
    check(
        "r h0:limit-requests=20 +1 r h1:limit-requests=50 h1:limit-requests=50 +60",
        "99 20 20 19 19 19 33",
    );
    // Headers that were overtaken do not raise it.
    check(
        "r r h1:limit-requests=20 +60 h0:limit-requests=500 +60 h1:limit-requests=500 +60",
        "99 98 20 20 20 20 20 33",
    );
    let now = start();
    let mut ledger = ledger(Provider::Generic, &[Limit::per_minute(Meter::Requests, 100)], now);
    let call = ledger.reserve(&Estimate::default(), now).unwrap();
    ledger.heard(&call, &told("limit-requests=20"), now);
    let (limit, _) = ledger.levels(now).next().unwrap();
    assert_eq!((limit.amount, limit.burst), (20, Some(20)), "what is in force");
    // A limit of nothing is not known; one that is configured lower stays.
    check("r h0:limit-requests=0 h0:limit-requests=1000 +1", "99 99 99 100");
}

#[test]
fn only_the_window_that_is_meant_is_touched() {
    let now = start();
    let limits = [
        Limit::per_minute(Meter::Requests, 100),
        Limit::per_day(Meter::Requests, 1000),
        Limit::per_minute(Meter::Tokens, 1000),
        Limit::per_minute(Meter::Input, 1000),
        Limit::per_minute(Meter::Output, 1000),
    ];
    let after = |fields: &str| {
        let mut ledger = ledger(Provider::Generic, &limits, now);
        let call = ledger.reserve(&Estimate::default(), now).unwrap();
        ledger.heard(&call, &told(fields), now);
        levels(&ledger, now)
    };
    assert_eq!(after("remaining-requests=5"), [5, 999, 1000, 1000, 1000]);
    assert_eq!(after("remaining-requests-day=5"), [99, 5, 1000, 1000, 1000]);
    assert_eq!(after("remaining-tokens=5"), [99, 999, 5, 1000, 1000]);
    assert_eq!(after("remaining-tokens-prompt=5"), [99, 999, 1000, 5, 1000]);
    assert_eq!(after("remaining-tokens-generated=5"), [99, 999, 1000, 1000, 5]);
    assert_eq!(after("remaining-project-tokens=5"), [99, 999, 1000, 1000, 1000]);
    assert_eq!(after("remaining-tokens-usage-based=5"), [99, 999, 1000, 1000, 1000]);
    assert_eq!(after("remaining=5"), [99, 999, 1000, 1000, 1000]);
}

#[test]
fn rounded_remains_are_taken_at_their_least() {
    let now = start();
    let limits = [Limit::per_minute(Meter::Tokens, 100_000)];
    let mut ledger = ledger(Provider::Anthropic, &limits, now);
    let call = ledger.reserve(&Estimate::default(), now).unwrap();
    ledger.heard(&call, &told("remaining-tokens=40000"), now);
    assert_eq!(levels(&ledger, now), [39_500]);
}
