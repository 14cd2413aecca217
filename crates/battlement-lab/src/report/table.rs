//! The report for people.

use std::fmt::Write as _;

use super::{Goal, Report, Row};
use crate::{load::STEPS, plan::SHOWN, trigger::Trigger};

impl Report {
    /// The report as text: side by side, this project everywhere, and what was to be shown.
    pub fn to_table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        for shown in SHOWN {
            let (world, load, trigger) = shown;
            let rows = self
                .rows
                .iter()
                .filter(|row| is_at(row, shown) && row.seed == self.seed && !row.is_hurried());
            let (world, trigger) = (world.as_str(), trigger.as_str());
            writeln!(text, "{world}, {trigger}, load {load}: everybody side by side\n")?;
            writeln!(text, "{HEAD}")?;
            rows.for_each(|row| line(text, row.policy.as_str(), &row.figures));
            writeln!(text)?;
        }
        writeln!(text, "battlement, everywhere\n\n{:58}{HEAD}", "")?;
        let open = self.rows.iter().filter(|row| {
            (row.policy.is_ours() || row.is_hurried())
                && row.seed == self.seed
                && row.steps.is_empty()
                && row.trigger != Trigger::Calm
        });
        for row in open {
            write!(text, "{:58}", row.place())?;
            line(text, row.policy.as_str(), &row.figures);
        }
        self.write_steps(text)?;
        self.write_goals(text)
    }

    fn write_steps(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nload up and down: goodput in each step\n")?;
        write!(text, "{:44}", "")?;
        STEPS.iter().for_each(|step| {
            let _ = write!(text, "{step:>6.1}");
        });
        writeln!(text)?;
        for row in self.rows.iter().filter(|row| !row.steps.is_empty()) {
            write!(text, "{:20}{:24}", row.world.as_str(), row.policy.as_str())?;
            row.steps.iter().for_each(|goodput| {
                let _ = write!(text, "{goodput:>6.2}");
            });
            writeln!(text)?;
        }
        writeln!(text)
    }

    fn write_goals(&self, text: &mut String) -> std::fmt::Result {
        let (verdicts, misses) = (self.verdicts(), self.misses());
        writeln!(
            text,
            "{:34}{:>8}{:>8}  {:16}where it is worst",
            "what has to hold", "goal", "worst", ""
        )?;
        for goal in Goal::ALL {
            let (border, over) = goal.border();
            let of_goal = verdicts.iter().filter(|verdict| verdict.goal == goal);
            let worst = of_goal.max_by(|a, b| {
                let order = a.value.total_cmp(&b.value);
                if over { order.reverse() } else { order }
            });
            let Some(worst) = worst else { continue };
            let missed = || misses.iter().filter(|miss| miss.goal == goal);
            let word =
                match (missed().count(), missed().filter(|miss| miss.reason.is_none()).count()) {
                    (0, _) => "holds".to_owned(),
                    (all, 0) => format!("{all} missed, known"),
                    (all, news) => format!("{all} MISSED, {news} new"),
                };
            let sign = if over { ">=" } else { "<=" };
            let (place, policy) = (&worst.place, worst.policy);
            writeln!(
                text,
                "{:34}{sign:>3}{border:>5.2}{:>8}  {word:16}{place} ({policy})",
                goal.as_str(),
                number(worst.value)
            )?;
        }
        if !misses.is_empty() {
            writeln!(text, "\nwhat is missed, and why\n")?;
        }
        for miss in misses {
            let (goal, place, value) = (miss.goal.as_str(), &miss.place, miss.value);
            writeln!(text, "{goal}: {} ({place}; {})", number(value), miss.policy)?;
            writeln!(
                text,
                "    {}",
                miss.reason.unwrap_or("MISSED: not known, or worse than is known")
            )?;
        }
        Ok(())
    }
}

fn is_at(row: &Row, (world, load, trigger): (crate::World, f64, Trigger)) -> bool {
    (row.world, row.load, row.trigger) == (world, crate::Load::Open(load), trigger)
}

const HEAD: &str = "policy                  before during  after   last  use  recovers attempts   peak    p50    p99  waste rejected fair";

fn line(text: &mut String, name: &str, figures: &crate::Figures) {
    let share = figures.use_during.map_or("-".to_owned(), |share| format!("{share:.2}"));
    let recovers = figures.recovery.map_or("never".to_owned(), |time| format!("{time:.0} s"));
    let _ = writeln!(
        text,
        "{name:24}{:>6.3} {:>6.3} {:>6.3} {:>6.3} {share:>4} {recovers:>9} {:>8.2} {:>6.2} {:>6.1} {:>6.1} {:>5.0}% {:>7.1}% {:>4.2}",
        figures.before,
        figures.during,
        figures.after,
        figures.last,
        figures.amplification,
        figures.peak,
        figures.p50,
        figures.p99,
        figures.waste * 100.0,
        figures.rejected * 100.0,
        figures.fairness,
    );
}

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "never".to_owned() }
}
