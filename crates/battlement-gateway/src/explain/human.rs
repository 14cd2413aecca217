//! An explanation as text for a person.
//!
//! The first line says it all; the rows below answer, in the order in which people ask: why, whose
//! fault, may it be sent again, what did it cost, what now. What the provider wrote is quoted and
//! made harmless: it is data, and may hold anything.

pub(super) mod words;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};
use battlement_core::{
    Advice, ErrorCode, ErrorReport, Failure, Fault, Finish, FinishClass, Kind, Outcome, Phase,
    StreamEnd, Usage, Verdict,
    hint::{Source, Window},
};
use http::StatusCode;

use super::{Explanation, guess::Speaker};
use words::{grouped, harmless, waiting, wrapped};

/// Where lines end, and where the second column begins.
const WIDTH: usize = 96;
const INDENT: usize = 14;

/// More choices than this are counted, not listed.
const MOST_CHOICES: usize = 12;

const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const STRONG: Style = Style::new().effects(Effects::BOLD);
const QUIET: Style = Style::new().effects(Effects::DIMMED);

/// The explanation of one answer. Colours are in it; the stream drops them where nobody sees them.
pub(crate) fn page(explanation: &Explanation) -> String {
    let Explanation { verdict, status, speaker, .. } = explanation;
    let mut page = Page::default();
    page.headline(verdict);
    if let Some(failure) = verdict.failure.as_deref() {
        page.failure(failure);
    }
    page.gap();

    page.row("status", &status_words(*status));
    page.row("read as", &speaker_words(*speaker));
    page.finishes(&verdict.finishes);
    if let Some(end) = verdict.stream_end {
        page.row("stream", stream_words(end));
    }
    if let Some(usage) = verdict.usage.filter(|usage| !usage.is_unknown()) {
        page.row("tokens", &usage_words(usage, verdict.kind));
    }
    page.limits(explanation);
    if let Some(id) = &verdict.request_id {
        page.row("request id", &harmless(id));
    }
    page.text
}

/// One line for each of many answers, and a count.
pub(crate) fn table(explanations: &[Explanation]) -> String {
    let mut rows = vec![["file", "status", "outcome", "retry", "code"].map(str::to_owned)];
    rows.extend(explanations.iter().map(|explanation| {
        let Explanation { verdict, status, .. } = explanation;
        let failure = verdict.failure.as_deref();
        [
            harmless(&explanation.file),
            status.as_u16().to_string(),
            verdict.outcome.to_string(),
            failure.map_or_else(String::new, |failure| match failure.advice {
                Advice::Never => "no".to_owned(),
                Advice::Backoff => "yes".to_owned(),
                Advice::After(wait) => format!("in {}", waiting(wait)),
            }),
            failure.map_or_else(String::new, |failure| failure.code.to_string()),
        ]
    }));
    let widths: [usize; 5] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });

    let mut text = String::new();
    let verdicts = std::iter::once(None).chain(explanations.iter().map(|one| Some(&one.verdict)));
    for (row, verdict) in rows.iter().zip(verdicts) {
        let style = match verdict {
            None => QUIET,
            Some(verdict) if verdict.is_success() => Style::new(),
            Some(_) => AnsiColor::Red.on_default(),
        };
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{style}{}{style:#}", line.trim_end());
    }
    let good = explanations.iter().filter(|one| one.verdict.is_success()).count();
    let bad = explanations.len() - good;
    let _ = writeln!(text, "\n{} answers: {good} can be used, {bad} cannot", explanations.len());
    text
}

