//! What was measured: tables for people, JSON for scripts, and a verdict on every goal.
//!
//! Nothing is left out: goals that are missed come first, and every row that is faster than ours is
//! listed by name.

use std::fmt::Write as _;

use crate::{
    harness::{Role, Unit, Work},
    machine::Machine,
};

/// The middle of some samples, and how far they spread.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
}

impl Spread {
    /// Of at least one sample.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        Self { median: at(0.5), p10: at(0.1), p90: at(0.9) }
    }
}

/// One contender in one scenario. Times and allocations are per [`Unit`].
#[derive(Debug, serde::Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) rounds: usize,
    pub(crate) nanos: Spread,
    pub(crate) gigabytes_per_second: f64,
    pub(crate) allocations: f64,
    pub(crate) allocated_bytes: f64,
    /// Their time over ours, in the same rounds: above 1 we are faster.
    pub(crate) times_ours: Option<Spread>,
}

/// Everybody in one scenario.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Table {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) work: Work,
    pub(crate) rows: Vec<Row>,
    #[serde(skip)]
    pub(crate) goals: Vec<Goal>,
}

/// What every row of ours is meant to reach in a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At least this many times as fast as the fastest of the named contenders.
    Faster { than: &'static [&'static str], times: f64 },
    /// At most this many nanoseconds per unit.
    Nanos(f64),
    /// At least this many gigabytes per second.
    Throughput(f64),
    /// At most this many allocations per unit.
    Allocations(f64),
    /// At most this many times the time of the named contender.
    Within { times: f64, of: &'static str },
    /// At most so much more than the named contender.
    Beyond { of: &'static str, nanos: f64, allocations: f64 },
}

/// A number that is no time, such as a share or a size.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Figure {
    pub(crate) scenario: String,
    pub(crate) contender: &'static str,
    pub(crate) what: &'static str,
    pub(crate) value: f64,
    #[serde(skip)]
    pub(crate) goal: Option<Bound>,
}

/// What a figure of ours is meant to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn text(&self) -> String {
        let Self { scenario, contender, what, value, .. } = self;
        format!("{scenario:<28} {contender:<34} {what:<40} {:>12}", shown(*value))
    }

    fn judge(&self) -> Option<Judgement> {
        let (bound, met) = match self.goal? {
            Bound::AtLeast(least) => (format!("≥ {least}"), self.value >= least),
            Bound::AtMost(most) => (format!("≤ {most}"), self.value <= most),
        };
        Some(Judgement {
            scenario: self.scenario.clone(),
            contender: self.contender,
            goal: format!("{} {bound}", self.what),
            measured: shown(self.value),
            met: Some(met),
        })
    }
}

fn shown(value: f64) -> String {
    if value == value.round() { grouped(value as u64) } else { format!("{value:.4}") }
}

/// How cost grows with size: 1 is linear, 2 quadratic.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Scaling {
    title: String,
    /// The most we allow ourselves.
    goal: f64,
    rows: Vec<Growth>,
}

#[derive(Debug, serde::Serialize)]
struct Growth {
    name: &'static str,
    role: Role,
    exponent: f64,
}

impl Scaling {
    /// From the first and the last of some tables with the same contenders and growing input.
    pub(crate) fn over(title: &str, goal: f64, first: &Table, last: &Table) -> Self {
        let growth = (last.work.bytes as f64 / first.work.bytes as f64).ln();
        let time = |row: &Row, table: &Table| row.nanos.median * table.work.units as f64;
        let rows = first.rows.iter().zip(&last.rows).map(|(small, large)| Growth {
            name: small.name,
            role: small.role,
            exponent: (time(large, last) / time(small, first)).ln() / growth,
        });
        Self { title: title.into(), goal, rows: rows.collect() }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        for Growth { name, role, exponent } in &self.rows {
            let _ = writeln!(text, "{} {name:<40} size to the power of {exponent:.2}", mark(*role));
        }
        text
    }

    fn judge(&self) -> Judgement {
        let ours = self.rows.iter().find(|row| row.role == Role::Ours);
        Judgement {
            scenario: self.title.clone(),
            contender: ours.map_or(OURS, |row| row.name),
            goal: format!("at most to the power of {}", self.goal),
            measured: ours.map_or_else(not_measured, |row| format!("{:.2}", row.exponent)),
            met: ours.map(|row| row.exponent <= self.goal),
        }
    }
}

/// What a row of ours is called where there is none.
const OURS: &str = "battlement";

fn not_measured() -> String {
    "not measured".into()
}

const fn mark(role: Role) -> char {
    match role {
        Role::Ours => '*',
        Role::Peer => ' ',
        Role::Floor => 'f',
    }
}

/// One goal against one row of ours; `met` is `None` when ours was not measured.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Judgement {
    scenario: String,
    contender: &'static str,
    goal: String,
    measured: String,
    met: Option<bool>,
}

impl Table {
    /// By how many nanoseconds and allocations one contender is above another.
    pub(crate) fn beyond(&self, name: &str, base: &str) -> Option<(f64, f64)> {
        let row = |name: &str| self.rows.iter().find(|row| row.name == name);
        let (row, base) = (row(name)?, row(base)?);
        Some((row.nanos.median - base.nanos.median, row.allocations - base.allocations))
    }

