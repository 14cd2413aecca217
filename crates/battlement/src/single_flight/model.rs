//! A model of a flight: every interleaving of those who poll it, what comes, and who leaves.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p battlement --features cache --lib single_flight::model`

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use loom::{future::block_on, sync::Mutex, thread};

use super::flight::{Flight, Head, Item, Seat, Upstream};
use crate::{call::Attempt, error::BoxError};

/// What has come.
struct Source {
    come: usize,
    waker: Option<Waker>,
}

struct Scripted {
    source: Arc<Mutex<Source>>,
    next: usize,
}

/// A head and one frame.
const ALL: usize = 2;

impl Upstream for Scripted {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Item>, BoxError>> {
        let mut source = self.source.lock().unwrap();
        if self.next == source.come && self.next < ALL {
            source.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(source);
        self.next += 1;
        Poll::Ready(Ok(match self.next {
            1 => {
                let mut request = Request::new(());
                let attempt = Attempt::of(&mut request);
                Some(Item::Head(Head { response: Response::new(()), length: None, attempt }))
            }
            2 => Some(Item::Frame(Frame::data(Bytes::from_static(b"Hi")))),
            _ => None,
        }))
    }

    fn is_over(&self) -> bool {
        self.next >= ALL
    }
}

/// A flight, in which everything but the last step has come; and what makes that come.
fn flight(come: usize) -> (Arc<Flight>, impl FnOnce() + Send + 'static) {
    let source = Arc::new(Mutex::new(Source { come, waker: None }));
    let flight = Arc::new(Flight::new(1_000));
    let scripted = Scripted { source: source.clone(), next: 0 };
    flight.start(Box::pin(scripted));
    let comes = move || {
        let waker = {
            let mut source = source.lock().unwrap();
            source.come = ALL;
            source.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    };
    (flight, comes)
}

/// Reads to the end.
async fn read(mut seat: Seat) -> usize {
    assert!(poll_fn(|cx| seat.poll_head(cx)).await.is_ok());
    let mut bytes = 0;
    while let Some(frame) = poll_fn(|cx| seat.poll_frame(cx)).await {
        let Ok(frame) = frame else { panic!("nothing is lost") };
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
    bytes
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 10_000;
    builder.check(check);
}

/// Two wait, and what comes wakes both, whichever of them has polled it.
#[test]
fn all_get_what_comes() {
    model(|| {
        let (flight, comes) = flight(1);
        let (one, other) = (flight.join().unwrap(), flight.join().unwrap());
        let reads = thread::spawn(move || block_on(read(one)));
        let source = thread::spawn(comes);
        assert_eq!(block_on(read(other)), 2);
        assert_eq!(reads.join().unwrap(), 2);
        source.join().unwrap();
    });
}

/// One has polled it, and leaves: the other goes on.
#[test]
fn who_leaves_takes_nobody_along() {
    model(|| {
        let (flight, comes) = flight(0);
        let (mut one, other) = (flight.join().unwrap(), flight.join().unwrap());
        let leaves = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let _not_waited_for = one.poll_head(&mut cx);
            drop(one);
        });
        let source = thread::spawn(comes);
        assert_eq!(block_on(read(other)), 2);
        leaves.join().unwrap();
        source.join().unwrap();
    });
}

/// The last one leaves while another joins: either it is in, and gets everything, or it is told that it is not.
#[test]
fn who_joins_the_last_one_is_in_or_not() {
    model(|| {
        let (flight, comes) = flight(ALL);
        let one = flight.join().unwrap();
        let leaves = thread::spawn(move || drop(one));
        comes();
        match flight.join() {
            Some(seat) => assert_eq!(block_on(read(seat)), 2),
            None => assert!(flight.is_closed()),
        }
        leaves.join().unwrap();
        assert!(flight.is_closed());
    });
}
