//! The `battlement` program, as a library with a thin `main`.
//!
//! Reading an answer and judging it is `battlement-core`'s, and acting on it the layers'; this crate opens files and
//! sockets, knows the time and talks to people.

mod check;
pub mod cli;
pub mod config;
mod demo;
mod error;
mod explain;
mod gateway;
mod lab;
pub mod serve;

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
        Some(Command::Serve(arguments)) => serve::run(arguments),
        Some(Command::Check(arguments)) => check::run(arguments),
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Demo(arguments)) => demo::run(arguments),
        Some(Command::Lab(arguments)) => lab::run(arguments),
        None => serve::run(&cli::Serve::default()),
    }
}
