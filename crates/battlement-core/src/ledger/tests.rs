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
    check_end(Provider::Groq, Actual::AtLeast(&Usage { input: Some(400), ..none }), [1, 400]);
    check_end(Provider::Groq, Actual::AtLeast(&Usage { output: Some(300), ..none }), [1, 300]);
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
fn a_clock_that_goes_back_brings_nothing() {
    let now = start();
    let later = now + Duration::from_secs(10);
    let mut ledger = ledger(Provider::Generic, &[Limit::per_second(Meter::Requests, 2)], now);
    let call = Estimate::default();
    let _two = [ledger.reserve(&call, later).unwrap(), ledger.reserve(&call, later).unwrap()];
    let until = later + Duration::from_millis(500);
    let refused = Refused::Wait { until, meter: Meter::Requests };
    assert_eq!(ledger.reserve(&call, now).unwrap_err(), refused);
    assert_eq!(levels(&ledger, later), [0]);
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
    assert_eq!(ledger.open.unwrap().calls.len(), 2);
}

#[test]
fn a_ledger_at_rest_is_small() {
    assert_eq!((size_of::<Ledger>(), size_of::<Tank>()), (48, 48));
    let now = start();
    let first = ledger(Provider::Anthropic, &[Limit::per_minute(Meter::Tokens, 1000)], now);
    let mut ledger = first.another(now);
    assert!(Arc::ptr_eq(&first.rules, &ledger.rules));
    let call = Estimate { input: 10, output: 20, ..Estimate::default() };
    for _ in 0..3 {
        let open = [(); 3].map(|()| ledger.reserve(&call, now).unwrap());
        for reservation in open {
            assert!(ledger.open.is_some());
            ledger.settle(reservation, Actual::Unknown, now);
        }
        assert!(ledger.open.is_none());
    }
    assert_eq!((levels(&ledger, now), levels(&first, now)), (vec![730], vec![1000]));
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
fn of_a_stream_that_ended_without_a_count_what_was_seen_is_charged() {
    let now = start();
    let mut ledger = ledger(Provider::Anthropic, &[Limit::per_minute(Meter::Output, 1000)], now);
    let call = Estimate { output: 50, ..Estimate::default() };
    let reservation = ledger.reserve(&call, now).unwrap();
    ledger.streamed(&reservation, 20, now);
    ledger.settle(reservation, Actual::Unknown, now);
    assert_eq!(levels(&ledger, now), [980]);
}

#[test]
fn a_stream_waits_for_others_but_not_for_itself() {
    let now = start();
    // A stream of 300 a second outruns the limit by half of what it produces.
    let limit = Limit { burst: Some(100), ..Limit::per_second(Meter::Output, 150) };
    let mut ledger = ledger(Provider::Anthropic, &[limit], now);
    let call = |output| Estimate { output, ..Estimate::default() };
    let refused = Refused::TooLarge { meter: Meter::Output, cost: 202, burst: 100 };
    assert_eq!(ledger.check(&call(202), now), Err(refused));
    let _open = ledger.reserve(&call(200), now).unwrap();
    // Both together produce 400 in the time in which 100 come back: 200 more than the burst.
    let until = now + Duration::from_nanos(1_333_333_334);
    let refused = Refused::Wait { until, meter: Meter::Output };
    assert_eq!(ledger.check(&call(200), now), Err(refused));
}

#[test]
fn a_line_has_passed_when_all_that_it_costs_has_come_back() {
    let now = start();
    // So many calls and tokens, and after how many milliseconds they have passed.
    let check = |limits: &[Limit], calls, tokens, expected| {
        let mut ledger = ledger(Provider::Anthropic, limits, now);
        let call = Estimate { input: 60, output: 200, ..Estimate::default() };
        let _open = ledger.reserve(&call, now).unwrap();
        let cleared = ledger.cleared(calls, tokens, now);
        assert_eq!(cleared, now + Duration::from_millis(expected), "{limits:?}");
    };
    let requests = Limit::per_second(Meter::Requests, 2);
    check(&[requests], 1, 1000, 0);
    check(&[requests], 4, 1000, 1500);
    let input = Limit::per_second(Meter::Input, 100);
    check(&[input], 9, 40, 0);
    check(&[input], 9, 50, 100);
    check(&[requests, input], 4, 50, 1600);
    // What is still being produced comes first: half of it in the time in which it comes back.
    let output = Limit { burst: Some(100), ..Limit::per_second(Meter::Output, 150) };
    check(&[output], 1, 30, 200);
}

#[test]
fn the_tokens_of_a_call_are_those_of_the_limit_that_counts_most() {
    let now = start();
    let check = |provider, meters: &[Meter], expected| {
        let limits: Vec<Limit> =
            meters.iter().map(|meter| Limit::per_minute(*meter, 10_000)).collect();
        let call = Estimate { input: 1000, cached_input: 200, output: 300, max_output: Some(4000) };
        assert_eq!(ledger(provider, &limits, now).tokens(&call), expected, "{provider} {meters:?}");
    };
    check(Provider::Groq, &[Meter::Requests], 0);
    check(Provider::Groq, &[Meter::Requests, Meter::Output, Meter::Input], 800);
    check(Provider::Groq, &[Meter::Tokens, Meter::Input], 1100);
    check(Provider::Anthropic, &[Meter::Tokens], 1100);
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
    let periods = |count| {
        let limit = |seconds| Limit { period: Duration::from_secs(seconds), ..requests };
        Ledger::new(config(&(1..=count).map(limit).collect::<Vec<_>>()), start())
    };
    assert!(periods(8).is_ok());
    assert_eq!(periods(9).unwrap_err(), InvalidLedger::Limits(9));
    let open = |max_open| Config { max_open, ..config(&[requests]) };
    assert_eq!(refused(open(0)), InvalidLedger::MaxOpen(0));
    assert_eq!(refused(open((1 << 24) + 1)), InvalidLedger::MaxOpen((1 << 24) + 1));
    assert!(Ledger::new(open(1 << 24), start()).is_ok());
    let mut weightless = config(&[requests]);
    weightless.charging.output_weight = 0;
    assert_eq!(refused(weightless), InvalidLedger::OutputWeight);
}
