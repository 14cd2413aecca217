//! What a caller sees of the layer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Code, ErrorClass, FinishClass, Outcome};
use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{
    Action, AfterCommit, Beyond, Body, FinishLayer, Hold, Policy, REFUSALS, Tag, TooLong, Unusable,
};
use crate::{
    BoxError, Error,
    call::{Attempt, CallLayer},
    events::Event,
    testing::{
        Answer, Piece, Provider, ScriptedBody, delta, finish_event, request, request_for,
        stream_request,
    },
};

const DONE: &str = "data: [DONE]\n\n";
const PING: &str = ": ping\n\n";

fn bytes(text: impl Into<String>) -> Piece {
    Piece::Bytes(text.into())
}

fn wait(seconds: u64) -> Piece {
    Piece::Wait(Duration::from_secs(seconds))
}

/// What a caller gets: an error of the call, or what has passed and how the body ended.
#[derive(Debug)]
enum Got {
    Error(BoxError),
    Body(String, Option<BoxError>),
}

impl Got {
    fn code(&self) -> Option<Code> {
        let error = match self {
            Self::Error(error) => error,
            Self::Body(_, error) => error.as_ref()?,
        };
        Some(error.downcast_ref::<Unusable>().unwrap_or_else(|| panic!("{error}")).code())
    }
}

async fn read(mut body: Body<ScriptedBody>) -> (String, Option<BoxError>) {
    let mut text = String::new();
    loop {
        if body.is_end_stream() {
            let end = body.frame().await;
            assert!(end.is_none(), "more after its end: {end:?}");
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
            }
            Some(Err(error)) => {
                assert!(body.is_end_stream() && body.frame().await.is_none(), "after an error");
                return (text, Some(error));
            }
            None => return (text, None),
        }
    }
}

async fn call(
    layer: FinishLayer,
    answer: Answer,
    stream: bool,
) -> Result<Response<Body<ScriptedBody>>, BoxError> {
    let request = if stream { stream_request() } else { request() };
    layer.layer(Provider::new([answer])).oneshot(request).await
}

async fn got(layer: FinishLayer, answer: Answer, stream: bool) -> Got {
    match call(layer, answer, stream).await {
        Ok(response) => {
            let (text, error) = read(response.into_body()).await;
            Got::Body(text, error)
        }
        Err(error) => Got::Error(error),
    }
}

