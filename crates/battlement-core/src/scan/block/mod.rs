//! Looking at many bytes at once: the only two searches a scanner spends its time in.
//!
//! A JSON answer is mostly string contents and values nobody asked for. Finding the end of a string
//! and the end of a skipped container at memory speed is what makes reading cheap; everything else
//! happens once per key. Each processor's code and the portable code are tested against each other.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg_attr(all(target_arch = "x86_64", not(test)), allow(dead_code))]
mod portable;
mod skip;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(test)]
mod tests;

pub(crate) use skip::Skip;
/// Where a string ends, seen from a position inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringEnd {
    /// The closing quote is at this position.
    At(usize),
    /// The slice ends first. `escape` is set when its last byte is a backslash that escapes the
    /// first byte of the next slice.
    Beyond { escape: bool },
}

/// Finds the closing quote of the string that `from` lies in, and notes in `escaped` whether a
/// backslash was passed on the way.
#[inline]
pub(crate) fn string_end(bytes: &[u8], mut from: usize, escaped: &mut bool) -> StringEnd {
    loop {
        let Some(at) = quote_or_backslash(bytes, from) else {
            return StringEnd::Beyond { escape: false };
        };
        if bytes[at] == b'"' {
            return StringEnd::At(at);
        }
        *escaped = true;
        from = at + 2;
        if from > bytes.len() {
            return StringEnd::Beyond { escape: true };
        }
    }
}

/// Finds the closing quote of a string whose content does not matter.
///
/// Looks for quotes only, and counts the backslashes before one when it finds one: text is full of
/// `\n`, and none of them is worth a stop. Runs of backslashes before different quotes do not
/// overlap, so that the counting is linear.
#[inline]
pub(crate) fn passed_end(bytes: &[u8], from: usize) -> StringEnd {
    let mut at = from;
    // Most strings are short; a long one is worth the call below.
    let near = bytes.len().min(from + 64);
    while at + 16 <= near {
        if let Some(quote) = quote_in_16(bytes, at) {
            if !is_escaped(bytes, from, quote) {
                return StringEnd::At(quote);
            }
            at = quote + 1;
        } else {
            at += 16;
        }
    }
    far_quote(bytes, from, at)
}

/// Whether an odd run of backslashes stands between `from` and `at`.
#[inline]
fn is_escaped(bytes: &[u8], from: usize, at: usize) -> bool {
    let run = bytes[from..at].iter().rev().take_while(|byte| **byte == b'\\').count();
    run % 2 == 1
}

/// The closing quote at or after `at`, in a string that `from` lies in.
#[inline]
fn far_quote(bytes: &[u8], from: usize, at: usize) -> StringEnd {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() - at >= 64 && std::arch::is_x86_feature_detected!("avx2") {
        return avx2::quote(bytes, from, at);
    }
    any_quote(bytes, from, at)
}

fn any_quote(bytes: &[u8], from: usize, mut at: usize) -> StringEnd {
    while let Some(distance) = memchr::memchr(b'"', &bytes[at..]) {
        let quote = at + distance;
        if !is_escaped(bytes, from, quote) {
            return StringEnd::At(quote);
        }
        at = quote + 1;
    }
    StringEnd::Beyond { escape: is_escaped(bytes, from, bytes.len()) }
}

/// The first quote in the 16 bytes from `at`, all of which must be there.
#[inline]
fn quote_in_16(bytes: &[u8], at: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return sse2::quote_in_16(bytes, at);
    #[cfg(not(target_arch = "x86_64"))]
    return memchr::memchr(b'"', &bytes[at..at + 16]).map(|distance| at + distance);
}

/// The first `"` or `\` at or after `from`.
#[inline]
pub(crate) fn quote_or_backslash(bytes: &[u8], from: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return sse2::quote_or_backslash(bytes, from);
    #[cfg(not(target_arch = "x86_64"))]
    return portable::quote_or_backslash(bytes, from);
}
