//! The scoreboard, and the words around it.
//!
//! It is for one look: who delivered how much, what nobody was told of, and what it cost. 80 columns.

use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Effects, Style};

use super::{
    incident::Incident,
    play::Client,
    score::{Quantiles, Report, Score},
};

const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const STRONG: Style = Style::new().effects(Effects::BOLD);
const QUIET: Style = Style::new().effects(Effects::DIMMED);

/// Where lines end, and how wide the columns are.
pub(super) const WIDTH: usize = 80;
const LABEL: usize = 40;
const COLUMN: usize = 20;

/// What is going to be seen.
pub(super) fn opening(calls: u32, seed: u64, pace: &str) -> String {
    let plural = if calls == 1 { "" } else { "s" };
    format!(
        "{STRONG}{calls} streamed call{plural} to a provider that misbehaves, by two clients{STRONG:#}\n\
         naive client  as official SDKs: 2 retries, 600 s timeout; its caller reads text\n\
         battlement    Stack::openai() with its defaults; its caller asks for errors\n\
         {QUIET}simulated time, real code, same trouble for both, seed {seed}; {pace}{QUIET:#}\n\n"
    )
}

/// Incidents, one after the other.
pub(super) fn incidents(incidents: &[Incident]) -> String {
    let mut text = String::new();
    for incident in incidents {
        let Incident { call, happened, naive, ours, is_silent, .. } = incident;
        let style = if *is_silent { BAD } else { Style::new() };
        let _ = writeln!(text, "call {call}: {happened}");
        let _ = writeln!(text, "  naive client  {style}{naive}{style:#}");
        let _ = writeln!(text, "  battlement    {ours}");
    }
    text
}

/// The scoreboard.
pub(super) fn scoreboard(report: &Report) -> String {
    let (naive, ours) = (&report.naive, &report.battlement);
    let mut board = Board { text: String::new(), calls: report.calls, sides: [naive, ours] };
    let [one, other] = Client::BOTH.map(Client::name);
    board.line(QUIET, "", [Cell::quiet(one), Cell::quiet(other)]);
    board.shares("answers delivered whole", STRONG, |score| (score.whole, STRONG));
    board.shares("SILENT failures: wrong, and nobody told", STRONG, |score| {
        (score.silent.all, if score.silent.all == 0 { GOOD } else { BAD })
    });
    board.parts("  cut, taken for whole", |score| score.silent.cut);
    board.parts("  empty, taken for an answer", |score| score.silent.empty);
    board.parts("  stopped at the token limit", |score| score.silent.truncated);
    board.parts("  stopped by a filter", |score| score.silent.filtered);
    board.parts("  caught: told, or tried again", |score| score.caught);
    board.shares("failures, told clearly", STRONG, |score| (score.told, Style::new()));
    board.gap();
    board.words("requests sent", |score| grouped(score.requests as u64));
    board.words("  that met with trouble", |score| format!("{:.0} %", 100.0 * score.trouble()));
    board.words("  that brought no whole answer", |score| grouped(score.wasted_requests as u64));
    board.words("  into a wait the provider had named", |score| {
        grouped(score.waits.requests_before as u64)
    });
    board.words("named waits that all calls kept", |score| {
        format!("{} of {}", score.waits.kept, score.waits.named)
    });
    board.words("calls paid for twice", |score| grouped(score.paid_twice as u64));
    board.words("tokens paid", |score| grouped(score.tokens));
    board.words("  for nothing", |score| grouped(score.tokens_for_nothing));
    board.gap();
    board.words("first word, p50 / p99", |score| quantiles(score.first_word_ms));
    board.words("end of call, p50 / p99", |score| quantiles(score.end_ms));
    board.text
}

/// What it comes to, in a sentence.
pub(super) fn conclusion(report: &Report) -> String {
    let (calls, silent) = (report.calls, report.naive.silent.all);
    let ours = match report.battlement.silent.all {
        0 => "none".to_owned(),
        silent => silent.to_string(),
    };
    format!(
        "\n{STRONG}{silent} of {calls} callers of the naive client have a wrong answer and do not know it.\n\
         Of battlement's, {ours}.{STRONG:#}\n"
    )
}

/// What to do next.
pub(super) fn closing() -> String {
    format!(
        "\n{STRONG}battlement explain FILE{STRONG:#}  what an answer means, and what to do about it\n\
         {STRONG}battlement lab{STRONG:#}           how retries keep an outage alive, and what does not\n"
    )
}

struct Board<'a> {
    text: String,
    calls: usize,
    sides: [&'a Score; 2],
}

struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    fn quiet(text: impl Display) -> Self {
        Self { text: text.to_string(), style: QUIET }
    }
}

impl Board<'_> {
    /// A number of calls, and which part of all that is.
    fn shares(&mut self, label: &str, style: Style, count: impl Fn(&Score) -> (usize, Style)) {
        let cells = self.sides.map(|score| {
            let (count, style) = count(score);
            let share = 100.0 * count as f64 / self.calls.max(1) as f64;
            Cell { text: format!("{count}  {share:5.1} %"), style }
        });
        self.line(style, label, cells);
    }

    /// A part of the calls above, under their number.
    fn parts(&mut self, label: &str, count: impl Fn(&Score) -> usize) {
        self.words(label, |score| format!("{}         ", count(score)));
    }

    fn words(&mut self, label: &str, words: impl Fn(&Score) -> String) {
        let cells = self.sides.map(|score| Cell { text: words(score), style: Style::new() });
        self.line(Style::new(), label, cells);
    }

    fn line(&mut self, style: Style, label: &str, cells: [Cell; 2]) {
        let _ = write!(self.text, "{style}{label:LABEL$}{style:#}");
        for Cell { text, style } in cells {
            let _ = write!(self.text, "{style}{text:>COLUMN$}{style:#}");
        }
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.gap();
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }
}

fn quantiles(times: Quantiles) -> String {
    format!("{} / {}", seconds(times.p50), seconds(times.p99))
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.1} s", milliseconds as f64 / 1e3)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Breaks a text into so many lines at most, at blanks.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let full = lines.len() == most;
        let Some(line) = lines.last_mut() else { break };
        if !full && line.chars().count() + 1 + word.chars().count() >= WIDTH {
            lines.push(format!("  {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    for line in &mut lines {
        *line = line.chars().take(WIDTH - 1).collect();
    }
    lines.resize(most, String::new());
    lines
}
