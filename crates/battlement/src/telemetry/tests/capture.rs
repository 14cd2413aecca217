//! A subscriber and a recorder that remember everything.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

#[derive(Debug, Default)]
struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    handles: usize,
}

/// Remembers spans and their fields, events as well.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    spans: Arc<Mutex<Vec<Span>>>,
    all: Arc<Mutex<String>>,
}

impl Spans {
    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.spans.lock().unwrap().iter().filter(|span| span.handles > 0).count()
    }

    /// Everything that was ever said.
    pub(super) fn all(&self) -> String {
        self.all.lock().unwrap().clone()
    }

    pub(super) fn forget(&self) {
        self.spans.lock().unwrap().clear();
    }

    /// The call and its attempts, in short.
    pub(super) fn story(&self) -> String {
        let spans = self.spans.lock().unwrap();
        let told = spans.iter().map(|span| {
            let field = |name: &str| span.fields.get(name).map(String::as_str);
            let mut words: Vec<String> = Vec::new();
            let mut say = |word: Option<&str>| words.extend(word.map(str::to_owned));
            if span.name == "llm.attempt" {
                assert_eq!(span.parent, Some(1), "below the call");
                say(field("battlement.attempt.number"));
                say(field("battlement.attempt.role"));
            } else {
                assert_eq!((span.name, span.parent), ("llm.call", None));
                assert_eq!(field("gen_ai.provider.name"), Some("openai"));
                assert_eq!(field("server.address"), Some("api.openai.com"));
                let attempts = field("battlement.attempts").unwrap();
                assert_eq!(attempts, (spans.len() - 1).to_string());
            }
            let is_stream = field("otel.name") == Some("chat gpt-5-mini");
            assert!(is_stream || span.name == "llm.attempt", "{:?}", span.fields);
            say(field("battlement.outcome"));
            say(field("error.type"));
            assert_eq!(field("error.type").is_some(), field("otel.status_code") == Some("ERROR"));
            say(field("http.response.status_code"));
            if let (Some(input), Some(output)) =
                (field("gen_ai.usage.input_tokens"), field("gen_ai.usage.output_tokens"))
            {
                say(Some(&format!("{input}+{output}")));
            }
            if let Some(first) = field("gen_ai.response.time_to_first_chunk") {
                let first: f64 = first.parse().unwrap();
                say(Some(&format!("first {}", first.floor())));
            }
            if span.name == "llm.call" {
                let waited: f64 = field("battlement.waited").unwrap().parse().unwrap();
                if waited >= 1.0 {
                    say(Some("waited"));
                }
            }
            say(field("battlement.route"));
            say(field("battlement.source").filter(|source| *source != "primary"));
            say(field("battlement.tenant"));
            let is_stream = field("gen_ai.request.stream") == Some("true");
            let is_committed = field("battlement.committed") == Some("true");
            let is_truncated = field("battlement.outcome") == Some("length");
            if is_committed && (is_stream || is_truncated) {
                say(Some("committed"));
            }
            words.join(" ")
        });
        told.collect::<Vec<_>>().join(" | ")
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>, &'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        let value = value.trim_matches('"').to_owned();
        self.1.push_str(&format!("{}={value}\n", field.name()));
        self.0.insert(field.name(), value);
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut spans = self.spans.lock().unwrap();
        let mut all = self.all.lock().unwrap();
        let metadata = attributes.metadata();
        let parent = attributes.parent().map(Id::into_u64);
        let mut span = Span { name: metadata.name(), parent, handles: 1, ..Span::default() };
        attributes.record(&mut Fields(&mut span.fields, &mut all));
        if metadata.target() != "battlement" {
            return Id::from_u64(u64::MAX);
        }
        spans.push(span);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut spans = self.spans.lock().unwrap();
        let mut all = self.all.lock().unwrap();
        if let Some(span) = spans.get_mut(id.into_u64() as usize - 1) {
            values.record(&mut Fields(&mut span.fields, &mut all));
        }
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut BTreeMap::new(), &mut self.all.lock().unwrap()));
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = self.spans.lock().unwrap().get_mut(id.into_u64() as usize - 1) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        match self.spans.lock().unwrap().get_mut(id.into_u64() as usize - 1) {
            Some(span) => {
                span.handles -= 1;
                span.handles == 0
            }
            None => true,
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Adds up what is counted and measured, by metric and labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(Arc<Mutex<BTreeMap<Key, f64>>>);

impl Values {
    /// What was counted of the series with all of these values of labels, together.
    pub(super) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let has = |key: &Key, value: &str| key.labels().any(|label| label.value() == value);
        let values = self.0.lock().unwrap();
        let of_name = values.iter().filter(|(key, _)| key.name() == name);
        of_name
            .filter(|(key, _)| labels.iter().all(|value| has(key, value)))
            .map(|(_, sum)| sum)
            .sum()
    }

    /// Every series.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

struct Cell(Values, Key);

impl Cell {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.0.lock().unwrap();
        let value = values.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Cell {
    fn increment(&self, more: u64) {
        self.change(|value| value + more as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, more: f64) {
        self.change(|value| value + more);
    }

    fn decrement(&self, less: f64) {
        self.change(|value| value - less);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.change(|sum| sum + value);
    }
}

impl Recorder for Values {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Cell(self.clone(), key.clone())))
    }
}
