//! `battlement demo`, run as a user runs it.

use std::{fs, path::PathBuf, process::Command};

use battlement_gateway::cli::Cli;
use clap::Parser as _;
use serde_json::Value;

/// What it prints, with nobody watching.
fn printed(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_battlement"));
    let output = program.arg("demo").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn numbers_are_printed_and_written() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("numbers.json");
    let run = ["--instant", "--calls", "120", "--seed", "5", "--json"];
    let text = printed(&[&run[..], &[file.to_str().unwrap()]].concat());
    assert!(!text.contains('\u{1b}'), "colours are for terminals: {text}");

    let json = fs::read_to_string(file).unwrap();
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["seed"], &report["calls"]), (&5.into(), &120.into()));
    assert_eq!(report["battlement"]["silent"]["all"], 0);
    for client in ["naive", "battlement"] {
        let number = |pointer| report[client].pointer(pointer).and_then(Value::as_u64).unwrap();
        assert_eq!(number("/whole") + number("/silent/all") + number("/told"), 120, "{client}");
    }
    let silent = &report["naive"]["silent"]["all"];
    assert_ne!(silent, 0);
    let line = format!("{silent} of 120 callers of the naive client have a wrong answer");
    assert!(text.contains(&line), "{text}");

    // The same numbers, and nothing else.
    assert_eq!(printed(&[&run[..], &["-"]].concat()), json);
}

#[test]
fn a_command_line_without_words_is_the_demo() {
    assert!(Cli::try_parse_from(["battlement"]).unwrap().command.is_none());
    for wrong in [&["--calls", "0"][..], &["--speed", "0"], &["--speed", "2", "--instant"]] {
        assert!(Cli::try_parse_from([&["battlement", "demo"], wrong].concat()).is_err());
    }
}

#[test]
fn the_scoreboard_in_the_readme_is_the_one_that_is_printed() {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    // Packed without the project around it, it has no such page.
    let Ok(readme) = fs::read_to_string(readme) else { return };
    let shown = readme.split("```").find(|block| block.contains("naive client  "));
    let shown = shown.unwrap().trim_start_matches("text").trim();
    let printed = printed(&["--instant"]);
    assert!(printed.contains(shown), "README.md shows another scoreboard than\n\n{printed}");
}
