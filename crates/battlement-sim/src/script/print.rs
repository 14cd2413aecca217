//! Scripts as words, which read back as the same script.

use std::{
    fmt::{self, Display, Formatter, Write},
    time::Duration,
};

use super::{
    Break, How, List, Script, Source, Step, Turn, WHOLE,
    cursor::UNITS,
    names::{BREAKS, ENDINGS, FAULTS},
    step::{Custom, What},
};
use crate::answer::{Ending, Fault};

/// The words. A script that [asks a function](Script::by) has none, and says so.
impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::List(list) => list.fmt(f),
            Source::By(_) => f.write_str("by a function"),
        }
    }
}

impl Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.seed != 0 {
            write!(f, "seed {}; ", self.seed)?;
        }
        for (number, turn) in self.turns.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{turn}")?;
        }
        f.write_str(if self.cycles { "; cycle" } else { "" })
    }
}

impl Display for Turn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.times != 1 {
            write!(f, "{}x ", self.times)?;
        }
        if let [(_, step)] = &self.choices[..] {
            return step.fmt(f);
        }
        for (number, (share, step)) in self.choices.iter().enumerate() {
            let between = if number == 0 { "" } else { ", " };
            write!(f, "{between}{}% {step}", Decimal(*share, WHOLE / 100))?;
        }
        Ok(())
    }
}

/// The words.
impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut words = Spaced { f, is_first: true };
        match &self.what {
            What::Reply(Ending::Complete) => {}
            What::Reply(ending) => words.add(name(&ENDINGS, *ending))?,
            What::Fault { fault, status, hint } => {
                match status {
                    Some(status) => words.add(status.as_str())?,
                    None => words.add(name(&FAULTS, *fault))?,
                }
                if let Some(hint) = hint {
                    words.add(format_args!("after {}", Time(*hint)))?;
                }
            }
            What::Page(status) => words.add(format_args!("page {}", status.as_str()))?,
            What::Custom(custom) => words.add(custom)?,
            What::Reset => words.add("reset")?,
            What::Unreachable => words.add("unreachable")?,
            What::Never => words.add("never")?,
        }
        if let Some(text) = &self.text {
            words.add(format_args!("saying {}", Quoted(text.as_bytes())))?;
        }
        if let Some(tokens) = self.tokens {
            words.add(format_args!("{tokens} tokens"))?;
        }
        if self.early && self.what != What::Unreachable {
            words.add("early")?;
        }
        let times = [
            ("head after", self.head_after),
            ("first token after", self.first_after),
            ("every", self.every),
        ];
        for (name, time) in times.into_iter().filter(|(_, time)| !time.is_zero()) {
            words.add(format_args!("{name} {}", Time(time)))?;
        }
        if self.wrong_length {
            words.add("wrong length")?;
        }
        if let Some(breaks) = self.breaks {
            words.add(breaks)?;
        }
        if words.is_first {
            words.add(name(&ENDINGS, Ending::Complete))?;
        }
        Ok(())
    }
}

impl Display for Break {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = match self.how {
            How::Error(fault) => name::<Fault>(&FAULTS, fault),
            how => name(&BREAKS, how),
        };
        let events = if self.after == 1 { "event" } else { "events" };
        write!(f, "{name} after {} {events}", self.after)
    }
}

impl Display for Custom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "answer {}", self.status.as_str())?;
        for (name, value) in &self.headers {
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes()].concat();
            write!(f, " {}", Quoted(&line))?;
        }
        if !self.body.is_empty() {
            write!(f, " saying {}", Quoted(&self.body))?;
        }
        Ok(())
    }
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("ok", |(name, _)| name)
}

/// Puts a space between words.
struct Spaced<'a, 'b> {
    f: &'a mut Formatter<'b>,
    is_first: bool,
}

impl Spaced<'_, '_> {
    fn add(&mut self, words: impl Display) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.f.write_char(' ')?;
        }
        write!(self.f, "{words}")
    }
}

/// `1m30s`.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

/// A number of a unit, with as many digits behind the point as it needs.
struct Decimal(u32, u32);

impl Display for Decimal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(number, unit) = *self;
        write!(f, "{}", number / unit)?;
        let (mut rest, mut unit) = (number % unit, unit);
        if rest > 0 {
            f.write_char('.')?;
        }
        while rest > 0 {
            unit /= 10;
            write!(f, "{}", rest / unit)?;
            rest %= unit;
        }
        Ok(())
    }
}

/// Bytes between quotes. What is no text is escaped.
struct Quoted<'a>(&'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\0'..' ' | '\x7f' => write!(f, "\\x{:02x}", u32::from(letter))?,
                    _ => f.write_char(letter)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')
    }
}
