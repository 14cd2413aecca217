//! The command line.

use std::path::PathBuf;

use battlement_core::{Dialect, Provider};
use clap::{
    ArgGroup, Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::explain::{header, status};

/// Reads LLM answers as they pass, and acts on what they say.
#[derive(Debug, Parser)]
#[command(name = "battlement", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Tell what an LLM answer means
    ///
    /// What became of the call, whose fault it is, whether it may be sent again and when, what it
    /// cost, and what to do.
    Explain(Explain),
}

/// What `battlement explain` is told: a file or a manifest, and what is known besides.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("answers").args(["file", "manifest"]).required(true))]
pub struct Explain {
    /// The body of an answer, or a whole answer as `curl -i` prints it; `-` reads standard input
    pub file: Option<PathBuf>,

    /// The wire format; guessed from headers and body if left out
    #[arg(long, short, value_parser = dialects())]
    pub dialect: Option<Dialect>,

    /// Who answered; guessed from headers and body if left out
    #[arg(long, short, value_parser = providers())]
    pub provider: Option<Provider>,

    /// The HTTP status; 200 unless FILE holds it
    #[arg(long, short, value_parser = status)]
    pub status: Option<StatusCode>,

    /// A header of the answer; may be given many times
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,

    /// The request asked for a stream; matters for an empty body only
    #[arg(long)]
    pub stream: bool,

    /// Print one JSON object for each answer, on one line
    #[arg(long)]
    pub json: bool,

    /// Explain every answer that this manifest lists, as in tests/fixtures/manifest.json
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dialect", "provider", "status", "headers", "stream"],
    )]
    pub manifest: Option<PathBuf>,
}

fn dialects() -> impl clap::builder::TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::as_str)).try_map(|name| name.parse())
}

fn providers() -> impl clap::builder::TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str)).try_map(|name| name.parse())
}
