//! Spans of calls in OpenTelemetry: what a collector is sent over OTLP.
//!
//! `cargo run -p examples --bin opentelemetry`
//!
//! The collector is a stub on a socket of this machine that keeps what it is sent, and the provider fails once before it
//! answers: one span for the call, and one for each attempt below it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
};

use battlement::{BoxError, stack::Stack, telemetry::TelemetryLayer};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use provider::{Answer, Provider};
use serde_json::Value;
use tower::{Layer, ServiceExt};
use tracing_subscriber::layer::SubscriberExt;

fn main() -> Result<(), BoxError> {
    let (collector, sent) = collector()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(format!("{collector}/v1/traces"))
        .build()?;
    let exporting = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let to_otlp = tracing_opentelemetry::layer().with_tracer(exporting.tracer("example"));
    // Of everybody else's spans there are many; these are ours.
    let ours =
        tracing_subscriber::filter::Targets::new().with_target("battlement", tracing::Level::INFO);
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(ours).with(to_otlp),
    )?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(call())?;
    exporting.shutdown()?;

    let spans: Vec<Value> = sent.iter().flat_map(|body| spans(&body)).collect();
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).expect("it was sent");
    let call = named("chat gpt-5-mini");
    println!("chat gpt-5-mini: {}", attribute(call, "battlement.outcome"));
    assert_eq!(attribute(call, "gen_ai.provider.name"), "openai");
    assert_eq!(attribute(call, "battlement.attempts"), "2");
    assert_eq!(attribute(call, "gen_ai.usage.output_tokens"), "9");
    for (name, outcome) in [("attempt 1", "server_error"), ("attempt 2", "complete")] {
        let attempt = named(name);
        println!("  {name}: {}", attribute(attempt, "battlement.outcome"));
        assert_eq!(attempt["parentSpanId"], call["spanId"]);
        assert_eq!(attribute(attempt, "battlement.outcome"), outcome);
    }
    assert_eq!(named("attempt 1")["status"]["code"], 2, "an error");
    let all = serde_json::to_string(&spans)?;
    assert!(!all.contains("rivers") && !all.contains("Rhine") && !all.contains("sk-"), "{all}");
    Ok(())
}

/// A call that is answered at the second attempt.
async fn call() -> Result<(), BoxError> {
    let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Rhine, Elbe, Danube."},
        "finish_reason": "stop"}], "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}}"#;
    let provider = {
        let failed = Answer::json(
            "500 Internal Server Error",
            &[],
            r#"{"error": {"message": "no rivers"}}"#,
        );
        Provider::start([failed, Answer::json("200 OK", &[], answer)]).await
    };
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let service =
        Stack::openai().base(&provider.url())?.telemetry(TelemetryLayer::new()).layer(client);
    let request = Request::post("/v1/chat/completions")
        .header("authorization", "Bearer sk-secret")
        .body(Full::from(
            r#"{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Name three rivers."}]}"#,
        ))?;
    let response = service.oneshot(request).await?;
    assert!(response.into_body().collect().await?.to_bytes().ends_with(b"}}"));
    Ok(())
}

/// A collector that takes whatever is sent; its address, and the bodies.
fn collector() -> Result<(String, Receiver<String>), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let (keep, kept) = channel();
    thread::spawn(move || {
        // One request is all that the example makes: it is sent when everything is over.
        let Ok((socket, _)) = listener.accept() else { return };
        let mut socket = BufReader::new(socket);
        let mut length = 0;
        let mut line = String::new();
        while socket.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && line != "\r\n" {
            if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            line.clear();
        }
        let mut body = vec![0; length];
        let _read = socket.read_exact(&mut body);
        let _kept = keep.send(String::from_utf8_lossy(&body).into_owned());
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let _written = socket.get_mut().write_all(answer.as_bytes());
    });
    Ok((address, kept))
}

/// The spans in what was sent.
fn spans(body: &str) -> Vec<Value> {
    let sent: Value = serde_json::from_str(body).expect("JSON");
    let each = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let resources = each(&sent, "resourceSpans");
    let scopes = resources.iter().flat_map(|resource| each(resource, "scopeSpans"));
    scopes.flat_map(|scope| each(&scope, "spans")).collect()
}

/// An attribute of a span, whatever its type.
fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().expect("it has some");
    let value = attributes.iter().find(|attribute| attribute["key"] == key);
    let value =
        value.and_then(|attribute| attribute["value"].as_object()?.values().next().cloned());
    match value {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
