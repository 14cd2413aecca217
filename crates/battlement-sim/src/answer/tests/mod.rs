//! What is written is read back by core, which was written apart from it.

mod captures;
mod documents;

use std::time::{Duration, SystemTime};

use battlement_core::{
    Advice, Code, Dialect, End, FinishClass, Kind, Outcome, Provider, Reader, StreamEnd, Verdict,
    hint::{self, Dimension},
    request::{Facts, Operation, detect},
};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

use super::*;
use documents::{documents, strings};

/// Every way to ask: whole, streamed, and as Gemini's array.
fn ways() -> impl Iterator<Item = Asked> {
    Dialect::ALL.into_iter().flat_map(|dialect| {
        let asked = Asked { sequence: 7, ..Asked::new(dialect) };
        let array = Asked { array: true, ..asked.clone().stream(true) };
        let streams = dialect != Dialect::OpenAiEmbeddings;
        let mut ways = vec![asked.clone()];
        ways.extend(streams.then(|| asked.stream(true)));
        ways.extend((dialect == Dialect::Gemini).then_some(array));
        ways
    })
}

fn read<'a>(
    asked: &Asked,
    answer: &Answer,
    pieces: impl IntoIterator<Item = &'a Bytes>,
) -> Verdict {
    // The reader's clock is wrong on purpose.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let mut reader =
        Reader::new(asked.dialect, vendor(asked.dialect), answer.status, &answer.headers)
            .streamed(asked.stream)
            .operation(asked.operation);
    for piece in pieces {
        let _ = reader.feed(piece);
    }
    reader.finish(End::Eof, now)
}

#[test]
fn every_ending_is_read_as_it_was_meant() {
    for asked in ways() {
        for ending in Ending::ALL {
            let reply = Reply::default()
                .ending(ending)
                .input_tokens(1000)
                .cached_tokens(300)
                .output_tokens(50)
                .reasoning_tokens(20);
            let answer = reply_of(&asked, &reply);
            let verdict = read(&asked, &answer, answer.content.pieces());
            let name = format!("{}, {ending:?}, stream: {}", asked.dialect, asked.stream);
            assert_eq!(verdict.outcome, outcome(&asked, ending), "{name}");
            check_usage(&asked, ending, &verdict, &name);
            let embeds = asked.dialect == Dialect::OpenAiEmbeddings;
            let silent = ending.is_told_by(asked.dialect)
                && (ending == Ending::Empty || ending == Ending::MalformedToolCall);
            assert_eq!(verdict.has_output, !silent && !embeds, "{name}");
            if asked.stream && verdict.outcome != Outcome::Cut {
                assert_eq!(verdict.stream_end, Some(StreamEnd::Clean), "{name}");
            }
            // Cohere's is in the body, and in the first event of a stream it is passed over.
            let has_id = match vendor(asked.dialect) {
                Provider::Gemini | Provider::Ollama => false,
                Provider::Cohere => !asked.stream,
                _ => true,
            };
            assert_eq!(verdict.request_id.is_some(), has_id, "{name}");
        }
    }
}

fn reply_of(asked: &Asked, what: &Reply) -> Answer {
    let answer = reply(asked, what);
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(matches!(answer.content, Content::Events(_)), asked.stream);
    answer
}

fn outcome(asked: &Asked, ending: Ending) -> Outcome {
    let dialect = asked.dialect;
    let class = match ending {
        _ if !ending.is_told_by(dialect) => FinishClass::Complete,
        Ending::Complete | Ending::Empty => FinishClass::Complete,
        Ending::StopSequence => match dialect {
            // One word for both.
            Dialect::OpenAiChat
            | Dialect::OpenAiCompletions
            | Dialect::OpenAiResponses
            | Dialect::Gemini
            | Dialect::OllamaNative => FinishClass::Complete,
            _ => FinishClass::StopSequence,
        },
        Ending::ToolCall => FinishClass::ToolCall,
        Ending::Paused => FinishClass::Pause,
        Ending::Truncated => FinishClass::Length,
        Ending::ContextWindow => FinishClass::ContextWindow,
        Ending::Filtered => FinishClass::ContentFilter,
        Ending::Recitation => FinishClass::Recitation,
        Ending::Refused => FinishClass::Refusal,
        Ending::MalformedToolCall => FinishClass::MalformedToolCall,
        Ending::Failed => FinishClass::GenerationError,
        Ending::Unfinished if asked.stream => match dialect {
            // These say beside the reason that it is over.
            Dialect::OpenAiResponses | Dialect::OllamaNative => FinishClass::Unknown,
            // The others' streams cannot be told from one that was cut.
            _ => return Outcome::Cut,
        },
        Ending::Unfinished => FinishClass::Unknown,
    };
    Outcome::Finished(class)
}

