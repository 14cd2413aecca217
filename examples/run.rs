//! Runs every example: each checks what it shows, and shows something.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

const MANIFEST: &str = include_str!("Cargo.toml");

/// One that is there, so that the others are found beside it.
const ONE: &str = env!("CARGO_BIN_EXE_smallest-hyper");

fn names() -> impl Iterator<Item = &'static str> {
    MANIFEST.split("[[bin]]").skip(1).filter_map(|bin| bin.split('"').nth(1))
}

#[test]
fn every_example_runs() {
    for name in names() {
        let mut program = Path::new(ONE).with_file_name(name);
        program.set_extension(std::env::consts::EXE_EXTENSION);
        let output = Command::new(program).output().expect("it was built");
        let told = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !told.is_empty(), "{name}\n{told}{why}");
    }
}

#[test]
fn every_file_with_a_main_is_an_example_and_says_how_to_run_it() {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("where this was built") {
        let path = file.expect("where this was built").path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if text.lines().any(|line| line.trim_start_matches("async ").starts_with("fn main()")) {
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let name = name.replace('_', "-");
            let how = format!("//! `cargo run -p examples --bin {name}`");
            assert!(text.contains(&how), "{name} does not say how to run it");
            found.insert(name);
        }
    }
    assert_eq!(found, names().map(str::to_owned).collect());
}
