//! One event of an answer, from its fields; and all of them, as an answer.
//!
//! Fields are collected per event and count only when the event is complete: what stands in a frame
//! with a wrong checksum, or in an event that the end of the stream cut, was never said.

use crate::{
    dialect::{Choices, ERROR_BODY, EventKind, Field, PartKind, Report, Spec, finish_class},
    read::Signals,
    read::embedded::Embedded,
    read::tokens::Tokens,
    scan::json::{self, Sink, Value},
};

/// How many choices are told apart. Providers offer at most 128; the rest of a hostile answer's
/// share one place, whose class is never better than unknown.
pub(crate) const MAX_CHOICES: usize = 1024;

/// What is known of one choice.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) reason: Option<Box<str>>,
    pub(crate) native_reason: Option<Box<str>>,
    /// The choice is over, with or without a reason.
    pub(crate) finished: bool,
    pub(crate) stop_string: bool,
    pub(crate) tool_call: bool,
    pub(crate) refusal: bool,
    /// The prompt was blocked, whatever the reason is called.
    pub(crate) blocked: bool,
}

impl Choice {
    /// Adds what a later event says. A reason stands against later nulls, and against later reasons
    /// unless they are worse.
    fn merge(&mut self, later: &mut Self) {
        if let Some(reason) = later.reason.take() {
            let worse = self.reason.as_ref().is_none_or(|known| {
                known.is_empty() || finish_class(&reason) > finish_class(known)
            });
            if worse {
                self.reason = Some(reason);
            }
        }
        if later.native_reason.is_some() {
            self.native_reason = later.native_reason.take();
        }
        self.finished |= later.finished;
        self.stop_string |= later.stop_string;
        self.tool_call |= later.tool_call;
        self.refusal |= later.refusal;
        self.blocked |= later.blocked;
    }
}

/// What the answer has said so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// By index.
    pub(crate) choices: Vec<Choice>,
    /// There are more choices than are told apart.
    pub(crate) overflow: bool,
    pub(crate) tokens: Tokens,
    /// An error was told.
    pub(crate) failed: bool,
    /// What was said about it, or what a bare body said that may be one.
    pub(crate) report: Option<Box<Report>>,
    /// The stream said that it is over.
    pub(crate) ended: bool,
    /// The body has the form of an answer of its dialect.
    pub(crate) known: bool,
    /// An event could not be read.
    pub(crate) malformed: bool,
    /// Output was delivered.
    pub(crate) output: bool,
    /// The document is a list of events.
    pub(crate) list: bool,
    /// How many documents or events were complete.
    pub(crate) events: u64,
    pub(crate) request_id: Option<Box<str>>,
}

/// The event being read.
#[derive(Debug, Default)]
struct Event {
    choices: Vec<Choice>,
    /// The choice whose members are being read.
    open: bool,
    tokens: Tokens,
    report: Option<Box<Report>>,
    /// How many error objects are open.
    inside_error: u32,
    has_error: bool,
    kind: Option<EventKind>,
    typed: bool,
    status: Option<Box<str>>,
    incomplete: Option<Box<str>>,
    ended: bool,
    known: bool,
    malformed: bool,
    output: bool,
    touched: bool,
    request_id: Option<Box<str>>,
}

/// Collects events into an answer.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) spec: &'static Spec,
    pub(crate) answer: Answer,
    event: Event,
    signals: Signals,
    embedded: Option<Box<Embedded>>,
    /// An error's message is being read as a body of its own.
    nested: bool,
    /// A document is an event of its own; otherwise the framing says where events end.
    documents_are_events: bool,
}

impl Collector {
    pub(crate) fn new(spec: &'static Spec) -> Self {
        Self {
            spec,
            answer: Answer::default(),
            event: Event::default(),
            signals: Signals::default(),
            embedded: None,
            nested: false,
            documents_are_events: false,
        }
    }

