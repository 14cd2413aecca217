//! Text of the model, in and out of JSON.

/// Half of a character: the first of two escapes that are one together.
pub(super) type Half = Option<u16>;

/// Adds the text of a JSON string, given as it stands between its quotes.
///
/// Some servers tear a character over two events, `\ud83d` and `\ude00`; the first half waits for the second. Whatever else is
/// not Unicode becomes U+FFFD.
pub(super) fn decode(raw: &[u8], half: &mut Half, text: &mut String) {
    let mut rest = raw;
    while let Some(&byte) = rest.first() {
        if byte != b'\\' {
            give_up(half, text);
            let end = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            text.push_str(&String::from_utf8_lossy(&rest[..end]));
            rest = &rest[end..];
            continue;
        }
        let Some((unit, behind)) = rest.strip_prefix(b"\\u").and_then(hex) else {
            give_up(half, text);
            text.push(simple(rest.get(1).copied()));
            rest = rest.get(2..).unwrap_or_default();
            continue;
        };
        rest = behind;
        if let (Some(high), 0xDC00..=0xDFFF) = (*half, unit) {
            *half = None;
            let code = 0x1_0000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            continue;
        }
        give_up(half, text);
        match unit {
            0xD800..=0xDBFF => *half = Some(unit),
            _ => {
                let character = char::from_u32(unit.into());
                text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }
}

/// The second half does not come.
pub(super) fn give_up(half: &mut Half, text: &mut String) {
    if half.take().is_some() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
}

fn simple(byte: Option<u8>) -> char {
    match byte {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        _ => char::REPLACEMENT_CHARACTER,
    }
}

fn hex(rest: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, behind) = rest.split_at_checked(4)?;
    let digit = |unit: u32, byte: &u8| Some(unit * 16 + char::from(*byte).to_digit(16)?);
    let unit = digits.iter().try_fold(0, digit)?;
    Some((u16::try_from(unit).ok()?, behind))
}

/// Text as it stands between the quotes of a JSON string.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\x1f' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    escape(text, &mut out);
    out.push(b'"');
    out
}
