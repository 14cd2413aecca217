//! The command line.

use std::{net::SocketAddr, path::PathBuf};

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
    /// What to do; `serve` if it is not said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Stand between clients and providers of LLMs
    ///
    /// Clients of OpenAI, Anthropic, Gemini and Ollama need nothing but another address. Without a configuration it
    /// stands in front of a provider that is simulated, for a first look without key or network.
    Serve(Serve),

    /// Tell whether a configuration can be served, and what it comes to at worst
    ///
    /// Ends with status 2 when it cannot.
    Check(Check),

    /// Tell what an LLM answer means
    ///
    /// What became of the call, whose fault it is, whether it may be sent again and when, what it
    /// cost, and what to do.
    Explain(Explain),

    /// Show in ten seconds what goes wrong without it
    ///
    /// A thousand calls through a provider that misbehaves on purpose, in simulated time: a client as
    /// people have it beside the stack. What is shown is measured, and the same for the same seed.
    Demo(Demo),

    /// Show how an outage outlasts its cause, and what prevents that
    ///
    /// Lets callers of every kind loose on providers of every kind under simulated time, makes something
    /// go wrong for a while, and looks whether it passes: for what SDKs, gateways and tower do, and for
    /// the layers of this project, whole and one by one taken away. Ends with status 1 when a
    /// figure that has to hold does not, and nobody knows why.
    Lab(Lab),
}

/// What `battlement serve` is told.
#[derive(Args, Clone, Debug, Default)]
pub struct Serve {
    /// The configuration; a simulated provider if left out
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where clients come in, whatever the configuration says
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

/// What `battlement check` is told.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration
    #[arg(long, short, value_name = "FILE", default_value = "battlement.toml")]
    pub config: PathBuf,

    /// Ask each model for one word, which costs a few tokens
    #[arg(long)]
    pub live: bool,
}

/// What `battlement demo` is told.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// How many calls are made
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: u32,

    /// Where chance begins; the same number gives the same scoreboard
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Show it so many times as fast as it is; if left out, so that it takes some seconds
    #[arg(long, conflicts_with = "instant", value_parser = speed)]
    pub speed: Option<f64>,

    /// Show the scoreboard at once
    #[arg(long)]
    pub instant: bool,

    /// Write the numbers to this file, too; with `-`, to standard output and nothing else
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Default for Demo {
    fn default() -> Self {
        Self { calls: 1000, seed: 1, speed: None, instant: false, json: None }
    }
}

/// What `battlement lab` is told.
#[derive(Args, Debug)]
pub struct Lab {
    /// The set that takes less than a minute; what is done unless told otherwise
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,

    /// Every provider, trigger and policy, and more loads, with three seeds
    #[arg(long)]
    pub full: bool,

    /// What all chance is drawn from; the same number gives the same results
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the figures to this file; `-` is standard output, and the table goes to standard error
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write pictures to this directory, as SVG
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
}

/// What `battlement explain` is told: a file or a manifest, and what is known besides.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("answers").args(["file", "manifest", "incident"]).required(true))]
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

    /// Tell the incident records in this file as stories; `-` reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dialect", "provider", "status", "headers", "stream", "json"],
    )]
    pub incident: Option<PathBuf>,
}

fn dialects() -> impl clap::builder::TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::as_str)).try_map(|name| name.parse())
}

fn providers() -> impl clap::builder::TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str)).try_map(|name| name.parse())
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let speed = text.parse().map_err(|_| "not a number")?;
    if (0.1..=1e6).contains(&speed) { Ok(speed) } else { Err("not between 0.1 and 1000000") }
}
