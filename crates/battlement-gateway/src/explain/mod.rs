//! `battlement explain`: what an LLM answer means, for a person or as JSON.
//!
//! A status and a page of JSON do not tell somebody on call whether to wait, to pay, to rotate a
//! key or to shorten a prompt. The verdict does; this is the verdict in sentences.

mod encoding;
mod guess;
mod head;
mod human;
mod incident;
mod input;
mod json;
mod manifest;

pub(crate) use head::{header, status};

use std::{
    io::{self, Write},
    path::Path,
    time::SystemTime,
};

use anyhow::bail;
use battlement_core::{End, Reader, Verdict, hint};
use http::StatusCode;

use crate::{CannotWrite, cli};
use guess::Speaker;
use head::Head;
use input::Input;
use manifest::Manifest;

/// An answer, and what it means.
#[derive(Debug)]
pub(crate) struct Explanation {
    file: String,
    status: StatusCode,
    speaker: Speaker,
    limits: hint::RateLimits,
    verdict: Verdict,
}

/// Runs `battlement explain`.
pub(crate) fn run(arguments: &cli::Explain) -> anyhow::Result<()> {
    if let Some(file) = &arguments.incident {
        return print(&mut anstream::stdout().lock(), &incident::stories(file)?);
    }
    match (&arguments.manifest, &arguments.file) {
        (Some(manifest), _) => all(&Manifest::open(manifest)?, arguments.json),
        (None, Some(file)) => one(file, arguments),
        // The command line asks for one of them; others may make the arguments, too.
        (None, None) => bail!("nothing to explain: neither a file nor a manifest is named"),
    }
}

fn one(file: &Path, arguments: &cli::Explain) -> anyhow::Result<()> {
    let mut input = Input::open(file)?;
    let mut head = input.take_head()?.unwrap_or_default();
    head.status = arguments.status.unwrap_or(head.status);
    head.overwrite(&arguments.headers)?;
    let speaker =
        guess::speaker(arguments.dialect, arguments.provider, None, &head.headers, input.start());
    let file = file.to_string_lossy().into_owned();
    // A capture may be old: its waits count from when it was sent.
    let now = head.date().unwrap_or_else(SystemTime::now);
    let explanation = explain(file, input, &head, speaker, arguments.stream, now)?;
    if arguments.json {
        print(&mut io::stdout().lock(), &(json::line(&explanation) + "\n"))
    } else {
        print(&mut anstream::stdout().lock(), &human::page(&explanation))
    }
}

fn all(manifest: &Manifest, as_json: bool) -> anyhow::Result<()> {
    for name in &manifest.strangers {
        // Its habits are unknown, and the rest of its answers is still worth reading.
        let warning = format!("unknown provider `{}`, read as generic", name.escape_debug());
        // Not `eprintln!`, which panics when nobody reads the errors.
        let _written = writeln!(io::stderr(), "warning: {warning}");
    }
    let explanations = manifest.captures.iter().map(|capture| {
        let input = Input::open(&capture.path)?;
        let speaker = guess::speaker(
            capture.dialect,
            capture.provider,
            capture.endpoint.as_deref(),
            &capture.head.headers,
            input.start(),
        );
        let file = capture.file.clone();
        explain(file, input, &capture.head, speaker, capture.stream, manifest.now)
    });
    // All of them before the first is printed: half a list looks like a whole one.
    let explanations: Vec<_> = explanations.collect::<anyhow::Result<_>>()?;
    if as_json {
        let lines: String = explanations.iter().map(|one| json::line(one) + "\n").collect();
        return print(&mut io::stdout().lock(), &lines);
    }
    print(&mut anstream::stdout().lock(), &human::table(&explanations))
}

fn explain(
    file: String,
    input: Input,
    head: &Head,
    speaker: Speaker,
    stream: bool,
    now: SystemTime,
) -> anyhow::Result<Explanation> {
    let Head { status, headers } = head;
    encoding::check(input.name(), headers, input.start())?;
    let mut reader =
        Reader::new(speaker.dialect, speaker.provider, *status, headers).streamed(stream);
    input.for_each_piece(|piece| {
        let _signals = reader.feed(piece);
    })?;
    Ok(Explanation {
        file,
        status: *status,
        speaker,
        limits: hint::rate_limits(headers, speaker.provider, now),
        verdict: reader.finish(End::Eof, now),
    })
}

fn print(output: &mut impl Write, text: &str) -> anyhow::Result<()> {
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    Ok(written.map_err(CannotWrite::from)?)
}
