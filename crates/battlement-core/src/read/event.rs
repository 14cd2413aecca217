//! One event of an answer, from its fields, until it counts.
//!
//! Fields are collected per event and count only when the event is complete: what stands in a frame
//! with a wrong checksum, or in an event that the end of the stream cut, was never said.

use smallvec::SmallVec;

use crate::{
    dialect::{EventKind, Report, Spec, Status},
    read::Signals,
    read::embedded::Embedded,
    read::{
        answer::{Answer, Choice, MAX_CHOICES},
        tokens::Tokens,
    },
    scan::template::Template,
};

/// The event being read.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) choices: SmallVec<[Choice; 1]>,
    pub(super) tokens: Tokens,
    pub(super) flags: Flags,
    /// What most events have nothing of.
    pub(super) rare: Option<Box<Rare>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// A choice is open; its members are being read.
    pub(super) open: bool,
    pub(super) counted: bool,
    /// How many error objects are open.
    pub(super) inside_error: u32,
    pub(super) has_error: bool,
    pub(super) kind: Option<EventKind>,
    pub(super) typed: bool,
    pub(super) ended: bool,
    pub(super) known: bool,
    pub(super) malformed: bool,
    /// The event has more choices than are told apart.
    pub(super) overflow: bool,
    pub(super) output: bool,
    pub(super) touched: bool,
}

#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) report: Option<Box<Report>>,
    pub(super) status: Option<Box<str>>,
    pub(super) incomplete: Option<Box<str>>,
    pub(super) request_id: Option<Box<str>>,
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

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// What reading an event teaches for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
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
    pub(super) event: Event,
    pub(super) signals: Signals,
    pub(super) embedded: Option<Box<Embedded>>,
    pub(super) inside_embedded: bool,
    /// An error's message is being read as a body of its own.
    pub(super) nested: bool,
    pub(super) template: Template,
    pub(super) lesson: Lesson,
    /// A document is an event of its own; otherwise the framing says where events end.
    pub(super) documents_are_events: bool,
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

    /// Whether there is an event to compare with.
    pub(crate) fn may_repeat(&self) -> bool {
        matches!(self.lesson, Lesson::NothingNew { .. }) && !self.event.flags.touched
    }

    /// Reads a repetition after all, and makes sure that it says nothing new.
    #[cfg(debug_assertions)]
    fn assert_repetition(&self, data: &[u8], output: bool) {
        use crate::scan::json;

        let mut probe = Self::new(self.spec);
        let mut reader = json::Reader::new(self.spec.answer, false);
        reader.feed(data, &mut probe);
        assert!(reader.is_done(), "a repetition is a whole document");
        if probe.event.flags.kind == Some(EventKind::Output) {
            probe.event.keep_output_only();
        }
        assert!(probe.event.choices.iter().all(|later| {
            let known = self.answer.choices.iter().find(|known| known.index == later.index);
            known.is_some_and(|known| !known.would_change(later))
        }));
        let flags = probe.event.flags;
        assert_eq!(flags.output, output);
        assert!(!(flags.counted || flags.ended || flags.overflow || flags.has_error));
        assert!(!flags.malformed && probe.event.rare.is_none());
        let kinds = [None, Some(EventKind::Answer), Some(EventKind::Output)];
        assert!(kinds.contains(&flags.kind));
    }

    /// Whether the event is one like those before, and counts it if so: nothing new but words.
    #[inline]
    pub(crate) fn is_repetition(&mut self, data: &[u8]) -> bool {
        let Lesson::NothingNew { output } = self.lesson else { return false };
        // The framing may have said something about the event already.
        if self.event.flags.touched || !self.template.matches(data) {
            return false;
        }
        #[cfg(debug_assertions)]
        self.assert_repetition(data, output);
        self.answer.events += 1;
        self.signals |= if output { Signals::EVENT | Signals::OUTPUT } else { Signals::EVENT };
        true
    }

    /// Begins to learn from an event that is about to be read in one go, if it is one to keep.
    pub(crate) fn learn(&mut self, data: &[u8]) {
        if Template::can_keep(data) {
            self.template.begin();
            self.lesson = Lesson::Noting;
        }
    }

    /// Keeps the event that has been read if it said nothing new.
    pub(crate) fn learned(&mut self, data: &[u8]) {
        match self.lesson {
            Lesson::NothingNew { .. } if Template::can_keep(data) => self.template.keep(data),
            _ => self.lesson = Lesson::None,
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
                let known = &self.answer.choices;
                let place = known.binary_search_by_key(&later.index, |choice| choice.index);
                place.is_ok_and(|at| !known[at].would_change(later))
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
        let reason = match Status::of(&status) {
            Status::Failed => {
                self.event.flags.kind = Some(EventKind::Failed);
                return;
            }
            Status::Incomplete => self.event.rare().incomplete.take().unwrap_or(status),
            Status::Reason => status,
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
}
