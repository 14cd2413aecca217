//! Makes one answer of several that are no streams.

use super::{
    counts::Counts,
    form::{Form, form},
    overlap::{Diverged, Overlap, Skip},
    places::{Edits, find, get, inside_of_string},
    text::{Half, decode, escape, give_up},
};
use crate::{Dialect, FinishClass, dialect::finish_class};

/// Makes one answer of several: the first stays as it is, but for its text, its end and its counts.
#[derive(Debug)]
pub struct Whole {
    form: &'static Form,
    /// The first answer, or one in its place.
    body: Vec<u8>,
    /// The last one.
    last: Option<Vec<u8>>,
    texts: &'static str,
    text: String,
    /// How much of the text is in the first.
    own: usize,
    finish: Box<str>,
    counts: Counts,
}

/// The answer of a further round is none that the rest can be taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unjoinable {
    /// It has something else than text, or is no answer.
    #[error("there is no text alone in the answer to go on with")]
    NoText,
    /// It was begun again and went on otherwise.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

impl Whole {
    /// Reads an answer. `None` if it has anything but the text of one choice, or no end, or if answers in this dialect are
    /// not continued.
    pub fn read(dialect: Dialect, body: &[u8]) -> Option<Self> {
        let form = form(dialect)?;
        let (texts, text, finish) = read(form, body)?;
        let counts = counts(form, body);
        let (own, body) = (text.len(), body.to_vec());
        Some(Self { form, body, last: None, texts, text, own, finish, counts })
    }

    /// Why the last round stopped.
    pub fn finish(&self) -> FinishClass {
        finish_class(&self.finish)
    }

    /// All text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds the answer of a further round, which may say again what is known. Nothing is added if it cannot be.
    pub fn join(&mut self, body: &[u8], overlap: Overlap) -> Result<(), Unjoinable> {
        let (_, text, finish) = read(self.form, body).ok_or(Unjoinable::NoText)?;
        let mut new = String::new();
        let mut skip = Skip::new(overlap, &self.text);
        skip.take(&self.text, &text, &mut new)?;
        skip.finish(&self.text, &mut new)?;
        self.text.push_str(&new);
        self.finish = finish;
        self.counts.add(&counts(self.form, body));
        self.last = Some(body.to_vec());
        Ok(())
    }

    /// Puts another answer in the place of all so far, if it says more. Its counts are added in any case.
    pub fn replace(&mut self, body: &[u8]) {
        self.counts.add(&counts(self.form, body));
        let Some((texts, text, finish)) = read(self.form, body) else { return };
        let is_better = finish_class(&finish).is_success() || text.len() > self.text.len();
        if is_better {
            (self.body, self.last, self.texts) = (body.to_vec(), None, texts);
            (self.own, self.text, self.finish) = (text.len(), text, finish);
        }
    }

    /// The one answer.
    pub fn into_body(self) -> Vec<u8> {
        let mut edits = Edits::default();
        if let Some(range) = find(&self.body, self.texts).pop() {
            let mut more = Vec::new();
            escape(&self.text[self.own..], &mut more);
            // In front of the quote at its end.
            let end = range.end.saturating_sub(1);
            edits.put(end..end, more);
        }
        if let Some(last) = &self.last {
            for place in self.form.ending {
                if let Some(value) = get(last, place) {
                    edits.set(&self.body, place, value);
                }
            }
        }
        for place in self.form.usage {
            for range in find(&self.body, place) {
                self.counts.write(&self.body, range, &mut edits);
            }
        }
        edits.apply(&self.body)
    }
}

/// Where the text is, what it is, and why it ended.
fn read(form: &Form, body: &[u8]) -> Option<(&'static str, String, Box<str>)> {
    let parts = (form.whole)(body)?;
    let (mut text, mut half): (String, Half) = (String::new(), None);
    for range in find(body, parts.texts) {
        decode(inside_of_string(&body[range])?, &mut half, &mut text);
    }
    give_up(&mut half, &mut text);
    Some((parts.texts, text, parts.finish))
}

fn counts(form: &Form, body: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for place in form.usage {
        if let Some(usage) = get(body, place) {
            counts.take(usage);
        }
    }
    counts
}
