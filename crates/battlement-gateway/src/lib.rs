//! The `battlement` program, as a library with a thin `main`.
//!
//! Reading an answer and judging it is `battlement-core`'s; this crate opens files, knows the time
//! and talks to people.

pub mod cli;
mod demo;
mod error;
mod explain;
mod lab;

pub use error::{CannotWrite, Missed, UnwrittenFile};

use cli::{Cli, Command};

/// Does what the command line says.
///
/// # Errors
///
/// [`CannotWrite`] or [`UnwrittenFile`] when output could not be written, [`Missed`] when the lab has found what
/// should not be; anything else is the input's fault, and
/// the chain of causes names the thing that is wrong.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Demo(arguments)) => demo::run(arguments),
        Some(Command::Lab(arguments)) => lab::run(arguments),
        None => demo::run(&cli::Demo::default()),
    }
}
