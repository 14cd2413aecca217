use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{cursor::LONGEST, *};
use crate::answer::{Ending, Fault};

fn steps(words: &str, count: u64) -> Vec<String> {
    let script: Script = words.parse().unwrap();
    (0..count).map(|number| script.step(number).unwrap().to_string()).collect()
}

#[test]
fn goes_through_its_steps() {
    let check = |words: &str, expected: &[&str]| {
        assert_eq!(steps(words, expected.len() as u64), expected, "{words}");
    };
    check("ok", &["ok", "ok", "ok"]);
    check("429; ok", &["429", "ok", "ok", "ok"]);
    check("2x 500; 3x ok; reset", &["500", "500", "ok", "ok", "ok", "reset", "reset"]);
    check("2x 500; ok; cycle", &["500", "500", "ok", "500", "500", "ok", "500"]);
    check("500;ok ;", &["500", "ok", "ok"]);
    assert_eq!(Script::new(Step::ok()).then(Step::never()).cycle().to_string(), "ok; never; cycle");
    assert_eq!(Script::from(Vec::new()), Script::default());
}

#[test]
fn words_are_read() {
    let second = Duration::from_secs(1);
    let check = |words: &str, expected: Step| {
        assert_eq!(words.parse::<Step>().unwrap(), expected, "{words}");
    };
    check("ok", Step::ok());
    check("OK", Step::ok());
    check("429 after 2s", Step::rate_limited().hint(2 * second));
    check("429 after 1m30s", Step::rate_limited().hint(90 * second));
    check("503 after 0.5s", Step::status(StatusCode::SERVICE_UNAVAILABLE).hint(second / 2));
    check("overloaded", Step::overloaded());
    check("overloaded after 2 events", Step::ok().error_after(2, Fault::Overloaded));
    check("error after 1 event", Step::ok().error_after(1, Fault::Internal));
    check(
        "429 after 3 events",
        Step::ok().error_after(3, Fault::RateLimited(battlement_core::hint::Dimension::Requests)),
    );
    check("cut after 3 events", Step::ok().cut_after(3));
    check("tool call torn after 0 events", Step::tool_call().torn_after(0));
    check("reset", Step::reset());
    check("reset after 2 events", Step::ok().reset_after(2));
    check("early 413", Step::status(StatusCode::PAYLOAD_TOO_LARGE).early());
    check("head after 2s first token after 1s every 50ms", {
        Step::ok().head_after(2 * second).first_after(second).every(second / 20)
    });
    check(
        "100 tokens saying \"a \\\"b\\\"\\n;, \u{e9}\"",
        Step::ok().tokens(100).saying("a \"b\"\n;, \u{e9}"),
    );
    check("page 502", Step::page(StatusCode::BAD_GATEWAY));
    check("unreachable", Step::unreachable());
    check("never early", Step::never().early());
    check("wrong length", Step::ok().wrong_length());
    let tea = Response::builder().status(418).header("x-tea", "green").body("short").unwrap();
    check("answer 418 \"x-tea: green\" saying \"short\"", Step::answer(tea));
}

#[test]
fn no_answer_ends_with_a_status_below_200() {
    let check = |step: Step, words: &str| assert_eq!(step.to_string(), words);
    check(Step::status(StatusCode::CONTINUE), "500");
    check(Step::page(StatusCode::PROCESSING), "page 500");
    check(Step::answer(Response::builder().status(103).body("").unwrap()), "answer 500");
}

