//! Running steps: a headline, the command's own output, the time it took, and what was left out.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::Result;

/// The steps of one command, and what became of them.
///
/// A failed step does not keep the next from running: one run shows everything that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
    failed: Vec<String>,
    not_run: Vec<String>,
}

impl Steps {
    /// Runs one step and keeps its result.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result) {
        println!("\n=== {name}");
        let start = Instant::now();
        if let Err(message) = step() {
            eprintln!("error: {message}");
            self.failed.push(format!("{name} ({message})"));
        }
        let took = start.elapsed();
        println!("=== {name}: {:.1} s", took.as_secs_f64());
        self.done.push((name.to_owned(), took));
    }

    /// Keeps in mind that a step could not be run on this machine.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        self.not_run.push(format!("{name} ({why})"));
    }

    /// Prints times and what could not be run, in one line each, and gives the verdict.
    ///
    /// When `strict`, a step that could not be run counts as failed.
    pub(crate) fn finish(self, strict: bool) -> Result {
        let times: Vec<_> = self
            .done
            .iter()
            .map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64()))
            .collect();
        println!("\ntimes: {}", times.join(", "));
        match self.not_run.as_slice() {
            [] => println!("not run: nothing, everything was run"),
            not_run => println!("not run: {}", not_run.join(", ")),
        }
        if !self.failed.is_empty() {
            return Err(format!("failed: {}", self.failed.join(", ")));
        }
        if strict && !self.not_run.is_empty() {
            return Err("with CI=true, what could not be run counts as failed".to_owned());
        }
        Ok(())
    }
}

/// Whether this run is a gate, which must not pass over anything.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    program(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), arguments)
}

/// A program, in the root of the repository.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command with its output passed on.
pub(crate) fn passed(command: &mut Command) -> Result {
    let shown = show(command);
    let status = command.status().map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}`: {status}")) }
}

/// Runs a command and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}`: {}: {message}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("`{shown}`: {error}"))
}

/// Whether a program can be started and is content with these arguments.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut shown = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_run_after_the_others() {
        let (mut steps, mut later) = (Steps::default(), false);
        steps.run("first", || Err("broken".to_owned()));
        steps.run("second", || {
            later = true;
            Ok(())
        });
        assert_eq!(steps.finish(false), Err("failed: first (broken)".to_owned()));
        assert!(later);
    }

    #[test]
    fn what_was_not_run_fails_a_strict_run_only() {
        for strict in [false, true] {
            let mut steps = Steps::default();
            steps.not_run("fuzz targets", "no compiler");
            assert_eq!(steps.finish(strict).is_err(), strict);
        }
    }
}
