//! One event of an answer, from its fields; and all of them, as an answer.
//!
//! Fields are collected per event and count only when the event is complete: what stands in a frame
//! with a wrong checksum, or in an event that the end of the stream cut, was never said.

use smallvec::SmallVec;

use crate::{
    dialect::{Choices, ERROR_BODY, EventKind, Field, PartKind, Report, Spec, finish_class},
    read::Signals,
    read::embedded::Embedded,
    read::tokens::{self, Tokens},
    scan::{
        json::{self, Sink, Value},
        template::{Hole, Template},
    },
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
                known.is_empty()
                    || (!reason.is_empty() && finish_class(&reason) > finish_class(known))
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

    /// Whether a later event says something about the choice that is not known.
    fn would_change(&self, later: &Self) -> bool {
        later.reason.is_some()
            || later.native_reason.is_some()
            || (later.finished && !self.finished)
            || (later.stop_string && !self.stop_string)
            || (later.tool_call && !self.tool_call)
            || (later.refusal && !self.refusal)
            || (later.blocked && !self.blocked)
    }
}

/// What the answer has said so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// By index. Nearly always one, which then needs no allocation.
    pub(crate) choices: SmallVec<[Choice; 1]>,
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
    choices: SmallVec<[Choice; 1]>,
    tokens: Tokens,
    flags: Flags,
    /// What most events have nothing of.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    /// A choice is open; its members are being read.
    open: bool,
    counted: bool,
    /// How many error objects are open.
    inside_error: u32,
    has_error: bool,
    kind: Option<EventKind>,
    typed: bool,
    ended: bool,
    known: bool,
    malformed: bool,
    /// The event has more choices than are told apart.
    overflow: bool,
    output: bool,
    touched: bool,
}

#[derive(Debug, Default)]
struct Rare {
    report: Option<Box<Report>>,
    status: Option<Box<str>>,
    incomplete: Option<Box<str>>,
    request_id: Option<Box<str>>,
}

impl Event {
    /// Back to the beginning, keeping what has been allocated.
    #[inline]
    fn clear(&mut self) {
        if !self.choices.is_empty() {
            self.choices.clear();
        }
        if self.flags.counted {
            self.tokens = Tokens::default();
        }
        if self.rare.is_some() {
            self.rare = None;
        }
        self.flags = Flags::default();
    }

