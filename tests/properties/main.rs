//! What holds for any answer: captures that were damaged, and answers that were made.
//!
//! The properties are those of the fuzz targets, in a run that is short enough for every day. An
//! answer is read whole, byte by byte and in random slices; all must say the same, hold little
//! memory, and call nothing a success that a slow reader can refute.

#[allow(dead_code, unreachable_pub, reason = "it is a crate of its own for the fuzz targets")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

mod embedded;
mod found;

use std::{fs, path::Path};

use battlement_core::Dialect;
use http::StatusCode;
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::Value;

use fuzz::{
    check::Case,
    entropy::Entropy,
    framing::Framing,
    generate::{self, framings},
    mutate::mutate,
};

/// Choices for one answer; short ones make plain answers.
fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop::sample::select(Dialect::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_answer_means_what_it_was_made_from(dialect in dialects(), choices in choices()) {
        let mut entropy = Entropy::new(&choices);
        let framing = entropy.pick(framings(dialect));
        let answer = generate::answer(dialect, framing, &mut entropy);
        let case = fuzz::plain(dialect, framing, answer.body);
        case.check_truth(&case.check(), &answer.truth);
    }

    #[test]
    fn a_damaged_answer_is_never_a_false_success(dialect in dialects(), choices in choices()) {
        let mut entropy = Entropy::new(&choices);
        let framing = entropy.pick(framings(dialect));
        let body = generate::damaged(dialect, framing, &mut entropy);
        fuzz::plain(dialect, framing, body).check();
    }

    #[test]
    fn r8_any_bytes_are_a_good_hint_or_none(input in choices()) {
        fuzz::hints::check(&input);
    }
}

#[test]
fn damaged_captures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for fixture in manifest["fixtures"].as_array().unwrap() {
        let text = |name: &str| fixture[name].as_str().unwrap();
        let body = fs::read(folder.join(text("file"))).unwrap();
        let told = fixture["headers"]["content-type"].as_str().unwrap_or_default();
        let known = Framing::ALL.into_iter().find(|known| told.starts_with(known.content_type()));
        let case = Case {
            provider: text("provider").parse().unwrap(),
            status: StatusCode::from_u16(fixture["status"].as_u64().unwrap() as u16).unwrap(),
            content_type: known.map(Framing::content_type),
            streamed: fixture["stream"].as_bool().unwrap(),
            ..fuzz::plain(text("dialect").parse().unwrap(), Framing::Json, body)
        };
        case.check();
        for _ in 0..20 {
            let choices = choices().new_tree(&mut runner).unwrap().current();
            let mut damaged = case.clone();
            mutate(&mut damaged.body, &mut Entropy::new(&choices));
            damaged.check();
        }
    }
}
