mod headers;
mod properties;
mod utilisation;

use std::time::Duration;

use super::*;
use crate::{Provider, bucket::InvalidRate};

#[expect(clippy::disallowed_methods, reason = "tests count from some moment, whichever it is")]
fn start() -> Instant {
    Instant::now()
}

fn ledger(provider: Provider, limits: &[Limit], now: Instant) -> Ledger {
    Ledger::new(Config::new(provider, limits.to_vec()), now).unwrap()
}

fn usage(input: u64, output: u64, cached: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        cached_input: Some(cached),
        ..Usage::default()
    }
}

fn levels(ledger: &Ledger, now: Instant) -> Vec<i64> {
    ledger.levels(now).map(|(_, level)| level).collect()
}

/// What a provider is taken to charge for a call of 1000 tokens, 200 of them cached, an answer
/// expected to be 300 and at most 4000; which then uses 900, 100 of them cached, and 250.
///
/// Of requests, tokens, input and output: at admission and at the end.
fn check(provider: Provider, reserved: [u64; 4], settled: [u64; 4]) {
    const METERS: [Meter; 4] = [Meter::Requests, Meter::Tokens, Meter::Input, Meter::Output];
    let now = start();
    for ((meter, reserved), settled) in METERS.into_iter().zip(reserved).zip(settled) {
        let limit = Limit { burst: Some(1_000_000), ..Limit::per_minute(meter, 1_000_000) };
        let Ok(mut ledger) = Ledger::new(Config::new(provider, vec![limit]), now) else {
            assert!(matches!(provider, Provider::Gemini | Provider::Vertex));
            assert_eq!(meter, Meter::Output);
            continue;
        };
        let call = Estimate { input: 1000, cached_input: 200, output: 300, max_output: Some(4000) };
        let reservation = ledger.reserve(&call, now).unwrap();
        let spent = |ledger: &Ledger| 1_000_000 - levels(ledger, now)[0];
        assert_eq!(spent(&ledger), reserved as i64, "{provider} reserves {meter:?}");
        ledger.settle(reservation, Actual::Used(&usage(900, 250, 100)), now);
        assert_eq!(spent(&ledger), settled as i64, "{provider} charges {meter:?}");
        assert_eq!(ledger.open(), 0);
    }
}

#[test]
fn providers_charge_in_their_own_ways() {
    check(Provider::OpenAi, [1, 4000, 1000, 4000], [1, 4000, 1000, 4000]);
    check(Provider::AzureOpenAi, [1, 5000, 1000, 4000], [1, 5000, 1000, 4000]);
    check(Provider::Cerebras, [1, 5000, 1000, 4000], [1, 5000, 1000, 4000]);
    check(Provider::Anthropic, [1, 800, 800, 0], [1, 1050, 800, 250]);
    check(Provider::Gemini, [1, 1000, 1000, 0], [1, 900, 900, 0]);
    check(Provider::Vertex, [1, 1000, 1000, 0], [1, 900, 900, 0]);
    check(Provider::Bedrock, [1, 5000, 1000, 4000], [1, 1050, 800, 250]);
    check(Provider::Groq, [1, 1100, 800, 300], [1, 1050, 800, 250]);
    for provider in [Provider::Mistral, Provider::Xai, Provider::Generic] {
        check(provider, [1, 1300, 1000, 300], [1, 1150, 900, 250]);
    }
}

/// Spent requests and tokens after a call of 100 + 50 tokens that ended like that.
fn check_end(provider: Provider, actual: Actual<'_>, expected: [i64; 2]) {
    let now = start();
    let limits = [Limit::per_day(Meter::Requests, 1000), Limit::per_minute(Meter::Tokens, 1000)];
    let limits = limits.map(|limit| Limit { burst: Some(1000), ..limit });
    let mut ledger = ledger(provider, &limits, now);
    let call = Estimate { input: 100, output: 50, max_output: Some(60), ..Estimate::default() };
    let reservation = ledger.reserve(&call, now).unwrap();
    ledger.settle(reservation, actual, now);
    let spent: Vec<i64> = levels(&ledger, now).into_iter().map(|level| 1000 - level).collect();
    assert_eq!(spent, expected, "{provider}: {actual:?}");
}

