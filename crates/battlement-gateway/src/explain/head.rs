//! The head of an answer: status and headers, from the command line or from the capture itself.

use std::time::SystemTime;

use anyhow::{Context as _, bail};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The head of an answer.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Head {
    /// Whether these bytes begin a whole HTTP answer, and not just a body that speaks of HTTP.
    pub(crate) fn begins(bytes: &[u8]) -> bool {
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut words = line.trim_ascii_end().splitn(3, |&byte| byte == b' ');
        let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/"));
        let digits = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        version.is_some_and(|version| version.split(|&byte| byte == b'.').all(digits))
            && words.next().is_some_and(digits)
    }

    /// How long the head is that begins these bytes, its empty line included.
    pub(crate) fn len(bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        loop {
            let end = start + bytes[start..].iter().position(|&byte| byte == b'\n')?;
            if bytes[start..end].trim_ascii_end().is_empty() {
                return Some(end + 1);
            }
            start = end + 1;
        }
    }

    /// Reads a status line and headers, one per line.
    pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        let mut lines = lines.take_while(|line| !line.is_empty());
        let code = lines.next().and_then(|line| line.split(|&byte| byte == b' ').nth(1));
        let code = String::from_utf8_lossy(code.unwrap_or_default());
        let mut head = Self { status: status(&code)?, ..Self::default() };
        for line in lines {
            let (name, value) = header_line(line)?;
            head.append(name, value)?;
        }
        Ok(head)
    }

    /// When the answer was sent, if it says so.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.headers.get(http::header::DATE)?.to_str().ok()?).ok()
    }

    /// Adds a header beside those of the same name.
    pub(crate) fn append(&mut self, name: HeaderName, value: HeaderValue) -> anyhow::Result<()> {
        // The plain `append` panics beyond the 24 thousand names that fit.
        match self.headers.try_append(name, value) {
            Ok(_) => Ok(()),
            Err(_) => bail!("more headers than an answer can have: {}", self.headers.len()),
        }
    }

    /// Puts headers in the place of those of the same name.
    pub(crate) fn overwrite(
        &mut self,
        headers: &[(HeaderName, HeaderValue)],
    ) -> anyhow::Result<()> {
        for (name, _) in headers {
            self.headers.remove(name);
        }
        for (name, value) in headers {
            self.append(name.clone(), value.clone())?;
        }
        Ok(())
    }
}

/// A status that HTTP knows: RFC 9110 §15 ends at 599.
pub(crate) fn status(code: &str) -> anyhow::Result<StatusCode> {
    let known = code.parse().ok().filter(|code| (100..600).contains(code));
    let status = known.and_then(|code: u16| StatusCode::from_u16(code).ok());
    status.with_context(|| format!("`{}` is not a status from 100 to 599", code.escape_debug()))
}

/// A header written as `name: value`.
pub(crate) fn header(line: &str) -> anyhow::Result<(HeaderName, HeaderValue)> {
    header_line(line.as_bytes())
}

fn header_line(line: &[u8]) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        bail!("`{}` is not a header: expected `name: value`", line.escape_ascii());
    };
    named_header(line[..colon].trim_ascii(), line[colon + 1..].trim_ascii())
}

/// A header from its two parts.
pub(crate) fn named_header(name: &[u8], value: &[u8]) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let shown = name.escape_ascii();
    Ok((
        HeaderName::from_bytes(name)
            .with_context(|| format!("`{shown}` cannot be the name of a header"))?,
        HeaderValue::from_bytes(value).with_context(|| {
            format!("the value of `{shown}` has characters a header cannot have")
        })?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_line_begins_an_answer() {
        let yes = ["HTTP/1.1 200 OK\r\n", "HTTP/2 429\r\n", "HTTP/1.0 503 x", "HTTP/3 200 \n"];
        let no = ["", "HTTP/", "HTTP/1.1", "HTTP/2 is required", "HTTP/x 200", " HTTP/2 200", "{}"];
        for text in yes {
            assert!(Head::begins(text.as_bytes()), "{text}");
        }
        for text in no {
            assert!(!Head::begins(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        let check = |text: &str, len| assert_eq!(Head::len(text.as_bytes()), len, "{text:?}");
        check("HTTP/2 200\r\na: b\r\n\r\n{}", Some(20));
        check("HTTP/2 200\na: b\n\n{}", Some(17));
        check("HTTP/2 200\r\na: b\r\n", None);
        check("", None);
    }

    #[test]
    fn values_on_the_command_line_win() {
        let mut head = Head::parse(b"HTTP/2 429 \r\nA: 1\r\nA: 2\r\nb: x:y \xFF\r\n").unwrap();
        head.overwrite(&[header("a: 3").unwrap(), header("a:4").unwrap()]).unwrap();
        assert_eq!(head.status, 429);
        assert_eq!(head.headers.get_all("a").iter().collect::<Vec<_>>(), ["3", "4"]);
        assert_eq!(head.headers["b"].as_bytes(), b"x:y \xFF");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |line, part: &str| {
            let error = header(line).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("no colon", "`no colon`");
        check("two words: x", "`two words`");
        check("a: \u{7}", "`a`");
        for code in ["99", "600", "", "-1", "70000", "two"] {
            let error = status(code).unwrap_err().to_string();
            assert!(error.contains(&format!("`{code}`")), "{error}");
        }
        assert_eq!(status("529").unwrap(), 529);
    }
}
