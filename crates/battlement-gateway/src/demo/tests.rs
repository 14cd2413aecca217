use std::collections::BTreeMap;

use anstream::adapter::strip_str;

use super::{
    board, incident,
    mishap::{PROMPT, WORDS},
    page,
    play::{Client, Day, Delivery},
    score::{Quantiles, Report, Score, Silent, Waits},
};

/// Both days, and what they come to.
fn played(seed: u64, calls: u32) -> (Day, Day, Report) {
    let naive = Day::play(Client::Naive, seed, calls).unwrap();
    let ours = Day::play(Client::Ours, seed, calls).unwrap();
    let report = Report::of(seed, &naive, &ours);
    (naive, ours, report)
}

#[test]
fn the_numbers_add_up() {
    for seed in [1, 2] {
        let (naive, ours, report) = played(seed, 120);
        for (day, score) in [(&naive, &report.naive), (&ours, &report.battlement)] {
            let Score { whole, silent, told, requests, .. } = score;
            assert_eq!(whole + silent.all + told, report.calls, "{score:?}");
            let Silent { all, cut, empty, truncated, filtered } = silent;
            assert_eq!(cut + empty + truncated + filtered, *all);
            assert_eq!(score.told_as.values().sum::<usize>(), *told);
            assert_eq!(score.mishaps.values().sum::<usize>(), *requests);
            assert_eq!(whole + score.wasted_requests, *requests);
            assert!(score.waits.kept <= score.waits.named, "{:?}", score.waits);
            // All that the provider charges is for whole answers, or for nothing.
            let charged: u64 = day.requests.iter().flatten().map(|request| request.tokens).sum();
            assert_eq!(score.tokens, charged);
            let of_use = *whole as u64 * (PROMPT + u64::from(WORDS));
            assert_eq!(score.tokens, of_use + score.tokens_for_nothing);
        }
        assert_eq!(report.battlement.silent.all, 0);
        assert!(report.naive.silent.all > 0);
        // Every answer that would have deceived is accounted for.
        let quiet = ["empty", "ended_early", "truncated", "filtered"];
        for score in [&report.naive, &report.battlement] {
            let all: usize = quiet.iter().filter_map(|name| score.mishaps.get(name)).sum();
            assert_eq!(score.silent.all + score.caught, all);
        }
    }
}

#[test]
fn a_named_wait_is_kept_by_our_calls() {
    let (_, _, report) = played(1, 120);
    assert!(report.battlement.waits.named > 0);
    assert_eq!(report.battlement.waits.kept, report.battlement.waits.named);
    assert_eq!(report.battlement.waits.requests_before, 0);
    assert!(report.naive.waits.requests_before > 0);
}

#[test]
fn a_seed_is_a_run() {
    let json = |seed| serde_json::to_string(&played(seed, 60).2).unwrap();
    let one = json(7);
    assert_eq!(one, json(7));
    assert_ne!(one.replace("\"seed\":7", ""), json(8).replace("\"seed\":8", ""));
}

#[test]
fn what_is_drawn_is_what_is_said() {
    let (naive, ours, _) = played(4, 300);
    let first = |day: &Day, call: usize| day.requests[call].first().map(|one| one.mishap.name());
    let trouble = (0..300).filter(|call| first(&naive, *call) != Some("none")).count();
    assert!((55..=110).contains(&trouble), "about a quarter: {trouble}");
    // What depends on the call alone is the same for both.
    let is_timed = |name: Option<_>| matches!(name, Some("rate_limited") | None);
    for call in 0..300 {
        let names = [first(&naive, call), first(&ours, call)];
        if !names.iter().any(|name| is_timed(*name)) {
            assert_eq!(names[0], names[1], "call {call}");
        }
    }
}

#[test]
fn incidents_tell_what_was_delivered() {
    let (naive, ours, _) = played(1, 150);
    let picked = incident::telling(&naive, &ours, 20);
    assert!(picked.iter().any(|one| one.is_silent), "{picked:?}");
    for one in &picked {
        assert_eq!(one.is_silent, naive.delivery(one.call) == Delivery::Silent);
        assert!(board::wrapped(&one.line(), 3).iter().all(|line| line.chars().count() < 80));
    }
}

#[test]
fn everything_fits_into_80_columns() {
    let (naive, ours, report) = played(1, 150);
    let incidents = incident::telling(&naive, &ours, 20);
    let incidents = incidents.iter().filter(|one| !one.happened.contains(", then "));
    let all = [
        board::opening(100_000, 1_000_000, "1000× as fast"),
        board::incidents(&incidents.cloned().collect::<Vec<_>>()),
        page(&report),
    ];
    for line in strip_str(&all.concat()).to_string().lines() {
        assert!(line.chars().count() <= board::WIDTH, "{line}");
    }
}

/// Numbers that are easy to tell apart.
fn score(from: usize) -> Score {
    let silent = Silent { all: 10, cut: 1, empty: 2, truncated: 3, filtered: 4 };
    Score {
        whole: 900 - from,
        silent: if from == 0 { silent } else { Silent::default() },
        caught: from,
        told: 90 + from,
        told_as: BTreeMap::new(),
        requests: 1200 + from,
        mishaps: BTreeMap::from([("none", 900)]),
        wasted_requests: 300 + from,
        paid_twice: from,
        tokens: 1_234_567,
        tokens_for_nothing: 89_012,
        waits: Waits { named: 12, kept: from.min(12), requests_before: 34 },
        first_word_ms: Quantiles { p50: 740, p99: 14_320 },
        end_ms: Quantiles { p50: 3_210, p99: 601_000 },
    }
}

#[test]
fn the_scoreboard_is_read_at_one_look() {
    let report = Report { seed: 1, calls: 1000, naive: score(0), battlement: score(10) };
    let text = strip_str(&page(&report)).to_string();
    assert_eq!(text, include_str!("scoreboard.txt"), "\n{text}");
}
