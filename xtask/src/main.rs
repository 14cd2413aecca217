//! The chores of this repository as commands, so that nobody has to remember flags and the machine
//! that checks a change runs exactly what its author ran.
//!
//! One file per command. A command is a list of steps, see [`steps`].

mod atlas;
mod ci;
mod dependencies;
mod features;
mod fuzz;
mod guide;
mod metadata;
mod msrv;
mod observability;
mod sdk;
mod sources;
mod steps;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                  everything that must pass: unit, integration and documentation tests,
                        hostile answers of a gigabyte, the figures of `battlement lab`, the official
                        SDKs, and each fuzz target for a few seconds
  ci                    the gates besides the tests: formatting, lints, documentation, each feature
                        alone, oldest compiler, the architecture's promises, the guide
  atlas                 rewrite docs/failure-atlas.md from the table of codes
  sdk                   install the official SDKs below target/ and run the tests that they are clients of
  observability         rewrite docs/observability from the table of metrics
  fuzz [--seconds N] [TARGET…] [-- ARGUMENT…]
                        run fuzz targets (all, 60 seconds each, unless told otherwise); arguments
                        after `--` go to libFuzzer, such as the file of a crash to run again

With CI=true in the environment, `test` fails for what it could not run.";

/// What a step or a command comes to; the error is a message for the person who ran it.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("", &[][..]),
    };
    let result = match (command, rest) {
        ("test", []) => test::run(),
        ("ci", []) => ci::run(),
        ("atlas", []) => atlas::run(),
        ("sdk", []) => sdk::test(),
        ("observability", []) => observability::run(),
        ("fuzz", options) => fuzz::run(options),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}
