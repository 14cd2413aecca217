//! Makes one stream of several.

mod ending;
mod template;

pub use ending::{Close, Standing};

use std::{fmt, mem, ops::Range};

use self::{ending::Ending, template::Template};
use super::{
    counts::Counts,
    form::{Form, Kind, form},
    frames::{Ends, Event},
    overlap::{Diverged, Skip},
    places::{find, get, inside_of_string},
    text::{Half, decode},
};
use crate::{Dialect, FinishClass};

/// Makes one stream of several: the first passes as it is, but for its end; of the others only what is new goes on.
///
/// See the [module documentation](super).
pub struct Splicer {
    form: &'static Form,
    /// How much text is kept.
    most: usize,
    is_first: bool,
    /// The answer cannot be continued, and all of it passes.
    passes: bool,
    ends: Ends,
    /// The beginning of an event.
    partial: Vec<u8>,
    round: Round,
    /// The end of an earlier round that had one, and nothing has gone on behind it yet.
    before: Option<Ending>,
    /// All text so far.
    text: String,
    /// What of it has not gone on yet: it came with the end.
    unsent: String,
    /// There is more text than is kept.
    is_full: bool,
    template: Option<Template>,
    /// What names the first answer.
    names: Vec<(&'static str, Vec<u8>)>,
    /// Counts of the rounds before.
    counts: Counts,
    /// The number of the next event, where they have one.
    number: u64,
}

/// What is known of the present round.
#[derive(Default)]
struct Round {
    /// What may be the end, as it came.
    held: Vec<u8>,
    /// It has said that it is over.
    is_over: bool,
    is_error: bool,
    /// It has a part that cannot be spliced, so that what follows would stand behind a hole.
    is_foreign: bool,
    finish: Option<Box<str>>,
    /// Text that came with the end.
    tail: String,
    half: Half,
    counts: Counts,
    skip: Option<Skip>,
    diverged: Option<Diverged>,
}

/// What of a slice goes on: first this, then this part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// What was kept before, or made.
    pub before: Vec<u8>,
    /// A part of the slice.
    pub slice: Range<usize>,
}

impl Splicer {
    /// For an answer in this dialect, of which this much text is kept; `None` if such answers are not continued.
    pub fn new(dialect: Dialect, most: usize) -> Option<Self> {
        Some(Self {
            form: form(dialect)?,
            most,
            is_first: true,
            passes: false,
            ends: Ends::default(),
            partial: Vec::new(),
            round: Round::default(),
            before: None,
            text: String::new(),
            unsent: String::new(),
            is_full: false,
            template: None,
            names: Vec::new(),
            counts: Counts::default(),
            number: 0,
        })
    }

    /// Shows a slice of the present round; what of it goes on.
    pub fn feed(&mut self, slice: &[u8]) -> Passed {
        let mut passed = Passed::default();
        if self.passes {
            return Passed { before: self.release(), slice: 0..slice.len() };
        }
        let mut start = self.ends.belated(slice);
        if start > 0 {
            self.hand_over(slice, 0..start, self.round.held.is_empty(), &mut passed);
        }
        while let Some(end) = self.ends.next(slice, start) {
            let partial = mem::take(&mut self.partial);
            let goes = if partial.is_empty() {
                self.judge(&slice[start..end], &mut passed.before)
            } else {
                let whole = [&*partial, &slice[start..end]].concat();
                self.judge(&whole, &mut passed.before)
            };
            self.partial = partial;
            if self.passes {
                return self.pass_all(start, slice, passed);
            }
            self.hand_over(slice, start..end, goes, &mut passed);
            start = end;
        }
        self.partial.extend_from_slice(&slice[start..]);
        if self.partial.len() + self.round.held.len() > self.most_held() {
            if self.is_first {
                self.passes = true;
                self.partial.truncate(self.partial.len() - (slice.len() - start));
                return self.pass_all(start, slice, passed);
            }
            self.is_full = true;
            self.partial.clear();
        }
        passed
    }

    /// The rest of a slice passes, from here on.
    fn pass_all(&mut self, start: usize, slice: &[u8], mut passed: Passed) -> Passed {
        if passed.slice.is_empty() {
            passed.before.extend(self.release());
            passed.slice.start = start;
        } else {
            // Whatever is held stands in the slice, behind what passes already.
            self.round.held.clear();
        }
        passed.slice.end = slice.len();
        passed
    }

    /// An event that ends here in a slice goes on, or is kept.
    fn hand_over(&mut self, slice: &[u8], part: Range<usize>, goes: bool, passed: &mut Passed) {
        let begun = mem::take(&mut self.partial);
        if !self.is_first {
            return;
        }
        if !goes {
            self.round.held.extend_from_slice(&begun);
            self.round.held.extend_from_slice(&slice[part]);
        } else if !passed.slice.is_empty() {
            // Whatever is held stands between the two.
            self.round.held.clear();
            passed.slice.end = part.end;
        } else if begun.is_empty() && self.round.held.is_empty() {
            passed.slice = part;
        } else {
            passed.before.append(&mut self.round.held);
            passed.before.extend_from_slice(&begun);
            passed.before.extend_from_slice(&slice[part.clone()]);
            passed.slice = part.end..part.end;
        }
    }

    /// Everything that was kept, as it came.
    fn release(&mut self) -> Vec<u8> {
        let mut kept = mem::take(&mut self.round.held);
        kept.append(&mut self.partial);
        kept
    }