    pub(crate) fn documents_are_events(&mut self) {
        self.documents_are_events = true;
    }

    /// What happened since this was last asked.
    #[inline]
    pub(crate) fn take_signals(&mut self) -> Signals {
        std::mem::take(&mut self.signals)
    }

    pub(crate) fn signal(&mut self, signals: Signals) {
        self.signals |= signals;
    }

    /// The framing names the kind of the event.
    pub(crate) fn name_event(&mut self, name: &str) {
        self.event.typed = true;
        self.event.kind = self.spec.event_kind(name);
        self.event.touched = true;
    }

    /// The framing says that the event is an error.
    pub(crate) fn mark_error(&mut self) {
        self.event.kind = Some(EventKind::Error);
        self.event.touched = true;
    }

    /// The framing carries the error itself.
    pub(crate) fn frame_error(&mut self, report: Report) {
        self.mark_error();
        let message = self.event.report.take().and_then(|report| report.said.message);
        let mut report = report;
        report.said.message = report.said.message.or(message);
        self.event.report = Some(Box::new(report));
    }

    /// The stream said that it is over, outside of any event.
    pub(crate) fn mark_ended(&mut self) {
        self.answer.ended = true;
        self.signals |= Signals::END | Signals::EVENT;
    }

    /// The event is complete and could not be read: what it seemed to say does not count, but that
    /// it called itself an error does.
    pub(crate) fn malformed(&mut self) {
        if self.event.kind == Some(EventKind::Error) {
            self.answer.failed = true;
            self.signals |= Signals::ERROR;
        } else {
            self.answer.malformed = true;
        }
        self.signals |= Signals::EVENT;
        self.discard();
    }

    /// The event broke while it passed. It says nothing, but a caller who does not check what he
    /// reads may have taken its output for good.
    pub(crate) fn broken(&mut self) {
        self.answer.output |= self.event.output;
        self.discard();
    }

    /// Forgets the event.
    pub(crate) fn discard(&mut self) {
        self.event = Event::default();
    }

    /// The event is complete: what it said counts.
    pub(crate) fn commit(&mut self) {
        if !self.event.touched {
            return;
        }
        self.answer.events += 1;
        if self.event.kind == Some(EventKind::KeepAlive) {
            self.signals |= Signals::KEEP_ALIVE;
        } else {
            self.signals |= Signals::EVENT;
        }
        self.commit_status();
        self.commit_error();
        self.commit_choices();
        let event = &mut self.event;
        let answer = &mut self.answer;
        if answer.tokens.merge(&event.tokens) {
            self.signals |= Signals::USAGE;
        }
        if event.output {
            answer.output = true;
            self.signals |= Signals::OUTPUT;
        }
        if event.ended || matches!(event.kind, Some(EventKind::End | EventKind::Failed)) {
            answer.ended = true;
            self.signals |= Signals::END;
        }
        answer.known |= event.known;
        answer.malformed |= event.malformed;
        if event.request_id.is_some() {
            answer.request_id = event.request_id.take();
        }
        // Keep what the list of choices has allocated.
        let mut choices = std::mem::take(&mut event.choices);
        choices.clear();
        *event = Event { choices, ..Event::default() };
    }

    /// Turns a Responses status into the reason of the one choice.
    fn commit_status(&mut self) {
        let last = matches!(self.event.kind, Some(EventKind::End | EventKind::Failed));
        let Some(status) = self.event.status.take().filter(|_| last || !self.event.typed) else {
            return;
        };
        self.event.known = true;
        let reason = match &*status {
            "failed" => {
                self.event.has_error = true;
                return;
            }
            "incomplete" => self.event.incomplete.take().unwrap_or(status),
            _ => status,
        };
        self.choice().finished = true;
        self.choice().reason = Some(reason);
    }

