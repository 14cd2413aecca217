use std::collections::HashSet;

use super::{Code, Fault};

/// What a layer may be called in the table.
const LAYERS: [&str; 15] = [
    "deadline",
    "concurrency",
    "retry",
    "retry_after",
    "rate_limit",
    "breaker",
    "timeout",
    "finish",
    "fallback",
    "continuation",
    "context",
    "repair",
    "preflight",
    "hedge",
    "degrade",
];

#[test]
fn names_are_unique_dotted_and_read_back() {
    let mut seen = HashSet::new();
    for &code in Code::ALL {
        let name = code.as_str();
        assert!(seen.insert(name), "{name} twice");
        assert_eq!(Code::parse(name), Some(code));
        assert!(name.starts_with("llm.") && !name.ends_with('.'), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.'), "{name}");
    }
    assert_eq!(Code::parse("llm"), None);
    assert_eq!(Code::parse("LLM.TRUNCATED"), None);
}

#[test]
fn texts_are_sentences_and_layers_exist() {
    for &code in Code::ALL {
        for text in [code.meaning(), code.what_to_do()] {
            assert!(text.ends_with('.') && !text.contains("  "), "{code}: {text}");
        }
        if !code.layer().starts_with("none: ") {
            for layer in code.layer().split(", ") {
                assert!(LAYERS.contains(&layer), "{code}: no layer {layer}");
            }
        }
    }
}

#[test]
fn only_what_the_provider_or_the_network_did_moves_the_breaker() {
    for &code in Code::ALL {
        if matches!(code.fault(), Fault::Caller | Fault::Account) {
            assert!(!code.layer().contains("breaker"), "{code}");
        }
    }
}

#[test]
fn every_party_is_at_fault_somewhere() {
    for fault in Fault::ALL {
        assert!(Code::ALL.iter().any(|code| code.fault() == fault), "{fault}");
    }
}

#[test]
fn the_atlas_in_the_documentation_is_the_one_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failure-atlas.md");
    // Set by `cargo xtask atlas`.
    if std::env::var_os("REWRITE_ATLAS").is_some() {
        std::fs::write(path, Code::atlas()).unwrap();
    }
    // A packaged crate is tested without the repository around it.
    let Ok(written) = std::fs::read_to_string(path) else { return };
    assert!(written == Code::atlas(), "docs/failure-atlas.md is stale: run `cargo xtask atlas`");
}