    pub(crate) fn text(&self) -> String {
        let unit = self.work.unit.as_str();
        let mut text = format!("## {}: {}\n\n", self.id, self.title);
        let _ = writeln!(
            text,
            "{:<42} {:>13} {:>11} {:>11} {:>8} {:>15} {:>15}  their time / ours (p10–p90)",
            "contender (*: ours, f: floor)",
            format!("ns/{unit}"),
            "p10",
            "p90",
            "GB/s",
            format!("allocs/{unit}"),
            format!("bytes/{unit}"),
        );
        for row in &self.rows {
            let name = format!("{} {}", mark(row.role), row.name);
            let times = row.times_ours.map_or_else(not_measured, |times| {
                format!("{:.2} ({:.2}–{:.2})", times.median, times.p10, times.p90)
            });
            let once = if row.rounds == 1 { "  one round" } else { "" };
            let _ = writeln!(
                text,
                "{name:<42} {:>13} {:>11} {:>11} {:>8.3} {:>15} {:>15}  {times}{once}",
                nanos(row.nanos.median),
                nanos(row.nanos.p10),
                nanos(row.nanos.p90),
                row.gigabytes_per_second,
                count(row.allocations),
                count(row.allocated_bytes),
            );
        }
        text
    }

    fn ours(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.role == Role::Ours)
    }

    pub(crate) fn judge(&self) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        for goal in &self.goals {
            let mut judge = |contender, measured: String, met| {
                let (scenario, goal) = (self.id.clone(), goal.text(self.work.unit));
                judgements.push(Judgement { scenario, contender, goal, measured, met });
            };
            for row in self.ours() {
                let (measured, met) = goal.check(row, &self.rows);
                judge(row.name, measured, Some(met));
            }
            if self.ours().next().is_none() {
                judge(OURS, not_measured(), None);
            }
        }
        judgements
    }
}

impl Goal {
    fn text(self, unit: Unit) -> String {
        let unit = unit.as_str();
        match self {
            Self::Faster { than, times } => format!("≥ {times}× {}", than.join(", ")),
            Self::Nanos(most) => format!("≤ {most} ns per {unit}"),
            Self::Throughput(least) => format!("≥ {least} GB/s"),
            Self::Allocations(most) => format!("≤ {most} allocations per {unit}"),
            Self::Within { times, of } => format!("≤ {times}× {of}"),
            Self::Beyond { of, nanos, allocations } => {
                format!("≤ {of} + {nanos} ns, + {allocations} allocations")
            }
        }
    }

    fn check(self, ours: &Row, rows: &[Row]) -> (String, bool) {
        match self {
            Self::Faster { than, times } => {
                let named = rows.iter().filter(|row| than.contains(&row.name));
                let Some(best) = named.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))
                else {
                    return ("no such contender".into(), false);
                };
                let ratio = best.nanos.median / ours.nanos.median;
                (format!("{ratio:.2}× {}", best.name), ratio >= times)
            }
            Self::Nanos(most) => {
                (format!("{} ns", nanos(ours.nanos.median)), ours.nanos.median <= most)
            }
            Self::Throughput(least) => {
                let measured = ours.gigabytes_per_second;
                (format!("{measured:.2} GB/s"), measured >= least)
            }
            Self::Allocations(most) => (count(ours.allocations), ours.allocations <= most),
            Self::Beyond { of, nanos, allocations } => {
                let Some(other) = rows.iter().find(|row| row.name == of) else {
                    return ("no such contender".into(), false);
                };
                let more = ours.nanos.median - other.nanos.median;
                let allocated = ours.allocations - other.allocations;
                let met = more <= nanos && allocated <= allocations;
                (format!("{more:+.0} ns, {allocated:+.2} allocations"), met)
            }
            Self::Within { times, of } => {
                let Some(other) = rows.iter().find(|row| row.name == of) else {
                    return ("no such contender".into(), false);
                };
                let ratio = ours.nanos.median / other.nanos.median;
                (format!("{ratio:.2}×"), ratio <= times)
            }
        }
    }
}

/// Everything one run measured.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) tables: Vec<Table>,
    pub(crate) scaling: Vec<Scaling>,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    /// The goals, misses first, and the rows we lose.
    pub(crate) fn summary(&self) -> String {
        let judgements = self.judgements();
        let mut text = String::new();
        for (title, met) in
            [("Goals missed", Some(false)), ("Goals not measured", None), ("Goals met", Some(true))]
        {
            let some: Vec<_> = judgements.iter().filter(|one| one.met == met).collect();
            let _ = writeln!(text, "## {title}: {}\n", some.len());
            for one in some {
                let Judgement { scenario, contender, goal, measured, .. } = one;
                let _ = writeln!(text, "{scenario:<42} {contender:<28} {goal}: {measured}");
            }
            text.push('\n');
        }
        let _ = writeln!(text, "## Rows faster than ours\n");
        for table in &self.tables {
            for row in &table.rows {
                if let (Role::Peer | Role::Floor, Some(times)) = (row.role, row.times_ours)
                    && times.median < 1.0
                {
                    let floor = if row.role == Role::Floor { " (floor)" } else { "" };
                    let (id, name, times) = (&table.id, row.name, times.median);
                    let _ = writeln!(text, "{id:<42} {name}{floor}: {times:.2} of our time");
                }
            }
        }
        text
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        value["goals"] = serde_json::to_value(self.judgements())?;
        serde_json::to_string_pretty(&value)
    }

    fn judgements(&self) -> Vec<Judgement> {
        let tables = self.tables.iter().flat_map(Table::judge);
        let figures = self.figures.iter().filter_map(Figure::judge);
        tables.chain(self.scaling.iter().map(Scaling::judge)).chain(figures).collect()
    }
}

/// Three digits that matter, with thousands set apart.
fn nanos(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { grouped(value.round() as u64) }
}

fn count(value: f64) -> String {
    if value == value.round() { grouped(value as u64) } else { format!("{value:.3}") }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
