//! What each field does to the event it stands in.

use super::{
    answer::{Choice, MAX_CHOICES},
    embedded::Embedded,
    event::{Collector, Lesson},
    tokens,
};
use crate::{
    dialect::{Choices, ERROR_BODY, EventKind, Field, PartKind, Report},
    scan::{
        json::{self, Sink, Value},
        template::Hole,
    },
};

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
                self.event.flags.known |= !self.spec.is_not_generated();
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
                self.answer.stream |= list && events;
            }
            Field::Known => self.event.flags.known = true,
            Field::Choice => {
                let index = match self.spec.choices {
                    Choices::ByPosition => self.event.choices.len().min(u32::MAX as usize) as u32,
                    Choices::ZeroLeftOut | Choices::One | Choices::Nothing | Choices::Anything => 0,
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
            Field::Usage => self.event.flags.known |= !self.spec.is_not_generated(),
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

impl Collector {
    /// The choice whose members are being read; outside of any, the only one.
    pub(super) fn choice(&mut self) -> &mut Choice {
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