    /// Forgets what an event of its kind has no say in.
    fn keep_output_only(&mut self) {
        for choice in &mut self.choices {
            choice.reason = None;
            choice.native_reason = None;
            choice.finished = false;
        }
        self.rare = None;
        self.flags.counted = false;
        self.tokens = Tokens::default();
        self.flags.ended = false;
        self.flags.has_error = false;
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// What reading an event teaches for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lesson {
    None,
    /// The holes of the event are being noted.
    Noting,
    /// The event said nothing that was not known, but for output if this is set.
    NothingNew {
        output: bool,
    },
}

/// Collects events into an answer.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) spec: &'static Spec,
    pub(crate) answer: Answer,
    event: Event,
    signals: Signals,
    embedded: Option<Box<Embedded>>,
    inside_embedded: bool,
    /// An error's message is being read as a body of its own.
    nested: bool,
    template: Template,
    lesson: Lesson,
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
            inside_embedded: false,
            nested: false,
            template: Template::default(),
            lesson: Lesson::None,
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
        self.event.flags.typed = true;
        self.event.flags.kind = Some(self.spec.event_kind(name.as_bytes()));
        self.event.flags.touched = true;
    }

    /// The framing says that the event is an error.
    pub(crate) fn mark_error(&mut self) {
        self.event.flags.kind = Some(EventKind::Error);
        self.event.flags.touched = true;
    }

    /// The framing carries the error itself.
    pub(crate) fn frame_error(&mut self, report: Report) {
        self.mark_error();
        let message = self.event.rare().report.take().and_then(|report| report.said.message);
        let mut report = report;
        report.said.message = report.said.message.or(message);
        self.event.rare().report = Some(Box::new(report));
    }

    /// The stream said that it is over, outside of any event.
    pub(crate) fn mark_ended(&mut self) {
        self.answer.ended = true;
        self.signals |= Signals::END | Signals::EVENT;
    }

    /// Whether the event calls itself an error.
    pub(crate) fn is_error(&self) -> bool {
        self.event.flags.kind == Some(EventKind::Error)
    }

    /// The event is complete and could not be read: what it seemed to say does not count, but that
    /// it called itself an error does.
    pub(crate) fn malformed(&mut self) {
        if self.is_error() {
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
        self.answer.output |= self.event.flags.output;
        self.discard();
    }

    /// Forgets the event.
    pub(crate) fn discard(&mut self) {
        self.event.clear();
    }

    /// The event is complete: what it said counts.
    pub(crate) fn commit(&mut self) {
        if !self.event.flags.touched {
            return;
        }
        self.answer.events += 1;
        if self.event.flags.malformed {
            return self.malformed();
        }
        match self.event.flags.kind {
            Some(EventKind::KeepAlive) => {
                self.signals |= Signals::KEEP_ALIVE;
                return self.event.clear();
            }
            Some(EventKind::Unknown) => {
                self.signals |= Signals::EVENT;
                return self.event.clear();
            }
            Some(EventKind::Output) => self.event.keep_output_only(),
            None
            | Some(EventKind::Answer | EventKind::End | EventKind::Failed | EventKind::Error) => {}
        }
        if self.lesson == Lesson::Noting && self.says_nothing_new() {
            self.lesson = Lesson::NothingNew { output: self.event.flags.output };
        }
        self.signals |= Signals::EVENT;
        if self.event.rare.is_some()
            || matches!(self.event.flags.kind, Some(EventKind::Error | EventKind::Failed))
        {
            self.commit_status();
            self.commit_error();
        }
        self.commit_choices();
        let event = &mut self.event;
        let answer = &mut self.answer;
        if event.flags.counted && answer.tokens.merge(&event.tokens) {
            self.signals |= Signals::USAGE;
        }
        if event.flags.output {
            answer.output = true;
            self.signals |= Signals::OUTPUT;
        }
        if event.flags.ended || matches!(event.flags.kind, Some(EventKind::End | EventKind::Failed))
        {
            answer.ended = true;
            self.signals |= Signals::END;
        }
        answer.known |= event.flags.known;
        answer.overflow |= event.flags.overflow;
        if let Some(id) = event.rare.as_mut().and_then(|rare| rare.request_id.take()) {
            answer.request_id = Some(id);
        }
        event.clear();
    }

    /// Whether the event is one like those before, and counts it if so: nothing new but words.
    #[inline]
    pub(crate) fn is_repetition(&mut self, data: &[u8]) -> bool {
        let Lesson::NothingNew { output } = self.lesson else { return false };
        // The framing may have said something about the event already.
        if self.event.flags.touched || !self.template.matches(data) {
            return false;
        }
        self.answer.events += 1;
        self.signals |= if output { Signals::EVENT | Signals::OUTPUT } else { Signals::EVENT };
        true
    }

    /// Begins to learn from an event that is about to be read in one go.
    pub(crate) fn learn(&mut self) {
        self.template.begin();
        self.lesson = Lesson::Noting;
    }

    /// Keeps the event that has been read if it said nothing new.
    pub(crate) fn learned(&mut self, data: &[u8]) {
        if !matches!(self.lesson, Lesson::NothingNew { .. }) || !self.template.keep(data) {
            self.lesson = Lesson::None;
        }
    }

    /// Whether the event says nothing that the answer does not know.
    fn says_nothing_new(&self) -> bool {
        let flags = self.event.flags;
        let silent = !(flags.counted || flags.ended || flags.overflow || flags.has_error);
        silent
            && matches!(flags.kind, None | Some(EventKind::Answer | EventKind::Output))
            && self.event.rare.is_none()
            && (self.answer.known || !flags.known)
            && self.event.choices.iter().all(|later| {
                let known = self.answer.choices.iter().find(|known| known.index == later.index);
                known.is_some_and(|known| !known.would_change(later))
            })
    }

    /// Turns a Responses status into the reason of the one choice.
    fn commit_status(&mut self) {
        let last = matches!(self.event.flags.kind, Some(EventKind::End | EventKind::Failed));
        let Some(status) =
            self.event.rare().status.take().filter(|_| last || !self.event.flags.typed)
        else {
            return;
        };
        self.event.flags.known = true;
        let reason = match &*status {
            "failed" => {
                self.event.flags.kind = Some(EventKind::Failed);
                return;
            }
            "incomplete" => self.event.rare().incomplete.take().unwrap_or(status),
            _ => status,
        };
        self.choice().finished = true;
        self.choice().reason = Some(reason);
    }

    fn commit_error(&mut self) {
        let event = &mut self.event;
        let told = matches!(event.flags.kind, Some(EventKind::Error | EventKind::Failed));
        let Some(mut report) = event.rare().report.take().filter(|report| !report.is_empty())
        else {
            if told {
                self.answer.failed = true;
                self.signals |= Signals::ERROR;
            }
            return;
        };
        report.settle();
        if told || event.flags.has_error {
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
        let at = if self.event.flags.open { choices.len() - 1 } else { 0 };
        &mut choices[at]
    }

    fn report(&mut self) -> &mut Report {
        self.event.rare().report.get_or_insert_default()
    }

    fn part(&mut self, word: &[u8]) {
        if self.spec.part_kind(word) == Some(PartKind::ToolCall) {
            self.choice().tool_call = true;
            self.event.flags.output = true;
        }
    }

    /// An error that is a string: its message, or a whole error body once more (Ollama).
    fn error_text(&mut self, message: &[u8]) {
        if message.is_empty() {
            return;
        }
        self.event.flags.has_error = true;
        if message.starts_with(b"{") && !self.nested {
            self.nested = true;
            let events = std::mem::take(&mut self.documents_are_events);
            let mut reader = json::Reader::new(&ERROR_BODY, false);
            reader.feed(message, self);
            self.documents_are_events = events;
            self.nested = false;
            if reader.is_done() {
                return;
            }
        }
        self.report().take(Field::Error, Value::Text(message), true);
    }

    fn end_of_embedded(&mut self) {
        if self.inside_embedded {
            return;
        }
        if let Some(mut embedded) = self.embedded.take() {
            self.inside_embedded = true;
            let whole = embedded.finish(self);
            self.inside_embedded = false;
            self.event.flags.malformed |= !whole;
            self.embedded = Some(embedded);
        }
    }

    fn finish_with(&mut self, reason: &[u8]) {
        let choice = self.choice();
        // An empty reason may be a placeholder; the end of the answer tells.
        choice.finished |= !reason.is_empty();
        choice.reason = Some(owned(reason));
    }
}

fn owned(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text).into()
}