fn check_usage(asked: &Asked, ending: Ending, verdict: &Verdict, name: &str) {
    let usage = verdict.usage.unwrap_or_else(|| panic!("{name}: no usage"));
    let empty = ending == Ending::Empty;
    let output = match asked.dialect {
        Dialect::OpenAiEmbeddings => 0,
        _ if empty => 0,
        _ => 50,
    };
    assert_eq!((usage.input, usage.output), (Some(1000), Some(output)), "{name}");
    let tells_cached = !matches!(
        asked.dialect,
        Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings | Dialect::OllamaNative
    );
    assert_eq!(usage.cached_input, tells_cached.then_some(300), "{name}");
    let tells_reasoning = matches!(
        asked.dialect,
        Dialect::OpenAiChat
            | Dialect::OpenAiResponses
            | Dialect::AnthropicMessages
            | Dialect::Gemini
    );
    if tells_reasoning && !empty {
        assert_eq!(usage.reasoning, Some(20), "{name}");
    } else {
        assert_eq!(usage.reasoning.unwrap_or(0), 0, "{name}");
    }
}

#[test]
fn every_fault_is_read_as_it_was_meant() {
    for asked in ways() {
        for fault in Fault::ALL {
            for after in [None, Some(Duration::from_millis(1500))] {
                let provider = vendor(asked.dialect);
                let answer = super::fault(&asked, fault, after);
                let verdict = read(&asked, &answer, answer.content.pieces());
                let name = format!("{}, {fault:?}, {after:?}: {answer:?}", asked.dialect);
                assert_eq!(verdict.code(), Some(code(asked.dialect, fault)), "{name}");
                let hint = verdict.failure.as_ref().and_then(|failure| failure.hint);
                let expected = after.and_then(|_| wait(provider, fault));
                assert_eq!(hint.map(|hint| hint.after), expected, "{name}");
                if let (Some(wait), true) = (expected, verdict.is_retryable()) {
                    let failure = verdict.failure.as_ref().unwrap();
                    assert_eq!(failure.advice, Advice::After(wait), "{name}");
                }
                if answer.headers["content-type"] == "application/json" {
                    let _: Value = serde_json::from_slice(&answer.content.concat()).expect(&name);
                }
            }
        }
    }
}

fn code(dialect: Dialect, fault: Fault) -> Code {
    let provider = vendor(dialect);
    match (provider, fault) {
        // Told like any other limit.
        (Provider::OpenAi, Fault::NeverFits) => return Code::RateLimitNeverFits,
        // Ollama has one sentence for all limits.
        (Provider::Ollama, Fault::RateLimited(_) | Fault::NeverFits) => {
            return Code::RateLimitOther;
        }
        // A model that is not ready is nothing that a caller of these would be told.
        (Provider::Bedrock | Provider::Ollama, Fault::ModelNotReady) => return Code::ModelNotReady,
        (Provider::Ollama, Fault::Timeout) => return Code::ServerError,
        // Google does not say that it is the key that is missing, and Ollama does not know.
        (Provider::Gemini, Fault::MissingKey) => return Code::AccessDenied,
        (Provider::Ollama, Fault::MissingKey) => return Code::InvalidKey,
        (Provider::Gemini, Fault::ContentPolicy) => return Code::ContentFilter,
        (Provider::Cohere | Provider::Ollama, Fault::ContentPolicy) => return Code::InvalidRequest,
        (Provider::Gemini, Fault::RequestTooLarge) => return Code::InvalidRequest,
        _ => {}
    }
    match fault {
        Fault::RateLimited(Dimension::Requests) => Code::RateLimitRequests,
        Fault::RateLimited(Dimension::Tokens) | Fault::NeverFits => Code::RateLimitTokens,
        Fault::RateLimited(_) => Code::RateLimitOther,
        Fault::QuotaExhausted => Code::QuotaExhausted,
        Fault::Overloaded | Fault::ModelNotReady | Fault::Unavailable => Code::Overloaded,
        Fault::Internal | Fault::BadGateway => Code::ServerError,
        Fault::Timeout | Fault::GatewayTimeout => Code::ProviderTimeout,
        Fault::InvalidKey => Code::InvalidKey,
        Fault::MissingKey => Code::MissingKey,
        Fault::AccessDenied => Code::AccessDenied,
        Fault::ModelNotFound => Code::ModelUnavailable,
        Fault::ContextOverflow => Code::ContextLength,
        Fault::ContentPolicy => Code::ContentPolicy,
        Fault::RequestTooLarge => Code::RequestTooLarge,
        Fault::InvalidRequest => Code::InvalidRequest,
        Fault::Conflict => Code::Conflict,
    }
}

