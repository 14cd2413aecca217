//! Points in time, as nanoseconds since 1970.
//!
//! A plain number, not a `SystemTime`, because providers can name years that a platform's clock
//! type cannot hold, and the only question ever asked is how far away a point is.

use std::time::SystemTime;

use super::number::{self, SECOND};

/// A clock reading as nanoseconds since 1970, negative before.
pub(super) fn since_epoch(time: SystemTime) -> i128 {
    // A duration holds less than 2^64 seconds, which is less than 2^94 nanoseconds.
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// Reads an RFC 3339 timestamp, such as `2026-11-20T12:00:24.5+01:00`.
pub(super) fn rfc3339(text: &str) -> Option<i128> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let (fraction, offset) = split_fraction(rest);

    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    // A leap second is the first second of the next minute to a clock that has none.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds =
        days_since_epoch(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second
            - offset_seconds(offset)?;
    let fraction = if fraction.is_empty() { 0 } else { number::scaled(fraction, SECOND)? };
    Some(i128::from(seconds) * SECOND as i128 + fraction as i128)
}

/// The fraction of a second, with its point, and what follows it.
fn split_fraction(text: &str) -> (&str, &str) {
    let is_digit = |letter: char| letter.is_ascii_digit();
    match text.strip_prefix('.') {
        Some(digits) => text.split_at(text.len() - digits.trim_start_matches(is_digit).len()),
        None => ("", text),
    }
}

/// Seconds east of Greenwich.
fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = fields(&text[1..], ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Numbers of exactly these widths, with `separator` between them.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let is_number = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = if is_number { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01 in the Gregorian calendar; `None` when there is no such day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    /// Days before each month of a common year, and of the whole year.
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

    let index = usize::try_from(month - 1).ok().filter(|index| *index < 12)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leap_day = i64::from(is_leap);
    let length = BEFORE[index + 1] - BEFORE[index] + if month == 2 { leap_day } else { 0 };
    if !(1..=length).contains(&day) {
        return None;
    }
    let leap_days_before = |year: i64| {
        let years = year - 1;
        years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400)
    };
    let years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let months = BEFORE[index] + if month > 2 { leap_day } else { 0 };
    Some(years + months + day - 1)
}
