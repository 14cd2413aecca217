use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::Code;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;
use crate::{
    Error,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    retry::RetryLayer,
    stack::Stack,
    testing::{Answer, Piece, Provider, finish_event, text},
};

type Told = Arc<Mutex<Vec<String>>>;

fn log() -> (CallLayer, Told) {
    let told = Told::default();
    let log = told.clone();
    let layer = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| {
        let told = match event {
            Event::Invalid { round, errors } => format!("invalid {round} {errors}"),
            Event::Unchecked { reason } => format!("unchecked {reason}"),
            Event::GaveUp { reason } => format!("gave up {reason}"),
            Event::Misordered { misordered } => misordered.to_string(),
            _ => return,
        };
        log.lock().unwrap().push(told);
    });
    (layer, told)
}

const FORMAT: &str = r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}}}"#;
const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}}}]"#;

fn asking(more: &str) -> Request<Full<Bytes>> {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hi"}}],{more}}}"#);
    let length = body.len();
    Request::post("https://api.openai.com/v1/chat/completions")
        .header("content-length", length)
        .body(Full::from(body))
        .unwrap()
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.into()).to_string()
}

fn says(text: &str) -> Answer {
    let text = quoted(text);
    Answer::new(
        200,
        &format!(
            r#"{{"id":"c","choices":[{{"index":0,"message":{{"role":"assistant","content":{text}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}}}"#
        ),
    )
}

fn calls(name: &str, arguments: &str) -> Answer {
    let arguments = quoted(arguments);
    Answer::new(
        200,
        &format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"1","type":"function","function":{{"name":"{name}","arguments":{arguments}}}}}]}},"finish_reason":"tool_calls"}}]}}"#
        ),
    )
}

fn streams(pieces: &[&str]) -> Answer {
    let event = |text: &str| {
        let text = quoted(text);
        Piece::Bytes(format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n"
        ))
    };
    let mut pieces: Vec<_> = pieces.iter().map(|piece| event(piece)).collect();
    pieces.push(Piece::Bytes(finish_event("stop")));
    pieces.push(Piece::Bytes("data: [DONE]\n\n".into()));
    Answer::streaming(pieces)
}