/// A whole answer, and the code of the error that comes instead of it.
async fn check_document(layer: &FinishLayer, answer: Answer, expected: Option<Code>) {
    let found = got(layer.clone(), answer, false).await;
    assert!(matches!(found, Got::Error(_)) == expected.is_some(), "{found:?}");
    assert_eq!(found.code(), expected, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn whole_answers_by_default() {
    let layer = FinishLayer::new();
    for reason in ["stop", "tool_calls", "length", "content_filter", "never_heard_of"] {
        check_document(&layer, Answer::finish(reason), None).await;
    }
    check_document(&layer, Answer::finish("error"), Some(Code::GenerationError)).await;
    check_document(&layer, Answer::new(200, ""), Some(Code::AnswerEmpty)).await;
    check_document(&layer, Answer::new(200, "<html>"), Some(Code::AnswerMalformed)).await;
    check_document(&layer, Answer::new(200, r#"{"choices":["#), Some(Code::AnswerMalformed)).await;
    check_document(&layer, Answer::error(200, "server_error"), Some(Code::ServerError)).await;
    check_document(&layer, Answer::error(500, "server_error"), None).await;
}

#[tokio::test(start_paused = true)]
async fn whole_answers_by_a_strict_policy() {
    let layer = FinishLayer::strict();
    check_document(&layer, Answer::ok(), None).await;
    check_document(&layer, Answer::finish("length"), Some(Code::Truncated)).await;
    check_document(&layer, Answer::finish("content_filter"), Some(Code::ContentFilter)).await;
    check_document(&layer, Answer::finish("never_heard_of"), Some(Code::UnknownFinish)).await;
    check_document(&layer, Answer::error(429, "rate_limit_exceeded"), None).await;
}

#[tokio::test(start_paused = true)]
async fn every_kind_has_its_setting() {
    type Setter = fn(Policy, Action) -> Policy;
    let cases: [(Setter, Answer, Code); 7] = [
        (Policy::truncated, Answer::finish("length"), Code::Truncated),
        (Policy::filtered, Answer::finish("content_filter"), Code::ContentFilter),
        (Policy::refused, Answer::finish("refusal"), Code::Refusal),
        (Policy::unknown, Answer::finish("never_heard_of"), Code::UnknownFinish),
        (Policy::empty, Answer::new(200, ""), Code::AnswerEmpty),
        (Policy::malformed, Answer::new(200, "<html>"), Code::AnswerMalformed),
        (Policy::errors, Answer::error(200, "server_error"), Code::ServerError),
    ];
    for (set, answer, code) in cases {
        for (action, tagged) in [(Action::Pass, None), (Action::Tag, Some(code))] {
            let layer = FinishLayer::new().policy(set(Policy::STRICT, action));
            let response = call(layer, answer.clone(), false).await.unwrap();
            let tag = response.extensions().get::<Tag>().and_then(Tag::unusable);
            assert_eq!(tag.map(|unusable| unusable.code()), tagged);
        }
        let layer = FinishLayer::new().policy(set(Policy::LENIENT, Action::Fail));
        check_document(&layer, answer, Some(code)).await;
    }
    let cut = || Answer::streaming(vec![bytes(delta("Hi")), Piece::Break]);
    let layer = |action| FinishLayer::new().policy(Policy::LENIENT.cut(action));
    let found = got(layer(Action::Fail), cut(), true).await;
    assert_eq!(found.code(), Some(Code::StreamCut));
    let Got::Body(_, Some(error)) = got(layer(Action::Pass), cut(), true).await else { panic!() };
    assert_eq!(error.to_string(), "connection reset by peer");
}

#[tokio::test(start_paused = true)]
async fn the_error_says_what_happened_whose_fault_it_is_and_what_to_do() {
    let Got::Error(error) = got(FinishLayer::strict(), Answer::finish("refusal"), false).await
    else {
        panic!("passed on")
    };
    let text = error.to_string();
    for part in ["llm.refusal", "fault of the caller", "\"refusal\"", "out of the conversation"] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    let error = Error::from(error);
    assert_eq!((error.code(), error.is_retryable()), (Code::Refusal, false));
    assert_eq!(error.verdict().unwrap().outcome, Outcome::Finished(FinishClass::Refusal));

    let Got::Error(error) = got(FinishLayer::new(), Answer::new(200, ""), false).await else {
        panic!("passed on")
    };
    assert!(Error::from(error).is_retryable());
}

/// A stream, and what its caller gets: what has passed, and the code at its end. With `None` for
/// what has passed, the call fails.
async fn check_stream(
    layer: &FinishLayer,
    pieces: Vec<Piece>,
    passed: Option<&str>,
    code: Option<Code>,
) {
    let found = got(layer.clone(), Answer::streaming(pieces), true).await;
    assert_eq!(found.code(), code, "{found:?}");
    match (found, passed) {
        (Got::Body(text, _), Some(passed)) => assert_eq!(text, passed),
        (Got::Error(_), None) => {}
        (found, _) => panic!("{found:?} is not {passed:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_before_its_first_output_fails_the_call() {
    let layer = FinishLayer::strict();
    let role = delta("");
    let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"no\"}}\n\n";
    let short = format!("{}{}", delta("Hi"), finish_event("length"));
    for (pieces, code) in [
        (vec![], Code::StreamCut),
        (vec![bytes(&*role), Piece::Break], Code::StreamCut),
        (vec![bytes(PING), bytes(&*role), bytes(DONE)], Code::StreamCut),
        (vec![bytes(&*role), bytes(error)], Code::ServerError),
        (
            vec![bytes(&*role), bytes(finish_event("content_filter")), bytes(DONE)],
            Code::ContentFilter,
        ),
        // The first output comes with the end.
        (vec![bytes(&*short), bytes(DONE)], Code::Truncated),
        (vec![bytes(format!("{}{error}", delta("Hi")))], Code::ServerError),
    ] {
        check_stream(&layer, pieces, None, Some(code)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_after_its_first_output_ends_with_an_error() {
    let layer = FinishLayer::strict();
    let hi = delta("Hi");
    let length = finish_event("length");
    let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"no\"}}\n\n";
    let pieces = |more: &[&str]| {
        let mut pieces = vec![bytes(&*hi)];
        pieces.extend(more.iter().map(|text| bytes(*text)));
        pieces
    };
    let both = format!("{length}{DONE}");
    let all = format!("{}{both}", delta("!"));
    for (more, passed, code) in [
        (&[&*length, DONE][..], format!("{hi}{length}"), Code::Truncated),
        // A frame that has the end passes whole or not at all.
        (&[&*both], hi.clone(), Code::Truncated),
        (&[&*all], hi.clone(), Code::Truncated),
        (&[DONE], hi.clone(), Code::StreamCut),
        (&[], hi.clone(), Code::StreamCut),
        (&["data: {\"cho"], format!("{hi}data: {{\"cho"), Code::StreamCut),
        // The provider's own error passes, but not the end that some send after it.
        (&[error, DONE], format!("{hi}{error}"), Code::ServerError),
    ] {
        check_stream(&layer, pieces(more), Some(&passed), Some(code)).await;
    }
    let stop = finish_event("stop");
    check_stream(&layer, pieces(&[&stop, DONE]), Some(&format!("{hi}{stop}{DONE}")), None).await;
    // All choices have ended, the marker is missing: the answer is whole.
    check_stream(&layer, pieces(&[&stop]), Some(&format!("{hi}{stop}")), None).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_event_instead_of_a_body_error() {
    let layer = FinishLayer::strict().after_commit(AfterCommit::ErrorEvent);
    let hi = delta("Hi");
    let length = finish_event("length");
    let pieces = vec![bytes(&*hi), bytes(&*length), bytes(DONE)];
    let Got::Body(text, None) = got(layer.clone(), Answer::streaming(pieces), true).await else {
        panic!("ended with an error")
    };
    let event = text.strip_prefix(&format!("{hi}{length}")).unwrap();
    assert!(
        event.starts_with("data: {\"error\":{\"message\":\"unusable answer, llm.truncated"),
        "{event}"
    );
    assert!(event.ends_with("\"code\":\"llm.truncated\"}}\n\n"), "{event}");

    // The provider's own error is enough.
    let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"no\"}}\n\n";
    let pieces = vec![bytes(&*hi), bytes(error), bytes(DONE)];
    check_stream(&layer, pieces, Some(&format!("{hi}{error}")), None).await;
    // One that comes in a frame with the end is told again.
    let pieces = vec![bytes(&*hi), bytes(format!("{error}{DONE}"))];
    let Got::Body(text, None) = got(layer.clone(), Answer::streaming(pieces), true).await else {
        panic!("ended with an error")
    };
    assert!(text.contains("The provider says: no") && !text.contains("[DONE]"), "{text}");

    // Behind half an event there is no place for another.
    let pieces = vec![bytes(&*hi), bytes("data: {\"cho")];
    let passed = format!("{hi}data: {{\"cho");
    check_stream(&layer, pieces, Some(&passed), Some(Code::StreamCut)).await;
    // Nor is there in an answer whose length was announced.
    let answer = Answer::streaming(vec![bytes(&*hi)]).header("content-length", "500");
    assert_eq!(got(layer, answer, true).await.code(), Some(Code::StreamCut));
}

#[tokio::test(start_paused = true)]
async fn held_until_the_first_output_and_no_longer() {
    let pieces = || {
        vec![
            bytes(PING),
            wait(1),
            bytes(delta("")),
            wait(1),
            bytes(delta("Hi")),
            wait(1),
            bytes(finish_event("stop")),
            wait(1),
            bytes(DONE),
            wait(1),
        ]
    };
    let most = 1 << 20;
    for (hold, seconds) in [
        (Hold::FIRST_OUTPUT, 2),
        (Hold::FirstOutput { most: 10 }, 0),
        (Hold::Complete { most, beyond: Beyond::Fail }, 5),
        (Hold::Complete { most: 1, beyond: Beyond::PassOn }, 0),
        (Hold::Not, 0),
    ] {
        let start = Instant::now();
        let layer = FinishLayer::new().hold(hold);
        let response = call(layer, Answer::streaming(pieces()), true).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), seconds, "{hold:?}");
        let (text, error) = read(response.into_body()).await;
        assert!(error.is_none() && text.starts_with(PING) && text.ends_with(DONE), "{text}");
    }
}

/// The end of a good answer is not kept back until its connection closes, nor that of one that is only tagged.
#[tokio::test(start_paused = true)]
async fn the_end_passes_at_once_unless_it_is_bad() {
    for (layer, reason, passes) in [
        (FinishLayer::strict(), "stop", true),
        (FinishLayer::new(), "length", true),
        (FinishLayer::strict(), "length", false),
    ] {
        let pieces =
            vec![bytes(delta("Hi")), bytes(finish_event(reason)), bytes(DONE), Piece::Hang];
        let mut body = call(layer, Answer::streaming(pieces), true).await.unwrap().into_body();
        let _ = body.frame().await;
        let _ = body.frame().await;
        let end = tokio::time::timeout(Duration::from_secs(1), body.frame()).await;
        assert_eq!(end.is_ok(), passes, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_partial_leaves_when_held_until_the_end() {
    let hold = |most, beyond| FinishLayer::new().hold(Hold::Complete { most, beyond });
    let cut = || Answer::streaming(vec![bytes(delta("Hi")), bytes(delta("!")), Piece::Break]);
    let found = got(hold(1 << 20, Beyond::Fail), cut(), true).await;
    assert!(matches!(&found, Got::Error(_)) && found.code() == Some(Code::StreamCut), "{found:?}");

    let provider = Provider::new([cut()]);
    let service = hold(200, Beyond::Fail).layer(provider.clone());
    let mut asked = stream_request();
    let attempt = Attempt::of(&mut asked);
    let error = service.oneshot(asked).await.unwrap_err();
    let verdict = attempt.verdict().unwrap();
    assert_eq!((verdict.outcome, verdict.code()), (Outcome::Abandoned, Some(Code::AnswerTooLong)));
    assert!(verdict.has_output);
    assert_eq!(error.downcast_ref::<TooLong>().unwrap().most, 200);
    let error = Error::from(error);
    assert_eq!((error.code(), error.is_retryable()), (Code::AnswerTooLong, false));
    assert_eq!(provider.alive(), 0);

    let found = got(hold(200, Beyond::PassOn), cut(), true).await;
    assert!(matches!(&found, Got::Body(..)) && found.code() == Some(Code::StreamCut), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn empty_frames_do_not_escape_the_bound() {
    let layer = FinishLayer::new().hold(Hold::FirstOutput { most: 10_000 });
    let mut pieces: Vec<_> = (0..1000).map(|_| bytes("")).collect();
    pieces.push(Piece::Hang);
    assert!(call(layer, Answer::streaming(pieces), true).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_is_not_held_never_shows_its_last_frame() {
    let layer = FinishLayer::strict().hold(Hold::Not);
    let found = got(layer.clone(), Answer::finish("length"), false).await;
    assert!(matches!(&found, Got::Body(text, Some(_)) if text.is_empty()), "{found:?}");
    let found = got(layer, Answer::ok(), false).await;
    assert!(matches!(&found, Got::Body(text, None) if text.contains("\"Hi\"")), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end_is_kept_back_only_to_a_point() {
    let hi = delta("Hi");
    let mut pieces = vec![bytes(&*hi), bytes(finish_event("length")), bytes(DONE)];
    pieces.extend((0..200).map(|_| bytes(format!(": {}\n\n", "x".repeat(1000)))));
    let Got::Body(text, Some(_)) =
        got(FinishLayer::strict(), Answer::streaming(pieces), true).await
    else {
        panic!("no error")
    };
    assert!(text.len() > 200_000 && text.contains(DONE));
}

#[tokio::test(start_paused = true)]
async fn silence_is_passed_unless_told_otherwise() {
    let silent = || {
        let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#;
        Answer::new(200, body)
    };
    check_document(&FinishLayer::strict(), silent(), None).await;
    let layer = FinishLayer::new().policy(Policy::default().silent(Action::Fail));
    check_document(&layer, silent(), Some(Code::AnswerEmpty)).await;
    check_document(&layer, Answer::ok(), None).await;
    let Got::Error(error) = got(layer, silent(), false).await else { panic!("passed on") };
    let error = Error::from(error);
    assert!(error.is_retryable());
    assert_eq!(error.verdict().unwrap().outcome, Outcome::Failed(ErrorClass::ServerError));
}

#[tokio::test(start_paused = true)]
async fn refusals_in_prose() {
    let answer = |text: &str| {
        let body = format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}]}}"#
        );
        Answer::new(200, &body)
    };
    let no = "I\u{2019}m sorry, but I can\u{2019}t help with that.";
    check_document(&FinishLayer::strict(), answer(no), None).await;
    let layer = FinishLayer::strict().refusal_phrases(REFUSALS);
    check_document(&layer, answer(no), Some(Code::Refusal)).await;
    check_document(&layer, answer("Gladly."), None).await;
    let other = FinishLayer::strict().refusal_phrases(["gladly"]);
    check_document(&other, answer("Gladly."), Some(Code::Refusal)).await;

    let stream = || Answer::stream(&["I'm sor", "ry, but I can't", " help with that."]);
    assert_eq!(got(layer.clone(), stream(), true).await.code(), None);
    let complete = Hold::Complete { most: 1 << 20, beyond: Beyond::Fail };
    assert_eq!(got(layer.hold(complete), stream(), true).await.code(), Some(Code::Refusal));

    let tagging = FinishLayer::new().refusal_phrases(REFUSALS);
    let response = call(tagging, answer(no), false).await.unwrap();
    let tag = response.extensions().get::<Tag>().unwrap();
    assert_eq!(tag.unusable().unwrap().code(), Code::Refusal);
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_a_stream_tells_at_its_end() {
    let pieces = vec![bytes(delta("Hi")), bytes(finish_event("length")), bytes(DONE)];
    let response = call(FinishLayer::new(), Answer::streaming(pieces), true).await.unwrap();
    let tag = response.extensions().get::<Tag>().unwrap().clone();
    assert!(tag.unusable().is_none());
    let (_, error) = read(response.into_body()).await;
    assert!(error.is_none());
    assert_eq!(tag.unusable().unwrap().code(), Code::Truncated);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_not_held() {
    let start = Instant::now();
    let answer = Answer::streaming(vec![wait(1), bytes("\u{1f}compressed")])
        .header("content-encoding", "deflate");
    let response = call(FinishLayer::strict(), answer, true).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 0);
    assert_eq!(read(response.into_body()).await.0, "\u{1f}compressed");
}

#[tokio::test(start_paused = true)]
async fn vectors_are_judged_by_being_whole() {
    let post = || {
        let mut request = request_for(r#"{"model":"m","input":"x"}"#);
        *request.uri_mut() = "https://api.openai.com/v1/embeddings".parse().unwrap();
        request
    };
    let whole = r#"{"object":"list","data":[{"index":0,"embedding":[0.1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#;
    let layer = FinishLayer::strict();
    let service = |body: &str| layer.layer(Provider::new([Answer::new(200, body)]));
    let response = service(whole).oneshot(post()).await.unwrap();
    assert_eq!(read(response.into_body()).await.0, whole);
    let error = service(&whole[..60]).oneshot(post()).await.unwrap_err();
    assert_eq!(Error::from(error).code(), Code::AnswerMalformed);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_every_frame_it_lets_go_of_everything() {
    let pieces = |hangs_after: usize| {
        let texts = [PING.into(), delta(""), delta("Hi"), finish_event("length"), DONE.into()];
        let mut pieces: Vec<_> = texts.into_iter().take(hangs_after).map(Piece::Bytes).collect();
        pieces.push(Piece::Hang);
        pieces
    };
    for hold in
        [Hold::FIRST_OUTPUT, Hold::Not, Hold::Complete { most: 1 << 20, beyond: Beyond::Fail }]
    {
        for hangs_after in 0..=5 {
            let provider = Provider::new([Answer::streaming(pieces(hangs_after))]);
            let attempt = Arc::new(Mutex::new(None));
            let seen = attempt.clone();
            let inner = tower::service_fn({
                let provider = provider.clone();
                move |request: http::Request<http_body_util::Full<Bytes>>| {
                    *seen.lock().unwrap() = request.extensions().get::<Attempt>().cloned();
                    provider.clone().oneshot(request)
                }
            });
            let layer = FinishLayer::strict().hold(hold);
            let call = async {
                let response = layer.layer(inner).oneshot(stream_request()).await.unwrap();
                read(response.into_body()).await
            };
            assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
            assert_eq!(provider.alive(), 0, "{hold:?} {hangs_after}");
            let attempt = attempt.lock().unwrap().take().unwrap();
            let expected = if hangs_after < 4 {
                Outcome::Abandoned
            } else {
                Outcome::Finished(FinishClass::Length)
            };
            assert_eq!(attempt.verdict().unwrap().outcome, expected, "{hold:?} {hangs_after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_is_told_once_what_was_withheld() {
    let withheld = Arc::new(Mutex::new(Vec::new()));
    let seen = withheld.clone();
    let calls = CallLayer::new().observer(move |_: &crate::call::Call, event: &Event<'_>| {
        if let Event::Withheld { verdict } = event {
            seen.lock().unwrap().push(verdict.outcome);
        }
    });
    let answers = [
        Answer::finish("length"),
        Answer::streaming(vec![bytes(delta("Hi")), Piece::Break]),
        Answer::ok(),
        Answer::error(500, "server_error"),
    ];
    for answer in answers {
        let service = calls.layer(FinishLayer::strict().layer(Provider::new([answer])));
        if let Ok(response) = service.oneshot(stream_request()).await {
            let _ = read(response.into_body()).await;
        }
    }
    let expected = [Outcome::Finished(FinishClass::Length), Outcome::Cut];
    assert_eq!(*withheld.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_error_below_stays_what_it_is() {
    let Got::Error(error) = got(FinishLayer::strict(), Answer::failing(), false).await else {
        panic!("no error")
    };
    assert!(error.is::<std::io::Error>());
    let provider = Provider::new([Answer::panicking()]);
    let service = FinishLayer::strict().layer(provider.clone());
    assert!(tokio::spawn(service.oneshot(request())).await.unwrap_err().is_panic());
    assert_eq!(provider.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn bodies_tell_their_size_as_far_as_it_is_known() {
    let full = tower::service_fn(|_: http::Request<http_body_util::Full<Bytes>>| async {
        let body = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        let mut response = Response::new(http_body_util::Full::<Bytes>::from(body));
        response.headers_mut().insert("content-type", "application/json".parse().unwrap());
        Ok::<_, std::convert::Infallible>(response)
    });
    for layer in [FinishLayer::new(), FinishLayer::new().hold(Hold::Not)] {
        let response = layer.layer(full).oneshot(request()).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(75));
        assert!(!response.body().is_end_stream());
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 75);
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}

#[test]
fn bodies_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<Body<http_body_util::Full<Bytes>>>();
}
