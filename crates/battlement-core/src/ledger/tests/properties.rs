//! The invariants of the limiter that a ledger owns.

use http::HeaderMap;
use proptest::{collection::vec, prelude::*, sample};

use super::*;
use crate::hint;

fn provider() -> impl Strategy<Value = Provider> {
    sample::select(vec![
        Provider::OpenAi,
        Provider::Groq,
        Provider::Bedrock,
        Provider::Anthropic,
        Provider::Generic,
    ])
}

fn call() -> impl Strategy<Value = Estimate> {
    (0..200u64, 0..50u64, 0..100u64, proptest::option::of(1..300u64)).prop_map(
        |(input, cached_input, output, max_output)| Estimate {
            input,
            cached_input: cached_input.min(input),
            output,
            max_output,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Pass(u64),
    Reserve(Estimate),
    /// Which open call, how it ended, and two counts.
    Settle(usize, u8, u64, u64),
    Stream(usize, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..5_000_000_000u64).prop_map(Op::Pass),
        4 => call().prop_map(Op::Reserve),
        3 => (any::<usize>(), 0..5u8, 0..300u64, 0..300u64)
            .prop_map(|(which, how, input, output)| Op::Settle(which, how, input, output)),
        1 => (any::<usize>(), 0..120u64).prop_map(|(which, output)| Op::Stream(which, output)),
    ]
}

fn limits() -> Vec<Limit> {
    let mut limits = vec![
        Limit::per_second(Meter::Requests, 20),
        Limit::per_day(Meter::Requests, 40),
        Limit::per_minute(Meter::Tokens, 3_000),
        Limit::per_minute(Meter::Input, 2_000),
        Limit::per_minute(Meter::Output, 1_000),
    ];
    limits[2].burst = Some(500);
    limits
}

fn config(provider: Provider) -> Config {
    let mut config = Config::new(provider, limits());
    config.charging.unset_maximum = 200;
    config
}

fn actual(how: u8, usage: &Usage) -> Actual<'_> {
    match how {
        0 => Actual::Unsent,
        1 => Actual::Rejected,
        2 => Actual::AtLeast(usage),
        3 => Actual::Unknown,
        _ => Actual::Used(usage),
    }
}

