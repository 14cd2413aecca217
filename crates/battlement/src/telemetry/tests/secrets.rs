//! Nothing of a prompt, an answer or a key is told to anybody.

use http::Request;
use http_body_util::Full;

use super::{
    capture::{Spans, Values},
    *,
};
use crate::{
    context::ContextLayer, fallback::FallbackLayer, hedge::HedgeLayer, observe::ObserveLayer,
    preflight::PreflightLayer,
};

const PROMPT: &str = "xylophone-4711-PROMPTSECRET";
const ANSWER: &str = "zeppelin-ANSWERSECRET";
const KEY: &str = "sk-KEYSECRET0123456789";

/// An error that echoes all of it, in each of its members.
fn echo(status: u16) -> Answer {
    let body = format!(
        r#"{{"error":{{"type":"invalid {PROMPT}","code":"{PROMPT}","param":"{PROMPT}","message":"You said '{PROMPT}' with key {KEY}, and the model {ANSWER}"}}}}"#
    );
    Answer::new(status, &body)
}

fn asked(stream: bool) -> Request<Full<bytes::Bytes>> {
    let body = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"messages":[{{"role":"system","content":"{PROMPT}"}},{{"role":"user","content":"{PROMPT}"}}],"metadata":{{"a":"{PROMPT}"}}}}"#
    );
    Request::post(format!("https://api.openai.com/v1/chat/completions?key={KEY}"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("x-api-key", KEY)
        .header("cookie", KEY)
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn secrets_go_through_every_layer_and_into_no_telemetry() {
    let (spans, values) = (Spans::default(), Values::default());
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let _installed = metrics::set_default_local_recorder(&values);
    let (layer, lines) = telemetry();
    let answers = || {
        let error = format!("data: {{\"error\":{{\"message\":\"{PROMPT} {ANSWER}\"}}}}\n\n");
        let finish = finish_event(ANSWER);
        vec![
            vec![Answer::stream(&[ANSWER])],
            vec![echo(400)],
            vec![echo(429), echo(500), Answer::stream(&[ANSWER])],
            vec![echo(401)],
            vec![echo(200)],
            vec![Answer::streaming(vec![Piece::Bytes(delta(ANSWER)), Piece::Bytes(error)])],
            vec![Answer::streaming(vec![Piece::Bytes(delta(ANSWER)), Piece::Bytes(finish)])],
            vec![Answer::streaming(vec![Piece::Bytes(delta(ANSWER)), Piece::Break])],
            vec![Answer::new(200, ANSWER), Answer::new(500, ANSWER)],
        ]
    };
    for answers in answers() {
        for stream in [true, false] {
            let routes = FallbackLayer::builder("a")
                .route("b", Stack::openai().layer(Provider::new(answers.clone())))
                .build()
                .unwrap();
            let stack = Stack::openai().retry(retry());
            let attempt = HedgeLayer::new(Default::default())
                .unwrap()
                .layer(ObserveLayer::new().layer(Provider::new(answers.clone())));
            let inner = PreflightLayer::new().layer(ContextLayer::new().layer(attempt));
            let service = CallLayer::new().layer(layer.layer(routes.layer(stack.layer(inner))));
            if let Ok(response) = service.oneshot(asked(stream)).await {
                let _read = text(response).await;
            }
        }
    }
    let mut told = spans.all() + &lines.lock().unwrap().join("\n");
    for key in values.keys() {
        told.push_str(&format!("{key:?}\n"));
    }
    for part in ["gen_ai.request.model=gpt-5-mini", "\"schema\":1", "battlement.calls"] {
        assert!(told.contains(part), "{part}");
    }
    let parts =
        ["xylophone", "4711", "PROMPTSECRET", "zeppelin", "ANSWERSECRET", "KEYSECRET", "sk-"];
    for part in parts {
        let found = told.lines().find(|line| line.contains(part));
        assert_eq!(found, None, "{part}");
    }
}
