//! Incident records, as `battlement::telemetry` writes them, told as stories.
//!
//! A record has every attempt with its code, its wait and its verdict. Somebody on call wants to know: did the
//! caller get an answer, what went wrong on the way, what did it cost, what is to be done.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use anstyle::{AnsiColor, Effects, Style};
use anyhow::{Context as _, bail};
use battlement_core::Code;
use serde::Deserialize;

use super::human::words::{grouped, harmless, waiting, wrapped};

/// Where lines end.
const WIDTH: usize = 96;

const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const QUIET: Style = Style::new().effects(Effects::DIMMED);

/// A record, as far as a story is told of it. What a record of an earlier program lacks is not told.
#[derive(Deserialize)]
struct Incident {
    schema: u32,
    #[serde(default)]
    id: String,
    #[serde(default)]
    time: String,
    environment: Option<String>,
    outcome: String,
    code: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    operation: Option<String>,
    lane: Option<String>,
    tenant: Option<String>,
    source: Option<String>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    committed: bool,
    #[serde(default)]
    took_ms: u64,
    #[serde(default)]
    waited_ms: u64,
    first_output_ms: Option<u64>,
    cost_nanodollars: Option<u64>,
    #[serde(default)]
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    number: u64,
    role: String,
    route: Option<String>,
    #[serde(default)]
    waited_ms: u64,
    in_retry_after_ms: Option<u64>,
    in_rate_limit_ms: Option<u64>,
    in_concurrency_ms: Option<u64>,
    #[serde(default)]
    took_ms: u64,
    outcome: String,
    code: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    message: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(default)]
    untold: bool,
}

/// The stories of all records in a file.
pub(super) fn stories(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?
    };
    let mut stories = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{name}, line {}: no incident record", index + 1);
        let incident: Incident = serde_json::from_str(line).with_context(place)?;
        if incident.schema > battlement::telemetry::SCHEMA {
            bail!("{name}, line {}: written by a newer program", index + 1);
        }
        stories.push(story(&incident));
    }
    if stories.is_empty() {
        bail!("{name} has no incident records");
    }
    Ok(stories.join("\n"))
}

fn story(incident: &Incident) -> String {
    let mut story = String::new();
    let Incident { outcome, attempts, .. } = incident;
    let of = |text: &Option<String>| text.as_deref().map(harmless);
    let words = [of(&incident.operation), of(&incident.model)].into_iter().flatten();
    let mut what: Vec<_> = words.collect();
    what.extend(of(&incident.provider).map(|provider| format!("at {provider}")));
    let _ = match &incident.code {
        None => writeln!(story, "{GOOD}saved{GOOD:#}: {}", what.join(" ")),
        Some(code) => writeln!(
            story,
            "{BAD}failed{BAD:#}: {}: {} ({})",
            what.join(" "),
            harmless(outcome),
            harmless(code)
        ),
    };
    for line in wrapped(&summary(incident), WIDTH) {
        let _ = writeln!(story, "{line}");
    }
    story.push('\n');
    for attempt in attempts {
        let _ = writeln!(story, "{:>3}  {}", attempt.number, told(attempt));
        if let Some(message) = &attempt.message {
            let _ = writeln!(story, "     {QUIET}“{}”{QUIET:#}", harmless(message));
        }
    }
    // Of a call that was saved, what it was saved from.
    let code = incident.code.as_deref();
    let code = code.or_else(|| attempts.iter().find_map(|attempt| attempt.code.as_deref()));
    if let Some(code) = code.and_then(Code::parse) {
        let advice = format!("{} {}", code.meaning(), code.what_to_do());
        story.push('\n');
        for line in wrapped(&advice, WIDTH) {
            let _ = writeln!(story, "{line}");
        }
    }
    let mut from = vec![harmless(&incident.time)];
    from.extend((!incident.id.is_empty()).then(|| format!("call {}", harmless(&incident.id))));
    from.extend(of(&incident.environment));
    from.extend(of(&incident.lane));
    from.extend(of(&incident.tenant).map(|tenant| format!("for {tenant}")));
    from.retain(|part| !part.is_empty());
    if !from.is_empty() {
        let _ = writeln!(story, "\n{QUIET}{}{QUIET:#}", from.join(", "));
    }
    story
}

/// What the caller has seen of it, in sentences.
fn summary(incident: &Incident) -> String {
    let Incident { attempts, took_ms, waited_ms, .. } = incident;
    let mut summary = match attempts.len() {
        0 => "Nothing was sent".to_owned(),
        1 => "It was tried once".to_owned(),
        times => format!("It was tried {times} times"),
    };
    let _ = write!(summary, ", and took {}", millis(*took_ms));
    if *waited_ms > 0 {
        let _ = write!(summary, ", {} of which it waited on our side", millis(*waited_ms));
    }
    summary.push('.');
    let source = incident.source.as_deref().filter(|source| *source != "primary");
    match (&incident.code, source) {
        (None, Some(source)) => {
            let _ = write!(summary, " The answer came from {}.", harmless(source));
        }
        (Some(_), _) if incident.committed => {
            summary.push_str(
                " The caller had seen part of the answer, so it could not be tried again.",
            );
        }
        (Some(_), _) => summary.push_str(" The caller has seen nothing of an answer."),
        (None, None) => {}
    }
    if let Some(first) = incident.first_output_ms.filter(|_| incident.stream) {
        let _ = write!(summary, " The first output was there after {}.", millis(first));
    }
    if let Some(cost) = incident.cost_nanodollars {
        let (whole, rest) = (cost / 1_000_000_000, cost % 1_000_000_000 / 100_000);
        let _ = write!(summary, " All attempts cost ${whole}.{rest:04}, by the table of prices.");
    }
    summary
}

/// One attempt, on one line.
fn told(attempt: &Attempt) -> String {
    let mut told = harmless(&attempt.role);
    if let Some(route) = &attempt.route {
        let _ = write!(told, " to {}", harmless(route));
    }
    if attempt.waited_ms > 0 {
        let _ = write!(told, ", after a wait of {}", millis(attempt.waited_ms));
    }
    let lines = [
        ("retry_after", attempt.in_retry_after_ms),
        ("rate_limit", attempt.in_rate_limit_ms),
        ("concurrency", attempt.in_concurrency_ms),
    ];
    for (layer, wait) in lines {
        if let Some(wait) = wait {
            let _ = write!(told, ", {} in the line of {layer}", millis(wait));
        }
    }
    let _ = write!(told, ": {}", harmless(&attempt.outcome));
    if let Some(code) = &attempt.code {
        let _ = write!(told, " ({})", harmless(code));
    }
    if let Some(status) = attempt.status {
        let _ = write!(told, ", status {status}");
    }
    let _ = write!(told, ", {}", millis(attempt.took_ms));
    if let (Some(input), Some(output)) = (attempt.input_tokens, attempt.output_tokens) {
        let _ = write!(told, ", {} + {} tokens", grouped(input), grouped(output));
    }
    if attempt.untold {
        told.push_str(", cost unknown");
    }
    if let Some(id) = &attempt.request_id {
        let _ = write!(told, ", request {}", harmless(id));
    }
    told
}

fn millis(millis: u64) -> String {
    waiting(Duration::from_millis(millis))
}
