//! The report as pictures: small SVG files, written without a library.

use std::fmt::Write as _;

use super::Report;
use crate::{
    load::{Load, STEPS},
    plan::SHOWN,
    policy::Policy,
    trigger::Trigger,
    world::World,
};

/// A line of a chart.
struct Line {
    name: String,
    color: usize,
    is_bold: bool,
    points: Vec<(f64, f64)>,
}

struct Chart {
    title: String,
    across: &'static str,
    up: &'static str,
    most: (f64, f64),
    /// From where to where something was wrong.
    wrong: Option<(f64, f64)>,
    lines: Vec<Line>,
}

impl Report {
    /// All pictures: the name of a file, and what belongs into it.
    pub fn plots(&self) -> Vec<(String, String)> {
        let mut plots = Vec::new();
        for (number, shown) in SHOWN.into_iter().enumerate() {
            let number = number + 1;
            plots.push((format!("goodput-{number}.svg"), self.over_time(shown, false).draw()));
            plots.push((format!("attempts-{number}.svg"), self.over_time(shown, true).draw()));
        }
        plots.push(("recovery.svg".into(), self.by_load().draw()));
        plots.push(("up-and-down.svg".into(), self.up_and_down().draw()));
        plots
    }

    fn over_time(&self, shown: (World, f64, Trigger), attempts: bool) -> Chart {
        let (world, load, trigger) = shown;
        let policies: Vec<_> = Policy::BASELINES.into_iter().chain([Policy::Ours]).collect();
        let mut lines = Vec::new();
        let mut highest = 1.05_f64;
        for (color, policy) in policies.into_iter().enumerate() {
            let row = self.rows.iter().find(|row| {
                row.series.is_some()
                    && (row.world, row.load, row.trigger, row.policy, row.seed)
                        == (world, Load::Open(load), trigger, policy, self.seed)
            });
            let Some(series) = row.and_then(|row| row.series.as_ref()) else { continue };
            let values = if attempts { &series.attempts } else { &series.goodput };
            // A minute's mean: of ten seconds it is mostly chance.
            let smooth = values.windows(6).map(|some| some.iter().sum::<f64>() / 6.0);
            let points: Vec<_> = smooth
                .enumerate()
                .map(|(step, value)| ((step * 10 + 30) as f64 / 60.0, value))
                .collect();
            highest = points.iter().fold(highest, |most, point| most.max(point.1));
            let (name, is_bold) = (policy.as_str().to_owned(), policy.is_ours());
            lines.push(Line { name, color, is_bold, points });
        }
        let timing = crate::Timing::USUAL;
        let minutes = |time: std::time::Duration| time.as_secs_f64() / 60.0;
        let what = if attempts { "requests that arrive" } else { "calls answered in time" };
        Chart {
            title: format!("{what}: {}, {}, load {load}", world.as_str(), trigger.as_str()),
            across: "minutes",
            up: if attempts { "of what the provider can do" } else { "of the calls made" },
            most: (minutes(timing.horizon), highest),
            wrong: Some((minutes(timing.wrong), minutes(timing.right(trigger)))),
            lines,
        }
    }

    fn by_load(&self) -> Chart {
        const NEVER: f64 = 1_000.0;
        let mut lines = Vec::new();
        let policies = Policy::BASELINES.into_iter().chain([Policy::Ours]);
        for (color, policy) in policies.enumerate() {
            let rows = self.rows.iter().filter(|row| !row.is_hurried()).filter(|row| {
                (row.world, row.trigger, row.policy, row.seed)
                    == (World::Slots, Trigger::Quarter, policy, self.seed)
            });
            let mut points: Vec<_> = rows
                .filter(|row| matches!(row.load, Load::Open(_)))
                .map(|row| (row.load.amount(), row.figures.recovery.unwrap_or(NEVER).min(NEVER)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points.dedup();
            let (name, is_bold) = (policy.as_str().to_owned(), policy.is_ours());
            if points.len() > 1 {
                lines.push(Line { name, color, is_bold, points });
            }
        }
        Chart {
            title: "seconds to recover from capacity / 4, by load; the top is never".into(),
            across: "load",
            up: "seconds",
            most: (1.0, NEVER),
            wrong: None,
            lines,
        }
    }

    fn up_and_down(&self) -> Chart {
        let rows = self.rows.iter().filter(|row| {
            row.world == World::Slots && !row.steps.is_empty() && row.seed == self.seed
        });
        let mut lines = Vec::new();
        let all: Vec<_> = Policy::BASELINES.into_iter().chain([Policy::Ours]).collect();
        for row in rows {
            let color = all.iter().position(|policy| *policy == row.policy).unwrap_or(0);
            let points = STEPS.iter().copied().zip(row.steps.iter().copied()).collect();
            let (name, is_bold) = (row.policy.as_str().to_owned(), row.policy.is_ours());
            lines.push(Line { name, color, is_bold, points });
        }
        Chart {
            title: "calls answered while the load goes up to 1.1 and down again: slots".into(),
            across: "load",
            up: "of the calls made",
            most: (1.2, 1.05),
            wrong: None,
            lines,
        }
    }
}

const COLORS: [&str; 10] = [
    "#6b7280", "#dc2626", "#0d9488", "#7f1d1d", "#ea580c", "#f59e0b", "#84cc16", "#a855f7",
    "#ec4899", "#2563eb",
];
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const INNER: (f64, f64) = (600.0, 310.0);

impl Chart {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x / self.most.0).clamp(0.0, 1.0) * INNER.0;
        let up = (y / self.most.1).clamp(0.0, 1.0) * INNER.1;
        (LEFT + across, TOP + INNER.1 - up)
    }

