use super::{Price, Prices};
use crate::{Provider, Usage};

fn usage(input: u64, cached: u64, write: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        cached_input: Some(cached),
        cache_write: Some(write),
        output: Some(output),
        reasoning: None,
    }
}

#[test]
fn the_table_reads_and_is_dated() {
    let prices = Prices::builtin();
    assert_eq!(prices.dated().len(), "2026-11-21".len());
    assert!(!prices.rows.is_empty());
    for (_, name, price) in &prices.rows {
        assert!(price.cached_input <= price.input && price.input < price.output, "{name}");
    }
}

#[test]
fn each_part_has_its_price_and_no_token_counts_twice() {
    let price = Price { input: 3_000, cached_input: 300, cache_write: 3_750, output: 15_000 };
    let check = |usage, expected| assert_eq!(price.cost(&usage).nanodollars(), expected);
    check(usage(1_000, 0, 0, 10), 1_000 * 3_000 + 10 * 15_000);
    check(usage(1_000, 400, 100, 10), 500 * 3_000 + 400 * 300 + 100 * 3_750 + 10 * 15_000);
    // Reasoning is in the output already.
    check(Usage { reasoning: Some(10), ..usage(0, 0, 0, 10) }, 10 * 15_000);
    // Parts that are more than the whole are no reason to go below zero.
    check(usage(10, 20, 20, 0), 20 * 300 + 20 * 3_750);
    check(usage(u64::MAX, 0, 0, u64::MAX), u64::MAX);
}

#[test]
fn snapshots_are_known_and_other_models_are_not() {
    let prices = Prices::builtin();
    let knows = |provider, model| prices.price(provider, model).is_some();
    assert!(knows(Provider::Anthropic, "claude-opus-4-5-20251101"));
    assert!(knows(Provider::Gemini, "models/gemini-2.5-flash"));
    assert!(!knows(Provider::OpenAi, "gpt-5-mini-turbo"));
    assert!(!knows(Provider::Generic, "gpt-5-mini"), "anybody may give a model any name");
    assert!(!knows(Provider::AzureOpenAi, "gpt-5-mini"));
}

#[test]
fn a_line_that_makes_no_sense_is_told() {
    let check = |text: &str, line, why| {
        let error = Prices::parse(text).unwrap_err();
        assert_eq!((error.line, error.why.contains(why)), (line, true), "{text}: {error}");
    };
    check("openai", 1, "missing");
    check("\nnobody m input=1 output=1", 2, "provider");
    check("openai m input=1", 1, "needed");
    check("openai m input=1 input=1 output=1", 1, "twice");
    check("openai m input=1 output=1\nopenai m input=1 output=1", 2, "before");
    check("openai m input", 1, "form");
    check("openai m reasoning=1", 1, "only");
    for price in ["", ".5", "-1", "1.2345", "1e3", "1234567", "1.x"] {
        check(&format!("openai m input={price}"), 1, "dollars");
    }
}

#[test]
fn a_sum_of_calls_is_the_sum_of_their_prices() {
    let price = Prices::builtin().price(Provider::OpenAi, "gpt-4o-mini").unwrap();
    let mut sum = super::Cost::default();
    for _ in 0..1_000_000 {
        sum += price.cost(&usage(1, 0, 0, 1));
    }
    assert_eq!(sum.nanodollars(), 1_000_000 * (150 + 600));
    assert_eq!(sum.to_string(), "$0.7500");
}