#[test]
fn errors_say_where_and_what() {
    let check = |words: &str, expected: &str| {
        let error = words.parse::<Script>().unwrap_err();
        assert_eq!(error.to_string(), expected, "{words}");
    };
    let a_step = "expected a step such as `ok`, `429 after 2s` or `cut after 3 events`";
    check("", &format!("at byte 0: {a_step}"));
    check("ok; nonsense", &format!("at byte 4: {a_step}"));
    check("cycle", &format!("at byte 0: {a_step}"));
    check(
        "429 after soon",
        "at byte 10: expected a time such as `2s`, or `events` behind a number",
    );
    check("head after 2 events", "at byte 11: expected a time such as `2s`");
    check("cut after 2s", "at byte 10: expected a number of events, such as `3 events`");
    check("cut", "at byte 3: expected `after` and a number of events");
    check("ok ok", "at byte 3: expected something that is not said yet in this step");
    check(
        "cut after 1 event stall after 2 events",
        "at byte 18: expected something that is not said yet in this step",
    );
    check("50% ok, 40% 500", "at byte 0: expected shares that add up to 100%");
    check("ok, 500", "at byte 0: expected a share such as `90%`");
    check("120% ok", "at byte 0: expected a share such as `90%`");
    check("0x ok", "at byte 0: expected at least `1x`, and less than 2³² times");
    check("page 99", "at byte 5: expected a status from 200 to 999");
    check("ok saying \"abc", "at byte 14: expected `\"` at the end of a text");
    check(
        "500 saying \"abc\"",
        "at byte 0: expected an answer of the model, if it is `saying` something",
    );
    check(
        "answer 200 wrong length saying \"x\"",
        "at byte 0: expected `saying` and the body right behind the status and headers of an `answer`",
    );
    check("ok; cycle; ok", "at byte 11: expected nothing behind `cycle`");
    check("seed x; ok", "at byte 5: expected a seed, which is a number");
    check("answer 200 \"no colon\"", "at byte 11: expected a header, as in `\"name: value\"`");
    check("ok head after 900d", "at byte 14: expected a time such as `2s`");
}

#[test]
fn shares_are_kept_and_repeat_with_the_seed() {
    let count = |words: &str| {
        let mut counts = HashMap::new();
        for step in steps(words, 10_000) {
            *counts.entry(step).or_insert(0_u32) += 1;
        }
        counts
    };
    let counts = count("90% ok, 9.5% cut after 3 events, 0.5% 500");
    assert!((8_900..9_100).contains(&counts["ok"]), "{counts:?}");
    assert!((850..1_050).contains(&counts["cut after 3 events"]), "{counts:?}");
    assert!((20..80).contains(&counts["500"]), "{counts:?}");

    let of = |seed: u64| steps(&format!("seed {seed}; 50% ok, 50% 500"), 100);
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_eq!(steps("3x ok; 50% 500, 50% 503", 3), ["ok", "ok", "ok"]);
}

#[test]
fn chances_have_to_add_up() {
    let third = Script::chance(0).often(1.0 / 3.0, Step::ok());
    let thirds = third.clone().often(1.0 / 3.0, Step::reset()).often(1.0 / 3.0, Step::never());
    let script = thirds.build().unwrap();
    assert_eq!(script.to_string(), "33.3333% ok, 33.3333% reset, 33.3334% never");
    assert_eq!(script.to_string().parse::<Script>().unwrap(), script);
    assert!(matches!(third.build(), Err(InvalidChance::Sum(_))));
    assert!(matches!(Script::chance(0).build(), Err(InvalidChance::Sum(_))));
    let wrong = Script::chance(0).often(f64::NAN, Step::ok()).build();
    assert!(matches!(wrong, Err(InvalidChance::Share(_))));
}

fn status() -> impl Strategy<Value = StatusCode> {
    (100_u16..1_000).prop_map(|status| StatusCode::from_u16(status).unwrap())
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..100).prop_map(Duration::from_secs),
        (0_u64..100_000).prop_map(Duration::from_millis),
        (0_u64..=u64::MAX).prop_map(|time| Duration::from_nanos(time).min(LONGEST)),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    select(Fault::ALL.to_vec())
}

