//! Numbers, waits and foreign text, put so that a person can read them.

use std::time::Duration;

/// A number with its thousands apart.
pub(in crate::explain) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A wait in its two largest units, never shorter than it is.
pub(in crate::explain) fn waiting(wait: Duration) -> String {
    let milliseconds = wait.as_nanos().div_ceil(1_000_000);
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let hundredths = milliseconds.div_ceil(10);
    if hundredths < 6000 {
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        return format!("{} s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let seconds = milliseconds.div_ceil(1000);
    let (minutes, hours) = (seconds.div_ceil(60), seconds.div_ceil(3600));
    match () {
        () if seconds < 3600 => two(seconds, 60, "min", "s"),
        () if minutes < 24 * 60 => two(minutes, 60, "h", "min"),
        () => two(hours, 24, "d", "h"),
    }
}

fn two(count: u128, per: u128, large: &str, small: &str) -> String {
    match count % per {
        0 => format!("{} {large}", count / per),
        rest => format!("{} {large} {rest} {small}", count / per),
    }
}

/// Foreign text without what could play tricks on a terminal: control characters, and those that
/// are invisible or turn the direction of writing, are spelled out.
pub(in crate::explain) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.extend(character.escape_default()),
            '\u{AD}'
            | '\u{61C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}' => shown.extend(character.escape_unicode()),
            _ if character.is_control() => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Lines of at most `width` characters, broken at spaces; a longer word has a line of its own.
pub(in crate::explain) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut len = 0;
    for word in text.split(' ') {
        let more = word.chars().count();
        match lines.last_mut() {
            Some(line) if len == 0 || len + 1 + more <= width => {
                if !line.is_empty() {
                    line.push(' ');
                    len += 1;
                }
                line.push_str(word);
                len += more;
            }
            _ => {
                lines.push(word.to_owned());
                len = more;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let check = |number, text| assert_eq!(grouped(number), text);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(12_345_678, "12,345,678");
    }

    #[test]
    fn waits_are_short_and_never_too_short() {
        let check = |milliseconds, text| {
            assert_eq!(waiting(Duration::from_millis(milliseconds)), text);
        };
        check(0, "0 ms");
        check(644, "644 ms");
        check(1000, "1 s");
        check(3890, "3.89 s");
        check(11_383, "11.39 s");
        check(59_995, "1 min");
        check(60_000, "1 min");
        check(75_400, "1 min 16 s");
        check(3_599_999, "1 h");
        check(11_093_000, "3 h 5 min");
        check(86_399_000, "1 d");
        check(90_000_000, "1 d 1 h");
    }

    #[test]
    fn foreign_text_cannot_play_tricks() {
        let check = |text, shown| assert_eq!(harmless(text), shown);
        check("plain “text”, naïve", "plain “text”, naïve");
        check("a\nb\tc\r", "a\\nb\\tc\\r");
        check("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}");
        check("abc\u{202e}def\u{9b}", "abc\\u{202e}def\\u{9b}");
    }

    #[test]
    fn lines_break_at_spaces() {
        let check = |text, lines: &[&str]| assert_eq!(wrapped(text, 8), lines, "{text}");
        check("", &[""]);
        check("one two three", &["one two", "three"]);
        check("a-very-long-word and b", &["a-very-long-word", "and b"]);
    }
}
