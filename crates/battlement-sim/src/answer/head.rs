//! The heads of answers: what each provider writes beside its body.

use std::time::{Duration, SystemTime};

use battlement_core::{Dialect, Provider};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Asked;

/// What stands in the head of every answer of this provider.
pub(super) fn headers(asked: &Asked, content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    set(&mut headers, header::DATE, httpdate::fmt_http_date(in_range(asked.at)));
    let id = asked.id();
    match vendor(asked.dialect) {
        Provider::Anthropic => {
            set(&mut headers, HeaderName::from_static("request-id"), format!("req_{id:024x}"));
            fixed(&mut headers, "anthropic-organization-id", "3f0f");
        }
        Provider::Gemini => fixed(&mut headers, "server-timing", "gfet4t7; dur=812"),
        Provider::Bedrock => {
            set(&mut headers, HeaderName::from_static("x-amzn-requestid"), uuid(id));
        }
        Provider::Cohere => {
            set(&mut headers, HeaderName::from_static("x-debug-trace-id"), format!("{id:032x}"));
        }
        Provider::OpenAi => {
            set(&mut headers, HeaderName::from_static("x-request-id"), format!("req_{id:032x}"));
            fixed(&mut headers, "openai-processing-ms", "412");
            fixed(&mut headers, "openai-version", "2020-10-01");
        }
        // Ollama's server says no more than it must.
        _ => {}
    }
    headers
}

/// Who is known for a dialect, and is imitated in it.
///
/// ```
/// use battlement_core::{Dialect, Provider};
/// assert_eq!(battlement_sim::answer::vendor(Dialect::Gemini), Provider::Gemini);
/// ```
pub const fn vendor(dialect: Dialect) -> Provider {
    match dialect {
        Dialect::AnthropicMessages => Provider::Anthropic,
        Dialect::Gemini => Provider::Gemini,
        Dialect::BedrockConverse | Dialect::BedrockInvoke => Provider::Bedrock,
        Dialect::CohereV2 => Provider::Cohere,
        Dialect::OllamaNative => Provider::Ollama,
        _ => Provider::OpenAi,
    }
}

/// A header whose value was made for this answer.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Every value is made of digits and letters by the functions of this folder.
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, value);
    }
}

/// A header that is always the same.
pub(super) fn fixed(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
}

/// A number in the form of Amazon's ids, and Cohere's.
pub(super) fn uuid(id: u64) -> String {
    format!("{:08x}-{:04x}-4{:03x}-9f5c-0e6d6f2b7a11", id >> 32, (id >> 16) as u16, id & 0xFFF)
}

/// The moment, or the nearest that dates can be written for.
pub(super) fn in_range(at: SystemTime) -> SystemTime {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since.min(LAST)
}