    fn commit_error(&mut self) {
        let event = &mut self.event;
        let told = matches!(event.kind, Some(EventKind::Error | EventKind::Failed));
        let Some(mut report) = event.report.take().filter(|report| !report.is_empty()) else {
            if told {
                self.answer.failed = true;
                self.signals |= Signals::ERROR;
            }
            return;
        };
        report.settle();
        if told || event.has_error {
            self.signals |= Signals::ERROR;
            if !std::mem::replace(&mut self.answer.failed, true) {
                self.answer.report = Some(report);
            }
        } else if !self.answer.failed {
            self.answer.report = Some(report);
        }
    }

    fn commit_choices(&mut self) {
        self.answer.known |= !self.event.choices.is_empty();
        for later in &mut self.event.choices {
            let known = &mut self.answer.choices;
            let place = match known.first() {
                Some(first) if known.len() == 1 && first.index == later.index => Ok(0),
                _ => known.binary_search_by_key(&later.index, |choice| choice.index),
            };
            let choice = match place {
                Ok(at) => &mut known[at],
                Err(_) if known.len() == MAX_CHOICES => {
                    self.answer.overflow = true;
                    continue;
                }
                Err(at) => {
                    known.insert(at, Choice { index: later.index, ..Choice::default() });
                    &mut known[at]
                }
            };
            let was_finished = choice.finished;
            choice.merge(later);
            if choice.finished && !was_finished {
                self.signals |= Signals::FINISH;
            }
        }
    }

    /// The choice whose members are being read; outside of any, the only one.
    fn choice(&mut self) -> &mut Choice {
        let choices = &mut self.event.choices;
        if choices.is_empty() {
            choices.push(Choice::default());
        }
        let at = if self.event.open { choices.len() - 1 } else { 0 };
        &mut choices[at]
    }

    fn report(&mut self) -> &mut Report {
        self.event.report.get_or_insert_default()
    }

    fn part(&mut self, word: &str) {
        if self.spec.part_kind(word) == Some(PartKind::ToolCall) {
            self.choice().tool_call = true;
            self.event.output = true;
        }
    }

    /// An error that is a string: its message, or a whole error body once more (Ollama).
    fn error_text(&mut self, message: &str) {
        if message.is_empty() {
            return;
        }
        self.event.has_error = true;
        if message.starts_with('{') && !self.nested {
            self.nested = true;
            let events = std::mem::take(&mut self.documents_are_events);
            let mut reader = json::Reader::new(&ERROR_BODY, false);
            reader.feed(message.as_bytes(), self);
            self.documents_are_events = events;
            self.nested = false;
            if reader.is_done() {
                return;
            }
        }
        self.report().take(Field::Error, Value::Text(message), true);
    }

    fn end_of_embedded(&mut self) {
        if let Some(embedded) = &mut self.embedded {
            self.event.malformed |= !embedded.finish();
        }
    }

    fn finish_with(&mut self, reason: &str) {
        let choice = self.choice();
        // An empty reason may be a placeholder; the end of the answer tells.
        choice.finished |= !reason.is_empty();
        choice.reason = Some(reason.into());
    }
}

