//! JSON strings as text: unescaping, bounded.

use std::borrow::Cow;

use super::json::KEPT;

/// A kept string without its escapes, cut to [`KEPT`] bytes.
#[inline]
pub(super) fn kept(raw: &[u8], escaped: bool) -> Cow<'_, [u8]> {
    let raw = &raw[..raw.len().min(KEPT)];
    if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
}

/// A key without its escapes, when it fits; a longer one names nothing we know.
pub(super) fn unescape_short<'a>(raw: &[u8], plain: &'a mut [u8; 64]) -> Option<&'a [u8]> {
    if raw.len() > 6 * plain.len() {
        return None;
    }
    let text = unescape(raw);
    let plain = plain.get_mut(..text.len())?;
    plain.copy_from_slice(&text);
    Some(plain)
}

/// Resolves escapes; what is no escape stays as it is.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&kind, behind)) = rest.split_first() else { break };
        rest = behind;
        let byte = match kind {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let (character, behind) = unicode(rest);
                let mut utf8 = [0; 4];
                plain.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                rest = behind;
                continue;
            }
            b'"' | b'\\' | b'/' => kind,
            // No escape at all: it stays, so that a key with one is none of ours.
            _ => {
                plain.extend_from_slice(&[b'\\', kind]);
                continue;
            }
        };
        plain.push(byte);
    }
    plain.extend_from_slice(rest);
    plain
}

/// The character of `XXXX` or `XXXX\uXXXX`, and what is behind it.
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let Some((high, behind)) = hex4(rest) else { return (char::REPLACEMENT_CHARACTER, rest) };
    if let 0xD800..=0xDBFF = high {
        if let Some((low @ 0xDC00..=0xDFFF, behind)) = behind.strip_prefix(b"\\u").and_then(hex4) {
            let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), behind);
        }
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), behind)
}

fn hex4(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, behind) = bytes.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(kept(raw.as_bytes(), true), expected.as_bytes());
        let mut plain = [0; 64];
        assert_eq!(
            unescape_short(raw.as_bytes(), &mut plain),
            Some(expected.as_bytes()).filter(|text| text.len() <= 64)
        );
    }

    #[test]
    fn resolves_every_escape() {
        check(r#"a\"b\\c\/d"#, "a\"b\\c/d");
        check(r"\n\r\t\b\f", "\n\r\t\u{8}\u{c}");
        check(r"finish\u005freason", "finish_reason");
        check(r"\ud83d\ude00", "😀");
    }

    #[test]
    fn survives_what_is_no_escape() {
        check(r"\ud83d", "\u{fffd}");
        check(r"\ud83dx", "\u{fffd}x");
        check(r"\u12", "\u{fffd}12");
        check("a\\", "a");
        check(r"finish_re\ason", r"finish_re\ason");
    }

    #[test]
    fn is_bounded() {
        assert_eq!(kept(&[b'a'; KEPT + 5], false).len(), KEPT);
        assert_eq!(unescape_short(&[b'a'; 65], &mut [0; 64]), None);
    }
}