/// What arrived as the last turns of the last request.
fn turns(provider: &Provider) -> Vec<String> {
    let arrived = provider.arrived();
    let last = arrived.last().unwrap();
    assert_eq!(last.headers["content-length"], last.body.len().to_string());
    let body: serde_json::Value = serde_json::from_slice(&last.body).unwrap();
    let turns = body["messages"].as_array().unwrap();
    turns.iter().map(|turn| turn["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_matches_is_passed_on_as_it_came() {
    let cases = [
        (FORMAT, says(r#" {"a": 1}"#)),
        (FORMAT, streams(&["{\"a\"", ":1}"])),
        (TOOLS, calls("look", r#"{"at":"sea"}"#)),
        (TOOLS, says("Just words.")),
        (r#""response_format":{"type":"json_object"}"#, says("{}")),
        (r#""seed":1"#, says("no schema")),
    ];
    for (more, answer) in cases {
        let provider = Provider::new([answer]);
        let expected = text(provider.clone().oneshot(asking(more)).await.unwrap()).await;
        let (call, told) = log();
        let service = ServiceBuilder::new().layer(call).layer(RepairLayer::new());
        let service = service.service(provider.clone());
        let response = service.oneshot(asking(&format!("\"stream\":true,{more}"))).await.unwrap();
        assert_eq!(response.extensions().get::<Repaired>(), None);
        assert_eq!(text(response).await.unwrap(), expected.unwrap());
        assert_eq!((provider.arrived().len(), provider.alive()), (2, 0), "{more}");
        assert_eq!(*told.lock().unwrap(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_match_is_asked_for_again_with_what_is_wrong() {
    for over in [false, true] {
        for (wrong, about) in [
            (says(r#"{"a":"x","b":1}"#), "at /a: \"x\" is not of type \"integer\""),
            (says("It is 1."), "it is no JSON"),
            (says("```json\n{\"a\":1}\n```"), "it is no JSON"),
            (streams(&["{\"b", "\":1}"]), "at the root: \"a\" is a required property"),
        ] {
            let provider = Provider::new([wrong, says(r#"{"a":1}"#)]);
            let (call, told) = log();
            let builder = ServiceBuilder::new().layer(call).layer(RepairLayer::new());
            let response = if over {
                let service = builder.layer(Stack::openai()).service(provider.clone());
                service.oneshot(asking(FORMAT)).await.unwrap().map(BodyExt::boxed_unsync)
            } else {
                let service = builder.service(provider.clone());
                service.oneshot(asking(FORMAT)).await.unwrap().map(BodyExt::boxed_unsync)
            };
            let repaired = response.extensions().get::<Repaired>().copied().unwrap();
            assert_eq!((repaired.rounds, repaired.is_valid, repaired.is_cleaned), (1, true, false));
            let attempt = response.extensions().get::<Attempt>().unwrap().clone();
            assert!(text(response).await.unwrap().contains(r#""{\"a\":1}""#));
            let turns = turns(&provider);
            assert_eq!((turns.len(), &*turns[0]), (3, "Hi"));
            assert!(turns[2].contains(about), "{}", turns[2]);
            assert_eq!(attempt.call().attempts(), 2, "{:?}", attempt.call().trail());
            assert_eq!(attempt.call().ledger().running(), 0);
            assert_eq!(provider.alive(), 0);
            assert!(told.lock().unwrap()[0].starts_with("invalid 0"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_have_to_be_json_that_matches_of_a_tool_that_exists() {
    for (name, arguments, about) in [
        ("look", "{\"at\":", "the arguments of \"look\" are no JSON"),
        ("look", "{\"at\":1}", "in the arguments of \"look\", at /at: 1 is not of type"),
        ("look", "", "at the root: \"at\" is a required property"),
        ("jump", "{}", "there is no tool \"jump\"; there are look"),
    ] {
        let provider = Provider::new([calls(name, arguments), calls("look", r#"{"at":"sea"}"#)]);
        let service = RepairLayer::new().layer(provider.clone());
        let response = service.oneshot(asking(TOOLS)).await.unwrap();
        assert!(text(response).await.unwrap().contains("sea"));
        let turns = turns(&provider);
        assert_eq!(turns[1], format!("I call {name} with {arguments}"));
        assert!(turns[2].contains(about), "{}", turns[2]);

        let provider = Provider::new([calls(name, arguments)]);
        let service = RepairLayer::new().rounds(0).layer(provider.clone());
        let error = Error::from(service.oneshot(asking(TOOLS)).await.unwrap_err());
        assert_eq!(error.code(), Code::MalformedToolCall);
        assert_eq!(provider.arrived().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn when_it_does_not_help_it_fails_or_says_so() {
    let secret = r#"{"a":"secret"}"#;
    let provider = Provider::new([says(secret)]);
    let (call, told) = log();
    let service = ServiceBuilder::new().layer(call).layer(RepairLayer::new().rounds(2));
    let error = service.service(provider.clone()).oneshot(asking(FORMAT)).await.unwrap_err();
    let invalid = error.downcast_ref::<Invalid>().unwrap().clone();
    assert_eq!((invalid.rounds, invalid.errors), (2, 1));
    assert_eq!(invalid.places, ["/properties/a/type"]);
    assert!(!format!("{invalid} {invalid:?}").contains("secret"));
    let error = Error::from(error);
    assert_eq!((error.code(), error.kind().status().as_u16()), (Code::SchemaMismatch, 422));
    assert_eq!(provider.arrived().len(), 3);
    assert_eq!(
        *told.lock().unwrap(),
        ["invalid 0 1", "invalid 1 1", "invalid 2 1", "gave up rounds"]
    );
    // It does not grow.
    let lengths: Vec<_> = provider.arrived().iter().map(|arrived| arrived.body.len()).collect();
    assert_eq!(lengths[1], lengths[2]);

    let service = RepairLayer::new().otherwise(Otherwise::Pass).layer(provider.clone());
    let response = service.oneshot(asking(FORMAT)).await.unwrap();
    let repaired = *response.extensions().get::<Repaired>().unwrap();
    assert_eq!((repaired.rounds, repaired.is_valid), (1, false));
    assert!(text(response).await.unwrap().contains("secret"));

    // The last answer is that, too, if the next one never comes.
    for next in [Answer::failing(), Answer::error(503, "down")] {
        let provider = Provider::new([says(secret), next]);
        let service = RepairLayer::new().otherwise(Otherwise::Pass).layer(provider.clone());
        let response = service.oneshot(asking(FORMAT)).await.unwrap();
        assert_eq!(response.extensions().get::<Repaired>().unwrap().rounds, 0);
        assert!(text(response).await.unwrap().contains("secret"));
        let error = RepairLayer::new().layer(provider.clone()).oneshot(asking(FORMAT)).await;
        assert!(error.unwrap_err().is::<Invalid>());
        assert_eq!((provider.arrived().len(), provider.alive()), (4, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_tolerated_is_cleaned() {
    let fenced = "Sure:\n```json\n{\"a\":1}\n```\nAnything else?";
    let (one, two) = fenced.split_at(9);
    for answer in [says(fenced).header("content-length", "999"), streams(&[one, two])] {
        let provider = Provider::new([answer]);
        let service = RepairLayer::new().tolerant().layer(provider.clone());
        let response = service.oneshot(asking(FORMAT)).await.unwrap();
        let repaired = *response.extensions().get::<Repaired>().unwrap();
        assert_eq!((repaired.rounds, repaired.is_valid, repaired.is_cleaned), (0, true, true));
        let length = response.headers().get("content-length").cloned();
        let body = text(response).await.unwrap();
        if let Some(length) = length {
            assert_eq!(length, body.len().to_string());
        }
        assert!(body.contains(r#""content":"{\"a\":1}""#), "{body}");
        assert!(!body.contains("Sure") && !body.contains("else"), "{body}");
        assert_eq!((provider.arrived().len(), provider.alive()), (1, 0));
    }
    let provider = Provider::new([says("```json\n{\"b\":1}\n```"), says(r#"{"a":1}"#)]);
    let service = RepairLayer::new().tolerant().layer(provider.clone());
    text(service.oneshot(asking(FORMAT)).await.unwrap()).await.unwrap();
    assert!(turns(&provider)[2].contains("required property"), "what is inside has to match");
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_or_declined_is_passed_on() {
    let refused = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"stop"}]}"#;
    let cut = Answer::streaming(vec![Piece::Bytes(crate::testing::delta("{"))]);
    for (answer, is_whole) in [
        (Answer::finish("length"), true),
        (Answer::finish("content_filter"), true),
        (Answer::new(200, refused), true),
        (Answer::error(400, "invalid_value"), true),
        (cut, true),
        (Answer::streaming(vec![Piece::Bytes(crate::testing::delta("{")), Piece::Break]), false),
    ] {
        let provider = Provider::new([answer]);
        let request = asking(&format!("\"stream\":true,{FORMAT}"));
        let response = RepairLayer::new().layer(provider.clone()).oneshot(request).await.unwrap();
        assert!(response.extensions().get::<Repaired>().is_none());
        assert_eq!(text(response).await.is_ok(), is_whole);
        assert_eq!((provider.arrived().len(), provider.alive()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_told_of() {
    let broken = FORMAT.replace("integer", "intgr");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3000));
    let cases = [
        (RepairLayer::new(), &*broken, says("x"), "unchecked schema"),
        (RepairLayer::new().most_held(1000), FORMAT, streams(&[&long, "x"]), "unchecked size"),
        (
            RepairLayer::new(),
            FORMAT,
            says("x").header("content-encoding", "x-own"),
            "unchecked encoding",
        ),
    ];
    for (layer, more, answer, expected) in cases {
        let (call, told) = log();
        let service = ServiceBuilder::new().layer(call).layer(layer);
        let service = service.service(Provider::new([answer]));
        let request = asking(&format!("\"stream\":true,{more}"));
        assert!(!text(service.oneshot(request).await.unwrap()).await.unwrap().is_empty());
        assert_eq!(*told.lock().unwrap(), [expected]);
    }
    let provider = Provider::new([streams(&["x"])]);
    let service = RepairLayer::new().documents_only().layer(provider);
    text(service.oneshot(asking(&format!("\"stream\":true,{FORMAT}"))).await.unwrap())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_schema_of_ones_own_holds_for_all_texts() {
    let layer = RepairLayer::new().schema(r#"{"type":"array"}"#).unwrap();
    let provider = Provider::new([says("{}"), says("[1]")]);
    let response = layer.layer(provider.clone()).oneshot(asking(r#""seed":1"#)).await.unwrap();
    assert!(text(response).await.unwrap().contains("[1]"));
    assert_eq!(provider.arrived().len(), 2);
    for none in ["no", r#"{"type":"x"}"#, r#"{"$ref":"https://example.com/a"}"#] {
        assert_eq!(RepairLayer::new().schema(none).unwrap_err(), InvalidSchema);
    }
}

#[tokio::test(start_paused = true)]
async fn googles_schema_and_calls_are_looked_at() {
    let answer = |part: &str| {
        Answer::new(
            200,
            &format!(
                r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"finishReason":"STOP","index":0}}]}}"#
            ),
        )
    };
    let provider = Provider::new([
        answer(r#"{"text":"{\"a\":\"1\"}"}"#),
        answer(r#"{"functionCall":{"name":"look","args":{"at":7}}}"#),
        answer(r#"{"text":"{\"a\":1}"}"#),
    ]);
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],
        "generationConfig":{"responseSchema":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}},
        "tools":[{"functionDeclarations":[{"name":"look","parameters":{"type":"OBJECT","properties":{"at":{"type":"STRING"}}}}]}]}"#;
    let uri =
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent";
    let request = Request::post(uri).body(Full::from(body)).unwrap();
    let service = RepairLayer::new().rounds(2).layer(provider.clone());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.extensions().get::<Repaired>().unwrap().rounds, 2);
    text(response).await.unwrap();
    let asked = String::from_utf8(provider.arrived()[2].body.to_vec()).unwrap();
    assert!(asked.contains(r#"in the arguments of \"look\", at /at"#), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn r5_what_may_not_be_repeated_is_not_asked_for_again() {
    let provider = Provider::new([says("x")]);
    let mut once = asking(FORMAT);
    once.extensions_mut().insert(Options::default().repeatable(false));
    let (call, told) = log();
    let service = ServiceBuilder::new().layer(call).layer(RepairLayer::new());
    let error = service.service(provider.clone()).oneshot(once).await.unwrap_err();
    assert!(error.is::<Invalid>());
    assert_eq!(provider.arrived().len(), 1);
    assert_eq!(told.lock().unwrap()[1], "gave up not_repeatable");
}

#[tokio::test(start_paused = true)]
async fn its_place_is_told() {
    let (call, told) = log();
    let service = ServiceBuilder::new().layer(call).layer(RetryLayer::new());
    let service = service.layer(RepairLayer::new()).service(Provider::new([says("x")]));
    text(service.oneshot(asking(r#""seed":1"#)).await.unwrap()).await.unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        ["`retry` is outside of `repair`: each attempt is repaired by itself"]
    );
}

#[tokio::test(start_paused = true)]
async fn g1_dropped_at_any_time_everything_comes_back() {
    use std::task::{Context, Waker};
    for polls in 0..8 {
        let slow = says(r#"{"a":1}"#).head_after(Duration::from_secs(1));
        let provider = Provider::new([says("x"), slow]);
        let (call, _) = log();
        let service = ServiceBuilder::new().layer(call).layer(RepairLayer::new());
        let mut future = Box::pin(service.service(provider.clone()).oneshot(asking(FORMAT)));
        for _ in 0..polls {
            let _pending = Future::poll(future.as_mut(), &mut Context::from_waker(Waker::noop()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(future);
        assert_eq!(provider.alive(), 0, "after {polls} polls");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn g6_attempts_stay_within_the_account(
        script in proptest::collection::vec(0..5_usize, 1..5),
        attempts in 1..6_u32,
        rounds in 0..4_u32,
        bare in any::<bool>(),
    ) {
        let answers = script.into_iter().map(|kind| match kind {
            0 => says(r#"{"a":1}"#),
            1 => says("x"),
            2 => Answer::failing(),
            3 => Answer::error(503, "down"),
            _ => streams(&["{", "}"]),
        });
        let provider = Provider::new(answers);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut request = asking(FORMAT);
            request.extensions_mut().insert(Options::default().attempts(attempts));
            let repair = RepairLayer::new().rounds(rounds);
            let said = match bare {
                true => match repair.layer(provider.clone()).oneshot(request).await {
                    Ok(response) if response.status().is_success() => Some(text(response).await.unwrap()),
                    _ => None,
                },
                false => {
                    let service = repair.layer(Stack::openai().layer(provider.clone()));
                    match service.oneshot(request).await {
                        Ok(response) if response.status().is_success() => Some(text(response).await.unwrap()),
                        _ => None,
                    }
                }
            };
            if let Some(said) = said {
                prop_assert!(said.contains(r#"{\"a\":1}"#), "what is passed on matches: {said}");
            }
            let made = provider.arrived().len();
            prop_assert!(made >= 1 && made <= attempts as usize, "{made}");
            prop_assert_eq!(provider.alive(), 0);
            Ok(())
        })?;
    }
}
