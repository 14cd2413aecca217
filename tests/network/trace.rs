//! All that happened, in its order and without anything that depends on the machine.

use std::sync::{Arc, Mutex};

use battlement::{call::Call, events::Event};
use battlement_sim::provider::Seen;
use tokio::time::Instant;

/// All of a run that can be told, in its order.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) lines: Vec<String>,
    pub(crate) calls: Vec<Call>,
}

impl Trace {
    pub(crate) fn say(&self, line: String) {
        self.0.lock().unwrap().lines.push(line);
    }

    pub(crate) fn observe(&self, start: Instant, call: &Call, event: &Event<'_>) {
        let what = match event {
            Event::Started { .. } => {
                self.0.lock().unwrap().calls.push(call.clone());
                "started".to_owned()
            }
            Event::Attempt { number, role } => format!("attempt {number} {role}"),
            Event::Waiting { layer, .. } => format!("waits for {layer}"),
            Event::Waited => "has waited".to_owned(),
            Event::Rejected { code } => format!("rejected {code}"),
            Event::Head { status } => format!("head {status}"),
            Event::FirstOutput => "first output".to_owned(),
            Event::Overdue { clock } => format!("overdue {clock:?}"),
            Event::Ended { verdict } => format!("ended {}", verdict.outcome),
            Event::Retrying { trouble, wait } => format!("retrying {trouble} after {wait:?}"),
            Event::GaveUp { reason } => format!("gave up: {reason}"),
            Event::Cooling { .. } => "cooling".to_owned(),
            Event::Circuit { from, to } => format!("circuit {from:?} {to:?}"),
            Event::Concurrency { limit } => format!("limit {limit}"),
            Event::Withheld { verdict } => format!("withheld {}", verdict.outcome),
            // Nothing of the kind is to happen.
            other => panic!("{other:?}"),
        };
        self.say(format!("{} µs: {what}", start.elapsed().as_micros()));
    }

    /// All of it, with what the provider saw.
    pub(crate) fn take(&self, seen: &[Seen]) -> Told {
        let mut told = std::mem::take(&mut *self.0.lock().unwrap());
        // Instants of a provider that has started again are of another clock, so there are none.
        told.lines.extend(seen.iter().map(|Seen { number, status, events, end, .. }| {
            format!("provider {number}: {status:?}, {events} events, {end:?}")
        }));
        told
    }
}
