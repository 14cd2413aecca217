//! Ollama's own API: chat and generate, streamed as lines.

use std::time::{Duration, UNIX_EPOCH};

use super::{
    answer::{Ending, Text},
    text::{Escaped, Writer},
};

pub(super) fn chat(out: &mut Writer, text: &Text<'_>) {
    let word = match text.ending {
        Ending::Complete => "stop",
        Ending::Length => "length",
        // There is no filter, and no word for one.
        Ending::Filtered => "error",
    };
    let head =
        format!(r#""model":"{}","created_at":"{}""#, Escaped(text.model), Moment::of(text.created));
    let said = |said: &str| {
        let said = Escaped(said);
        match text.is_completion {
            true => format!(r#""response":"{said}""#),
            false => format!(r#""message":{{"role":"assistant","content":"{said}"}}"#),
        }
    };
    let (input, output) = (text.input, text.output);
    let end = format!(
        r#""done":true,"done_reason":"{word}","total_duration":0,"load_duration":0,"prompt_eval_count":{input},"prompt_eval_duration":0,"eval_count":{output},"eval_duration":0"#
    );
    if text.is_document() {
        return write!(out, "{{{head},{},{end}}}", said(text.text));
    }
    writeln!(out, r#"{{{head},{},"done":false}}"#, said(text.text));
    out.end_event();
    writeln!(out, "{{{head},{},{end}}}", said(""));
    out.end_event();
}

/// A moment, in the form of RFC 3339.
struct Moment(String);

impl Moment {
    fn of(seconds: u64) -> Self {
        // A clock that is wrong by millennia is told as the beginning of time.
        let at = UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799));
        // "Sun, 06 Nov 1994 08:49:37 GMT".
        let date = httpdate::fmt_http_date(at);
        let mut parts = date.split(' ').skip(1);
        let mut next = || parts.next().unwrap_or_default();
        let (day, month, year, time) = (next(), next(), next(), next());
        let month = MONTHS.iter().position(|name| *name == month).unwrap_or(0) + 1;
        Self(format!("{year}-{month:02}-{day}T{time}Z"))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
