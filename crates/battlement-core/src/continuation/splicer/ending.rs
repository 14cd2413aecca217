//! How rounds end, and the stream that was made of them.

use std::mem;

use super::{
    super::{
        form::Known,
        frames::{Ends, Event, events},
        overlap::{Diverged, Overlap, Skip},
        places::{Edits, find, inside_of_string},
        text::give_up,
    },
    Splicer,
};
use crate::{FinishClass, dialect::finish_class};

/// The end of a round.
pub(super) struct Ending {
    held: Vec<u8>,
    /// Whether something went on after it.
    pub(super) is_past: bool,
}

/// How a round has ended, as far as it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It said why it stopped.
    Finished(FinishClass),
    /// It said that something went wrong.
    Failed,
    /// It said nothing.
    Cut,
}

/// How a stream that was spliced ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// With this.
    Ended(Vec<u8>),
    /// As the last round did, that has not said that it is over; after this.
    Open(Vec<u8>),
    /// With an error.
    Diverged(Diverged),
}

impl Splicer {
    /// How the present round stands.
    pub fn standing(&self) -> Standing {
        match &self.round.finish {
            _ if self.round.is_error => Standing::Failed,
            Some(reason) => Standing::Finished(finish_class(reason)),
            None => Standing::Cut,
        }
    }

    /// Whether a further round can go on where this one has ended.
    pub fn can_go_on(&self) -> bool {
        let is_text = !self.passes && !self.is_full && self.round.diverged.is_none();
        let is_text = is_text && !self.round.is_foreign;
        let length = self.text.len() + self.round.tail.len();
        is_text && self.template.is_some() && length > 0 && length <= self.most
    }

    /// Whether there is more text than is kept, so that the present round cannot go on.
    pub fn is_full(&self) -> bool {
        self.is_full && !self.passes
    }

    /// Whether the present round, a further one, has a part that cannot be spliced; it is of no use from there on.
    pub fn is_foreign(&self) -> bool {
        self.round.is_foreign
    }

    /// How an answer that was begun again differs, if it does; the round is of no use from there on.
    pub fn diverged(&self) -> Option<Diverged> {
        self.round.diverged
    }

    /// All text so far, with what came with the end.
    pub fn text(&self) -> String {
        [&*self.text, &*self.round.tail].concat()
    }

    /// A further round begins, which may say again what is known. To be said when the present one has ended.
    pub fn go_on(&mut self, overlap: Overlap) {
        let mut round = mem::take(&mut self.round);
        give_up(&mut round.half, &mut self.text);
        self.keep(&round.tail);
        self.unsent.push_str(&round.tail);
        if round.finish.is_some() && !round.is_error {
            self.before = Some(Ending { held: round.held, is_past: !self.is_first });
        }
        self.counts.add(&round.counts);
        self.partial.clear();
        self.ends = Ends::default();
        self.is_first = false;
        self.round.skip = Some(Skip::new(overlap, &self.text));
    }

    /// No further round begins: how the stream ends.
    pub fn close(&mut self) -> Close {
        if self.passes || self.is_first {
            let is_over = self.passes || self.round.is_over;
            let kept = self.release();
            return if is_over { Close::Ended(kept) } else { Close::Open(kept) };
        }
        let mut out = Vec::new();
        let round = mem::take(&mut self.round);
        // A round that differs has no end for what was delivered, but one before it may have.
        let is_good = round.finish.is_some() && !round.is_error && round.diverged.is_none();
        if let Some(diverged) = round.diverged.filter(|_| self.before.is_none()) {
            return Close::Diverged(diverged);
        }
        let ending = match (is_good, self.before.take()) {
            (true, _) => Ending { held: round.held, is_past: true },
            (false, Some(before)) => before,
            // The error of the last round is that of the answer.
            (false, None) => {
                self.flush(&mut out);
                out.extend_from_slice(&round.held);
                return if round.is_error { Close::Ended(out) } else { Close::Open(out) };
            }
        };
        if !ending.is_past {
            // Nothing came after it.
            out.extend_from_slice(&ending.held);
            return Close::Ended(out);
        }
        self.flush(&mut out);
        self.counts.add(&round.counts);
        for raw in events(&ending.held) {
            self.end_with(raw, &mut out);
        }
        Close::Ended(out)
    }

    /// Text that has not gone on yet does now.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let unsent = mem::take(&mut self.unsent);
        if !unsent.is_empty() {
            self.write(&unsent, out);
        }
    }

    /// An event at the end of a round, as one of the first answer.
    fn end_with(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let event = Event::read(raw);
        let data = event.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            out.extend_from_slice(raw);
            return;
        }
        let mut edits = Edits::default();
        for (place, name) in &self.names {
            edits.set(data, place, name);
        }
        // What text there was with it has gone on.
        for range in find(data, self.form.text) {
            if inside_of_string(&data[range.clone()]).is_some() {
                edits.put(range, "\"\"");
            }
        }
        for place in self.form.usage {
            for range in find(data, place) {
                self.counts.write(data, range, &mut edits);
            }
        }
        let edited = edits.apply(data);
        let template = self.template.as_ref().map_or(&[][..], |template| &template.data);
        let known = Known { text: &self.text, template, number: self.number };
        let adapted = (self.form.adapt)(&edited, &known);
        self.number = self.number.saturating_add(1);
        Event::write(event.name, &adapted.unwrap_or(edited), out);
    }
}