proptest! {
    #[test]
    fn l4_a_call_is_charged_by_every_limit_or_by_none(
        provider in provider(),
        ops in vec(op(), 1..80),
    ) {
        let mut now = start();
        let config = config(provider);
        let mut ledger = Ledger::new(config.clone(), now).unwrap();
        let mut open = Vec::new();
        for op in ops {
            match op {
                Op::Pass(nanoseconds) => now += Duration::from_nanos(nanoseconds),
                Op::Reserve(call) => {
                    let before = levels(&ledger, now);
                    let charged = match ledger.reserve(&call, now) {
                        Ok(reservation) => {
                            open.push(reservation);
                            true
                        }
                        Err(_) => false,
                    };
                    for ((before, after), limit) in
                        before.iter().zip(levels(&ledger, now)).zip(&config.limits)
                    {
                        let charge = config.charging.reserved(limit.meter, &call).now;
                        let expected = if charged { charge as i64 } else { 0 };
                        prop_assert_eq!(before - after, expected);
                        // And nobody passes on credit.
                        prop_assert!(!charged || charge == 0 || after >= 0);
                    }
                }
                Op::Settle(which, how, input, output) if !open.is_empty() => {
                    let call = open.swap_remove(which % open.len());
                    ledger.settle(call, actual(how, &usage(input, output, 0)), now);
                }
                Op::Stream(which, output) if !open.is_empty() => {
                    ledger.streamed(&open[which % open.len()], output, now);
                }
                Op::Settle(..) | Op::Stream(..) => {}
            }
            prop_assert_eq!(ledger.open(), open.len());
        }
    }

    #[test]
    fn l3_reserved_is_settled_refunded_or_open(
        provider in provider(),
        ops in vec(op(), 1..80),
    ) {
        // No time passes, so nothing comes back, and every token must be found somewhere.
        let now = start();
        let config = config(provider);
        let charging = config.charging;
        let mut ledger = Ledger::new(config.clone(), now).unwrap();
        let mut open: Vec<(Reservation, Estimate, u64)> = Vec::new();
        let mut settled = vec![0; config.limits.len()];
        for op in ops {
            match op {
                Op::Reserve(call) => {
                    if let Ok(reservation) = ledger.reserve(&call, now) {
                        open.push((reservation, call, 0));
                    }
                }
                Op::Stream(which, output) if !open.is_empty() => {
                    let which = which % open.len();
                    ledger.streamed(&open[which].0, output, now);
                    if charging.output == Output::AsProduced {
                        open[which].2 = output.max(open[which].2);
                    }
                }
                Op::Settle(which, how, input, output) if !open.is_empty() => {
                    let (reservation, call, streamed) = open.swap_remove(which % open.len());
                    let usage = usage(input, output, 0);
                    let actual = actual(how, &usage);
                    ledger.settle(reservation, actual, now);
                    for (sum, limit) in settled.iter_mut().zip(&config.limits) {
                        let charge = charging.reserved(limit.meter, &call);
                        let streams = charging.output == Output::AsProduced
                            && matches!(limit.meter, Meter::Output | Meter::Tokens);
                        if charge.now > 0 {
                            *sum += charging.settled_at(limit.meter, charge.now, streams, &actual);
                        }
                        if streams {
                            *sum += charging.produced(charge.later, streamed, &actual);
                        }
                    }
                }
                Op::Pass(_) | Op::Settle(..) | Op::Stream(..) => {}
            }
            for (((limit, level), full), sum) in
                ledger.levels(now).zip(Ledger::new(config.clone(), now).unwrap().levels(now))
                    .map(|(ours, full)| (ours, full.1)).zip(&settled)
            {
                let counts = matches!(limit.meter, Meter::Output | Meter::Tokens);
                let running: u64 = open.iter().map(|(_, call, streamed)| {
                    let produced = if counts { *streamed } else { 0 };
                    charging.reserved(limit.meter, call).now + produced
                }).sum();
                prop_assert_eq!(full - level, (sum + running) as i64);
            }
        }
    }

    #[test]
    fn l1_streams_within_their_estimate_and_speed_leave_no_debt(
        amount in 100..5_000u64,
        burst in 100..5_000u64,
        steps in vec((0..100u64, 1..3_000u64, 0..=3u64), 1..40),
    ) {
        let mut now = start();
        let limit = Limit { burst: Some(burst), ..Limit::per_second(Meter::Output, amount) };
        let mut ledger = ledger(Provider::Anthropic, &[limit], now);
        // What each may still produce, and what it has.
        let mut open: Vec<(Reservation, u64, u64)> = Vec::new();
        for (hundredths, output, speed) in steps {
            // At most 3 tokens in a hundredth of a second. They come at once instead of one by
            // one, so the level may be below zero by as many.
            for _ in 0..hundredths {
                now += Duration::from_millis(10);
                for (call, rest, produced) in &mut open {
                    let more = speed.min(*rest);
                    (*rest, *produced) = (*rest - more, *produced + more);
                    ledger.streamed(call, *produced, now);
                }
                prop_assert!(levels(&ledger, now)[0] >= -3 * open.len() as i64);
            }
            let call = Estimate { output, ..Estimate::default() };
            match ledger.reserve(&call, now) {
                Ok(reservation) => open.push((reservation, output, 0)),
                Err(Refused::Wait { until, .. }) => prop_assert!(until > now),
                Err(_) => prop_assert!(output > burst),
            }
            open.retain(|(_, rest, _)| *rest > 0);
        }
    }

    #[test]
    fn l8_a_level_is_never_above_what_headers_leave(
        calls in vec((0..1000u64, 0..2_000u64, any::<u32>()), 1..20),
    ) {
        let limits = [Limit::per_minute(Meter::Tokens, 100_000)];
        let now = start();
        let end = now + Duration::from_secs(1);
        let run = |order: &[usize]| {
            let mut ledger = ledger(Provider::Generic, &limits, now);
            let mut at = now;
            let mut open: Vec<_> = Vec::new();
            for (input, gap, _) in &calls {
                at = (at + Duration::from_micros(*gap)).min(end);
                let call = Estimate { input: *input, ..Estimate::default() };
                open.push(ledger.reserve(&call, at).unwrap());
            }
            let mut heard = vec![false; calls.len()];
            for index in order {
                let remaining = u64::from(calls[*index].2 % 100_000);
                let mut headers = HeaderMap::new();
                headers.insert("x-ratelimit-remaining-tokens", remaining.into());
                let told = hint::rate_limits(
                    &headers, Provider::Generic, std::time::SystemTime::UNIX_EPOCH,
                );
                let before = levels(&ledger, end)[0];
                ledger.heard(&open[*index], &told, end);
                heard[*index] = true;
                // The provider may not have seen what was sent after, nor what it did not answer.
                let unseen: u64 = calls.iter().enumerate()
                    .filter(|(other, _)| other > index || !heard[*other])
                    .map(|(_, (input, ..))| *input).sum();
                let bound = remaining as i64 - unseen as i64;
                assert_eq!(levels(&ledger, end)[0], before.min(bound));
            }
            levels(&ledger, end)[0]
        };
        let in_order: Vec<usize> = (0..calls.len()).collect();
        let mut shuffled = in_order.clone();
        shuffled.sort_by_key(|index| calls[*index].2.rotate_left(16));
        prop_assert!(run(&shuffled) <= run(&in_order));
    }

    #[test]
    fn l7_who_waits_passes_when_it_was_told_and_no_sooner(
        line in vec(call(), 1..60),
    ) {
        let now = start();
        let mut ledger = Ledger::new(config(Provider::Groq), now).unwrap();
        let mut forecast = ledger.forecast(now);
        let mut last = now;
        for call in line {
            let Some(at) = forecast.next(&call) else {
                let never = matches!(ledger.check(&call, last), Err(Refused::TooLarge { .. }));
                prop_assert!(never);
                continue;
            };
            prop_assert!(at >= last);
            if at > last {
                let early = ledger.check(&call, at - Duration::from_nanos(1));
                let told_again = matches!(early, Err(Refused::Wait { until, .. }) if until == at);
                prop_assert!(told_again, "{:?}", early);
            }
            let _open = ledger.reserve(&call, at).unwrap();
            last = at;
        }
    }

    #[test]
    fn l7_a_line_has_passed_within_the_bound(
        provider in provider(),
        lends in any::<bool>(),
        before in vec(call(), 0..20),
        line in vec(call(), 1..40),
        pause in 0..90u64,
    ) {
        let mut now = start();
        let mut ledger = Ledger::new(Config { lends, ..config(provider) }, now).unwrap();
        let _open: Vec<_> = before.iter().map(|call| ledger.reserve(call, now)).collect();
        now += Duration::from_secs(pause);
        let mut forecast = ledger.forecast(now);
        let (mut passed, mut tokens) = (0, 0);
        for call in line {
            if let Some(at) = forecast.next(&call) {
                (passed, tokens) = (passed + 1, tokens + ledger.tokens(&call));
                prop_assert!(at <= ledger.cleared(passed, tokens, now));
            }
        }
    }

    #[test]
    fn the_demand_of_streams_is_the_worst_moment(
        remaining in vec(0..500u64, 0..12),
        speed in 1..50u64,
        amount in 1..300u64,
    ) {
        let rate = Rate::new(amount, Duration::from_secs(1)).unwrap();
        let speed = NonZeroU64::new(speed).unwrap();
        // They come and go, one has yet to come, and it does not matter which.
        let mut streams = Streams::default();
        for rest in &remaining {
            streams.change(0, rest ^ 7);
        }
        for (index, rest) in remaining.iter().enumerate() {
            streams.change(rest ^ 7, if index == 0 { 0 } else { *rest });
        }
        let demand = streams.demand(remaining.first().copied().unwrap_or(0), speed, rate);
        streams.change(0, remaining.first().copied().unwrap_or(0));
        prop_assert_eq!(streams.demand(0, speed, rate), demand);
        // The difference is linear between the moments at which a stream runs dry. Times are in
        // 1/speed seconds, differences in 1/speed tokens.
        let g = speed.get();
        let worst = remaining.iter().map(|turn| {
            let brought: u64 = remaining.iter().map(|rest| rest.min(turn)).sum();
            (brought * g) as i64 - (amount * turn) as i64
        }).fold(0, i64::max);
        prop_assert_eq!(demand, (worst as u64).div_ceil(g));
    }
}
