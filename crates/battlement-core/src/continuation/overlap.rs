//! What a further round says again of what is known already.

use std::fmt;

/// The answer that was begun again goes on otherwise than what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer was begun again and differs after {at} of {delivered} bytes")]
#[non_exhaustive]
pub struct Diverged {
    /// How many bytes of text are the same.
    pub at: usize,
    /// How many were delivered.
    pub delivered: usize,
}

/// What a further round is expected to say again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Nothing but blanks: of text at the end of a request they are cut off, as some providers demand, and so the
    /// model may write them again.
    Blanks,
    /// All of it, since it was begun anew. Anything else is an error.
    All,
    /// All of it or nothing, without its blanks at the end: some providers repeat what an answer was to begin with.
    Echo,
}

/// Skips what is known.
pub(super) struct Skip {
    expects: Option<Overlap>,
    /// How much of the known text was said again.
    at: usize,
    /// Up to where it is expected.
    end: usize,
    /// All that is known.
    known: usize,
}

impl Skip {
    pub(super) fn new(overlap: Overlap, known: &str) -> Self {
        let trimmed = known.trim_end().len();
        let (at, end) = match overlap {
            Overlap::Blanks => (trimmed, known.len()),
            Overlap::All => (0, known.len()),
            Overlap::Echo => (0, trimmed),
        };
        Self { expects: Some(overlap), at, end, known: known.len() }
    }

    /// Adds what is new of this to `out`. `text` begins with what was known.
    pub(super) fn take(&mut self, text: &str, new: &str, out: &mut String) -> Result<(), Diverged> {
        let Some(expects) = self.expects else {
            out.push_str(new);
            return Ok(());
        };
        let common = common(&text[self.at..self.end], new);
        self.at += common;
        let rest = &new[common..];
        if self.at == self.end {
            if expects == Overlap::Echo && self.end < self.known {
                (self.expects, self.end) = (Some(Overlap::Blanks), self.known);
                return self.take(text, rest, out);
            }
            self.expects = None;
            out.push_str(rest);
        } else if !rest.is_empty() {
            match expects {
                Overlap::All => return Err(self.diverged()),
                Overlap::Blanks => {
                    self.expects = None;
                    out.push_str(rest);
                }
                // It was no echo, and what looked like one is text.
                Overlap::Echo => {
                    let seen = self.at;
                    *self = Self::new(Overlap::Blanks, &text[..self.known]);
                    self.take(text, &text[..seen], out)?;
                    self.take(text, rest, out)?;
                }
            }
        }
        Ok(())
    }

    /// The round is over by its own word: what was held back as an echo is none.
    pub(super) fn finish(&mut self, text: &str, out: &mut String) -> Result<(), Diverged> {
        match self.expects.take() {
            Some(Overlap::All) if self.at < self.end => Err(self.diverged()),
            Some(Overlap::Echo) if self.at < self.end => {
                out.push_str(&text[..self.at]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn diverged(&self) -> Diverged {
        Diverged { at: self.at, delivered: self.known }
    }
}

impl fmt::Debug for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Skip").field("expects", &self.expects).field("at", &self.at).finish()
    }
}

/// How many bytes two texts have in common at their beginning, in whole characters.
fn common(left: &str, right: &str) -> usize {
    let mut pairs = left.char_indices().zip(right.chars());
    pairs
        .find(|((_, left), right)| left != right)
        .map_or(left.len().min(right.len()), |((at, _), _)| at)
}