impl Sink for Collector {
    #[inline]
    fn value(&mut self, field: Field, value: Value<'_>) {
        self.event.flags.touched = true;
        match (field, value) {
            (Field::Known, _) => self.event.flags.known = true,
            (_, Value::Null) => {}
            (Field::Output, Value::Passed { empty }) => self.event.flags.output |= !empty,
            (Field::Index, Value::Number(number)) => {
                if let Some(index) = tokens::count_of(number) {
                    self.choice().index = u32::try_from(index).unwrap_or(u32::MAX);
                }
            }
            (Field::Finish, Value::Text(reason)) => self.finish_with(reason),
            (Field::EventType, Value::Text(word)) => {
                self.event.flags.typed = true;
                if self.event.flags.kind != Some(EventKind::Error) {
                    self.event.flags.kind = Some(self.spec.event_kind(word));
                }
                self.event.flags.known = true;
            }
            (Field::Refusal, Value::Passed { empty: false }) => {
                self.choice().refusal = true;
                self.event.flags.output = true;
            }
            (Field::PartType, Value::Text(word)) => self.part(word),
            (Field::NativeFinish, Value::Text(reason)) => {
                self.choice().native_reason = Some(owned(reason));
            }
            (Field::StopString, Value::Passed { empty: false }) => {
                self.choice().stop_string = true;
            }
            (Field::BlockReason, Value::Text(reason)) => {
                let choice = self.choice();
                choice.finished = true;
                choice.blocked = true;
                choice.reason = Some(owned(reason));
            }
            (Field::Status, Value::Text(status)) => self.event.rare().status = Some(owned(status)),
            (Field::IncompleteReason, Value::Text(reason)) => {
                self.event.rare().incomplete = Some(owned(reason));
            }
            (Field::Done, Value::Bool(done)) => {
                self.event.flags.known = true;
                if done {
                    self.event.flags.ended = true;
                    self.choice().finished = true;
                }
            }
            (Field::Ended, _) => self.event.flags.ended = true,
            (Field::Embedded, _) => self.end_of_embedded(),
            (Field::RequestId, Value::Text(id)) => self.event.rare().request_id = Some(owned(id)),
            (Field::Error, Value::Text(message)) => self.error_text(message),
            (
                Field::Input
                | Field::ExtraInput
                | Field::CachedInput
                | Field::CacheWrite
                | Field::OutputTokens
                | Field::Reasoning
                | Field::ExtraReasoning,
                value,
            ) => {
                self.event.flags.counted = true;
                match value {
                    Value::Number(count) | Value::Text(count) => {
                        self.event.tokens.take(field, count);
                    }
                    _ => {}
                }
            }
            (
                Field::ErrorType
                | Field::ErrorCode
                | Field::ErrorStatus
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
                let inside = self.event.flags.inside_error > 0;
                self.report().take(field, value, inside);
            }
            _ => {}
        }
    }

