//! Telling a compressed body from one that can be read.
//!
//! Nothing here decompresses: a reader that is shown compressed bytes sees no JSON and no events, and
//! what it would say of them is wrong rather than vague.

use anyhow::bail;
use http::{HeaderMap, header::CONTENT_ENCODING};

/// What compressed data begins with, of the encodings that have such a mark. RFC 1952 §2.3.1 and
/// RFC 8878 §3.1.1.
const MARKS: [(&[u8], &str); 2] = [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")];

/// Refuses a body that has to be decoded first, by what its head or its first bytes say.
pub(crate) fn check(name: &str, headers: &HeaderMap, start: &[u8]) -> anyhow::Result<()> {
    if let Some((_, encoding)) = MARKS.iter().find(|(mark, _)| start.starts_with(mark)) {
        bail!("{name}: the body is compressed with {encoding} and must be decoded first");
    }
    let Some(encoding) = named(headers).filter(|_| !start.is_empty()) else { return Ok(()) };
    bail!(
        "{name}: the body is compressed, as `content-encoding: {encoding}` says, and must be decoded \
         first; if it has been, as by `curl --compressed`, set that header to `identity`"
    );
}

/// The encoding that a head names, unless that changes nothing.
fn named(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let mut names = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let changes = |name: &&[u8]| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity");
    let name = names.by_ref().map(<[u8]>::trim_ascii).find(changes)?;
    Some(name.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(encodings: &[&str], start: &[u8], part: Option<&str>) {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let found = super::check("-", &headers, start).map_err(|error| error.to_string());
        match part {
            None => assert_eq!(found, Ok(())),
            Some(part) => {
                assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}");
            }
        }
    }

    #[test]
    fn the_first_bytes_give_it_away() {
        check(&[], b"\x1f\x8b\x08\x00", Some("with gzip"));
        check(&["identity"], b"\x28\xb5\x2f\xfd\x04", Some("with zstd"));
        for start in [&b""[..], b"\x1f", b"(\xb5/", b"{}", b"\x00\x00\x00\x8b"] {
            check(&[], start, None);
        }
    }

    #[test]
    fn the_head_says_so() {
        check(&["br"], b"\x0b\x02", Some("`content-encoding: br`"));
        check(&["identity, Deflate"], b"x", Some("`content-encoding: Deflate`"));
        check(&["identity", "gzip"], b"x", Some("`content-encoding: gzip`"));
        check(&["identity, IDENTITY", ""], b"{}", None);
        // Nothing is left to decode.
        check(&["gzip"], b"", None);
    }
}
