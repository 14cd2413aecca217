//! `battlement`: see `battlement --help`.

use std::{io::Write as _, process::ExitCode};

use battlement_gateway::{CannotWrite, Missed, UnwrittenFile, cli::Cli};
use clap::Parser as _;

/// The input is wrong; clap uses the same for a wrong command line.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let Err(error) = battlement_gateway::run(&Cli::parse()) else { return ExitCode::SUCCESS };
    let unwritten = error.downcast_ref::<CannotWrite>();
    if unwritten.is_some_and(CannotWrite::reader_left) {
        return ExitCode::SUCCESS;
    }
    let is_failure = unwritten.is_some()
        || error.downcast_ref::<Missed>().is_some()
        || error.downcast_ref::<UnwrittenFile>().is_some();
    let code = if is_failure { ExitCode::FAILURE } else { ExitCode::from(BAD_INPUT) };
    // Not `eprintln!`, which panics when nobody reads the errors either.
    let _written = writeln!(std::io::stderr(), "error: {error:#}");
    code
}