#[test]
fn what_is_not_known_is_never_refunded() {
    let none = Usage::default();
    check_end(Provider::Groq, Actual::Unsent, [0, 0]);
    check_end(Provider::Groq, Actual::Rejected, [1, 0]);
    check_end(Provider::Groq, Actual::Used(&usage(90, 20, 0)), [1, 110]);
    check_end(Provider::Groq, Actual::Used(&usage(900, 200, 0)), [1, 1100]);
    check_end(Provider::Groq, Actual::Used(&none), [1, 150]);
    check_end(Provider::Groq, Actual::AtLeast(&usage(90, 20, 0)), [1, 150]);
    check_end(Provider::Groq, Actual::AtLeast(&usage(100, 90, 0)), [1, 190]);
    check_end(Provider::Groq, Actual::AtLeast(&none), [1, 150]);
    check_end(Provider::Groq, Actual::Unknown, [1, 150]);
    check_end(Provider::OpenAi, Actual::Unsent, [0, 0]);
    check_end(Provider::OpenAi, Actual::Rejected, [1, 100]);
    check_end(Provider::OpenAi, Actual::Used(&usage(10, 20, 0)), [1, 100]);
    check_end(Provider::Anthropic, Actual::Unsent, [0, 0]);
    check_end(Provider::Anthropic, Actual::Rejected, [1, 0]);
    check_end(Provider::Anthropic, Actual::Used(&usage(90, 20, 0)), [1, 110]);
    check_end(Provider::Anthropic, Actual::AtLeast(&usage(90, 20, 0)), [1, 120]);
    check_end(Provider::Anthropic, Actual::Unknown, [1, 150]);
}

#[test]
fn burndown_and_unset_maxima_are_reserved() {
    let now = start();
    let limit = Limit::per_minute(Meter::Tokens, 1_000_000);
    let mut config = Config::new(Provider::Bedrock, vec![limit]);
    config.charging.output_weight = 5;
    let mut ledger = Ledger::new(config, now).unwrap();
    let call = Estimate { output: 100, ..Estimate::default() };
    let reservation = ledger.reserve(&call, now).unwrap();
    assert_eq!(levels(&ledger, now), [1_000_000 - 64_000]);
    ledger.settle(reservation, Actual::Used(&usage(0, 100, 0)), now);
    assert_eq!(levels(&ledger, now), [1_000_000 - 500]);

    // Five times what is expected is more than the maximum that the call names.
    let _open = ledger.reserve(&Estimate { max_output: Some(400), ..call }, now).unwrap();
    assert_eq!(levels(&ledger, now), [1_000_000 - 1000]);
}

#[test]
fn openai_reserves_no_maximum_that_a_call_does_not_name() {
    let now = start();
    let limits = [Limit::per_minute(Meter::Tokens, 30_000)];
    let mut ledger = ledger(Provider::OpenAi, &limits, now);
    let call = Estimate { input: 100, output: 400, ..Estimate::default() };
    let _open = ledger.reserve(&call, now).unwrap();
    assert_eq!(levels(&ledger, now), [30_000 - 400]);
}

#[test]
fn a_limit_changes_and_what_is_spent_stays_spent() {
    let now = start();
    let limits = [Limit::per_minute(Meter::Requests, 10), Limit::per_minute(Meter::Input, 100)];
    let mut ledger = ledger(Provider::Generic, &limits, now);
    let call = Estimate { input: 80, ..Estimate::default() };
    let open = ledger.reserve(&call, now).unwrap();
    ledger.change(Limit::per_minute(Meter::Input, 50), now).unwrap();
    assert_eq!(levels(&ledger, now), [9, 20]);
    let too_large = Refused::TooLarge { meter: Meter::Input, cost: 80, burst: 50 };
    assert_eq!(ledger.check(&call, now).unwrap_err(), too_large);
    ledger.settle(open, Actual::Unsent, now);
    assert_eq!(levels(&ledger, now), [10, 50]);

    let unknown = Limit::per_day(Meter::Input, 1);
    let absent = InvalidLedger::Absent(Meter::Input, unknown.period);
    assert_eq!(ledger.change(unknown, now), Err(absent));
    assert!(ledger.change(Limit::per_minute(Meter::Input, 0), now).is_err());
    assert_eq!(ledger.levels(now).next().unwrap().0.amount, 10);
}

#[test]
fn requests_are_enforced_in_slices_where_the_provider_does() {
    let now = start();
    let limits = [Limit::per_minute(Meter::Requests, 600), Limit::per_second(Meter::Requests, 30)];
    assert_eq!(levels(&ledger(Provider::AzureOpenAi, &limits, now), now), [100, 30]);
    assert_eq!(levels(&ledger(Provider::OpenAi, &limits, now), now), [600, 30]);
    let few = [Limit::per_minute(Meter::Requests, 3)];
    assert_eq!(levels(&ledger(Provider::AzureOpenAi, &few, now), now), [1]);
}

#[test]
fn all_windows_must_let_a_call_pass() {
    let now = start();
    let limits = [Limit::per_second(Meter::Requests, 2), Limit::per_day(Meter::Requests, 3)];
    let mut ledger = ledger(Provider::Generic, &limits, now);
    let call = Estimate::default();
    let _two = [ledger.reserve(&call, now).unwrap(), ledger.reserve(&call, now).unwrap()];
    let wait = |after| Refused::Wait { until: now + after, meter: Meter::Requests };
    assert_eq!(ledger.reserve(&call, now).unwrap_err(), wait(Duration::from_millis(500)));
    let later = now + Duration::from_millis(500);
    let _third = ledger.reserve(&call, later).unwrap();
    // A third of a day, as the day's window refills all the time.
    assert_eq!(ledger.check(&call, later).unwrap_err(), wait(Duration::from_secs(28_800)));
    assert_eq!(levels(&ledger, later), [0, 0]);
}

