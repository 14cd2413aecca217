//! Single values of a document: found by their place, and replaced with every other byte left as it is.

use std::ops::Range;

use crate::request::{elements, members};

/// Where the values at a place are, such as `choices/*/delta/content`. Of a member given twice, all are.
pub(super) fn find(document: &[u8], place: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    find_inside(document, 0..document.len(), place, &mut found);
    found
}

fn find_inside(document: &[u8], value: Range<usize>, place: &str, found: &mut Vec<Range<usize>>) {
    let (first, rest) = place.split_once('/').map_or((place, None), |(a, b)| (a, Some(b)));
    let (bytes, start) = (&document[value.clone()], value.start);
    let mut inside = |range: Range<usize>| {
        let range = start + range.start..start + range.end;
        match rest {
            Some(rest) => find_inside(document, range, rest, found),
            None => found.push(range),
        }
    };
    // What is no JSON, or something else than expected, has nothing at this place.
    if first == "*" {
        let _is_array = elements(bytes, inside);
    } else {
        let _shape = members(bytes, |key, range| {
            if key.decode() == first {
                inside(range);
            }
        });
    }
}

/// The value at a place; of several the last.
pub(super) fn get<'d>(document: &'d [u8], place: &str) -> Option<&'d [u8]> {
    find(document, place).pop().map(|range| &document[range])
}

/// The inside of the string at a place, as it stands there.
pub(super) fn string<'d>(document: &'d [u8], place: &str) -> Option<&'d [u8]> {
    inside_of_string(get(document, place)?)
}

/// What is between the quotes, if it is a string.
pub(super) fn inside_of_string(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', inside @ .., b'"'] => Some(inside),
        _ => None,
    }
}

/// Whether a value says nothing: null, or something empty.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    match value {
        b"null" | b"\"\"" | b"false" => true,
        [b'[', inside @ .., b']'] | [b'{', inside @ .., b'}'] => inside.trim_ascii().is_empty(),
        _ => false,
    }
}

/// Whether there is something at a place that says something.
pub(super) fn has(document: &[u8], place: &str) -> bool {
    get(document, place).is_some_and(|value| !is_nothing(value))
}

/// The number of elements at a place.
pub(super) fn count(document: &[u8], place: &str) -> usize {
    let mut count = 0;
    let _is_array = get(document, place).map(|value| elements(value, |_| count += 1));
    count
}

/// Changes to one document.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, Vec<u8>)>);

impl Edits {
    /// Replaces what is here.
    pub(super) fn put(&mut self, place: Range<usize>, value: impl Into<Vec<u8>>) {
        self.0.push((place, value.into()));
    }

    /// Replaces the values at a place.
    pub(super) fn set(&mut self, document: &[u8], place: &str, value: &[u8]) {
        for range in find(document, place) {
            self.put(range, value);
        }
    }

    /// The document with all changes; of two that meet only the first is made.
    pub(super) fn apply(mut self, document: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = Vec::with_capacity(document.len() + 64);
        let mut copied = 0;
        for (range, value) in self.0 {
            if range.start >= copied {
                out.extend_from_slice(&document[copied..range.start]);
                out.extend_from_slice(&value);
                copied = range.end;
            }
        }
        out.extend_from_slice(&document[copied..]);
        out
    }
}
