//! What a stream takes while it is silent: everything that is held for it, apart from its connection.

use std::task::{Context, Poll, Waker};

use http_body::Body;
use tower::Layer;

use super::{
    NINE,
    inner::{Streams, ask},
    nine,
    peers::Calls,
};
use crate::{
    Bench, alloc,
    report::{Bound, Figure},
};

const STREAMS: usize = 1_000;

pub(super) fn run(bench: &mut Bench) {
    if !bench.wants("layers/in_flight") {
        return;
    }
    let streams = Streams { hangs: true, ..Streams::new(10) };
    let bare = held(streams.clone());
    let ours = held(nine().layer(streams));
    bench.figure(Figure {
        scenario: "layers/in_flight".into(),
        contender: NINE,
        what: "bytes for an idle stream, beyond the bare one",
        value: (ours - bare).round(),
        goal: Some(Bound::AtMost(2_048.0)),
    });
}

/// Bytes for each stream that has sent all of its events and is not over.
fn held<S: Calls>(mut service: S) -> f64 {
    // What is made once, and grows with the first calls, is not a stream's own.
    let warm: Vec<_> = (0..STREAMS).map(|_| open(&mut service)).collect();
    drop(warm);
    let mut open_streams = Vec::with_capacity(STREAMS);
    let ((), allocated) = alloc::count(|| {
        for _ in 0..STREAMS {
            open_streams.push(open(&mut service));
        }
    });
    (allocated.bytes as f64 - allocated.freed as f64) / STREAMS as f64
}

fn open<S: Calls>(service: &mut S) -> std::pin::Pin<Box<S::Answer>> {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut future = Box::pin(service.call(ask()));
    let Poll::Ready(response) = future.as_mut().poll(&mut cx) else { panic!("waits") };
    drop(future);
    let mut body = Box::pin(response.expect("answered").into_body());
    while let Poll::Ready(Some(read)) = body.as_mut().poll_frame(&mut cx) {
        std::hint::black_box(read.is_ok());
    }
    body
}
