//! A model of the line: every interleaving of those who wait, leave and give back.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p battlement --lib line::model`

use std::{convert::Infallible, future::poll_fn, sync::Arc, task::Context, time::Instant};

use battlement_core::{
    lanes::Lane,
    queue::{self, Tenant, Waiter},
};
use loom::{future::block_on, thread};

use super::*;
use crate::clock::now;

/// One place.
struct Place(bool);

impl Supply for Place {
    type Config = ();
    type Invalid = ();
    type Ask = ();
    type Grant = ();
    type Never = Infallible;

    fn new((): &(), _now: Instant) -> Result<Self, ()> {
        Ok(Self(true))
    }

    fn take(&mut self, (): &(), _now: Instant) -> Result<(), NotNow<Infallible>> {
        if mem::take(&mut self.0) { Ok(()) } else { Err(NotNow::Busy) }
    }

    fn put_back(&mut self, (): (), _now: Instant) {
        self.0 = true;
    }

    fn never(&mut self, (): &(), _now: Instant) -> Option<Infallible> {
        None
    }

    fn forecast(&mut self, _now: Instant) -> Option<impl FnMut(&()) -> Option<Instant>> {
        None::<fn(&()) -> Option<Instant>>
    }
}

fn line() -> Arc<Line<Place>> {
    let place = Place::new(&(), now()).unwrap();
    Arc::new(Line::new(place, Some(queue::Config::default())).unwrap())
}

/// A place, or a call that waits for one.
fn enter(line: &Arc<Line<Place>>) -> Option<Waiting<Place>> {
    let waiter =
        Waiter { class: Lane::Interactive, tenant: Tenant::new(0), cost: 1, deadline: None };
    match line.enter(now(), |_| ((), waiter)) {
        Ok(Entered::Now(())) => None,
        Ok(Entered::Waits(seat, _)) => Some(Waiting::new(line.clone(), seat)),
        Err(missed) => panic!("{missed:?}"),
    }
}

/// Waits for the place, if it has to.
fn wait(waiting: Option<Waiting<Place>>) {
    if let Some(mut waiting) = waiting {
        block_on(poll_fn(|cx| waiting.poll(cx))).unwrap();
    }
}

fn give_back(line: &Line<Place>) {
    line.change(now(), |place, _| place.0 = true);
}

fn is_free(line: &Line<Place>) -> bool {
    line.inspect(|place, waiting| place.0 && waiting == 0)
}

/// Each of two takes the place and gives it back: whoever waits is called.
#[test]
fn two_that_take_turns() {
    loom::model(|| {
        let line = line();
        let other = line.clone();
        let other = thread::spawn(move || {
            wait(enter(&other));
            give_back(&other);
        });
        wait(enter(&line));
        give_back(&line);
        other.join().unwrap();
        assert!(is_free(&line));
    });
}

/// The first in line goes away while the place becomes free, polled before or not: the second has it.
fn first_leaves(is_polled: bool) {
    loom::model(move || {
        let line = line();
        assert!(enter(&line).is_none());
        let mut first = enter(&line);
        let second = enter(&line);
        if let Some(first) = first.as_mut().filter(|_| is_polled) {
            let _ = first.poll(&mut Context::from_waker(Waker::noop()));
        }
        let other = line.clone();
        let leaves = thread::spawn(move || drop(first));
        let gives = thread::spawn(move || give_back(&other));
        wait(second);
        leaves.join().unwrap();
        gives.join().unwrap();
        give_back(&line);
        assert!(is_free(&line));
    });
}

#[test]
fn the_first_leaves_unpolled() {
    first_leaves(false);
}

#[test]
fn the_first_leaves_while_it_waits() {
    first_leaves(true);
}
