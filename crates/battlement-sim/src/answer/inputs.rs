//! How many inputs a request for vectors has.

/// Where each dialect has its list of them.
const KEYS: [&[u8]; 5] = [b"input", b"texts", b"inputs", b"images", b"requests"];

/// The length of the list of inputs, at least 1. `None` without a list, and for one of tokens, which are one input.
pub(super) fn count(body: &[u8]) -> Option<u64> {
    let (mut depth, mut at) = (0_u32, 0);
    // The last string and, within the list, what stands before the next comma.
    let (mut text, mut is_list, mut commas): (&[u8], bool, u64) = (b"", false, 0);
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => {
                let length = string(&body[at + 1..]);
                text = &body[at + 1..at + 1 + length];
                at += 1 + length;
            }
            b'[' if depth == 1 && KEYS.contains(&text) => {
                let first = body[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                if first.is_some_and(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                (is_list, depth) = (true, 2);
            }
            b'[' | b'{' => depth += 1,
            b']' if is_list && depth == 2 => return Some(commas + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if is_list && depth == 2 => commas += 1,
            b',' if depth == 1 => text = b"",
            _ => {}
        }
        at += 1;
    }
    None
}

/// How long a string is that begins here.
fn string(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = bytes.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn inputs_are_counted() {
        let check = |body: &str, expected: Option<u64>| {
            assert_eq!(count(body.as_bytes()), expected, "{body}");
        };
        check(r#"{"model":"m","input":"one, two"}"#, None);
        check(r#"{"model":"m","input":["one, \"]", "two\\"]}"#, Some(2));
        check(r#"{"input":[[1, 2], [3]],"model":"m"}"#, Some(2));
        check(r#"{"input":[ 1, 2, 3]}"#, None);
        check(r#"{"input":[]}"#, Some(1));
        check(r#"{"types":["float","int8"],"texts":["a","b","c"]}"#, Some(3));
        check(r#"{"a":{"input":["x"]},"inputs":[{"content":[1,2]},{}]}"#, Some(2));
        check(r#"{"a":"input","b":["x"]}"#, None);
        check(r#"{"requests":[{"content":{"parts":[{"text":"a"},{"text":"b"}]}}]}"#, Some(1));
        check(r#"{"input":["a","b"#, None);
        check("", None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_can_be_counted(text in r#"[\[\]{}",:\\ 1a]{0,40}"#) {
            count(format!(r#"{{"input":[{text}"#).as_bytes());
            count(text.as_bytes());
        }

        #[test]
        fn what_is_listed_is_counted(inputs in proptest::collection::vec(".{0,9}", 1..9)) {
            let body = serde_json::json!({"model": "m", "input": inputs}).to_string();
            prop_assert_eq!(count(body.as_bytes()), Some(inputs.len() as u64));
        }
    }
}