/// Rows of a label and a text, which is wrapped.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn headline(&mut self, verdict: &Verdict) {
        let (style, word) = match &verdict.failure {
            None => (GOOD, "ok"),
            Some(_) => (BAD, "failed"),
        };
        let outcome = verdict.outcome;
        let _ = writeln!(self.text, "{style}{word}{style:#}: {STRONG}{outcome}{STRONG:#}");
        let sentence = match &verdict.failure {
            Some(failure) => failure.code.meaning(),
            None => success_words(outcome),
        };
        for line in wrapped(sentence, WIDTH) {
            let _ = writeln!(self.text, "{line}");
        }
        self.gap();
    }

    fn failure(&mut self, failure: &Failure) {
        self.row("code", failure.code.as_str());
        self.row("fault", fault_words(failure.fault()));
        self.row("when", phase_words(failure.phase));
        self.row("retry", &retry_words(failure));
        self.report(&failure.report);
        self.gap();
        self.row("what to do", failure.code.what_to_do());
        self.row("handled by", failure.code.layer());
    }

    /// What the provider said, word for word.
    fn report(&mut self, report: &ErrorReport) {
        let code = report.code.as_ref().and_then(|code| match code {
            ErrorCode::Word(word) => Some(harmless(word)),
            ErrorCode::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let kind = report.kind.as_deref().map(|kind| format!("type {}", harmless(kind)));
        let names: Vec<_> =
            kind.into_iter().chain(code.map(|code| format!("code {code}"))).collect();
        if !names.is_empty() {
            self.row("error", &names.join(", "));
        }
        if let Some(message) = &report.message {
            self.row("message", &format!("“{}”", harmless(message)));
        }
    }

    fn finishes(&mut self, finishes: &[Finish]) {
        for (place, finish) in finishes.iter().take(MOST_CHOICES).enumerate() {
            let label = if place == 0 { "finish" } else { "" };
            let words = finish_words(finish);
            let choice = format!("choice {}: {words}", finish.index);
            self.row(label, if finishes.len() == 1 { &words } else { &choice });
        }
        let more = finishes.len().saturating_sub(MOST_CHOICES);
        if more > 0 {
            self.row("", &format!("and {} more", grouped(more as u64)));
        }
    }

    fn limits(&mut self, explanation: &Explanation) {
        let width = explanation.limits.iter().map(|(name, _)| name.chars().count()).max();
        for (place, (name, window)) in explanation.limits.iter().enumerate() {
            let label = if place == 0 { "limits" } else { "" };
            let (name, width) = (harmless(name), width.unwrap_or(0));
            self.line(label, &format!("{name:width$}  {}", window_words(window)));
        }
    }

    fn row(&mut self, label: &str, text: &str) {
        for (place, line) in wrapped(text, WIDTH - INDENT).into_iter().enumerate() {
            self.line(if place == 0 { label } else { "" }, &line);
        }
    }

    fn line(&mut self, label: &str, text: &str) {
        let width = INDENT - 2;
        let _ = writeln!(self.text, "  {QUIET}{label:width$}{QUIET:#}{text}");
    }

    fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

fn success_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished(FinishClass::StopSequence) => {
            "The answer is whole: the model came to a stop string that the caller had given."
        }
        Outcome::Finished(FinishClass::ToolCall) => {
            "The model asks for a tool: run it and send the result back."
        }
        Outcome::Finished(FinishClass::Pause) => {
            "The server paused a long turn: send the content back, and it goes on."
        }
        Outcome::Finished(FinishClass::NoGeneration) => {
            "Nothing was asked of the model, so nothing was generated."
        }
        _ => "The answer is whole: the model came to its natural end.",
    }
}

fn fault_words(fault: Fault) -> &'static str {
    match fault {
        Fault::Caller => "caller: the request, or the program that made it",
        Fault::Account => "account: the limits, money and rights behind the key",
        Fault::Provider => "provider: its servers, or the model",
        Fault::Network => "network: the way between caller and provider",
    }
}

fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Before => "before any output: nothing was delivered",
        Phase::During => "during the output: a part was delivered, and a retry begins anew",
        Phase::After => "after the generation had ended by itself",
        _ => phase.as_str(),
    }
}

