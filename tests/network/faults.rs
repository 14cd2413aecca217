//! One fault at a time, and what becomes of a call.

use std::{fmt::Write, time::Duration};

use battlement_sim::{Provider, Script, answer::Reply};
use tokio::time::{Instant, sleep};
use tower::Layer;

use crate::world::{Fault, Got, Http, SAID, call, millis, request, simulate, stack, words};

fn provider(script: &str) -> Provider {
    let reply = Reply::default().text(SAID);
    Provider::serving(script.parse::<Script>().unwrap()).reply(reply)
}

fn told(got: &Got) -> String {
    let words = words(&got.body);
    assert!(words.ids.len() <= 1, "of one answer: {:?}", words.ids);
    let mut told = match got.status {
        None => "nothing".to_owned(),
        Some(_) if words.text == SAID => "all of it".to_owned(),
        Some(_) => format!("{:?}", words.text),
    };
    told += if words.is_whole { ", whole" } else { "" };
    if let Some(error) = &got.error {
        write!(told, ", then {}", error.code()).unwrap();
    }
    told
}

/// Calls made at these milliseconds, one after the other: what each gets, and how long it takes.
fn calls(
    http: Http,
    script: &str,
    faults: &[(u64, Fault)],
    at: &[u64],
) -> (Vec<(String, u64)>, u64) {
    let provider = provider(script);
    let at = at.to_vec();
    let told = simulate(1, &provider, faults, async move {
        let service = stack(1).layer(http.client());
        let start = Instant::now();
        let mut all = Vec::new();
        for at in at {
            sleep(millis(at).saturating_sub(start.elapsed())).await;
            let begun = Instant::now();
            let got = call(service.clone(), request(true), Duration::ZERO).await;
            all.push((told(&got), begun.elapsed().as_millis() as u64));
        }
        all
    });
    (told, provider.counts().arrived)
}

/// What calls at these milliseconds get, and how many the provider has seen.
#[track_caller]
fn check(script: &str, faults: &[(u64, Fault)], at: &[u64], expected: &[&str], arrived: u64) {
    for http in Http::BOTH {
        check_over(http, script, faults, at, expected, arrived);
    }
}

#[track_caller]
fn check_over(
    http: Http,
    script: &str,
    faults: &[(u64, Fault)],
    at: &[u64],
    expected: &[&str],
    arrived: u64,
) {
    let (told, seen) = calls(http, script, faults, at);
    let got: Vec<&str> = told.iter().map(|(told, _)| &**told).collect();
    assert_eq!((&*got, seen), (expected, arrived), "{script}, {faults:?}, {http:?}: {told:?}");
}

#[test]
fn nothing_is_wrong() {
    check("every 10ms", &[], &[0, 100], &["all of it, whole", "all of it, whole"], 2);
}

#[test]
fn a_provider_that_starts_again_in_the_middle_of_an_answer() {
    let faults = [(60, Fault::Restart)];
    let expected = ["\"The castle sta\", then llm.stream.cut", "all of it, whole"];
    check("every 20ms", &faults, &[0, 200], &expected, 2);
    // Before it has said anything.
    check("head after 100ms; ok", &faults, &[0], &["all of it, whole"], 2);
    // While nobody calls.
    check("ok", &faults, &[0, 100], &["all of it, whole", "all of it, whole"], 2);
}

#[test]
fn nobody_can_be_reached_until_somebody_can() {
    let faults = [(0, Fault::Partition), (400, Fault::Repair)];
    let expected = ["nothing, then llm.network.unreachable", "all of it, whole"];
    check("ok", &faults, &[0, 500], &expected, 1);
}

#[test]
fn the_line_is_cut_in_the_middle_of_an_answer() {
    for cut in [Fault::Partition, Fault::Deafness] {
        let faults = [(60, cut), (300, Fault::Repair)];
        let expected = ["\"The castle sta\", then llm.timeout.idle", "all of it, whole"];
        check("every 20ms", &faults, &[0, 800], &expected, 2);
    }
}

#[test]
fn a_connection_that_is_open_on_one_side_only() {
    // The provider starts again, and nobody learns of it: what is sent next is answered with a reset.
    let faults = [(50, Fault::Partition), (60, Fault::Restart), (70, Fault::Repair)];
    check("ok", &faults, &[0, 80], &["all of it, whole", "all of it, whole"], 2);
    // The same in the middle of an answer, to which nothing more comes. HTTP/2 asks whether somebody is there.
    let expected = ["\"The castle sta\", then llm.timeout.idle", "all of it, whole"];
    check_over(Http::One, "every 20ms", &faults, &[0, 500], &expected, 2);
    let expected = ["\"The castle sta\", then llm.stream.cut", "all of it, whole"];
    check_over(Http::Two, "every 20ms", &faults, &[0, 500], &expected, 2);
    // And before there was any: the next attempt finds a provider that listens.
    check("head after 100ms; ok", &faults, &[0], &["all of it, whole"], 2);
}

#[test]
fn a_provider_that_does_not_hear() {
    // The request is lost on a connection that was good before, and the second attempt makes a new one.
    let faults = [(50, Fault::Silence), (150, Fault::Repair)];
    check("ok", &faults, &[0, 60], &["all of it, whole", "all of it, whole"], 2);
}

#[test]
fn what_is_held_up_arrives_late() {
    // For less than anybody's patience: nobody notices.
    let faults = [(60, Fault::Hold), (160, Fault::Release)];
    check("every 20ms", &faults, &[0], &["all of it, whole"], 1);
    // For longer: the caller has left when it arrives, and the next one gets its own answer.
    let faults = [(60, Fault::Hold), (500, Fault::Release)];
    let expected = ["\"The castle sta\", then llm.timeout.idle", "all of it, whole"];
    check("every 20ms", &faults, &[0, 700], &expected, 2);
    // Before the first word, the second attempt is held up, too, and the two do not mix.
    let faults = [(62, Fault::Hold), (230, Fault::Release)];
    check("every 5ms", &faults, &[0, 60], &["all of it, whole", "all of it, whole"], 3);
}

#[test]
fn a_long_way_takes_its_time() {
    for http in Http::BOTH {
        let faults = [(0, Fault::Latency(40))];
        let (told, arrived) = calls(http, "ok", &faults, &[0, 500]);
        assert!(told.iter().all(|(told, _)| told == "all of it, whole"), "{told:?}");
        // A connection, and then there and back; the second time there is a connection.
        let times = [told[0].1, told[1].1];
        assert!((80..=140).contains(&times[0]) || (160..=200).contains(&times[0]), "{times:?}");
        assert!((80..=90).contains(&times[1]), "{times:?}");
        assert_eq!(arrived, 2);
    }
}

#[test]
fn nobody_is_hurried() {
    // Words come one by one, and the caller takes its time over each.
    for http in Http::BOTH {
        let provider = provider("100 tokens every 120ms");
        let got = simulate(1, &provider, &[], async move {
            let service = stack(1).layer(http.client());
            call(service, request(true), millis(140)).await
        });
        assert_eq!(told(&got), "all of it, whole");
        assert_eq!(provider.counts().arrived, 1);
    }
}
