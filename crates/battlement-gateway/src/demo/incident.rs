//! What happened to one call, in words.

use super::{
    mishap::{Mishap, WORDS},
    play::{Day, Delivery},
};

/// What happened to a call, and what either client made of it.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) call: usize,
    pub(super) mishap: Mishap,
    /// Whether the naive client's caller was left in the dark.
    pub(super) is_silent: bool,
    /// Whether only our caller has an answer.
    pub(super) is_saved: bool,
    /// Whether nothing else happened to it later.
    is_simple: bool,
    pub(super) happened: String,
    pub(super) naive: String,
    pub(super) ours: String,
}

impl Incident {
    /// `None` unless both clients met the same at their first attempt, so that they can be compared.
    pub(super) fn of(call: usize, naive: &Day, ours: &Day) -> Option<Self> {
        let mut met = naive.requests[call].iter().map(|request| request.mishap);
        let mishap = met.next().filter(|mishap| *mishap != Mishap::None)?;
        if ours.requests[call].first().map(|request| request.mishap) != Some(mishap) {
            return None;
        }
        let mut happened = mishap.sentence();
        let mut is_simple = true;
        for later in met.filter(|later| *later != Mishap::None) {
            is_simple = false;
            happened = format!("{happened}, then {}", later.sentence());
        }
        Some(Self {
            call,
            mishap,
            is_silent: naive.delivery(call) == Delivery::Silent,
            is_saved: naive.delivery(call) != Delivery::Whole
                && ours.delivery(call) == Delivery::Whole,
            is_simple,
            happened,
            naive: did(naive, call),
            ours: did(ours, call),
        })
    }

    /// All of it on one line.
    pub(super) fn line(&self) -> String {
        let Self { call, happened, naive, ours, .. } = self;
        format!("call {call}: {happened}: naive client {naive}; battlement {ours}")
    }
}

/// What a client did about a call.
fn did(day: &Day, call: usize) -> String {
    let outcome = &day.outcomes[call];
    let again = match day.requests[call].len() {
        0 | 1 => "",
        2 => "tried again and ",
        _ => "tried twice more and ",
    };
    let words = outcome.text.split_whitespace().count();
    let after = match outcome.took.as_secs() {
        0..30 => String::new(),
        seconds => format!(" after {seconds} s"),
    };
    match (day.delivery(call), &outcome.error) {
        (Delivery::Whole, _) => format!("{again}delivered all of it{after}"),
        (Delivery::Silent, _) if words == 0 => {
            format!("{again}delivered an empty answer as a good one")
        }
        (Delivery::Silent, _) => {
            format!("{again}delivered {words} of {WORDS} words as the whole answer")
        }
        (Delivery::Told, error) => {
            let error = error.as_deref().unwrap_or("a failure");
            format!("{again}told its caller{after}: {error}")
        }
    }
}

/// A few that show the most: of each kind one, those first of which the naive client's callers were not told.
pub(super) fn telling(naive: &Day, ours: &Day, most: usize) -> Vec<Incident> {
    let incidents = (0..naive.calls()).filter_map(|call| Incident::of(call, naive, ours));
    let mut picked: Vec<Incident> = Vec::new();
    for incident in incidents {
        let rank = |one: &Incident| (one.is_simple, one.is_silent, one.is_saved);
        match picked.iter_mut().find(|one| one.mishap.name() == incident.mishap.name()) {
            Some(one) if rank(one) < rank(&incident) => *one = incident,
            Some(_) => {}
            None => picked.push(incident),
        }
    }
    picked.sort_by_key(|one| (!one.is_simple, !one.is_silent, !one.is_saved, one.call));
    picked.truncate(most);
    picked.sort_by_key(|one| one.call);
    picked
}
