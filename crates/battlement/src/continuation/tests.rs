use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Code, FinishClass, Outcome, attempts::Role, continuation::Prefill};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;
use crate::{
    BoxError, Error,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    fallback::{FallbackLayer, Route},
    finish::FinishLayer,
    retry::RetryLayer,
    testing::{Answer, Piece, Provider, delta, finish_event, text},
};

mod cuts;
mod invariants;
mod wholes;

const DONE: &str = "data: [DONE]\n\n";

/// At Groq, who goes on with the beginning of an answer.
fn asked(body: &str) -> Request<Full<Bytes>> {
    let uri = "https://api.groq.com/openai/v1/chat/completions";
    Request::post(uri).body(Full::from(body.to_owned())).unwrap()
}

/// At OpenAI, who does not.
fn asked_openai(body: &str) -> Request<Full<Bytes>> {
    let uri = "https://api.openai.com/v1/chat/completions";
    Request::post(uri).body(Full::from(body.to_owned())).unwrap()
}

fn body(more: &str) -> String {
    format!(r#"{{"model":"m"{more},"messages":[{{"role":"user","content":"Hi"}}]}}"#)
}

fn stream_body() -> String {
    body(r#","stream":true,"max_tokens":7"#)
}

/// What a request for the rest has at its end.
fn begun(text: &str) -> String {
    format!(r#",{{"role":"assistant","content":"{text}"}}]}}"#)
}

fn usage_event() -> String {
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":14}}\n\n".into()
}

/// A stream with these deltas that ends for this reason.
fn stream(deltas: &[&str], reason: &str) -> Answer {
    let mut pieces: Vec<_> = deltas.iter().map(|text| Piece::Bytes(delta(text))).collect();
    pieces.push(Piece::Bytes(finish_event(reason)));
    pieces.push(Piece::Bytes(usage_event() + DONE));
    Answer::streaming(pieces)
}

/// A stream that breaks off.
fn cut(deltas: &[&str]) -> Answer {
    let mut pieces: Vec<_> = deltas.iter().map(|text| Piece::Bytes(delta(text))).collect();
    pieces.push(Piece::Break);
    Answer::streaming(pieces)
}

/// What a stream of one round with these deltas is.
fn whole(deltas: &[&str], reason: &str, rounds: u64) -> String {
    let deltas: String = deltas.iter().map(|text| delta(text)).collect();
    let usage = usage_event()
        .replace(":10,", &format!(":{},", 10 * rounds))
        .replace(":4,", &format!(":{},", 4 * rounds))
        .replace(":14}", &format!(":{}}}", 14 * rounds));
    deltas + &finish_event(reason) + &usage + DONE
}

type Told = Arc<Mutex<Vec<String>>>;

fn log() -> (CallLayer, Told) {
    let told = Told::default();
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        let line = match event {
            Event::Continued { round, way, cause } => format!("continued {round} {way} {cause}"),
            Event::GaveUp { reason } => format!("gave up {reason}"),
            Event::Misordered { misordered } => misordered.to_string(),
            Event::Ended { verdict } => format!("ended {}", verdict.outcome),
            _ => return,
        };
        log.lock().unwrap().push(line);
    };
    (CallLayer::new().observer(observer), told)
}

/// A call, and what was told of it.
struct Case {
    provider: Provider,
    layer: ContinuationLayer,
}

/// What came of it.
struct Came {
    head: Option<Response<()>>,
    body: Result<String, BoxError>,
    told: Vec<String>,
}

impl Case {
    fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self { provider: Provider::new(script), layer: ContinuationLayer::new() }
    }

    fn with(mut self, with: impl FnOnce(ContinuationLayer) -> ContinuationLayer) -> Self {
        self.layer = with(self.layer);
        self
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Came {
        let (call, told) = log();
        let service = ServiceBuilder::new().layer(call).layer(self.layer.clone());
        came(service.service(self.provider.clone()).oneshot(request).await, &told).await
    }

    /// The bodies of all requests.
    fn bodies(&self) -> Vec<String> {
        let arrived = self.provider.arrived();
        arrived.iter().map(|it| String::from_utf8(it.body.to_vec()).unwrap()).collect()
    }
}

async fn came<R>(answer: Result<Response<R>, BoxError>, told: &Told) -> Came
where
    R: http_body::Body<Data = Bytes, Error = BoxError>,
{
    let (head, body) = match answer {
        Err(error) => (None, Err(error)),
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let body = text(Response::new(body)).await;
            (Some(Response::from_parts(parts, ())), body)
        }
    };
    let told = told.lock().unwrap().clone();
    Came { head, body, told }
}

impl Came {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap()
    }

    fn attempt(&self) -> &Attempt {
        self.head.as_ref().unwrap().extensions().get().unwrap()
    }

    fn rounds(&self) -> u32 {
        self.head.as_ref().unwrap().extensions().get::<Continued>().unwrap().rounds()
    }

    #[track_caller]
    fn tells(&self, told: &[&str]) -> &Self {
        assert_eq!(self.told, told);
        self
    }

    fn error(self) -> Error {
        Error::from(self.body.unwrap_err())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stops_at_its_limit_goes_on() {
    let case = Case::new([
        stream(&["Once", " upon "], "length"),
        stream(&["a time"], "length"),
        stream(&[" there was"], "stop"),
    ]);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon ", "a time", " there was"], "stop", 3));
    came.tells(&[
        "ended length",
        "continued 1 prefill length",
        "ended length",
        "continued 2 prefill length",
        "ended complete",
    ]);
    assert_eq!(came.rounds(), 2);
    let bodies = case.bodies();
    assert_eq!(bodies[0], stream_body());
    assert!(bodies[1].ends_with(&begun("Once upon")), "{}", bodies[1]);
    assert!(bodies[2].ends_with(&begun("Once upon a time")), "{}", bodies[2]);
    // The verdict of the whole is that of what the caller got.
    let verdict = came.attempt().verdict().unwrap();
    assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::Complete));
    assert_eq!(verdict.usage.unwrap().output, Some(12));
    assert_eq!(case.provider.alive(), 0);
    // And each round is in the account.
    let roles: Vec<_> = came.attempt().call().trail().iter().map(|step| step.role).collect();
    assert_eq!(roles, [Role::First, Role::Continuation, Role::Continuation]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_known_to_go_on_with_stays_truncated() {
    let case = Case::new([stream(&["Once"], "length")]);
    let came = case.call(asked_openai(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once"], "length", 1));
    came.tells(&["ended length"]);
    assert_eq!(case.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_user_knows_better_who_goes_on() {
    let script = || [stream(&["Once"], "length"), stream(&[" upon"], "stop")];
    let case = Case::new(script()).with(|layer| layer.prefill(|_| Some(Prefill::Partial)));
    let came = case.call(asked_openai(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 2));
    assert!(
        case.bodies()[1].ends_with(r#"{"role":"assistant","content":"Once","partial":true}]}"#)
    );
    let case = Case::new(script()).with(|layer| layer.prefill(|_| None));
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once"], "length", 1));
}

#[tokio::test(start_paused = true)]
async fn a_further_turn_is_for_those_who_ask_for_it() {
    let case = Case::new([stream(&["Once"], "length"), stream(&[" upon"], "stop")])
        .with(|layer| layer.on_length([Way::FollowUp]).wish("Weiter!"));
    let came = case.call(asked_openai(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 2));
    let end = r#",{"role":"assistant","content":"Once"},{"role":"user","content":"Weiter!"}]}"#;
    assert!(case.bodies()[1].ends_with(end), "{}", case.bodies()[1]);
}

#[tokio::test(start_paused = true)]
async fn rounds_and_tokens_and_attempts_are_bounded() {
    let endless = || Case::new([stream(&["la "], "length")]);
    let case = endless();
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["la "; 3], "length", 3));
    assert_eq!(came.told.last().unwrap(), "gave up attempts", "a call has three by default");

    let case = endless().with(|layer| layer.rounds(1));
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["la "; 2], "length", 2));
    assert_eq!(came.told.last().unwrap(), "gave up rounds");

    // Each has told of four.
    let case = endless().with(|layer| layer.tokens(6));
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["la "; 2], "length", 2));
    assert_eq!(came.told.last().unwrap(), "gave up tokens");
    assert!(case.bodies()[1].contains(r#""max_tokens":2"#), "{}", case.bodies()[1]);

    let mut request = asked(&stream_body());
    request.extensions_mut().insert(Options::default().attempts(1));
    let case = endless();
    let came = case.call(request).await;
    assert_eq!(came.text(), whole(&["la "], "length", 1));
    came.tells(&["ended length", "gave up attempts"]);
}

#[tokio::test(start_paused = true)]
async fn no_round_begins_after_the_deadline() {
    let mut first = stream(&["Once"], "length");
    first = first.head_after(Duration::from_secs(9));
    let case = Case::new([first]);
    let mut request = asked(&stream_body());
    request.extensions_mut().insert(Options::default().time(Duration::from_secs(9)));
    let came = case.call(request).await;
    assert_eq!(came.text(), whole(&["Once"], "length", 1));
    came.tells(&["ended length", "gave up deadline"]);
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_leaves_the_answer_as_it_was() {
    for second in [Answer::error(503, "overloaded"), Answer::error(400, "no"), Answer::failing()] {
        let case = Case::new([stream(&["Once"], "length"), second]);
        let came = case.call(asked(&stream_body())).await;
        assert_eq!(came.text(), whole(&["Once"], "length", 1));
        assert_eq!(came.rounds(), 0);
        assert_eq!(case.provider.alive(), 0);
    }
    // So does one that breaks off, with what it brought.
    let case = Case::new([stream(&["Once"], "length"), cut(&[" upon"])]);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "length", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_text_alone_passes_frame_by_frame() {
    for more in [
        r#","stream":true,"n":2"#,
        r#","stream":true,"tools":[{"type":"function","function":{"name":"f"}}]"#,
        r#","stream":true,"response_format":{"type":"json_object"}"#,
        r#","stream":true,"store":true"#,
    ] {
        let case = Case::new([stream(&["Once"], "length")]);
        let came = case.call(asked(&body(more))).await;
        assert_eq!(came.text(), whole(&["Once"], "length", 1));
        came.tells(&["ended length"]);
        assert!(came.head.unwrap().extensions().get::<Continued>().is_none(), "{more}");
    }
    let tool = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n";
    let pieces = [delta("Once"), tool.into(), finish_event("length"), DONE.into()];
    let expected = pieces.concat();
    let case = Case::new([Answer::streaming(pieces.map(Piece::Bytes).to_vec())]);
    let came = case.call(asked(&stream_body())).await;
    assert_eq!(came.text(), expected);
    assert_eq!(came.rounds(), 0);
}

#[tokio::test(start_paused = true)]
async fn frames_of_the_first_round_are_not_delayed() {
    let pieces = vec![
        Piece::Bytes(delta("Once")),
        Piece::Wait(Duration::from_secs(1)),
        Piece::Bytes(delta(" upon")),
        Piece::Wait(Duration::from_secs(1)),
        Piece::Bytes(finish_event("stop")),
        Piece::Hang,
    ];
    let provider = Provider::new([Answer::streaming(pieces)]);
    let service = ContinuationLayer::new().layer(provider.clone());
    let begun = tokio::time::Instant::now();
    let mut body = service.oneshot(asked(&stream_body())).await.unwrap().into_body();
    for (after, expected) in [(0, delta("Once")), (1, delta(" upon")), (2, finish_event("stop"))] {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((begun.elapsed().as_secs(), frame), (after, Bytes::from(expected)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_drops_the_round() {
    for wait in [false, true] {
        let second = stream(&[" upon"], "stop").then_hang();
        let second = if wait { second.head_after(Duration::from_secs(9)) } else { second };
        let provider = Provider::new([stream(&["Once"], "length"), second]);
        let service = ContinuationLayer::new().layer(provider.clone());
        let mut body = service.oneshot(asked(&stream_body())).await.unwrap().into_body();
        let mut frames = 0;
        while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_secs(1), body.frame()).await
        {
            frames += usize::from(frame.is_ok());
        }
        assert_eq!((frames, provider.alive()), (if wait { 1 } else { 2 }, 1));
        let attempt = body.attempt().clone();
        drop(body);
        assert_eq!(provider.alive(), 0);
        assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Abandoned);
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_is_tried_again_like_any_call() {
    let (call, told) = log();
    let provider = Provider::new([
        stream(&["Once"], "length"),
        Answer::error(503, "overloaded"),
        stream(&[" upon"], "stop"),
    ]);
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(ContinuationLayer::new())
        .layer(RetryLayer::new())
        .layer(FinishLayer::new())
        .service(provider.clone());
    let came = came(service.oneshot(asked(&stream_body())).await, &told).await;
    assert_eq!(came.text(), whole(&["Once", " upon"], "stop", 2));
    let roles: Vec<_> = came.attempt().call().trail().iter().map(|step| step.role).collect();
    assert_eq!(roles, [Role::First, Role::Continuation, Role::Retry]);
}

#[tokio::test(start_paused = true)]
async fn anthropic_goes_on_in_the_block_that_was_begun() {
    let event =
        |kind: &str, more: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{more}}}\n\n");
    let text = |text: &str| {
        let delta = format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#);
        event("content_block_delta", &delta)
    };
    let end = |reason: &str, input: &str, output: u64| {
        let more = format!(
            r#","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{{input}"output_tokens":{output}}}"#
        );
        event("content_block_stop", r#","index":0"#)
            + &event("message_delta", &more)
            + &event("message_stop", "")
    };
    let begin = |id: &str| {
        let message = format!(
            r#","message":{{"id":"{id}","content":[],"usage":{{"input_tokens":9,"output_tokens":1}}}}"#
        );
        let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
        event("message_start", &message) + &event("content_block_start", block)
    };
    let round = |id: &str, said: &str, reason: &str| {
        Answer::streaming(vec![Piece::Bytes(begin(id) + &text(said) + &end(reason, "", 4))])
    };
    let case = Case::new([round("a", "Once ", "max_tokens"), round("b", "upon", "end_turn")]);
    let body = r#"{"model":"claude-sonnet-4-5","stream":true,"max_tokens":7,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = Request::post("https://api.anthropic.com/v1/messages");
    let came = case.call(request.body(Full::from(body)).unwrap()).await;
    let expected =
        begin("a") + &text("Once ") + &text("upon") + &end("end_turn", "\"input_tokens\":18,", 8);
    assert_eq!(came.text(), expected);
    assert!(case.bodies()[1].ends_with(&begun("Once")));
    // A later model does not take it.
    let case = Case::new([round("a", "Once ", "max_tokens")]);
    let request = Request::post("https://api.anthropic.com/v1/messages");
    let body = body.replace("4-5", "4-6");
    let came = case.call(request.body(Full::from(body)).unwrap()).await;
    assert_eq!(came.text(), begin("a") + &text("Once ") + &end("max_tokens", "", 4));
}
