//! A series as one number, and its handle.

use std::{
    collections::HashMap,
    num::NonZeroU16,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use battlement_core::{Code, Provider, attempts::Role, lanes::Lane, request::Operation};
use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, SharedString};

use super::table::{Id, Kind, TABLE};
use crate::telemetry::names;

/// The value of a label, as a number: two for words that the code knows, and for what is named elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value(u16);

/// Where the values of each kind begin. There are fewer of each than to the next.
const WORDS: u16 = 0;
const OPERATIONS: u16 = 0x2000;
const PROVIDERS: u16 = 0x2100;
const LANES: u16 = 0x2200;
const ROLES: u16 = 0x2300;
const TOKEN_TYPES: u16 = 0x2400;
const USES: u16 = 0x2500;
const ERRORS: u16 = 0x3000;
const MODELS: u16 = 0x4000;

const TYPES: [&str; 5] = ["input", "output", "cache_read", "cache_write", "reasoning"];
const USE: [&str; 2] = ["wasted", "successful"];

impl Value {
    pub(super) fn operation(operation: Operation) -> Self {
        Self(OPERATIONS + operation as u16)
    }

    pub(super) fn provider(provider: Provider) -> Self {
        Self(PROVIDERS + provider as u16)
    }

    pub(super) fn lane(lane: Lane) -> Self {
        Self(LANES + lane as u16)
    }

    pub(super) fn role(role: Role) -> Self {
        Self(ROLES + role as u16)
    }

    pub(super) fn error(code: Option<Code>) -> Self {
        Self(ERRORS + code.map_or(0, |code| code as u16 + 1))
    }

    pub(super) fn tokens(kind: &str) -> Self {
        let place = TYPES.iter().position(|known| *known == kind).unwrap_or_default();
        Self(TOKEN_TYPES + place as u16)
    }

    pub(super) fn of_use(was_of_use: bool) -> Self {
        Self(USES + u16::from(was_of_use))
    }
}

/// The metric and the values of its labels, two bytes each.
type Series = u128;

/// A handle of the recorder.
#[derive(Clone)]
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// What has been seen so far.
pub(super) struct Known {
    handles: Mutex<HashMap<Series, Handle, RandomState>>,
    names: Mutex<Names>,
    most_models: u16,
}

/// Names that are not in an enum. There are no more than a few of each, or they are all one.
#[derive(Default)]
struct Names {
    words: Vec<Arc<str>>,
    models: HashMap<Arc<str>, u16, RandomState>,
    by_number: Vec<Arc<str>>,
}

/// How many words there may be that are not in an enum: reasons, outcomes, sources.
const MOST_WORDS: usize = 256;

impl Known {
    pub(super) fn new(most_models: NonZeroU16) -> Self {
        // The next kind of value is far away, and so is a number of models that makes sense.
        let most_models = most_models.get().min(0x7fff);
        Self { handles: Mutex::default(), names: Mutex::default(), most_models }
    }

    /// A word of ours.
    pub(super) fn word(&self, word: &'static str) -> Value {
        self.name(word)
    }

    /// A word that somebody else may have made.
    pub(super) fn name(&self, word: &str) -> Value {
        let mut names = lock(&self.names);
        // Few, and the common ones are first.
        let place = names.words.iter().position(|known| **known == *word);
        let place = place.unwrap_or_else(|| {
            if names.words.len() < MOST_WORDS {
                names.words.push(word.into());
            }
            names.words.len() - 1
        });
        Value(WORDS + place as u16)
    }

    /// A model. Those beyond the limit are all one.
    pub(super) fn model(&self, model: Option<&str>) -> Value {
        let Some(model) = model else { return Value(MODELS) };
        let mut names = lock(&self.names);
        if let Some(&number) = names.models.get(model) {
            return Value(MODELS + number);
        }
        if names.by_number.len() >= usize::from(self.most_models) {
            return Value(MODELS + self.most_models + 1);
        }
        let name: Arc<str> = model.into();
        names.by_number.push(name.clone());
        let number = names.by_number.len() as u16;
        names.models.insert(name, number);
        Value(MODELS + number)
    }

    pub(super) fn counter(&self, id: Id, labels: &[Value]) -> Counter {
        match self.handle(id, labels) {
            Handle::Counter(counter) => counter,
            _ => Counter::noop(),
        }
    }

    pub(super) fn gauge(&self, id: Id, labels: &[Value]) -> Gauge {
        match self.handle(id, labels) {
            Handle::Gauge(gauge) => gauge,
            _ => Gauge::noop(),
        }
    }

    pub(super) fn histogram(&self, id: Id, labels: &[Value]) -> Histogram {
        match self.handle(id, labels) {
            Handle::Histogram(histogram) => histogram,
            _ => Histogram::noop(),
        }
    }