    fn most_held(&self) -> usize {
        // Some dialects repeat the text up to four times at the end.
        self.most.saturating_mul(8).saturating_add(64 * 1024)
    }

    /// What an event means; whether it goes on as it is. What is made of it goes to `out`.
    fn judge(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        if self.round.is_foreign {
            return false;
        }
        let event = Event::read(raw);
        let data = event.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            let is_end = !data.is_empty();
            return self.aside(raw, is_end);
        }
        let seen = (self.form.read)(data);
        for place in self.form.usage {
            if let Some(usage) = get(data, place) {
                self.round.counts.take(usage);
            }
        }
        if self.is_first && self.template.is_none() {
            self.learn_names(data);
        }
        let number = seen.number;
        let goes = match seen.kind {
            Kind::Foreign if self.is_first => self.give_up(),
            Kind::Item if self.is_first && !self.text.is_empty() => self.give_up(),
            Kind::Text if self.is_first && self.round.is_over => self.give_up(),
            Kind::Foreign if (self.form.is_part)(data) => {
                self.round.is_foreign = true;
                false
            }
            Kind::Foreign | Kind::Item | Kind::Aside => self.aside(raw, false),
            Kind::Text => {
                let mut new = String::new();
                self.decode(data, &mut new);
                if self.is_first {
                    self.learn_template(event.name, data);
                    self.keep(&new);
                } else {
                    self.round.held.clear();
                    self.add(&new, out);
                }
                !self.is_full || self.give_up()
            }
            Kind::Closing => self.hold(raw),
            Kind::End | Kind::Error => {
                if seen.kind == Kind::End && !self.round.is_over {
                    let mut tail = String::new();
                    self.decode(data, &mut tail);
                    if !self.is_first {
                        self.add(&tail, out);
                        self.finish_skipping(out);
                    } else if !tail.is_empty() {
                        self.learn_template(event.name, data);
                        self.round.tail = tail;
                    }
                    self.round.finish = seen.finish;
                }
                self.round.is_error |= seen.kind == Kind::Error;
                self.round.is_over = true;
                // Nothing follows a good end, so that nobody need wait for it.
                let is_last = self.standing() != Standing::Finished(FinishClass::Length)
                    && self.standing() != Standing::Failed;
                if is_last && self.is_first { self.give_up() } else { self.hold(raw) }
            }
        };
        if let Some(number) = number.filter(|_| self.is_first && goes) {
            self.number = number.saturating_add(1);
        }
        goes
    }

    /// An event that says nothing goes on, unless what is before it is held.
    fn aside(&mut self, raw: &[u8], is_end: bool) -> bool {
        let is_held = is_end || self.round.is_over || !self.round.held.is_empty();
        if is_held && (self.is_first || self.round.is_over || is_end) {
            return self.hold(raw);
        }
        true
    }

    /// Holds an event back: the first round's as it came, of which the caller knows.
    fn hold(&mut self, raw: &[u8]) -> bool {
        // An LF that is late is not known of, so that one that is not counts as little.
        let raw = if raw.ends_with(b"\r\n") { &raw[..raw.len() - 1] } else { raw };
        if !self.is_first && self.round.held.len() + raw.len() <= self.most_held() {
            self.round.held.extend_from_slice(raw);
        }
        false
    }

    /// This answer is not for us.
    fn give_up(&mut self) -> bool {
        self.passes |= self.is_first;
        true
    }

    fn decode(&mut self, data: &[u8], text: &mut String) {
        for range in find(data, self.form.text) {
            if let Some(raw) = inside_of_string(&data[range]) {
                decode(raw, &mut self.round.half, text);
            }
        }
    }

    fn learn_names(&mut self, data: &[u8]) {
        for place in self.form.names {
            if !self.names.iter().any(|(known, _)| known == place) {
                if let Some(value) = get(data, place).filter(|value| value.len() <= 1024) {
                    self.names.push((place, value.to_vec()));
                }
            }
        }
    }

    /// Adds to what is known of the text.
    fn keep(&mut self, new: &str) {
        if self.text.len() + new.len() > self.most {
            self.is_full = true;
        } else {
            self.text.push_str(new);
        }
    }

    /// Text of a further round: what is new of it goes on.
    fn add(&mut self, text: &str, out: &mut Vec<u8>) {
        if self.round.diverged.is_some() || self.is_full {
            return;
        }
        let mut new = String::new();
        match &mut self.round.skip {
            Some(skip) => {
                if let Err(diverged) = skip.take(&self.text, text, &mut new) {
                    self.round.diverged = Some(diverged);
                }
            }
            None => new.push_str(text),
        }
        self.send(&new, out);
    }

    /// Sends new text as an event of the first answer.
    fn send(&mut self, new: &str, out: &mut Vec<u8>) {
        if new.is_empty() {
            return;
        }
        self.keep(new);
        if self.is_full {
            return;
        }
        let new = mem::take(&mut self.unsent) + new;
        self.write(&new, out);
        if let Some(before) = &mut self.before {
            before.is_past = true;
        }
    }

    fn finish_skipping(&mut self, out: &mut Vec<u8>) {
        let mut new = String::new();
        if let Some(mut skip) = self.round.skip.take() {
            if let Err(diverged) = skip.finish(&self.text, &mut new) {
                self.round.diverged = self.round.diverged.or(Some(diverged));
            }
        }
        self.send(&new, out);
    }
}

impl fmt::Debug for Splicer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splicer")
            .field("text", &self.text.len())
            .field("passes", &self.passes)
            .finish_non_exhaustive()
    }
}
