//! One flight, with an upstream whose every step is a choice.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::{Context, Poll, Wake, Waker},
};

use http_body::Frame;
use proptest::prelude::*;

use super::{
    super::flight::{Flight, Head, Item, Missed, Seat, Upstream},
    *,
};

/// What has come, and who is told of more.
#[derive(Default)]
struct Source {
    come: usize,
    ended: bool,
    waker: Option<Waker>,
    dropped: bool,
}

struct Scripted {
    source: Arc<Mutex<Source>>,
    next: usize,
}

/// The size of the frame of this number.
fn size(number: usize) -> usize {
    number * 37 % 200
}

impl Upstream for Scripted {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Item>, BoxError>> {
        let next = self.next;
        let mut source = self.source.lock().unwrap();
        if next < source.come {
            drop(source);
            self.next += 1;
            let Some(number) = next.checked_sub(1) else {
                let (response, attempt) = (Response::new(()), Attempt::of(&mut request()));
                let head = Head { response, length: None, attempt };
                return Poll::Ready(Ok(Some(Item::Head(head))));
            };
            let data = vec![number as u8; size(number)];
            return Poll::Ready(Ok(Some(Item::Frame(Frame::data(data.into())))));
        }
        if source.ended {
            return Poll::Ready(Ok(None));
        }
        source.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        let source = self.source.lock().unwrap();
        source.ended && self.next == source.come && self.next > 0
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.source.lock().unwrap().dropped = true;
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

struct Reader {
    seat: Option<Seat>,
    woken: Arc<Flag>,
    head: bool,
    got: usize,
    lost: bool,
    ended: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Join,
    /// Is polled whether it was woken or not, as in a `select`.
    Poll(usize),
    Leave(usize),
    Comes(usize),
    Ends,
    /// All that were woken are polled, but for this one.
    Run(Option<usize>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => Just(Op::Join),
        2 => (0_usize..6).prop_map(Op::Poll),
        1 => (0_usize..6).prop_map(Op::Leave),
        4 => (1_usize..4).prop_map(Op::Comes),
        1 => Just(Op::Ends),
        4 => prop::option::of(0_usize..6).prop_map(Op::Run),
    ];
    prop::collection::vec(op, 1..60)
}

const MOST: usize = 1_000;

impl Reader {
    fn poll(&mut self) {
        self.woken.0.store(false, SeqCst);
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        let Some(seat) = &mut self.seat else { return };
        if !self.head {
            match seat.poll_head(&mut cx) {
                Poll::Ready(Ok(_)) => self.head = true,
                Poll::Ready(Err(missed)) => return self.miss(missed),
                Poll::Pending => return,
            }
        }
        while !self.lost && !self.ended {
            match seat.poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap();
                    assert_eq!(data, vec![self.got as u8; size(self.got)], "in their order");
                    self.got += 1;
                }
                Poll::Ready(Some(Err(missed))) => return self.miss(missed),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => return,
            }
        }
    }

    fn miss(&mut self, missed: Missed) {
        assert!(matches!(missed, Missed::Lost));
        self.lost = true;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whoever reads, and however slowly: what is held is bounded, those who keep up get everything, in order, and nobody waits
    /// without being woken.
    #[test]
    fn s4_what_is_held_for_slow_followers_is_bounded(ops in ops()) {
        let source = Arc::new(Mutex::new(Source::default()));
        let flight = Arc::new(Flight::new(MOST));
        let mut readers: Vec<Reader> = Vec::new();
        let join = |readers: &mut Vec<Reader>| {
            if let Some(seat) = flight.join() {
                let woken = Arc::new(Flag(AtomicBool::new(true)));
                let seat = Some(seat);
                readers.push(Reader { seat, woken, head: false, got: 0, lost: false, ended: false });
            }
        };
        join(&mut readers);
        flight.start(Box::pin(Scripted { source: source.clone(), next: 0 }));
        for op in ops {
            match op {
                Op::Join => join(&mut readers),
                Op::Poll(index) => {
                    if let Some(reader) = readers.get_mut(index) {
                        reader.poll();
                    }
                }
                Op::Leave(index) => {
                    if let Some(reader) = readers.get_mut(index) {
                        reader.seat = None;
                    }
                }
                Op::Comes(frames) => {
                    let waker = {
                        let mut source = source.lock().unwrap();
                        if !source.ended {
                            source.come += frames;
                        }
                        source.waker.take()
                    };
                    waker.into_iter().for_each(Waker::wake);
                }
                Op::Ends => {
                    let waker = {
                        let mut source = source.lock().unwrap();
                        source.come = source.come.max(1);
                        source.ended = true;
                        source.waker.take()
                    };
                    waker.into_iter().for_each(Waker::wake);
                }
                Op::Run(but) => {
                    run(&mut readers, but);
                    // Whoever is polled when it is woken has all that there is.
                    let frames = source.lock().unwrap().come.saturating_sub(1);
                    let is_over = source.lock().unwrap().ended;
                    for (index, reader) in readers.iter().enumerate() {
                        if Some(index) != but && reader.seat.is_some() && !reader.lost {
                            prop_assert_eq!(reader.got, frames);
                            prop_assert_eq!(reader.ended, is_over);
                        }
                    }
                }
            }
            // One frame is held whatever it takes.
            let (held, frames) = flight.held();
            prop_assert!(held <= MOST + 200 + 64 || frames <= 1, "{held} in {frames}");
            let is_wanted = readers.iter().any(|reader| reader.seat.is_some());
            let is_there = !source.lock().unwrap().dropped;
            prop_assert!(is_wanted || !is_there, "nobody waits for it");
        }
        // Those who were slow, too, are told what has become of it.
        source.lock().unwrap().ended = true;
        let waker = source.lock().unwrap().waker.take();
        waker.into_iter().for_each(Waker::wake);
        readers.iter().for_each(|reader| reader.woken.0.store(true, SeqCst));
        if source.lock().unwrap().come > 0 {
            run(&mut readers, None);
            for reader in &readers {
                prop_assert!(reader.seat.is_none() || reader.lost || reader.ended);
            }
        }
    }
}

/// Polls all that were woken, but for this one, until nobody is.
fn run(readers: &mut [Reader], but: Option<usize>) {
    for _ in 0..1_000 {
        let mut quiet = true;
        for (index, reader) in readers.iter_mut().enumerate() {
            if Some(index) != but && reader.woken.0.load(SeqCst) {
                quiet = false;
                reader.poll();
            }
        }
        if quiet {
            return;
        }
    }
    panic!("they wake each other for ever");
}
