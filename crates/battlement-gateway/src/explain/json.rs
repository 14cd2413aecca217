//! An explanation as one JSON object, in the words of the fixtures' manifest.

use battlement_core::{ErrorCode, ErrorReport, Kind, Outcome, Usage, hint};
use serde::{Serialize, Serializer};

use super::Explanation;

/// The object; its keys are a promise to whoever reads them by machine.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    outcome: &'static str,
    finish_reasons: Vec<Option<&'a str>>,
    finish_classes: Vec<&'static str>,
    usage: Option<Counts>,
    retryable: bool,
    retry_after_ms: Option<u64>,
    retry_after_source: Option<&'static str>,
    stream_end: Option<&'static str>,
    rate_limit: Option<Windows<'a>>,
    error: Option<Error<'a>>,
    code: Option<&'static str>,
}

#[derive(Serialize)]
struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<u64>,
}

#[derive(Serialize)]
struct Window {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_ms: Option<u64>,
}

/// What the provider said: members are there even when they are not known.
#[derive(Serialize)]
struct Error<'a> {
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    code: Option<Code<'a>>,
    message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Code<'a> {
    Word(&'a str),
    Number(i64),
}

/// The windows that limit a rate.
struct Windows<'a>(Vec<(&'a str, &'a hint::Window)>);

impl<'a> Windows<'a> {
    /// All but those that say nothing of their own: beside one window for input and one for output,
    /// Anthropic's `tokens` repeats the tighter of them; a month's tokens are a budget, not a rate.
    fn of(limits: &'a hint::RateLimits) -> Option<Self> {
        let by_side = limits.get("input_tokens").is_some() || limits.get("output_tokens").is_some();
        let windows = limits.iter().filter(|(name, _)| match *name {
            "tokens" => !by_side,
            "tokens_month" => false,
            _ => true,
        });
        let windows: Vec<_> = windows.collect();
        (!windows.is_empty()).then_some(Self(windows))
    }
}

impl Serialize for Windows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, window)| {
            let reset_ms = window.reset.map(milliseconds);
            (name, Window { limit: window.limit, remaining: window.remaining, reset_ms })
        }))
    }
}

/// The explanation as one line, without its end.
pub(crate) fn line(explanation: &Explanation) -> String {
    let verdict = &explanation.verdict;
    let failure = verdict.failure.as_deref();
    let hint = failure.and_then(|failure| failure.hint);
    let finished = matches!(verdict.outcome, Outcome::Finished(_));
    let classes = verdict.finishes.iter().filter(|_| finished).map(|finish| finish.class.as_str());
    let line = Line {
        file: &explanation.file,
        outcome: verdict.outcome.as_str(),
        finish_reasons: verdict.finishes.iter().map(|finish| finish.reason.as_deref()).collect(),
        finish_classes: classes.collect(),
        usage: verdict.usage.filter(|usage| !usage.is_unknown()).map(Counts::from),
        retryable: verdict.is_retryable(),
        retry_after_ms: hint.map(|hint| milliseconds(hint.after)),
        retry_after_source: hint.map(|hint| hint.source.as_str()),
        stream_end: verdict.stream_end.map(|end| end.as_str()),
        rate_limit: Windows::of(&explanation.limits),
        error: failure
            .map(|failure| &failure.report)
            .filter(|report| is_error(verdict.kind) || **report != ErrorReport::default())
            .map(Error::from),
        code: failure.map(|failure| failure.code.as_str()),
    };
    // Strings and numbers only: there is nothing that JSON cannot say.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Whether the answer is an error, and not an end of the model's or of the connection's.
fn is_error(kind: Kind) -> bool {
    matches!(kind, Kind::HttpError | Kind::BodyError | Kind::StreamError)
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

impl From<Usage> for Counts {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            output: usage.output,
            total: usage.total(),
            cached_input: usage.cached_input,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
        }
    }
}

impl<'a> From<&'a ErrorReport> for Error<'a> {
    fn from(report: &'a ErrorReport) -> Self {
        let code = report.code.as_ref().and_then(|code| match code {
            ErrorCode::Word(word) => Some(Code::Word(word)),
            ErrorCode::Number(number) => Some(Code::Number(*number)),
            _ => None,
        });
        Self { kind: report.kind.as_deref(), code, message: report.message.as_deref() }
    }
}
