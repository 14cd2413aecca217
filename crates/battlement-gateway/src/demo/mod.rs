//! `battlement demo`: why anybody would want this, in ten seconds.
//!
//! A thousand calls go through a provider that misbehaves on purpose ([`battlement_sim`]), once with a client as
//! people have it and once through the [stack](battlement::stack) as it comes. The script is the same, and so are the
//! seed and the load. What is shown is measured: what each caller got is compared with what the provider
//! would have said, and what the provider charges is read from its record.
//!
//! # What is real and what is not
//!
//! The clients are: the one is the code that everybody runs who uses the stack, the other does what the official
//! SDKs do. The network is not, and time is simulated: a clock jumps to whatever is next, so twenty minutes
//! take a part of a second, and a seed gives the same numbers on every machine. The provider is as bad as the
//! shares in `trouble` say, which is worse than most days.
//!
//! # What it does not show
//!
//! - An answer that ends well, with its reason for stopping, and says nothing. The stack passes it on by default, since
//!   it can be right; [`silent`](battlement::finish::Policy::silent) is for whoever knows better.
//! - Callers of an SDK who look for the reason for stopping behind each stream, and for its absence. They find what is
//!   called silent here, and have to do something about it themselves.
//! - An outage. In one that passes within seconds whatever the load, two retries for each call deliver more than a
//!   budget of retries and a circuit that opens. What retries do to one that the load keeps alive is the lab's.
//! - Answers that are held until they are whole, see [`Hold::Complete`](battlement::finish::Hold::Complete). More than
//!   half of those that are told here as cut would be tried again. It takes from the budget of retries what other
//!   failures then miss, so of a hundred calls one or two more are delivered; and the first word comes last.

mod board;
mod caller;
mod incident;
mod live;
mod mishap;
mod naive;
mod ours;
mod play;
mod score;
#[cfg(test)]
mod tests;
mod trouble;

use std::{
    fs,
    io::{self, IsTerminal as _, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;

use crate::{CannotWrite, cli};
use play::{Client, Day};
use score::{Report, Score};

/// How long it is shown, unless a speed is asked for.
const SHOWN: Duration = Duration::from_secs(6);

/// How many incidents are told where nothing moves.
const INCIDENTS: usize = 5;

/// Runs `battlement demo`.
pub(crate) fn run(arguments: &cli::Demo) -> anyhow::Result<()> {
    let cli::Demo { calls, seed, speed, instant, ref json } = *arguments;
    if let Some(file) = json.as_deref().filter(|file| *file == Path::new("-")) {
        let (naive, ours) = play(seed, calls)?;
        return write(file, &Report::of(seed, &naive, &ours));
    }
    let mut output = anstream::stdout().lock();
    // Nobody watches a file grow.
    let is_live = !instant && io::stderr().is_terminal();
    let speed = speed.unwrap_or_else(|| live::speed(seed, calls, SHOWN));
    let pace = if is_live { format!("{speed:.0}× as fast") } else { "all at once".to_owned() };
    print(&mut output, &board::opening(calls, seed, &pace))?;

    let (naive, ours) = play(seed, calls)?;
    let report = Report::of(seed, &naive, &ours);
    if let Some(file) = json {
        write(file, &report)?;
    }
    if is_live {
        live::show(&naive, &ours, speed)?;
        print(&mut output, "\n\n")?;
    } else {
        let telling = incident::telling(&naive, &ours, INCIDENTS);
        print(&mut output, &(board::incidents(&telling) + "\n"))?;
    }
    print(&mut output, &page(&report))
}

fn play(seed: u64, calls: u32) -> anyhow::Result<(Day, Day)> {
    Ok((Day::play(Client::Naive, seed, calls)?, Day::play(Client::Ours, seed, calls)?))
}

/// What is read when everything is over.
fn page(report: &Report) -> String {
    [board::scoreboard(report), board::conclusion(report), board::closing()].concat()
}

impl Report {
    fn of(seed: u64, naive: &Day, ours: &Day) -> Self {
        let (calls, naive, battlement) = (naive.calls(), Score::of(naive), Score::of(ours));
        Self { seed, calls, naive, battlement }
    }
}

fn write(file: &Path, report: &Report) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report)? + "\n";
    if file == Path::new("-") {
        return print(&mut io::stdout().lock(), &json);
    }
    fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))
}

fn print(output: &mut impl Write, text: &str) -> anyhow::Result<()> {
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    Ok(written.map_err(CannotWrite::from)?)
}