    fn draw(&self) -> String {
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut svg);
        svg
    }

    fn write(&self, svg: &mut String) -> std::fmt::Result {
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="22" font-size="15" fill="#111827">{}</text>"##,
            self.title
        )?;
        if let Some((from, to)) = self.wrong {
            let (from, to) = (self.at((from, 0.0)).0, self.at((to, 0.0)).0);
            let (width, height) = ((to - from).max(2.0), INNER.1);
            writeln!(
                svg,
                r##"<rect x="{from:.1}" y="{TOP}" width="{width:.1}" height="{height}" fill="#fee2e2"/>"##
            )?;
        }
        self.write_axes(svg)?;
        for (number, line) in self.lines.iter().enumerate() {
            let color = COLORS[line.color % COLORS.len()];
            let width = if line.is_bold { 3.5 } else { 1.5 };
            write!(
                svg,
                r#"<polyline fill="none" stroke="{color}" stroke-width="{width}" points=""#
            )?;
            for point in &line.points {
                let (x, y) = self.at(*point);
                write!(svg, "{x:.1},{y:.1} ")?;
            }
            writeln!(svg, r#""/>"#)?;
            let (x, y) = (LEFT + INNER.0 + 16.0, TOP + 14.0 + 20.0 * number as f64);
            let (end, text, base) = (x + 18.0, x + 24.0, y + 4.0);
            writeln!(
                svg,
                r##"<path d="M{x} {y}H{end}" stroke="{color}" stroke-width="{width}"/><text x="{text}" y="{base}" fill="#111827">{}</text>"##,
                line.name
            )?;
        }
        writeln!(svg, "</svg>")
    }

    fn write_axes(&self, svg: &mut String) -> std::fmt::Result {
        for step in 0..=4 {
            let part = f64::from(step) / 4.0;
            let (value, place) = (self.most.1 * part, self.at((0.0, self.most.1 * part)).1);
            let (end, label) = (LEFT + INNER.0, place + 4.0);
            let digits = if self.most.1 > 50.0 { 0 } else { 2 };
            writeln!(
                svg,
                r##"<path d="M{LEFT} {place:.1}H{end}" stroke="#e5e7eb"/><text x="54" y="{label:.1}" text-anchor="end" fill="#374151">{value:.digits$}</text>"##
            )?;
            let (value, place) = (self.most.0 * part, self.at((self.most.0 * part, 0.0)).0);
            let (bottom, digits) = (TOP + INNER.1 + 18.0, if self.most.0 > 5.0 { 0 } else { 2 });
            writeln!(
                svg,
                r##"<text x="{place:.1}" y="{bottom}" text-anchor="middle" fill="#374151">{value:.digits$}</text>"##
            )?;
        }
        let (middle, bottom) = (LEFT + INNER.0 / 2.0, TOP + INNER.1 + 38.0);
        let height = TOP + INNER.1 / 2.0;
        writeln!(
            svg,
            r##"<text x="{middle}" y="{bottom}" text-anchor="middle" fill="#374151">{}</text><text transform="translate(14 {height}) rotate(-90)" text-anchor="middle" fill="#374151">{}</text>"##,
            self.across, self.up
        )
    }
}
