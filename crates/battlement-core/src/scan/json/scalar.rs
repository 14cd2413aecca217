//! Numbers and the three words.

use super::{LONGEST_SCALAR, Value, is_blank};

#[inline]
pub(super) fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']') || is_blank(byte)
}

#[inline]
pub(super) fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

/// Whether the token is a number by the grammar.
#[inline]
pub(super) fn is_number(token: &[u8]) -> bool {
    if let [b'1'..=b'9', rest @ ..] = token {
        if rest.iter().all(u8::is_ascii_digit) {
            return true;
        }
    }
    is_uncommon_number(token)
}

/// Anything but a whole number above zero.
fn is_uncommon_number(token: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let token = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(token);
    if whole == 0 || (whole > 1 && token[0] == b'0') {
        return false;
    }
    let mut rest = &token[whole..];
    if let [b'.', fraction @ ..] = rest {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        let len = digits(exponent);
        return len > 0 && len == exponent.len();
    }
    rest.is_empty()
}

#[inline]
pub(super) fn scalar(token: &[u8]) -> Option<Value<'_>> {
    match token {
        _ if token.len() > LONGEST_SCALAR => None,
        b"null" => Some(Value::Null),
        b"true" => Some(Value::Bool(true)),
        b"false" => Some(Value::Bool(false)),
        _ => is_number(token).then_some(Value::Number(token)),
    }
}