    fn handle(&self, id: Id, labels: &[Value]) -> Handle {
        debug_assert_eq!(labels.len(), TABLE[id as usize].labels.len(), "{id:?}");
        let series =
            labels.iter().fold(id as u128, |series, value| series << 16 | u128::from(value.0));
        if let Some(handle) = lock(&self.handles).get(&series) {
            return handle.clone();
        }
        // The recorder is asked outside of the lock.
        let handle = self.register(id, labels);
        lock(&self.handles).insert(series, handle.clone());
        handle
    }

    #[cold]
    fn register(&self, id: Id, labels: &[Value]) -> Handle {
        let row = &TABLE[id as usize];
        let labels: Vec<_> = row
            .labels
            .iter()
            .zip(labels)
            .map(|(label, value)| metrics::Label::new(label.as_str(), self.text(*value)))
            .collect();
        let key = metrics::Key::from_parts(row.name, labels);
        let metadata = metrics::Metadata::new("battlement", metrics::Level::INFO, None);
        metrics::with_recorder(|recorder| match row.kind {
            Kind::Counter => Handle::Counter(recorder.register_counter(&key, &metadata)),
            Kind::Gauge => Handle::Gauge(recorder.register_gauge(&key, &metadata)),
            Kind::Histogram => Handle::Histogram(recorder.register_histogram(&key, &metadata)),
        })
    }

    /// What a value is called.
    fn text(&self, Value(value): Value) -> SharedString {
        let at = |first: u16| usize::from(value - first);
        let text = match value {
            MODELS.. => {
                let names = lock(&self.names);
                return match at(MODELS).checked_sub(1) {
                    None => SharedString::const_str(""),
                    Some(number) => match names.by_number.get(number) {
                        Some(name) => SharedString::from_shared(name.clone()),
                        None => SharedString::const_str("other"),
                    },
                };
            }
            ERRORS.. => match at(ERRORS).checked_sub(1) {
                None => "",
                Some(place) => Code::ALL.get(place).map_or("", |code| code.as_str()),
            },
            USES.. => USE.get(at(USES)).copied().unwrap_or_default(),
            TOKEN_TYPES.. => TYPES.get(at(TOKEN_TYPES)).copied().unwrap_or_default(),
            ROLES.. => ROLE.get(at(ROLES)).map_or("", |role| role.as_str()),
            LANES.. => Lane::ALL.get(at(LANES)).map_or("", |lane| lane.as_str()),
            PROVIDERS.. => Provider::ALL.get(at(PROVIDERS)).copied().map_or("", names::provider),
            OPERATIONS.. => {
                OPERATION.get(at(OPERATIONS)).map_or("", |operation| operation.as_str())
            }
            WORDS.. => {
                let name = lock(&self.names).words.get(at(WORDS)).cloned();
                return name.map_or(SharedString::const_str(""), SharedString::from_shared);
            }
        };
        SharedString::const_str(text)
    }
}

/// In the order of the enum, which the tests compare.
const OPERATION: [Operation; 7] = [
    Operation::Chat,
    Operation::TextCompletion,
    Operation::GenerateContent,
    Operation::Embeddings,
    Operation::CountTokens,
    Operation::Models,
    Operation::Other,
];

/// In the order of the enum, which the tests compare.
const ROLE: [Role; 5] = [Role::First, Role::Retry, Role::Hedge, Role::Fallback, Role::Continuation];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_called_what_it_is() {
        let known = Known::new(NonZeroU16::new(2).unwrap());
        let check = |value, expected: &str| assert_eq!(&*known.text(value), expected);
        for (place, operation) in OPERATION.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
            check(Value::operation(operation), operation.as_str());
        }
        for role in ROLE {
            check(Value::role(role), role.as_str());
        }
        for lane in Lane::ALL {
            check(Value::lane(lane), lane.as_str());
        }
        for provider in Provider::ALL {
            check(Value::provider(provider), names::provider(provider));
        }
        for &code in Code::ALL {
            check(Value::error(Some(code)), code.as_str());
        }
        check(Value::error(None), "");
        for kind in TYPES {
            check(Value::tokens(kind), kind);
        }
        check(Value::of_use(true), "successful");
        check(known.word("complete"), "complete");
        check(known.word("length"), "length");
        check(known.word("complete"), "complete");
    }

    #[test]
    fn names_from_elsewhere_are_bounded() {
        let known = Known::new(NonZeroU16::new(2).unwrap());
        let check = |model, expected: &str| assert_eq!(&*known.text(known.model(model)), expected);
        check(None, "");
        check(Some("a"), "a");
        check(Some("b"), "b");
        check(Some("c"), "other");
        check(Some("d"), "other");
        check(Some("a"), "a");
        for word in 0..10_000 {
            known.name(&word.to_string());
        }
        assert_eq!(lock(&known.names).words.len(), MOST_WORDS);
    }
}
