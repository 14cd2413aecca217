//! Two answers with status 429: one passes if we wait, the other never does.
//!
//! `cargo run -p examples --bin judge-an-error`

use std::time::{Duration, SystemTime};

use battlement_core::{Advice, Code, Dialect, End, Failure, Provider, Reader};
use http::{HeaderMap, HeaderValue, StatusCode};

const THROTTLED: &str = r#"{"error":{"message":"Rate limit reached for gpt-5 on tokens per min (TPM):
    Limit 30000, Used 28039, Requested 3906.","type":"tokens","code":"rate_limit_exceeded"}}"#;
const BROKE: &str = r#"{"error":{"message":"You exceeded your current quota, please check your plan
    and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#;

fn main() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after-ms", HeaderValue::from_static("3890"));
    let throttled = judge(&headers, THROTTLED);
    assert_eq!(throttled.code, Code::RateLimitTokens);
    assert_eq!(throttled.advice, Advice::After(Duration::from_millis(3890)));

    let broke = judge(&HeaderMap::new(), BROKE);
    assert_eq!(broke.code, Code::QuotaExhausted);
    assert_eq!(broke.advice, Advice::Never);
}

fn judge(headers: &HeaderMap, body: &str) -> Failure {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut reader = Reader::new(Dialect::OpenAiChat, Provider::OpenAi, status, headers);
    let _ = reader.feed(body.as_bytes());
    let verdict = reader.finish(End::Eof, SystemTime::now());
    let failure = *verdict.failure.expect("a 429 is a failure");
    println!("{}: {:?}, the fault of the {}", failure.code, failure.advice, failure.fault());
    println!("    {}", failure.code.what_to_do());
    failure
}