/// What becomes of a wait of 1.5 s.
fn wait(provider: Provider, fault: Fault) -> Option<Duration> {
    let exact = Some(Duration::from_millis(1500));
    let seconds = Some(Duration::from_secs(2));
    match (provider, fault) {
        (_, Fault::Unavailable) => seconds,
        (Provider::OpenAi, Fault::RateLimited(_) | Fault::Overloaded | Fault::ModelNotReady) => {
            exact
        }
        (Provider::Anthropic, Fault::RateLimited(_) | Fault::NeverFits) => seconds,
        (
            Provider::Gemini,
            Fault::RateLimited(Dimension::Requests | Dimension::Tokens)
            | Fault::NeverFits
            | Fault::QuotaExhausted,
        ) => exact,
        (Provider::Bedrock, Fault::RateLimited(_) | Fault::NeverFits) => exact,
        (Provider::Cohere, Fault::RateLimited(_)) => seconds,
        _ => None,
    }
}

#[test]
fn an_error_in_the_middle_of_a_stream_ends_it() {
    for asked in ways().filter(|asked| asked.stream) {
        let answer = reply(&asked, &Reply::default().chunks(10));
        let begun = &answer.content.pieces()[..8];
        for fault in Fault::ALL {
            let event = error_event(&asked, fault);
            let verdict = read(&asked, &answer, begun.iter().chain([&event]));
            let name = format!("{}, {fault:?}: {event:?}", asked.dialect);
            if vendor(asked.dialect) == Provider::Cohere {
                // Told as a reason for stopping.
                let failed = Outcome::Finished(FinishClass::GenerationError);
                assert_eq!(verdict.outcome, failed, "{name}");
                continue;
            }
            assert_eq!(verdict.kind, Kind::StreamError, "{name}");
            assert_eq!(verdict.stream_end, Some(StreamEnd::Error), "{name}");
            assert!(verdict.has_output, "{name}");
            let expected = match fault {
                Fault::RateLimited(_) | Fault::Overloaded | Fault::Internal => {
                    code(asked.dialect, fault)
                }
                Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout => Code::ServerError,
                _ => continue,
            };
            assert_eq!(verdict.code(), Some(expected), "{name}");
        }
    }
}

#[test]
fn the_same_request_gets_the_same_bytes() {
    for asked in ways() {
        let said = Reply::default();
        let [one, again] = [(), ()].map(|()| reply(&asked, &said));
        assert_eq!(one.headers, again.headers);
        assert_eq!(one.content, again.content);
        let next = reply(&Asked { sequence: 8, ..asked.clone() }, &said);
        assert_ne!(one.content.concat(), next.content.concat(), "{}", asked.dialect);
    }
}

#[test]
fn a_stream_has_as_many_events_of_text_as_asked_for() {
    let words = Reply::default().output_tokens(200);
    for asked in ways().filter(|asked| asked.stream) {
        let count = |chunks| reply(&asked, &words.clone().chunks(chunks)).content.pieces().len();
        assert_eq!(count(50) - count(1), 49, "{}", asked.dialect);
        assert_eq!(count(0), count(1), "{}", asked.dialect);
    }
}

#[test]
fn whoever_sees_an_answer_knows_its_dialect_and_provider() {
    for asked in ways() {
        let check = |answer: Answer| {
            let told = detect::of_answer(None, &answer.headers, &answer.content.concat());
            assert_eq!(told, (Some(asked.dialect), vendor(asked.dialect)), "{answer:?}");
        };
        check(reply(&asked, &Reply::default()));
        check(reply(&asked, &Reply::default().ending(Ending::ToolCall)));
    }
}

