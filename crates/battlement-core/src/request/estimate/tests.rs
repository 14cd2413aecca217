use proptest::prelude::*;

use super::*;

mod corpus;
use corpus::CORPUS;
#[cfg(feature = "exact-tokens")]
use corpus::HELD_OUT;

fn json(raw: &str) -> u64 {
    let mut estimator = Estimator::default();
    estimator.json(raw.as_bytes());
    estimator.tokens()
}

#[test]
fn escapes_count_as_what_they_mean() {
    for (_, sample) in CORPUS {
        let quoted = serde_json::to_string(sample).unwrap();
        assert_eq!(json(&quoted[1..quoted.len() - 1]), text(sample), "{sample}");
        let escaped: String = sample.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        assert_eq!(json(&escaped), text(sample), "{sample}");
    }
}

#[test]
fn knows_the_shape_of_words_and_numbers() {
    let check = |sample: &str, expected: u64| assert_eq!(text(sample), expected, "{sample:?}");
    check("", 0);
    check("123456789", 3);
    check("hello", 2);
    check("   ", 1);
}

/// Measures the error of each sample; prints the table that the docs of the module quote.
#[cfg(feature = "exact-tokens")]
#[test]
fn error_per_script() {
    use crate::request::exact;

    let error = |sample: &str, model: &str| {
        let exact = exact::count(sample, model).unwrap() as f64;
        (text(sample) as f64 - exact) / exact
    };
    for &(script, held_out) in HELD_OUT {
        let fitted = CORPUS.iter().filter(|(name, _)| *name == script);
        let worst = fitted
            .map(|(_, sample)| error(sample, "gpt-5"))
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap();
        let (new, old) = (error(held_out, "gpt-5"), error(held_out, "gpt-4"));
        println!(
            "//! | {script} | {:+.0} % | {:+.0} % | {:+.0} % |",
            worst * 100.0,
            new * 100.0,
            old * 100.0
        );
        assert!(worst.abs() < 0.25 && new.abs() < 0.30, "{script}: {worst:+.2} {new:+.2}");
    }
}

/// The price of a text, character by character.
fn slowly(estimator: &mut Estimator, text: &str) {
    for character in text.chars() {
        estimator.step(class_of(u32::from(character)));
    }
}

proptest! {
    #[test]
    fn many_characters_cost_what_each_of_them_costs(
        texts in proptest::collection::vec(
            prop_oneof![
                "[a-z]{0,20}", "[A-Z]{0,4}[a-z]{0,12}", "[0-9]{0,70}", "[ -~]{0,80}", "[ .é\n中ß\u{7f}]{0,4}",
                "(a| |B|1|,|\\n|\"|\\t|\\x01){0,90}", "[a-z]{60,130}", "[A-Z]{0,70}", " {0,70}", "-{0,70}",
            ],
            0..8,
        ),
    ) {
        let (mut many, mut each) = (Estimator::default(), Estimator::default());
        for text in &texts {
            many.bytes(text.as_bytes());
            slowly(&mut each, text);
            prop_assert_eq!(many.milli, each.milli, "{:?}", text);
        }
        let text = texts.concat();
        let mut whole = Estimator::default();
        whole.bytes(text.as_bytes());
        prop_assert_eq!(whole.milli, each.milli, "{:?}", text);
        let quoted = serde_json::to_string(&text).unwrap();
        let mut escaped = Estimator::default();
        // Some clients send nothing but ASCII.
        let ascii: String = quoted
            .chars()
            .map(|one| if one.is_ascii() { one.into() } else { format!("\\u{:04x}", u32::from(one)) })
            .collect();
        let mut in_ascii = Estimator::default();
        in_ascii.json(&ascii.as_bytes()[1..ascii.len() - 1]);
        prop_assert_eq!(in_ascii.milli, each.milli, "{}", ascii);
        escaped.json(&quoted.as_bytes()[1..quoted.len() - 1]);
        prop_assert_eq!(escaped.milli, each.milli, "{}", quoted);
    }

    #[test]
    fn grows_with_the_text(left in ".{0,40}", right in ".{0,40}") {
        let both = text(&format!("{left}{right}"));
        prop_assert!(both >= text(&left));
        prop_assert!(both >= text(&right));
        // Linear: a border moves the sum by a token or two, never more.
        prop_assert!(both <= text(&left) + text(&right) + 3);
    }

    #[test]
    fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut estimator = Estimator::default();
        estimator.bytes(&bytes);
        estimator.json(&bytes);
        prop_assert!(estimator.tokens() <= 4 * bytes.len() as u64 + 1);
    }
}

#[test]
fn a_word_costs_what_its_letters_cost_one_by_one() {
    for before in ["", " ", ".", "x", "X", "XY", "é", "中"] {
        for len in 1..40 {
            let mut words = Estimator::default();
            words.bytes(before.as_bytes());
            let mut letters = words.clone();
            words.bytes("a".repeat(len).as_bytes());
            for _ in 0..len {
                letters.step(Class::Lower);
            }
            assert_eq!(words.milli, letters.milli, "{before:?} and {len} letters");
            assert_eq!(words.run, letters.run);
        }
    }
}