fn custom() -> impl Strategy<Value = Step> {
    let header = ("[a-z][a-z0-9-]{0,8}", "[!-~]{0,12}");
    (status(), vec(header, 0..3), vec(any::<u8>(), 0..20)).prop_map(|(status, headers, body)| {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            response.headers_mut().append(name, value.parse().unwrap());
        }
        Step::answer(response)
    })
}

fn what() -> impl Strategy<Value = Step> {
    prop_oneof![
        (select(Ending::ALL.to_vec()), option::of(".{0,12}")).prop_map(|(ending, text)| {
            let step = Step::ending(ending);
            text.iter().fold(step, |step, text| step.saying(text))
        }),
        (fault(), option::of(time()))
            .prop_map(|(fault, hint)| { hint.into_iter().fold(Step::fault(fault), Step::hint) }),
        (status(), option::of(time()))
            .prop_map(|(status, hint)| { hint.into_iter().fold(Step::status(status), Step::hint) }),
        status().prop_map(Step::page),
        custom(),
        Just(Step::reset()),
        Just(Step::unreachable()),
        Just(Step::never()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let breaks = option::of((0_usize..8, 0_u32..100, fault()));
    let flags = (any::<bool>(), any::<bool>(), option::of(any::<u64>()));
    (what(), flags, [time(), time(), time()], breaks).prop_map(
        |(step, (early, wrong_length, tokens), [head, first, every], breaks)| {
            let step = step.head_after(head).first_after(first).every(every);
            let step = if early { step.early() } else { step };
            let step = if wrong_length { step.wrong_length() } else { step };
            let step = tokens.into_iter().fold(step, Step::tokens);
            match breaks {
                None => step,
                Some((0, events, _)) => step.cut_after(events),
                Some((1, events, _)) => step.torn_after(events),
                Some((2, events, _)) => step.end_after(events),
                Some((3, events, _)) => step.stall_after(events),
                Some((4, events, _)) => step.reset_after(events),
                Some((5, events, _)) => step.malformed_after(events),
                Some((6, events, _)) => step.bad_chunk_after(events),
                Some((_, events, fault)) => step.error_after(events, fault),
            }
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    (1_u32.., vec((0_u32..WHOLE / 4, step()), 1..4))
        .prop_map(|(times, choices)| Turn::drawn(times, choices))
}

fn script() -> impl Strategy<Value = Script> {
    (any::<u64>(), vec(turn(), 1..4), any::<bool>())
        .prop_map(|(seed, turns, cycles)| Script::list(List { seed, turns, cycles }))
}

/// Texts that come near to scripts.
fn words() -> impl Strategy<Value = String> {
    let word = select(vec![
        "ok",
        "429",
        "after",
        "2s",
        "3",
        "events",
        "cut",
        "head",
        "first",
        "token",
        "every",
        "x",
        "2x",
        "90%",
        "10%",
        ",",
        ";",
        "\"",
        "\\x",
        "saying",
        "answer",
        "page",
        "seed",
        "cycle",
        "tokens",
        "1.5s",
        "99999999999999999999",
        "\u{e9}",
        "\u{2003}",
        "overloaded",
        "reset",
        "never",
        "%",
        "1h1h",
    ]);
    vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn words_read_back_as_the_same_step(step in step()) {
        prop_assert_eq!(step.to_string().parse::<Step>(), Ok(step.clone()), "{}", step);
    }

    #[test]
    fn words_read_back_as_the_same_script(script in script()) {
        prop_assert_eq!(script.to_string().parse::<Script>(), Ok(script.clone()), "{}", script);
    }

    #[test]
    fn any_text_is_a_script_or_an_error_inside_of_it(text in prop_oneof![words(), ".{0,40}"]) {
        match text.parse::<Script>() {
            Ok(script) => {
                let again = script.to_string().parse::<Script>();
                prop_assert_eq!(again, Ok(script));
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.at), "{}", error),
        }
    }

    #[test]
    fn every_call_has_a_step(script in script(), number in any::<u64>()) {
        prop_assert!(script.step(number).is_some());
    }
}
