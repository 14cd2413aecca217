//! The `battlement` program, as a library with a thin `main`.
//!
//! Reading an answer and judging it is `battlement-core`'s; this crate opens files, knows the time
//! and talks to people.

pub mod cli;
mod demo;
mod error;
mod explain;

pub use error::CannotWrite;

use cli::{Cli, Command};

/// Does what the command line says.
///
/// # Errors
///
/// [`CannotWrite`] when the output could not be written; anything else is the input's fault, and
/// the chain of causes names the thing that is wrong.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Demo(arguments)) => demo::run(arguments),
        None => demo::run(&cli::Demo::default()),
    }
}
