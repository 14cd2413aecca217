//! Decimal numbers of some unit of time, read without losing a digit.
//!
//! Floating point would do for a wait, but not for a promise: `12.844657` seconds must become
//! 12845 milliseconds, and no rounding may make a wait shorter than what was asked for.

use std::time::Duration;

/// One millisecond in nanoseconds.
pub(super) const MILLISECOND: u128 = 1_000_000;
/// One second in nanoseconds.
pub(super) const SECOND: u128 = 1_000_000_000;

/// Digits of a fraction that count; a nonzero digit after them still rounds up.
const FRACTION_DIGITS: usize = 18;

/// Reads a number of `unit` nanoseconds as nanoseconds, rounded up.
///
/// `None` for what is not a number, negative, or infinite; that includes `1e999`, which every
/// reader of floating point numbers takes for infinite. A finite number too large saturates.
pub(super) fn scaled(text: &str, unit: u128) -> Option<u128> {
    let text = text.trim();
    let approximate: f64 = text.parse().ok()?;
    if !approximate.is_finite() || approximate < 0.0 {
        return None;
    }
    if text.contains(['e', 'E']) {
        // Nobody counts nanoseconds in scientific notation. The cast saturates.
        return Some((approximate * unit as f64).ceil() as u128);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0u128, |sum, digit| sum.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
    Some(whole.saturating_mul(unit).saturating_add(part(fraction, unit)))
}

/// `0.fraction` of `unit`, rounded up.
fn part(fraction: &str, unit: u128) -> u128 {
    let digits = fraction.as_bytes();
    let (read, rest) = digits.split_at(digits.len().min(FRACTION_DIGITS));
    let mut numerator = read.iter().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let mut denominator = 10u128.pow(read.len() as u32);
    if rest.iter().any(|digit| *digit != b'0') {
        // One more digit, large enough for every digit that is left out.
        numerator = numerator * 10 + 9;
        denominator *= 10;
    }
    (numerator * unit).div_ceil(denominator)
}

/// Whole milliseconds, rounded up; the longest duration when there are too many.
pub(super) fn whole_milliseconds(nanoseconds: u128) -> Duration {
    let milliseconds = nanoseconds.div_ceil(MILLISECOND);
    match u64::try_from(milliseconds / 1000) {
        Ok(seconds) => {
            Duration::from_secs(seconds) + Duration::from_millis((milliseconds % 1000) as u64)
        }
        Err(_) => Duration::from_secs(u64::MAX),
    }
}

/// Reads a count; a fraction is cut off, and a negative number is no count.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    })
}
