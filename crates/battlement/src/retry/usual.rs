//! How long an attempt usually takes until the model says something.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use battlement_core::request::Facts;

const SLOTS: usize = 64;

/// An estimate of the median for each model, streamed or not, in nanoseconds; zero if unknown.
///
/// Every time moves it by a sixteenth towards itself (after Ma, Muthukrishnan and Sandler, "Frugal
/// Streaming for Estimating Quantiles", 2013). It only decides whether a last retry makes sense, so that
/// models may share a slot, and that two threads may forget a time, does no harm.
#[derive(Debug)]
pub(super) struct Usual {
    slots: [AtomicU64; SLOTS],
}

impl Default for Usual {
    fn default() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS] }
    }
}

impl Usual {
    pub(super) fn time(&self, facts: &Facts) -> Duration {
        Duration::from_nanos(self.slot(facts).load(Ordering::Relaxed))
    }

    pub(super) fn learn(&self, facts: &Facts, time: Duration) {
        let slot = self.slot(facts);
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let old = slot.load(Ordering::Relaxed);
        let step = old / 16 + 1;
        let new = match old {
            0 => time,
            _ if time > old => old.saturating_add(step).min(time),
            _ => old.saturating_sub(step).max(time),
        };
        slot.store(new, Ordering::Relaxed);
    }

    fn slot(&self, facts: &Facts) -> &AtomicU64 {
        let key = (facts.provider, &facts.model, facts.stream);
        let hash = foldhash::quality::FixedState::default().hash_one(key);
        &self.slots[hash as usize % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Uri};

    use super::*;

    #[test]
    fn finds_the_median() {
        let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
        let facts = Facts::read(&Method::POST, &uri, &HeaderMap::new(), b"{}");
        let usual = Usual::default();
        assert_eq!(usual.time(&facts), Duration::ZERO);
        // One in ten takes a minute: the mean would be above six seconds.
        for number in 0..1_000_u64 {
            let millis = if number % 10 == 9 { 60_000 } else { 400 + number * 7 % 200 };
            usual.learn(&facts, Duration::from_millis(millis));
        }
        let time = usual.time(&facts).as_millis();
        assert!((400..=700).contains(&time), "{time}");
        usual.learn(&facts, Duration::MAX);
        usual.learn(&facts, Duration::ZERO);
    }
}
