//! The manifest of captures, and how a verdict differs from what it expects.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use battlement_core::{Dialect, ErrorCode, Outcome, Provider, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

pub(crate) struct Capture {
    pub(crate) file: String,
    pub(crate) dialect: Dialect,
    pub(crate) provider: Provider,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) stream: bool,
    /// The path of the request.
    #[allow(dead_code, reason = "only the tests of layers make requests")]
    pub(crate) endpoint: String,
    pub(crate) body: Vec<u8>,
    pub(crate) rate_limit: Vec<(String, Window)>,
    expect: Value,
}

/// Limit, remaining, milliseconds to the reset.
pub(crate) type Window = (Option<u64>, Option<u64>, Option<u64>);

/// The moment that the captures' dates are relative to.
pub(crate) fn reference_now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

/// The captures in the folder of fixtures, and more of the same form in one file beside this one:
/// a line each, with the body in it.
pub(crate) fn captures() -> impl Iterator<Item = Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let fixtures = manifest["fixtures"].as_array().unwrap().clone();
    let files = fixtures.into_iter().map(move |fixture| {
        let body = fs::read(folder.join(fixture["file"].as_str().unwrap())).unwrap();
        Capture::new(fixture, body)
    });
    let lines = include_str!("more.jsonl").lines().map(|line| {
        let fixture: Value = serde_json::from_str(line).unwrap();
        let body = match (fixture["body"].as_str(), fixture["body_base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            (None, None) => panic!("{} has no body", fixture["file"]),
        };
        Capture::new(fixture, body)
    });
    let all: Vec<_> = files.chain(lines).collect();
    assert!(all.len() > 1000);
    all.into_iter()
}

impl Capture {
    fn new(mut fixture: Value, body: Vec<u8>) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let file = text(&fixture["file"]);
        let headers = fixture["headers"].as_object().unwrap();
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
        });
        let windows = fixture["expect"]["rate_limit"].as_object().cloned().unwrap_or_default();
        let number = |window: &Value, name: &str| window[name].as_u64();
        Self {
            dialect: text(&fixture["dialect"]).parse().unwrap(),
            provider: text(&fixture["provider"]).parse().unwrap(),
            status: StatusCode::from_u16(fixture["status"].as_u64().unwrap() as u16).unwrap(),
            headers: headers.collect(),
            stream: fixture["stream"].as_bool().unwrap(),
            endpoint: fixture["endpoint"].as_str().unwrap_or_default().to_owned(),
            body,
            rate_limit: windows
                .iter()
                .map(|(name, window)| {
                    let of = |key| number(window, key);
                    (name.clone(), (of("limit"), of("remaining"), of("reset_ms")))
                })
                .collect(),
            expect: fixture["expect"].take(),
            file,
        }
    }

    /// One line for each thing that is not as expected.
    pub(crate) fn differences(&self, verdict: &Verdict) -> Vec<String> {
        let found = found(verdict);
        let mut wrong = Vec::new();
        for (key, expected) in self.expect.as_object().unwrap() {
            let same = match key.as_str() {
                "rate_limit" => true,
                "error" => self.error_is_as_expected(expected, &found),
                _ => found[key] == *expected,
            };
            if !same {
                wrong.push(format!("{}: {key}: {} is not {expected}", self.file, found[key]));
            }
        }
        for key in ["stream_end", "partial_output", "retry_after_source"] {
            let unexpected = self.expect.get(key).is_none() && !found[key].is_null();
            if unexpected && found[key] != json!(false) && key != "partial_output" {
                wrong.push(format!("{}: {key}: {} is unexpected", self.file, found[key]));
            }
        }
        wrong
    }

    fn error_is_as_expected(&self, expected: &Value, found: &Value) -> bool {
        let Some(members) = expected.as_object() else { return true };
        let error = &found["error"];
        members.iter().all(|(key, expected)| match key.as_str() {
            "message_contains" => error["message"]
                .as_str()
                .is_some_and(|message| message.contains(expected.as_str().unwrap())),
            _ => error[key] == *expected,
        })
    }
}

/// A verdict in the words of the manifest.
fn found(verdict: &Verdict) -> Value {
    let failure = verdict.failure.as_deref();
    let finished = matches!(verdict.outcome, Outcome::Finished(_));
    let classes = verdict.finishes.iter().filter(|_| finished).map(|finish| finish.class.as_str());
    let usage = verdict.usage.map(|usage| {
        let counts = [
            ("input", usage.input),
            ("output", usage.output),
            ("total", usage.total()),
            ("cached_input", usage.cached_input),
            ("cache_write", usage.cache_write),
            ("reasoning", usage.reasoning),
        ];
        let known =
            counts.iter().filter_map(|(name, count)| Some(((*name).to_owned(), json!((*count)?))));
        Value::Object(known.collect())
    });
    let native: Vec<_> =
        verdict.finishes.iter().filter_map(|f| f.native_reason.as_deref()).collect();
    let hint = failure.and_then(|failure| failure.hint);
    let report = failure.map(|failure| &failure.report);
    let code = report.and_then(|report| report.code.as_ref()).map(|code| match code {
        ErrorCode::Number(number) => json!(number),
        ErrorCode::Word(word) => json!(word),
        _ => unreachable!("a code is a number or a word"),
    });
    json!({
        "kind": verdict.kind.as_str(),
        "outcome": verdict.outcome.as_str(),
        "finish_reasons": verdict.finishes.iter().map(|f| f.reason.as_deref()).collect::<Vec<_>>(),
        "native_finish_reasons": native,
        "finish_classes": classes.collect::<Vec<_>>(),
        "usage": usage,
        "retryable": verdict.is_retryable(),
        "retry_after_ms": hint.map(|hint| hint.after.as_millis() as u64),
        "retry_after_source": hint.map(|hint| hint.source.as_str()),
        "error": {
            "type": report.and_then(|report| report.kind.as_deref()),
            "code": code,
            "message": report.and_then(|report| report.message.as_deref()),
        },
        "stream_end": verdict.stream_end.map(|end| end.as_str()),
        "partial_output": verdict.has_output,
    })
}
