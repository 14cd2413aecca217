//! `battlement lab`: the metastable-failure experiment, on the command line.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::Mutex,
    time::Instant,
};

use anyhow::Context as _;
use battlement_lab::{Lab as Runs, Progress, Report};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    CannotWrite,
    cli::Lab,
    error::{Missed, UnwrittenFile},
};

/// Runs the experiment, prints its table, writes what was asked for.
pub(crate) fn run(arguments: &Lab) -> anyhow::Result<()> {
    let seed = arguments.seed;
    let runs = if arguments.full { Runs::full(seed)? } else { Runs::quick(seed) };
    make_room(arguments)?;
    let start = Instant::now();
    let report = runs.run(show(runs.len()));
    let mut table = report.to_table();
    let calls = report.calls();
    table.push_str(&format!("\n{} runs, {calls} calls, in {:.1?}\n", runs.len(), start.elapsed()));
    if is_stdout(arguments.json.as_deref()) {
        // The table goes where it is in nobody's way.
        anstream::stderr().write_all(table.as_bytes()).map_err(CannotWrite::from)?;
        let mut stdout = anstream::stdout();
        stdout.write_all(report.to_json().as_bytes()).map_err(CannotWrite::from)?;
        stdout.write_all(b"\n").map_err(CannotWrite::from)?;
    } else {
        anstream::stdout().write_all(table.as_bytes()).map_err(CannotWrite::from)?;
    }
    write_files(arguments, &report)?;
    // Those with a reason are told in the table.
    let mut misses = report.misses();
    misses.retain(|miss| miss.reason.is_none());
    if misses.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for miss in &misses {
        let (goal, place, policy) = (miss.goal.as_str(), &miss.place, miss.policy);
        text.push_str(&format!("\n  {goal}: {:.3} ({place}; {policy})", miss.value));
    }
    Err(Missed { count: misses.len(), list: text }.into())
}

fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

fn file(arguments: &Lab) -> Option<&Path> {
    arguments.json.as_deref().filter(|path| !is_stdout(Some(path)))
}

/// Finds out that something cannot be written before the runs are made, and not after.
fn make_room(arguments: &Lab) -> anyhow::Result<()> {
    if let Some(path) = file(arguments) {
        // What is in it stays until there is something better.
        let opened = fs::OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|source| UnwrittenFile { path: path.into(), source })?;
    }
    if let Some(directory) = &arguments.plots {
        fs::create_dir_all(directory)
            .map_err(|source| UnwrittenFile { path: directory.clone(), source })
            .context("the directory for the plots cannot be made")?;
    }
    Ok(())
}

fn write_files(arguments: &Lab, report: &Report) -> anyhow::Result<()> {
    if let Some(path) = file(arguments) {
        write(path, &report.to_json())?;
    }
    if let Some(directory) = &arguments.plots {
        for (name, svg) in report.plots() {
            write(&directory.join(name), &svg)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), UnwrittenFile> {
    fs::write(path, text).map_err(|source| UnwrittenFile { path: path.into(), source })
}

/// A bar where a person sees it; a line for each tenth elsewhere.
fn show(all: usize) -> impl Fn(Progress) + Sync {
    let is_seen = std::io::stderr().is_terminal();
    let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(all as u64), target);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {msg} calls, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let tenth = Mutex::new(0);
    move |progress: Progress| {
        bar.set_position(progress.done as u64);
        bar.set_message(progress.calls.to_string());
        if progress.done == progress.all {
            bar.finish_and_clear();
        }
        let now = progress.done * 10 / progress.all.max(1);
        let Ok(mut tenth) = tenth.lock() else { return };
        if !is_seen && now > *tenth {
            *tenth = now;
            let (done, all, calls) = (progress.done, progress.all, progress.calls);
            // Nobody reads it, perhaps.
            let _ = writeln!(std::io::stderr(), "{done} of {all} runs, {calls} calls");
        }
    }
}
