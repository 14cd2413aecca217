//! Durations with units: `6m0s`, `120ms`, `1h2m3.5s`, `34s`, and as people write them, `2 minutes`.
//!
//! One grammar serves headers, protobuf and messages: numbers, each followed by a unit. A unit is
//! the whole run of letters after its number, so `ms` is never taken for `m`.

use super::number::{self, MILLISECOND, SECOND};

/// Units by name, in nanoseconds.
const UNITS: [(&[&str], u128); 7] = [
    (&["ns", "nanosecond", "nanoseconds"], 1),
    (&["us", "\u{b5}s", "\u{3bc}s", "microsecond", "microseconds"], 1_000),
    (&["ms", "msec", "millisecond", "milliseconds"], MILLISECOND),
    (&["s", "sec", "secs", "second", "seconds"], SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND),
    (&["d", "day", "days"], 86_400 * SECOND),
];

/// Reads a text that is a duration and nothing else, as nanoseconds, rounded up.
pub(super) fn parse(text: &str) -> Option<u128> {
    let (nanoseconds, rest) = leading(text)?;
    rest.trim().is_empty().then_some(nanoseconds)
}

/// Reads the duration at the start of a text, as nanoseconds, rounded up, and what follows it.
pub(super) fn leading(text: &str) -> Option<(u128, &str)> {
    let (mut total, mut rest) = component(text)?;
    while let Some((nanoseconds, after)) = component(rest) {
        total = total.saturating_add(nanoseconds);
        rest = after;
    }
    Some((total, rest))
}

/// One number and its unit.
fn component(text: &str) -> Option<(u128, &str)> {
    let text = text.trim_start();
    let (number, rest) = text.split_at(number_length(text));
    let rest = rest.trim_start();
    let end = rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let is_named = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let (_, unit) = UNITS.into_iter().find(|(names, _)| is_named(names))?;
    Some((number::scaled(number, unit)?, rest))
}

/// The length of a decimal number; its point must have a digit on both sides.
fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    match text[whole..].strip_prefix('.').map(digits) {
        Some(fraction) if whole > 0 && fraction > 0 => whole + 1 + fraction,
        _ => whole,
    }
}
