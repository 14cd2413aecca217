//! Captured answers, field for field as providers send them.

use std::{fs, path::Path};

use serde_json::Value;

use super::*;

/// Every captured answer in a dialect that is continued, with its entry in the manifest.
fn captures() -> Vec<(Dialect, Value, Vec<u8>)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"));
    let manifest = fs::read(root.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let entries = manifest["fixtures"].as_array().unwrap().iter().cloned();
    let known = entries.filter_map(|entry| {
        let dialect: Dialect = entry["dialect"].as_str()?.parse().ok()?;
        let bytes = fs::read(root.join(entry["file"].as_str()?)).unwrap();
        knows(dialect).then_some((dialect, entry, bytes))
    });
    known.collect()
}

fn is_stream(entry: &Value) -> bool {
    entry["file"].as_str().unwrap().ends_with(".sse")
}

/// What was captured of an answer that stopped at its limit or broke off, and cannot go on: it has several choices, or no text.
const OTHERS: [&str; 3] = [
    "openai_chat/multi_choice.json",
    "openai_chat/stream_cut_before_output.sse",
    "deepseek/stream_keepalive_then_cut.sse",
];

#[test]
fn every_captured_stream_passes_as_it_is() {
    let mut seen = 0;
    for (dialect, entry, bytes) in captures().into_iter().filter(|(_, entry, _)| is_stream(entry)) {
        for lengths in [&[][..], &[1], &[100, 3]] {
            let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
            let mut out = feed(&mut splicer, &bytes, lengths);
            match splicer.close() {
                Close::Ended(end) | Close::Open(end) => out.extend(end),
                Close::Diverged(diverged) => panic!("{diverged}"),
            }
            assert_eq!(out, bytes, "{}", entry["file"]);
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn what_was_captured_of_a_truncated_or_broken_answer_can_go_on() {
    let mut not = Vec::new();
    for (dialect, entry, bytes) in captures() {
        let outcome = entry["expect"]["outcome"].as_str().unwrap_or_default();
        let file = entry["file"].as_str().unwrap();
        match (outcome, is_stream(&entry)) {
            ("length" | "stream_cut", true) => {
                let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
                let mut out = feed(&mut splicer, &bytes, &[]);
                if !splicer.can_go_on() {
                    not.push(file.to_owned());
                    continue;
                }
                splicer.go_on(Overlap::Blanks);
                let rest = stream(dialect, "rest", &["and", " so on."], false);
                out.extend(feed(&mut splicer, rest.as_bytes(), &[]));
                assert!(splicer.text().ends_with("and so on."), "{file}");
                out.extend(ended(splicer.close()));
                let verdict = verdict(dialect, &out);
                let complete = Outcome::Finished(FinishClass::Complete);
                assert_eq!(verdict.outcome, complete, "{file}: {}", String::from_utf8_lossy(&out));
                assert!(!String::from_utf8_lossy(&out).contains("\"rest\""), "{file}");
            }
            ("length", false) if Whole::read(dialect, &bytes).is_none() => {
                not.push(file.to_owned());
            }
            _ => {}
        }
    }
    assert_eq!(not, OTHERS);
}
