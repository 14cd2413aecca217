//! The calls that are open, and what headers have told: all that a ledger at rest has not.

use std::time::Instant;

use smallvec::SmallVec;

use super::{Reservation, charging::Charge, streams::Streams, sync::Gauge};
use crate::{bucket, bucket::Tank};

#[derive(Debug)]
pub(super) struct Open {
    pub(super) calls: SmallVec<[Call; 1]>,
    /// Of the calls, one for each limit in turn.
    shares: SmallVec<[Share; 4]>,
    free: SmallVec<[u32; 4]>,
    /// How many calls were let through.
    pub(super) serial: u64,
    /// The latest call whose headers were read.
    pub(super) latest: u64,
    /// Calls whose headers were not read, by serial and place, in the order of their serials.
    unheard: SmallVec<[(u64, u32); 2]>,
    /// Of each limit.
    pub(super) gauges: SmallVec<[Gauge; 4]>,
    pub(super) streams: Streams,
}

/// One call; its place is free when the serial is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    pub(super) serial: u64,
    /// Whether its headers were read.
    pub(super) heard: bool,
    /// Output that is charged as it is produced, so far as can be expected; weighed.
    pub(super) later: u64,
    /// Output reported as produced, weighed.
    pub(super) streamed: u64,
}

/// What a call was charged by one limit.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// `None` if nothing was charged at admission.
    pub(super) reservation: Option<bucket::Reservation>,
    /// What was charged at admission.
    pub(super) now: u64,
    /// What the limit had charged in all, this call included.
    pub(super) mark: u128,
}

impl Open {
    pub(super) fn new(limits: usize, now: Instant) -> Self {
        Self {
            calls: SmallVec::new(),
            shares: SmallVec::new(),
            free: SmallVec::new(),
            serial: 0,
            latest: 0,
            unheard: SmallVec::new(),
            gauges: SmallVec::from_elem(Gauge::new(now), limits),
            streams: Streams::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len() - self.free.len()
    }

    /// Charges a call and keeps it.
    pub(super) fn admit(
        &mut self,
        tanks: &mut [Tank],
        charges: &[Charge],
        later: u64,
    ) -> Reservation {
        self.serial += 1;
        let call = Call { serial: self.serial, heard: false, later, streamed: 0 };
        let place = match self.free.pop() {
            Some(place) => {
                self.calls[place as usize] = call;
                place
            }
            None => {
                self.calls.push(call);
                self.shares.resize_with(self.calls.len() * tanks.len(), Share::default);
                (self.calls.len() - 1) as u32
            }
        };
        let first = place as usize * tanks.len();
        let shares = &mut self.shares[first..];
        for (((charge, tank), gauge), share) in
            charges.iter().zip(tanks).zip(&mut self.gauges).zip(shares)
        {
            let reservation = (charge.now > 0).then(|| tank.reserve(charge.now));
            gauge.charged += u128::from(charge.now);
            *share = Share { reservation, now: charge.now, mark: gauge.charged };
        }
        self.unheard.push((self.serial, place));
        self.streams.change(0, later);
        Reservation { place, serial: self.serial }
    }

    /// Takes note of what a call has produced so far, and returns what is new of it; `None` if it is a
    /// call of another ledger.
    pub(super) fn streamed(&mut self, reservation: &Reservation, output: u64) -> Option<u64> {
        let call = self.call_mut(reservation)?;
        let (later, before) = (call.later, call.streamed);
        let after = before.max(output);
        call.streamed = after;
        self.streams.change(later.saturating_sub(before), later.saturating_sub(after));
        Some(after - before)
    }

    /// Headers of a call are about to be read; tells whether it is a call of this ledger.
    pub(super) fn hear(&mut self, reservation: &Reservation) -> bool {
        let Some(call) = self.call_mut(reservation) else { return false };
        if !std::mem::replace(&mut call.heard, true) {
            let place = self.unheard.partition_point(|(serial, _)| *serial < reservation.serial);
            self.unheard.remove(place);
        }
        true
    }

    /// Takes out a call that has ended; what is left of it is its shares.
    pub(super) fn end(&mut self, reservation: &Reservation) -> Option<Call> {
        // Whatever its headers say now, nobody reads it.
        if !self.hear(reservation) {
            return None;
        }
        let call = std::mem::take(&mut self.calls[reservation.place as usize]);
        self.streams.change(call.later.saturating_sub(call.streamed), 0);
        self.free.push(reservation.place);
        Some(call)
    }

    /// Takes what a call was charged by one limit.
    pub(super) fn take_share(&mut self, limit: usize, reservation: &Reservation) -> Share {
        let index = reservation.place as usize * self.gauges.len() + limit;
        self.shares.get_mut(index).map(std::mem::take).unwrap_or_default()
    }

    /// What was charged and may not be counted in the headers of a call: by calls sent after it, and
    /// by calls sent before it whose headers did not come yet.
    pub(super) fn unseen(&self, limit: usize, reservation: &Reservation) -> u64 {
        let share = |place: u32| &self.shares[place as usize * self.gauges.len() + limit];
        let after = self.gauges[limit].charged - share(reservation.place).mark;
        let before = self.unheard.iter().take_while(|(serial, _)| *serial < reservation.serial);
        let before: u128 = before.map(|(_, place)| u128::from(share(*place).now)).sum();
        u64::try_from(after.saturating_add(before)).unwrap_or(u64::MAX)
    }

    /// The call of a reservation, unless it is of another ledger.
    fn call_mut(&mut self, reservation: &Reservation) -> Option<&mut Call> {
        self.calls
            .get_mut(reservation.place as usize)
            .filter(|call| call.serial == reservation.serial)
    }
}