    fn open(&mut self, field: Field, list: bool) {
        self.event.flags.touched = true;
        match field {
            Field::Event => {
                let events = self.documents_are_events && self.spec.answer.each.is_some();
                self.answer.list |= list && events;
            }
            Field::Known => self.event.flags.known = true,
            Field::Choice => {
                let index = match self.spec.choices {
                    Choices::ByPosition => self.event.choices.len().min(u32::MAX as usize) as u32,
                    Choices::ZeroLeftOut | Choices::One | Choices::Nothing => 0,
                };
                if self.event.choices.len() > MAX_CHOICES {
                    // One more than fits is enough to know that there are too many.
                    self.event.choices.pop();
                    self.event.flags.overflow = true;
                }
                self.event.choices.push(Choice { index, ..Choice::default() });
                self.event.flags.open = true;
            }
            Field::ToolCall if !list => {
                self.choice().tool_call = true;
                self.event.flags.output = true;
            }
            Field::Output if !list => self.event.flags.output = true,
            Field::Flagged => self.report().flagged = true,
            Field::Usage => self.event.flags.known = true,
            Field::Ended => self.event.flags.ended = true,
            Field::Error if !list => {
                self.event.flags.inside_error += 1;
                self.event.flags.has_error = true;
            }
            _ => {}
        }
    }

    fn close(&mut self, field: Field) {
        match field {
            Field::Choice => self.event.flags.open = false,
            Field::Error => {
                self.event.flags.inside_error = self.event.flags.inside_error.saturating_sub(1);
            }
            Field::Event if self.documents_are_events => self.commit(),
            _ => {}
        }
    }

    fn piece(&mut self, _field: Field, raw: &[u8]) {
        if self.inside_embedded {
            // Nobody wraps an event twice.
            self.event.flags.malformed = true;
            return;
        }
        self.inside_embedded = true;
        let mut embedded =
            self.embedded.take().unwrap_or_else(|| Box::new(Embedded::new(self.spec.answer)));
        embedded.feed(raw, self);
        self.embedded = Some(embedded);
        self.inside_embedded = false;
    }

    #[inline]
    fn hole(&mut self, hole: Hole, start: usize, end: usize) {
        if self.lesson == Lesson::Noting {
            self.template.hole(hole, start, end);
        }
    }

    fn document(&mut self) {
        if self.documents_are_events {
            self.commit();
        }
    }
}