impl Sink for Collector {
    #[inline]
    fn value(&mut self, field: Field, value: Value<'_>) {
        self.event.touched = true;
        match (field, value) {
            (_, Value::Null) => {}
            (Field::Output, Value::Passed { empty }) => self.event.output |= !empty,
            (Field::Index, Value::Number(number)) => {
                if let Ok(index) = number.parse() {
                    self.choice().index = index;
                }
            }
            (Field::Finish, Value::Text(reason)) => self.finish_with(reason),
            (Field::EventType, Value::Text(word)) => {
                self.event.typed = true;
                if self.event.kind != Some(EventKind::Error) {
                    self.event.kind = self.spec.event_kind(word);
                }
                self.event.known = true;
            }
            (Field::Known, _) => self.event.known = true,
            (Field::Refusal, Value::Passed { empty: false }) => {
                self.choice().refusal = true;
                self.event.output = true;
            }
            (Field::PartType, Value::Text(word)) => self.part(word),
            (Field::NativeFinish, Value::Text(reason)) => {
                self.choice().native_reason = Some(reason.into());
            }
            (Field::StopString, Value::Passed { empty: false }) => {
                self.choice().stop_string = true;
            }
            (Field::BlockReason, Value::Text(reason)) => {
                let choice = self.choice();
                choice.finished = true;
                choice.blocked = true;
                choice.reason = Some(reason.into());
            }
            (Field::Status, Value::Text(status)) => self.event.status = Some(status.into()),
            (Field::IncompleteReason, Value::Text(reason)) => {
                self.event.incomplete = Some(reason.into());
            }
            (Field::Done, Value::Bool(done)) => {
                self.event.known = true;
                if done {
                    self.event.ended = true;
                    self.choice().finished = true;
                }
            }
            (Field::Ended, _) => self.event.ended = true,
            (Field::Embedded, _) => self.end_of_embedded(),
            (Field::RequestId, Value::Text(id)) => self.event.request_id = Some(id.into()),
            (Field::Error, Value::Text(message)) => self.error_text(message),
            (
                Field::Input
                | Field::ExtraInput
                | Field::CachedInput
                | Field::CacheWrite
                | Field::OutputTokens
                | Field::Reasoning
                | Field::ExtraReasoning,
                Value::Number(count) | Value::Text(count),
            ) => self.event.tokens.take(field, count),
            (
                Field::ErrorType
                | Field::ErrorCode
                | Field::ErrorMessage
                | Field::ErrorTitle
                | Field::ErrorNote
                | Field::DetailCode
                | Field::ErrorKind
                | Field::LimitSource
                | Field::Flagged
                | Field::QuotaId
                | Field::RetryDelay
                | Field::HeaderRetryAfter
                | Field::HeaderRetryAfterMs
                | Field::HeaderLimit
                | Field::HeaderRemaining
                | Field::HeaderReset,
                value,
            ) => {
                let inside = self.event.inside_error > 0;
                self.report().take(field, value, inside);
            }
            _ => {}
        }
    }

    fn open(&mut self, field: Field, list: bool) {
        self.event.touched = true;
        match field {
            Field::Event => self.answer.list |= list,
            Field::Known => self.event.known = true,
            Field::Choice => {
                let index = match self.spec.choices {
                    Choices::ByPosition => self.event.choices.len().min(u32::MAX as usize) as u32,
                    Choices::ZeroLeftOut | Choices::One | Choices::Nothing => 0,
                };
                if self.event.choices.len() > MAX_CHOICES {
                    // One more than fits is enough to know that there are too many.
                    self.event.choices.pop();
                }
                self.event.choices.push(Choice { index, ..Choice::default() });
                self.event.open = true;
            }
            Field::ToolCall if !list => {
                self.choice().tool_call = true;
                self.event.output = true;
            }
            Field::Output if !list => self.event.output = true,
            Field::Flagged => self.report().flagged = true,
            Field::Usage => self.event.known = true,
            Field::Ended => self.event.ended = true,
            Field::Error if !list => {
                self.event.inside_error += 1;
                self.event.has_error = true;
            }
            _ => {}
        }
    }

    fn close(&mut self, field: Field) {
        match field {
            Field::Choice => self.event.open = false,
            Field::Error => {
                self.event.inside_error = self.event.inside_error.saturating_sub(1);
            }
            Field::Event if self.documents_are_events => self.commit(),
            _ => {}
        }
    }

    fn piece(&mut self, _field: Field, raw: &[u8]) {
        let mut embedded =
            self.embedded.take().unwrap_or_else(|| Box::new(Embedded::new(self.spec.answer)));
        embedded.feed(raw, self);
        self.embedded = Some(embedded);
    }

    fn document(&mut self) {
        if self.documents_are_events {
            self.commit();
        }
    }
}
