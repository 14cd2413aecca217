//! What is written here is read by our own reader, which knows the providers' answers.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::*;
use crate::{
    Advice, Code, End,
    ErrorClass::{self, *},
    Kind, Outcome, Provider, Reader, Verdict,
};

fn provider(dialect: Dialect) -> Provider {
    match dialect {
        Dialect::AnthropicMessages => Provider::Anthropic,
        Dialect::Gemini => Provider::Gemini,
        Dialect::BedrockConverse | Dialect::BedrockInvoke => Provider::Bedrock,
        Dialect::CohereV2 => Provider::Cohere,
        Dialect::OllamaNative => Provider::Ollama,
        _ => Provider::OpenAi,
    }
}

fn read(dialect: Dialect, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let mut reader = Reader::new(dialect, provider(dialect), status, headers);
    let _ = reader.feed(body);
    reader.finish(End::Eof, SystemTime::UNIX_EPOCH)
}

/// What of a class is left in a dialect that has no words for all of it.
fn told(dialect: Dialect, class: ErrorClass) -> ErrorClass {
    let openai = matches!(provider(dialect), Provider::OpenAi);
    let amazon = provider(dialect) == Provider::Bedrock;
    match class {
        RateLimitRequests | RateLimitTokens if openai || dialect == Dialect::Gemini => class,
        RateLimitRequests | RateLimitTokens => RateLimitOther,
        ModelNotReady if amazon || dialect == Dialect::OllamaNative => class,
        ModelNotReady => Overloaded,
        MalformedToolCall if openai => class,
        MalformedToolCall | GenerationError => match dialect {
            Dialect::CohereV2 | Dialect::OllamaNative => InvalidRequest,
            _ => ServerError,
        },
        Unreachable | Disconnected => ServerError,
        Overdue => Timeout,
        class => class,
    }
}

#[test]
fn an_error_is_read_as_what_it_is() {
    for dialect in Dialect::ALL {
        for &code in Code::ALL {
            let message = "\"quoted\\\" and\nbroken \u{1}";
            let error = ErrorBody::new(code, message);
            let written = super::error(dialect, &error);
            let body = written.body();
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(json.to_string().contains("broken"), "{json}");
            let verdict = read(dialect, written.status, &written.headers, &body);
            let expected = told(dialect, class::class(code));
            assert_eq!(verdict.outcome, Outcome::Failed(expected), "{dialect}, {code}: {json}");
            assert_eq!(verdict.kind, Kind::HttpError);
            let said = verdict.failure.unwrap().report.message.unwrap();
            assert!(said.ends_with(message), "{dialect}: {said}");
        }
    }
}

#[test]
fn a_wait_is_told_where_it_is_looked_for() {
    let wait = Duration::from_millis(1_500);
    for dialect in Dialect::ALL {
        let error = ErrorBody::new(Code::CoolingDown, "wait").retry_after(wait);
        let written = super::error(dialect, &error);
        let verdict = read(dialect, written.status, &written.headers, &written.body());
        let Advice::After(told) = verdict.failure.unwrap().advice else {
            panic!("{dialect} tells no wait: {written:?}")
        };
        // Whole seconds where there is no finer unit.
        assert!(told >= wait && told <= Duration::from_secs(2), "{dialect}: {told:?}");
        assert_eq!(written.headers[header::RETRY_AFTER], "2");
    }
}

#[test]
fn the_word_not_to_retry_is_obeyed() {
    let error = ErrorBody::new(Code::ServerError, "no").should_retry(false).request_id("r-1");
    let written = super::error(Dialect::OpenAiChat, &error);
    let verdict = read(Dialect::OpenAiChat, written.status, &written.headers, &written.body());
    assert!(!verdict.is_retryable());
    assert_eq!(verdict.request_id.as_deref(), Some("r-1"));
    let error = error.status(StatusCode::BAD_GATEWAY);
    assert_eq!(super::error(Dialect::Gemini, &error).status, 502);
    assert!(super::error(Dialect::Gemini, &error).body().starts_with(br#"{"error":{"code":502,"#));
}

#[test]
fn an_event_fails_a_stream_in_its_middle() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::OpenAiEmbeddings)
    {
        for form in [Form::Events, Form::Array] {
            let kind = form.content_type(dialect);
            let headers: HeaderMap =
                [(header::CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
            let error = ErrorBody::new(Code::Overloaded, "a \"word\"\n").form(form);
            let mut body = error_event(dialect, &error).to_vec();
            if kind == "application/json" {
                let whole = [br#"[{"candidates":[]}"#, &body[..]].concat();
                assert!(serde_json::from_slice::<serde_json::Value>(&whole).is_ok());
                body = whole;
            }
            let verdict = read(dialect, StatusCode::OK, &headers, &body);
            assert!(!verdict.is_success(), "{dialect}: {verdict:?}");
            if dialect != Dialect::CohereV2 {
                assert_eq!(verdict.outcome, Outcome::Failed(Overloaded), "{dialect} {form:?}");
                assert_eq!(verdict.kind, Kind::StreamError, "{dialect} {form:?}");
            }
        }
    }
}

#[test]
fn who_waits_for_an_array_gets_one() {
    let error = ErrorBody::new(Code::Overloaded, "no").form(Form::Array);
    let body = super::error(Dialect::Gemini, &error).body();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json[0]["error"]["status"], "UNAVAILABLE");
    assert!(super::error(Dialect::OpenAiChat, &error).body().starts_with(b"{"));
}
