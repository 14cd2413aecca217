//! What the simulated provider costs, so that it is never what a benchmark measures: calls in memory, and small
//! answers over a socket beside whoever asks for them.

mod load;

use std::task::{Context, Poll, Waker};

use battlement_sim::{Provider, Quota};
use bytes::Bytes;
use http::Request;
use http_body::Body as _;
use http_body_util::Full;
use tower::Service;

use crate::{
    Bench,
    harness::{Role, Scenario, Unit, Work},
    report::{Bound, Figure, Goal},
};

const DOCUMENT: &str = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Say something about castles."}]}"#;
const STREAM: &str = r#"{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"Say something about castles."}]}"#;

pub(crate) fn run(bench: &mut Bench) {
    in_memory(bench);
    over_sockets(bench);
}

/// One call after the other on one core, its body read to the end.
fn in_memory(bench: &mut Bench) {
    if !bench.wants("sim/memory") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    // Whoever has a timer needs a runtime around.
    let _inside = runtime.enter();
    let work = Work { bytes: 0, unit: Unit::Call, units: 1 };
    // A million calls a minute on one core, with something left for whoever calls.
    let goals = [Goal::Nanos(10_000.0)];
    let limits = Quota::per_minute(1_000_000_000_000, 1_000_000_000_000).expect("in range");
    let mut scenario =
        Scenario::new("sim/memory", "one call to the provider in memory", work, &()).goals(goals);
    for (name, provider, body, events) in [
        ("document", Provider::new(), DOCUMENT, 1),
        ("document, nothing kept", Provider::new().keep(0), DOCUMENT, 1),
        ("document, with limits", Provider::new().limited(limits), DOCUMENT, 1),
        ("429", Provider::script("429 after 2s").expect("a script"), DOCUMENT, 1),
        ("stream of 7 events", Provider::new(), STREAM, 7),
    ] {
        scenario = scenario.contender(name, Role::Ours, &events, move |()| call(&provider, body));
    }
    bench.measure(scenario);
}

/// How many events came. Without a pace nothing has to wait.
fn call(provider: &Provider, body: &'static str) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let request = Request::post("https://api.openai.com/v1/chat/completions")
        .header("content-type", "application/json")
        .header("authorization", "Bearer sk-1")
        .body(Full::<Bytes>::from(body))
        .expect("a request");
    let mut future = Box::pin(provider.clone().call(request));
    let Poll::Ready(response) = future.as_mut().poll(&mut cx) else { panic!("waits") };
    let mut body = std::pin::pin!(response.expect("answered").into_body());
    let mut events = 0;
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        events += usize::from(frame.is_ok());
    }
    events
}

/// Small answers over HTTP/1.1, on connections that are kept, one request at a time on each.
fn over_sockets(bench: &mut Bench) {
    if !bench.wants("sim/socket") {
        return;
    }
    eprintln!("measuring sim/socket …");
    let (connections, each) = if bench.is_quick() { (64, 200) } else { (64, 5_000) };
    let measured = load::run(Provider::new().keep(0), connections, each, DOCUMENT);
    let mut figure = |what, value, goal| {
        let (scenario, contender) = ("sim/socket".into(), "64 connections, one core each side");
        bench.figure(Figure { scenario, contender, what, value, goal });
    };
    figure("answers a second", measured.per_second.round(), Some(Bound::AtLeast(30_000.0)));
    figure("milliseconds, median", measured.median, None);
    figure("milliseconds, of 99 %", measured.most, None);
}
