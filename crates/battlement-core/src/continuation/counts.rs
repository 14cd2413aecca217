//! Token counts of several rounds, added up in the form in which the provider gives them.
//!
//! Every provider has counts of its own beside the usual ones. So nothing is mapped: each whole number of the object is
//! added to the ones at the same place in the rounds before.

use std::ops::Range;

use super::places::Edits;
use crate::request::members;

/// Whole numbers by their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(Vec<(String, u64)>);

/// How many counts are kept. No provider gives more than twenty.
const MOST: usize = 64;

impl Counts {
    /// What a usage object says; later ones of the same round say all of it again, or what has changed.
    pub(super) fn take(&mut self, usage: &[u8]) {
        each(usage, 0, "", 0, &mut |place, number, _| self.set(place, number));
    }

    fn get(&self, place: &str) -> Option<u64> {
        self.0.iter().find(|(known, _)| known == place).map(|(_, number)| *number)
    }

    fn set(&mut self, place: &str, number: u64) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == place) {
            *known = number;
        } else if self.0.len() < MOST {
            self.0.push((place.to_owned(), number));
        }
    }

    /// Adds those of another round.
    pub(super) fn add(&mut self, round: &Self) {
        for (place, number) in &round.0 {
            self.set(place, self.get(place).unwrap_or(0).saturating_add(*number));
        }
    }

    /// Puts these in the place of those in a usage object, which stands here in a document. What it does not have at its
    /// top is added.
    pub(super) fn write(&self, document: &[u8], usage: Range<usize>, edits: &mut Edits) {
        let bytes = &document[usage.clone()];
        let mut seen = Vec::new();
        each(bytes, usage.start, "", 0, &mut |place, number, range| {
            seen.push(place.to_owned());
            if let Some(sum) = self.get(place).filter(|sum| *sum != number) {
                edits.put(range, sum.to_string());
            }
        });
        let is_missing =
            |place: &str| !place.contains('/') && !seen.iter().any(|known| known == place);
        let missing = self.0.iter().filter(|(place, _)| is_missing(place));
        let missing: String =
            missing.map(|(place, number)| format!("\"{place}\":{number},")).collect();
        if let Ok(Some(shape)) = members(bytes, |_, _| {}) {
            let keep = missing.len() - usize::from(shape.is_empty && !missing.is_empty());
            if keep > 0 {
                let open = usage.start + shape.open;
                edits.put(open..open, &missing.as_bytes()[..keep]);
            }
        }
    }
}

/// Shows every whole number of an object, with its place in it and in the document.
fn each(
    object: &[u8],
    start: usize,
    above: &str,
    depth: usize,
    visit: &mut dyn FnMut(&str, u64, Range<usize>),
) {
    if depth > 3 {
        return;
    }
    let mut inside = Vec::new();
    let _shape = members(object, |key, range| {
        let key = key.decode();
        // What would have to be escaped is none of theirs.
        if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let place = if above.is_empty() { key.into_owned() } else { format!("{above}/{key}") };
            inside.push((place, range));
        }
    });
    for (place, range) in inside {
        let value = &object[range.clone()];
        let range = start + range.start..start + range.end;
        match value.first() {
            Some(b'{') => each(value, range.start, &place, depth + 1, visit),
            Some(b'0'..=b'9') => {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                if let Some(number) = number {
                    visit(&place, number, range);
                }
            }
            _ => {}
        }
    }
}
