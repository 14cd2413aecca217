//! From a text to settings, with the line of what is wrong.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::Config;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unread {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("line {line}: {message}")]
    Wrong {
        /// In which line, from one.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// What it says cannot be done.
    #[error("{0}")]
    Unfit(String),
}

impl Unusable {
    pub(super) fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::Wrong { line: line(text, span.start), message: message.into() }
    }
}

/// Reads a file.
///
/// # Errors
///
/// When there is none, or something in it is wrong.
pub fn read(path: &Path) -> Result<Config, Unusable> {
    let text = fs::read_to_string(path)
        .map_err(|source| Unusable::Unread { path: path.to_owned(), source })?;
    parse(&text)
}

/// Reads a text.
///
/// # Errors
///
/// When something in it is wrong.
pub fn parse(text: &str) -> Result<Config, Unusable> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let message = suggest(error.message());
        match error.span() {
            Some(span) => Unusable::at(text, span, message),
            None => Unusable::Unfit(message),
        }
    })?;
    config.check(text)?;
    Ok(config)
}

/// The line of a byte, from one.
pub(crate) fn line(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Adds what was most likely meant to a message of the form "unknown … `x`, expected one of `a`, `b`".
fn suggest(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let mut names = first.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| first.starts_with("unknown "));
    let Some(unknown) = unknown else { return first.to_owned() };
    match closest(unknown, names) {
        Some(meant) => {
            format!("{}; did you mean `{meant}`?", first.split(',').next().unwrap_or(first))
        }
        None => first.to_owned(),
    }
}

/// The name that is most like this one, if any is.
pub(super) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, found) = names.map(|known| (distance(name, known), known)).min()?;
    (distance <= name.len().max(found.len()) / 3).then_some(found)
}

/// How many letters have to be changed, put in or left out to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
