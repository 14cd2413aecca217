//! Benchmarks that answer "what does it cost me, next to what I use now?".
//!
//! ```text
//! cargo run --release -p battlement-bench -- FAMILY [--quick] [--only TEXT] [--json FILE]
//! ```
//!
//! A plain program rather than criterion: criterion measures one function after another, and on a
//! shared machine only interleaved rounds give ratios to trust. Each family of benchmarks is a
//! module with one `run`, named in [`FAMILIES`].

mod alloc;
mod data;
mod decide;
mod gateway;
mod harness;
mod layers;
mod limiter;
mod load;
mod machine;
mod read;
mod report;
mod request;
mod sim;

use std::{env, fs, path::PathBuf, process::ExitCode};

use harness::{Scenario, Settings};
use machine::Machine;
use report::{Figure, Report, Scaling, Table};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// Benchmarks that belong together.
struct Family {
    name: &'static str,
    purpose: &'static str,
    run: fn(&mut Bench),
}

const FAMILIES: &[Family] = &[
    Family {
        name: "read",
        purpose: "reading answers: JSON bodies and event streams",
        run: read::run,
    },
    Family {
        name: "decide",
        purpose: "decisions of the machines: time alone and contended, memory of many keys",
        run: decide::run,
    },
    Family {
        name: "layers",
        purpose: "the layers on a good call: alone, stacked, contended, for a frame, in memory",
        run: layers::run,
    },
    Family {
        name: "limiter",
        purpose: "a million calls against a quota: how much of it is used, and whether it holds",
        run: limiter::run,
    },
    Family {
        name: "request",
        purpose: "reading requests: what every call needs to know",
        run: request::run,
    },
    Family {
        name: "gateway",
        purpose: "the gateway next to a plain reverse proxy: latency, its core, start, memory",
        run: gateway::run,
    },
    Family {
        name: "sim",
        purpose: "the simulated provider: calls in memory, answers over a socket",
        run: sim::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if gateway::has_served(&arguments) {
        return ExitCode::SUCCESS;
    }
    match options(arguments.into_iter()) {
        Ok(options) => match bench(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("battlement-bench: {error}");
                ExitCode::FAILURE
            }
        },
        Err(message) => {
            eprintln!("battlement-bench: {message}\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

/// One run: what to measure, and what was measured so far.
pub(crate) struct Bench {
    settings: Settings,
    only: Option<String>,
    report: Report,
}

impl Bench {
    /// Whether the person asked for this scenario; worth knowing before its data is made.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.only.as_ref().is_none_or(|only| id.contains(only))
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.report.quick
    }

    /// Measures, shows and keeps.
    pub(crate) fn measure<I: ?Sized>(&mut self, scenario: Scenario<'_, I>) {
        eprintln!("measuring {} …", scenario.id());
        self.keep(scenario.measure(self.settings));
    }

    /// Shows and keeps what was measured otherwise.
    pub(crate) fn keep(&mut self, table: Table) {
        println!("{}", table.text());
        self.report.tables.push(table);
    }

    /// What was measured last.
    pub(crate) fn last(&self) -> Option<&Table> {
        self.report.tables.last()
    }

    /// Shows and keeps a number.
    pub(crate) fn figure(&mut self, figure: Figure) {
        println!("{}", figure.text());
        self.report.figures.push(figure);
    }

    /// Says how cost grew over the last `tables` tables, of which ours may grow to the power `goal`.
    pub(crate) fn scaling(&mut self, title: &str, goal: f64, tables: usize) {
        if let [first, .., last] =
            &self.report.tables[self.report.tables.len().saturating_sub(tables)..]
        {
            let scaling = Scaling::over(title, goal, first, last);
            println!("{}", scaling.text());
            self.report.scaling.push(scaling);
        }
    }
}

struct Options {
    run: fn(&mut Bench),
    quick: bool,
    only: Option<String>,
    json: Option<PathBuf>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let name = arguments.next().ok_or("no family of benchmarks given")?;
    let family = FAMILIES.iter().find(|family| family.name == name);
    let run = family.ok_or_else(|| format!("unknown family `{name}`"))?.run;
    let mut options = Options { run, quick: false, only: None, json: None };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--only" => options.only = Some(value()?),
            "--json" => options.json = Some(value()?.into()),
            _ => return Err(format!("unknown argument `{argument}`")),
        }
    }
    Ok(options)
}

fn usage() -> String {
    let mut text =
        "usage: battlement-bench FAMILY [--quick] [--only TEXT] [--json FILE]\n".to_string();
    for Family { name, purpose, .. } in FAMILIES {
        text += &format!("\n  {name:<8} {purpose}");
    }
    text
}

fn bench(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let settings = if options.quick { Settings::QUICK } else { Settings::FULL };
    let report = Report {
        machine: Machine::look(),
        quick: options.quick,
        tables: Vec::new(),
        scaling: Vec::new(),
        figures: Vec::new(),
    };
    println!("{}", report.machine);
    let mut bench = Bench { settings, only: options.only.clone(), report };
    (options.run)(&mut bench);
    println!("{}", bench.report.summary());
    if let Some(path) = &options.json {
        fs::write(path, bench.report.json()?)?;
    }
    Ok(())
}
