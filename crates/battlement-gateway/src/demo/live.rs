//! The day as it goes by: two bars, and what happens to single calls.
//!
//! Both days have been played by the time that they are shown, which takes a part of a second. What is shown is when
//! each call ended, at a pace that eyes can follow.

use std::{
    thread,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    board::wrapped,
    incident::Incident,
    play::{Client, Day, Delivery},
    trouble::arrivals,
};

/// Of a time in which no call ends no more than this is shown.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How many incidents are on the screen, and how many lines each has.
const INCIDENTS: usize = 3;
const LINES: usize = 3;

/// How long nothing else happens on the screen after one, so that it can be read.
const READING: Duration = Duration::from_millis(700);

/// Shows both days, so many times as fast as they were.
pub(super) fn show(naive: &Day, ours: &Day, speed: f64) -> anyhow::Result<()> {
    let mut screen = Screen::new(naive.calls())?;
    let days = [naive, ours];
    let mut ends: Vec<(Duration, usize, usize)> = Vec::new();
    for (side, day) in days.iter().enumerate() {
        ends.extend((0..day.calls()).map(|call| (day.end(call), side, call)));
    }
    ends.sort_unstable();
    let mut over = vec![0; naive.calls()];
    let (mut due, mut last) = (Instant::now(), Duration::ZERO);
    for (at, side, call) in ends {
        due += (at - last).div_f64(speed).min(LONGEST_PAUSE);
        last = at;
        let early = due.saturating_duration_since(Instant::now());
        // Shorter ones are no pause, and are made up for by the next.
        if early > Duration::from_millis(4) {
            thread::sleep(early);
        }
        screen.ended(side, days[side].delivery(call));
        over[call] += 1;
        // Most incidents come to the same with both, and there are too many to read.
        let is_worth_it = naive.delivery(call) != ours.delivery(call) && screen.is_read();
        if over[call] == days.len() && is_worth_it {
            if let Some(incident) = Incident::of(call, naive, ours) {
                screen.happened(&incident);
            }
        }
    }
    screen.finish();
    Ok(())
}

/// How fast it has to go to be over in about so long a time.
pub(super) fn speed(seed: u64, calls: u32, within: Duration) -> f64 {
    // What is behind the last arrival is pauses, mostly.
    let last = arrivals(seed, calls).last().copied().unwrap_or_default();
    last.div_duration_f64(within).max(1.0)
}

struct Screen {
    bars: [ProgressBar; 2],
    counts: [[u64; 3]; 2],
    lines: Vec<ProgressBar>,
    shown: Vec<String>,
    last: Option<Instant>,
}

impl Screen {
    fn new(calls: usize) -> anyhow::Result<Self> {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let bar = |client: Client| {
            let (bar, words) = match client {
                Client::Naive => ("yellow", "red"),
                Client::Ours => ("green", "green"),
            };
            let template =
                format!("{{prefix:13}} {{bar:30.{bar}}} {{pos:>4}}/{{len}}  {{msg:.{words}}}");
            let style = ProgressStyle::with_template(&template)?.progress_chars("█▉▊▋▌▍▎▏ ");
            let bar = all.add(ProgressBar::new(calls as u64).with_style(style));
            bar.set_prefix(client.name());
            anyhow::Ok(bar)
        };
        let [naive, ours] = Client::BOTH;
        let bars = [bar(naive)?, bar(ours)?];
        let style = ProgressStyle::with_template("{msg}")?;
        let line = |_| all.add(ProgressBar::new(0).with_style(style.clone()));
        let lines = (0..INCIDENTS * LINES).map(line).collect();
        Ok(Self { bars, counts: Default::default(), lines, shown: Vec::new(), last: None })
    }

    fn ended(&mut self, side: usize, delivery: Delivery) {
        let counts = &mut self.counts[side];
        counts[match delivery {
            Delivery::Whole => 0,
            Delivery::Silent => 1,
            Delivery::Told => 2,
        }] += 1;
        let [_, silent, told] = counts;
        self.bars[side].set_message(format!("silent {silent}, told {told}"));
        self.bars[side].inc(1);
    }

    /// Whether there was time to read what is on the screen.
    fn is_read(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= READING)
    }

    fn happened(&mut self, incident: &Incident) {
        self.last = Some(Instant::now());
        if self.shown.len() == INCIDENTS {
            self.shown.remove(0);
        }
        self.shown.push(incident.line());
        let lines = self.shown.iter().flat_map(|incident| wrapped(incident, LINES));
        for (bar, line) in self.lines.iter().zip(lines) {
            bar.set_message(line);
        }
    }

    fn finish(&self) {
        for bar in &self.bars {
            bar.abandon();
        }
        // The scoreboard takes their place.
        for line in &self.lines {
            line.finish_and_clear();
        }
    }
}
