//! Two gates in one, by what each of them is given back.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use battlement_core::Code;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, service_fn};

use super::{Admitted, Both, Gate, Gated, Turn};
use crate::{
    call::{Attempt, Place, Reads},
    error::BoxError,
    testing::request,
};

/// What gates have done, one after the other.
type Log = Arc<Mutex<Vec<String>>>;

/// What a gate does with those who come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Go,
    /// Until somebody opens it.
    Wait,
    /// And then turns away.
    WaitInVain,
    Reject,
    Panic,
}

#[derive(Debug)]
struct Logged<const NUMBER: u32> {
    way: Way,
    /// For the first who comes again.
    again: Mutex<Way>,
    log: Log,
    open: Arc<AtomicBool>,
}

struct Held(#[expect(dead_code, reason = "it is there to be given back")] u32);

struct Waiting {
    number: u32,
    way: Way,
    log: Log,
    open: Arc<AtomicBool>,
}

impl Turn for Waiting {
    type Held = Held;

    fn poll_turn(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<Held, BoxError>> {
        if !self.open.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Poll::Ready(match self.way {
            Way::WaitInVain => Err("too late".into()),
            _ => Ok(Held(self.number)),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.log.lock().unwrap().push(format!("{} left", self.number));
    }
}

impl<const NUMBER: u32> Gate for Logged<NUMBER> {
    type Held = Held;
    type Turn = Waiting;

    fn places() -> impl Iterator<Item = Place> {
        [if NUMBER == 1 { Place::RateLimit } else { Place::Breaker }].into_iter()
    }

    fn admit(self: &Arc<Self>, _attempt: &Attempt, _now: Instant) -> Admitted<Self> {
        let (way, log, open) = (self.way, self.log.clone(), self.open.clone());
        match way {
            Way::Go => Admitted::Go(Held(NUMBER)),
            Way::Wait | Way::WaitInVain => {
                Admitted::Wait(Waiting { number: NUMBER, way, log, open })
            }
            Way::Reject => Admitted::Reject("no".into()),
            Way::Panic => panic!("as it was told to"),
        }
    }

    fn again(self: &Arc<Self>, held: Held, _: &Attempt, _: Instant) -> Admitted<Self> {
        let again = std::mem::replace(&mut *self.again.lock().unwrap(), Way::Go);
        match again {
            Way::Reject => Admitted::Reject("not any more".into()),
            Way::Wait => {
                let (way, log, open) = (Way::Wait, self.log.clone(), self.open.clone());
                Admitted::Wait(Waiting { number: NUMBER, way, log, open })
            }
            _ => Admitted::Go(held),
        }
    }

    fn give_back(&self, _held: Held, _: &Attempt, _: Instant) {
        self.log.lock().unwrap().push(format!("{NUMBER} back"));
    }

    fn settle(&self, _held: Held, attempt: &Attempt) {
        let how = match (attempt.rejection(), attempt.verdict()) {
            (Some(code), _) => format!("unsent, {code}"),
            (None, Some(verdict)) => verdict.outcome.as_str().to_owned(),
            (None, None) => "unknown".to_owned(),
        };
        self.log.lock().unwrap().push(format!("{NUMBER} settled: {how}"));
    }
}

/// Two gates over a client that answers at once.
#[derive(Clone)]
struct Two {
    log: Log,
    open: Arc<AtomicBool>,
    ways: [Way; 2],
    /// What the first gate does with who comes again.
    again: Way,
}

impl Two {
    fn new(ways: [Way; 2]) -> Self {
        Self { log: Log::default(), open: Arc::default(), ways, again: Way::Go }
    }

    fn service(
        &self,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<impl http_body::Body>, Error = BoxError>
    {
        let log = self.log.clone();
        let client = service_fn(move |_: Request<Full<Bytes>>| {
            log.lock().unwrap().push("sent".to_owned());
            let answer = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
            async move { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer))) }
        });
        let logged = |way| (way, self.log.clone(), self.open.clone());
        let (way, log, open) = logged(self.ways[0]);
        let first = Logged::<1> { way, again: Mutex::new(self.again), log, open };
        let (way, log, open) = logged(self.ways[1]);
        let second = Logged::<2> { way, again: Mutex::new(Way::Go), log, open };
        Reads::before(Gated::new(client, Both::new(first, second)))
    }

    /// Makes a call and reads its answer; `false` if that waits.
    fn call(&self, future: Pin<&mut impl Future>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) {
        assert_eq!(*self.log.lock().unwrap(), expected, "{:?}", self.ways);
    }
}

async fn answered(two: &Two) -> Result<(), BoxError> {
    let response = two.service().oneshot(request()).await?;
    let _ = response.into_body().collect().await;
    Ok(())
}

#[test]
fn what_both_gave_comes_back_from_the_inside_to_the_outside() {
    let two = Two::new([Way::Go, Way::Go]);
    assert!(two.call(pin!(answered(&two))));
    two.check(&["sent", "2 settled: complete", "1 settled: complete"]);
}

#[test]
fn who_waits_passes_both_in_their_order() {
    for ways in [[Way::Wait, Way::Go], [Way::Go, Way::Wait], [Way::Wait, Way::Wait]] {
        let two = Two::new(ways);
        let mut call = pin!(answered(&two));
        assert!(!two.call(call.as_mut()));
        two.check(&[]);
        two.open.store(true, Ordering::Relaxed);
        assert!(two.call(call.as_mut()));
        let log = two.log.lock().unwrap().clone();
        let left = |number| log.iter().position(|line| *line == format!("{number} left"));
        let sent = log.iter().position(|line| line == "sent").unwrap();
        assert!(left(1) <= left(2).or(left(1)), "{log:?}");
        assert!(left(1).max(left(2)) < Some(sent), "{log:?}");
        assert_eq!(log[log.len() - 2..], ["2 settled: complete", "1 settled: complete"]);
    }
}

#[test]
fn a_call_that_is_dropped_in_the_second_line_was_never_sent_for_the_first_gate() {
    let two = Two::new([Way::Go, Way::Wait]);
    {
        let mut call = pin!(answered(&two));
        assert!(!two.call(call.as_mut()));
    }
    let unsent = format!("1 settled: unsent, {}", Code::Abandoned);
    two.check(&["2 left", &unsent]);

    let two = Two::new([Way::Wait, Way::Go]);
    {
        let mut call = pin!(answered(&two));
        assert!(!two.call(call.as_mut()));
    }
    two.check(&["1 left"]);
}

#[test]
fn what_the_first_gave_comes_back_when_the_second_turns_away() {
    let two = Two::new([Way::Go, Way::Reject]);
    assert!(two.call(pin!(answered(&two))));
    let log = two.log.lock().unwrap().clone();
    assert!(log.len() == 1 && log[0].starts_with("1 settled"), "{log:?}");

    for ways in [[Way::Go, Way::WaitInVain], [Way::Wait, Way::Reject], [Way::Wait, Way::WaitInVain]]
    {
        let two = Two::new(ways);
        let mut call = pin!(answered(&two));
        assert!(!two.call(call.as_mut()));
        two.open.store(true, Ordering::Relaxed);
        assert!(two.call(call.as_mut()));
        let log = two.log.lock().unwrap().clone();
        let settled = log.iter().filter(|line| line.contains("settled")).collect::<Vec<_>>();
        assert!(settled.len() == 1 && settled[0].starts_with("1 settled"), "{ways:?} {log:?}");
        assert!(!log.contains(&"sent".to_owned()), "{ways:?} {log:?}");
    }
}

#[test]
fn what_the_first_gave_comes_back_when_the_second_panics() {
    let two = Two::new([Way::Go, Way::Panic]);
    let panicked = catch_unwind(AssertUnwindSafe(|| two.call(pin!(answered(&two)))));
    assert!(panicked.is_err());
    let log = two.log.lock().unwrap().clone();
    assert!(log.len() == 1 && log[0].starts_with("1 settled"), "{log:?}");
}

#[test]
fn who_has_waited_at_the_second_gate_is_asked_by_the_first_again() {
    let two = Two { again: Way::Wait, ..Two::new([Way::Go, Way::Wait]) };
    let mut call = pin!(answered(&two));
    assert!(!two.call(call.as_mut()));
    two.open.store(true, Ordering::Relaxed);
    assert!(two.call(call.as_mut()));
    // Back at the second, in line at the first, and through both.
    two.check(&[
        "2 back",
        "2 left",
        "1 left",
        "2 left",
        "sent",
        "2 settled: complete",
        "1 settled: complete",
    ]);

    let two = Two { again: Way::Reject, ..Two::new([Way::Go, Way::Wait]) };
    let mut call = pin!(answered(&two));
    assert!(!two.call(call.as_mut()));
    two.open.store(true, Ordering::Relaxed);
    assert!(two.call(call.as_mut()));
    two.check(&["2 back", "2 left"]);
}
