//! Token counts of several rounds, added up in the form in which the provider gives them.
//!
//! Every provider has counts of its own beside the usual ones, some of them costs. So nothing is mapped: each number of
//! the object is added to the ones at the same place in the rounds before.

use std::{fmt, ops::Range};

use super::places::Edits;
use crate::request::members;

/// Numbers by their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(Vec<(String, Number)>);

/// How many counts are kept. No provider gives more than twenty.
const MOST: usize = 64;

impl Counts {
    /// What a usage object says; later ones of the same round say all of it again, or what has changed.
    pub(super) fn take(&mut self, usage: &[u8]) {
        each(usage, 0, "", 0, &mut |place, value, _| {
            if let Some(number) = Number::read(value) {
                self.set(place, number);
            }
        });
    }

    fn get(&self, place: &str) -> Option<Number> {
        self.0.iter().find(|(known, _)| known == place).map(|(_, number)| *number)
    }

    fn set(&mut self, place: &str, number: Number) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == place) {
            *known = number;
        } else if self.0.len() < MOST {
            self.0.push((place.to_owned(), number));
        }
    }

    /// Adds those of another round.
    pub(super) fn add(&mut self, round: &Self) {
        for (place, number) in &round.0 {
            self.set(place, self.get(place).unwrap_or_default().plus(*number));
        }
    }

    /// Puts these in the place of those in a usage object, which stands here in a document. What it does not have at its
    /// top is added.
    pub(super) fn write(&self, document: &[u8], usage: Range<usize>, edits: &mut Edits) {
        let bytes = &document[usage.clone()];
        let mut seen = Vec::new();
        each(bytes, usage.start, "", 0, &mut |place, value, range| {
            // Whatever it is now: a second member of this name would be worse than none.
            seen.push(place.to_owned());
            let number = Number::read(value);
            if number.is_some() || value == b"null" {
                if let Some(sum) = self.get(place).filter(|sum| Some(*sum) != number) {
                    edits.put(range, sum.to_string());
                }
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

/// Gets the place of a member, its value, and where that is in the document.
type Visit<'v> = dyn FnMut(&str, &[u8], Range<usize>) + 'v;

/// Shows every member of an object, with its place in it and in the document.
fn each(object: &[u8], start: usize, above: &str, depth: usize, visit: &mut Visit<'_>) {
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
        visit(&place, value, range.clone());
        if value.first() == Some(&b'{') {
            each(value, range.start, &place, depth + 1, visit);
        }
    }
}

/// A number that is not negative, to the last of its digits: sums of floats would have more than were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Number {
    digits: u128,
    /// How many of them are behind the point.
    behind: u32,
}

impl Number {
    /// `None` if it is none, or too long to be added to.
    fn read(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        text.starts_with(|first: char| first.is_ascii_digit()).then_some(())?;
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: u128 = [whole, fraction].concat().parse().ok()?;
        let behind = i64::try_from(fraction.len()).ok()? - i64::from(exponent.parse::<i32>().ok()?);
        let more = u32::try_from(-behind.min(0)).ok()?;
        let digits = digits.checked_mul(10_u128.checked_pow(more)?)?;
        let behind = u32::try_from(behind.max(0)).ok()?;
        let is_short = behind <= 24 && digits < u128::MAX / 1000;
        is_short.then_some(Self { digits, behind })
    }

    /// The sum; if it is too long, it stays.
    fn plus(self, other: Self) -> Self {
        let behind = self.behind.max(other.behind);
        let scaled = |number: Self| {
            let factor = 10_u128.checked_pow(behind - number.behind)?;
            number.digits.checked_mul(factor)
        };
        let sum = scaled(self).zip(scaled(other)).and_then(|(a, b)| a.checked_add(b));
        sum.map_or(self, |digits| Self { digits, behind })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.behind == 0 {
            return write!(f, "{}", self.digits);
        }
        let behind = self.behind as usize;
        let digits = format!("{:0>width$}", self.digits, width = behind + 1);
        let (whole, fraction) = digits.split_at(digits.len() - behind);
        write!(f, "{whole}.{fraction}")
    }
}