#[test]
fn what_never_fits_is_refused_for_good_or_lent() {
    let now = start();
    let mut config = Config::new(Provider::Generic, vec![Limit::per_minute(Meter::Input, 100)]);
    let call = Estimate { input: 250, ..Estimate::default() };
    let refused = Refused::TooLarge { meter: Meter::Input, cost: 250, burst: 100 };
    let mut strict = Ledger::new(config.clone(), now).unwrap();
    assert_eq!(strict.reserve(&call, now).unwrap_err(), refused);
    assert_eq!(strict.forecast(now).next(&call), None);
    config.lends = true;
    let mut ledger = Ledger::new(config, now).unwrap();
    let _open = ledger.reserve(&call, now).unwrap();
    assert_eq!(levels(&ledger, now), [-150]);
}

#[test]
fn open_calls_are_bounded() {
    let now = start();
    let mut config = Config::new(Provider::Generic, vec![Limit::per_minute(Meter::Requests, 100)]);
    config.max_open = 2;
    let mut ledger = Ledger::new(config, now).unwrap();
    let call = Estimate::default();
    let first = ledger.reserve(&call, now).unwrap();
    let _second = ledger.reserve(&call, now).unwrap();
    assert_eq!(ledger.reserve(&call, now).unwrap_err(), Refused::TooManyOpen { open: 2 });
    ledger.settle(first, Actual::Unknown, now);
    let _third = ledger.reserve(&call, now).unwrap();
    assert_eq!(ledger.calls.len(), 2);
}

#[test]
fn streams_that_the_rate_can_feed_are_let_through() {
    let now = start();
    // 1000 tokens a second feed three streams of 300, however long they are.
    let limit = Limit { burst: Some(1500), ..Limit::per_second(Meter::Output, 1000) };
    let mut ledger = ledger(Provider::Anthropic, &[limit], now);
    let call = Estimate { output: 1_000_000, ..Estimate::default() };
    let mut open: Vec<_> = (0..3).map(|_| ledger.reserve(&call, now).unwrap()).collect();
    // A fourth would outrun it, by 200 tokens a second. It passes if it is short.
    assert!(matches!(ledger.reserve(&call, now), Err(Refused::Wait { .. })));
    let short = Estimate { output: 2000, ..Estimate::default() };
    open.push(ledger.reserve(&short, now).unwrap());
    // What they produce is charged; what they produced before is not charged again.
    ledger.streamed(&open[0], 400, now);
    ledger.streamed(&open[0], 300, now);
    assert_eq!(levels(&ledger, now), [1100]);
    ledger.settle(open.swap_remove(0), Actual::Used(&usage(0, 350, 0)), now);
    assert_eq!(levels(&ledger, now), [1150]);
    ledger.settle(open.swap_remove(0), Actual::Unknown, now);
    assert_eq!(levels(&ledger, now), [1150 - 2000]);
    // In debt, nothing starts.
    assert!(ledger.check(&short, now).is_err());
}

#[test]
fn headroom_is_that_of_the_tightest_limit() {
    let now = start();
    let limits = [Limit::per_minute(Meter::Requests, 10), Limit::per_minute(Meter::Tokens, 100)];
    let mut ledger = ledger(Provider::Generic, &limits, now);
    assert!((ledger.headroom(now) - 1.0).abs() < 1e-9);
    let _open = ledger.reserve(&Estimate { input: 30, ..Estimate::default() }, now).unwrap();
    assert!((ledger.headroom(now) - 0.7).abs() < 1e-9);
}

#[test]
fn contradictions_are_refused_at_build() {
    let refused = |config: Config| Ledger::new(config, start()).unwrap_err();
    let config = |limits: &[Limit]| Config::new(Provider::Gemini, limits.to_vec());
    let requests = Limit::per_minute(Meter::Requests, 10);
    assert_eq!(refused(config(&[])), InvalidLedger::Limits(0));
    assert_eq!(
        refused(config(&[requests, requests])),
        InvalidLedger::Twice(Meter::Requests, Duration::from_secs(60))
    );
    assert_eq!(refused(config(&[Limit::per_minute(Meter::Output, 10)])), InvalidLedger::Uncounted);
    assert_eq!(
        refused(config(&[Limit::per_minute(Meter::Input, 0)])),
        InvalidLedger::Rate { meter: Meter::Input, source: InvalidRate::Amount(0) }
    );
    assert_eq!(refused(Config { max_open: 0, ..config(&[requests]) }), InvalidLedger::MaxOpen(0));
    let mut weightless = config(&[requests]);
    weightless.charging.output_weight = 0;
    assert_eq!(refused(weightless), InvalidLedger::OutputWeight);
}