#[test]
fn counts_are_told_only_if_asked_for() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiCompletions] {
        let asked = Asked { include_usage: false, ..Asked::new(dialect).stream(true) };
        let answer = reply(&asked, &Reply::default());
        let verdict = read(&asked, &answer, answer.content.pieces());
        assert!(verdict.is_success() && verdict.usage.is_none(), "{dialect}: {verdict:?}");
    }
}

#[test]
fn a_request_is_asked_as_its_facts_say() {
    let check = |path: &'static str, body: &str| {
        let uri = Uri::from_static(path);
        let facts = Facts::read(&Method::POST, &uri, &HeaderMap::new(), body.as_bytes());
        Asked::of(&facts, &uri, 3)
    };
    let chat = check(
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
    );
    assert_eq!((chat.dialect, chat.stream, &*chat.model), (Dialect::OpenAiChat, true, "m"));
    assert!(chat.include_usage && !chat.array);
    let gemini = "/v1beta/models/gemini-3-flash:streamGenerateContent";
    assert!(check(gemini, "{}").array);
    let sse = check("/v1beta/models/gemini-3-flash:streamGenerateContent?key=k&alt=sse", "{}");
    assert!(sse.stream && !sse.array);
    assert_eq!(&*sse.model, "gemini-3-flash");
    let generate = check("/api/generate", r#"{"model":"llama3.2","prompt":"Hi"}"#);
    let answer = reply(&generate, &Reply::default().text("Hello."));
    assert_eq!(strings(&generate, &answer, "/response"), "Hello.");
    assert!(read(&generate, &answer, answer.content.pieces()).is_success());
    let nothing = check("/", "");
    assert!(read(&nothing, &reply(&nothing, &Reply::default()), []).code().is_some());
}

#[test]
fn what_is_not_generated_is_answered_too() {
    for dialect in Dialect::ALL {
        for operation in [Operation::Models, Operation::CountTokens, Operation::Embeddings] {
            let asked = Asked { operation, ..Asked::new(dialect) };
            let answer = reply(&asked, &Reply::default());
            assert_eq!(documents(&asked, &answer).len(), 1);
            let verdict = read(&asked, &answer, answer.content.pieces());
            let vectors = dialect == Dialect::OpenAiEmbeddings;
            // Core reads whatever comes in the dialect of vectors as vectors.
            assert!(verdict.is_success() || vectors, "{dialect}, {operation}: {verdict:?}");
        }
    }
}

#[test]
fn limits_are_read_as_they_were_meant() {
    let window = |limit, remaining, seconds| {
        Some(Window { limit, remaining, reset: Duration::from_secs(seconds) })
    };
    let left = Limits {
        requests: window(500, 0, 17),
        tokens: window(30_000, 12_000, 90),
        input_tokens: window(50_000, 41_000, 3),
        output_tokens: window(8_000, 8_000, 0),
    };
    for dialect in Dialect::ALL {
        let asked = Asked::new(dialect);
        let mut answer = fault(&asked, Fault::RateLimited(Dimension::Requests), None);
        limits(&asked, &left, &mut answer.headers);
        let told = hint::rate_limits(&answer.headers, vendor(dialect), SystemTime::UNIX_EPOCH);
        let check = |name: &str, window: Option<Window>| {
            let told = told.get(name).unwrap_or_else(|| panic!("{dialect} does not tell {name}"));
            let told = (told.limit, told.remaining, told.reset);
            let Window { limit, remaining, reset } = window.unwrap();
            assert_eq!(told, (Some(limit), Some(remaining), Some(reset)), "{dialect}, {name}");
        };
        match vendor(dialect) {
            Provider::OpenAi | Provider::Anthropic => {
                check("requests", left.requests);
                check("tokens", left.tokens);
                assert_eq!(told.exhausted(), Some(Dimension::Requests));
                let verdict = read(&asked, &answer, answer.content.pieces());
                let failure = verdict.failure.unwrap();
                assert_eq!(failure.advice, Advice::After(Duration::from_secs(17)), "{dialect}");
            }
            _ => assert_eq!(told.exhausted(), None),
        }
        if vendor(dialect) == Provider::Anthropic {
            check("input_tokens", left.input_tokens);
            check("output_tokens", left.output_tokens);
        }
    }
}