fn retry_words(failure: &Failure) -> String {
    match (failure.advice, failure.hint) {
        (Advice::Never, None) => "no: the same request would fail again".to_owned(),
        (Advice::Never, Some(hint)) => {
            let (wait, source) = (waiting(hint.after), source_words(hint.source));
            format!("no: the same request would fail again, even after {wait} (told by {source})")
        }
        (Advice::Backoff, _) => "yes, with backoff: the answer tells no wait".to_owned(),
        (Advice::After(wait), Some(hint)) => {
            format!("yes, in {} (told by {})", waiting(wait), source_words(hint.source))
        }
        (Advice::After(wait), None) => format!("yes, in {}", waiting(wait)),
    }
}

fn source_words(source: Source) -> &'static str {
    match source {
        Source::RetryInfo => "RetryInfo in the body",
        Source::BodyHeaders => "headers repeated in the body",
        Source::Message => "the message",
        header => header.as_str(),
    }
}

fn status_words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Either part may have been told and the other guessed: the mark follows what it is about.
fn speaker_words(speaker: Speaker) -> String {
    let Speaker { dialect, provider, .. } = speaker;
    match (speaker.dialect_is_guess, speaker.provider_is_guess) {
        (false, false) => format!("{dialect} from {provider}"),
        (true, false) => format!("{dialect} (guessed) from {provider}"),
        (false, true) => format!("{dialect} from {provider} (guessed)"),
        (true, true) => format!("{dialect} from {provider} (both guessed)"),
    }
}

fn stream_words(end: StreamEnd) -> &'static str {
    match end {
        StreamEnd::Clean => "ended as it should",
        StreamEnd::EofAfterFinish => "whole, but without its last marker",
        StreamEnd::Cut => "cut: it ended too early, or broke",
        StreamEnd::Error => "ended with an error event",
    }
}

fn finish_words(finish: &Finish) -> String {
    let reason = finish.reason.as_deref();
    let mut words = match reason.map(harmless) {
        None => "no reason given".to_owned(),
        Some(reason) if reason.is_empty() => "an empty reason".to_owned(),
        Some(reason) => reason,
    };
    if let Some(native) = &finish.native_reason {
        let _ = write!(words, ", {} upstream", harmless(native));
    }
    if reason != Some(finish.class.as_str()) {
        let _ = write!(words, ", which means {}", finish.class);
    }
    words
}

fn usage_words(usage: Usage, kind: Kind) -> String {
    let part = |count: Option<u64>, name: &str| {
        count.filter(|&count| count > 0).map(|count| format!("{} {name}", grouped(count)))
    };
    let side = |count: Option<u64>, name: &str, parts: [Option<String>; 2]| {
        let count = format!("{} {name}", grouped(count?));
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        Some(if parts.is_empty() { count } else { format!("{count} ({})", parts.join(", ")) })
    };
    let read = part(usage.cached_input, "from cache");
    let written = part(usage.cache_write, "to cache");
    let sides = [
        side(usage.input, "in", [read, written]),
        side(usage.output, "out", [part(usage.reasoning, "reasoning"), None]),
        usage.total().map(|total| format!("{} in total", grouped(total))),
    ];
    let words = sides.into_iter().flatten().collect::<Vec<_>>().join(", ");
    match kind {
        Kind::StreamCut | Kind::StreamError => format!("at least {words}"),
        _ => words,
    }
}

fn window_words(window: &Window) -> String {
    let limit = window.limit.map(grouped);
    let remaining = window.remaining.map(grouped);
    let mut words = match (remaining, limit) {
        (Some(remaining), Some(limit)) => format!("{remaining} of {limit} left"),
        (Some(remaining), None) => format!("{remaining} left"),
        (None, Some(limit)) => format!("{limit} at most"),
        (None, None) => String::new(),
    };
    if let Some(reset) = window.reset.filter(|reset| !reset.is_zero()) {
        let separator = if words.is_empty() { "" } else { ", " };
        let _ = write!(words, "{separator}full again in {}", waiting(reset));
    }
    words
}
