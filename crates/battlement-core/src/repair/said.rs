//! What an answer says that is all there: its texts, and the calls of tools.

use std::{borrow::Cow, ops::Range};

use super::{
    listen::Listen,
    pieces::{Pieces, pieces},
};
use crate::{Dialect, write::Escaped};

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Which of the choice it is; only to tell them apart.
    pub(super) index: u64,
    /// The name of the tool.
    pub name: String,
    /// The arguments, as the model wrote them: JSON, if all is well.
    pub arguments: String,
}

/// One of the answers in an answer; mostly there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    pub(super) index: u64,
    /// What it says.
    pub text: String,
    /// What it calls.
    pub calls: Vec<Call>,
    /// Where the pieces of the text are.
    pub(super) pieces: Vec<Range<usize>>,
    /// Where all of the text is said once more.
    pub(super) echoes: Vec<Range<usize>>,
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    choices: Vec<Choice>,
    /// Whether places are those in the body.
    is_exact: bool,
}

/// Takes an answer apart. `None` if it cannot be: it has another form than its content type says, or an
/// encoding.
pub fn said(dialect: Dialect, content_type: &str, body: &[u8]) -> Option<Said> {
    let Pieces { bytes, texts } = pieces(dialect, content_type, body)?;
    let is_exact = matches!(bytes, Cow::Borrowed(_));
    let mut said = Said { choices: Vec::new(), is_exact };
    let listen = Listen { bytes: &bytes, said: &mut said };
    listen.to(dialect, &texts);
    Some(said)
}

impl Said {
    /// The choices, in the order of their numbers.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The body with another text in each choice that has one here, by position. `None` where the bytes
    /// cannot be changed in place: in Amazon's frames.
    ///
    /// In a stream the first piece has all of the new text, and the others have none.
    pub fn with_texts(&self, body: &[u8], texts: &[Option<String>]) -> Option<Vec<u8>> {
        if !self.is_exact {
            return None;
        }
        let mut changes: Vec<(Range<usize>, String)> = Vec::new();
        for (choice, text) in self.choices.iter().zip(texts) {
            let Some(text) = text else { continue };
            let text = format!("\"{}\"", Escaped(text));
            for (number, piece) in choice.pieces.iter().enumerate() {
                let new = if number == 0 { text.clone() } else { "\"\"".to_owned() };
                changes.push((piece.clone(), new));
            }
            changes.extend(choice.echoes.iter().map(|echo| (echo.clone(), text.clone())));
        }
        changes.sort_by_key(|(place, _)| place.start);
        let (mut out, mut copied) = (Vec::with_capacity(body.len()), 0);
        for (place, new) in changes {
            out.extend_from_slice(body.get(copied..place.start)?);
            out.extend_from_slice(new.as_bytes());
            copied = place.end;
        }
        out.extend_from_slice(body.get(copied..)?);
        Some(out)
    }

    pub(super) fn choice(&mut self, index: u64) -> &mut Choice {
        let at = self.choices.partition_point(|choice| choice.index < index);
        if self.choices.get(at).is_none_or(|choice| choice.index != index) {
            self.choices.insert(at, Choice { index, ..Choice::default() });
        }
        &mut self.choices[at]
    }
}

impl Choice {
    pub(super) fn call(&mut self, index: u64) -> &mut Call {
        let at = match self.calls.iter().position(|call| call.index == index) {
            Some(at) => at,
            None => {
                self.calls.push(Call { index, ..Call::default() });
                self.calls.len() - 1
            }
        };
        &mut self.calls[at]
    }
}
