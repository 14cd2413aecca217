//! From everything an answer said to its verdict.

use std::time::SystemTime;

use super::{End, Framing, Reader, answer::Choice};
use crate::{
    Advice, Code, ErrorClass, Failure, Finish, FinishClass, Kind, Outcome, Phase, StreamEnd, Usage,
    Verdict,
    dialect::{
        Choices, Circumstances, ErrorReport, Judged, Report, classify, finish_class,
        is_known_error, is_transient,
    },
    hint::{self, BodyHints, Hint},
};

impl Reader {
    /// What the answer is called if nothing more comes: the worst of its choices. `None` while one of
    /// them is unfinished, and once something is wrong that only the end can name.
    ///
    /// For whoever must decide about the last event before the body has ended.
    pub fn told(&self) -> Option<FinishClass> {
        let answer = &self.body.collector.answer;
        let wrong = answer.failed || answer.malformed || answer.overflow || self.is_broken();
        (!wrong && self.is_finished()).then(|| {
            let classes = answer.choices.iter().map(Choice::class);
            classes.fold(FinishClass::Complete, FinishClass::worst)
        })
    }

    /// Whether the framing is broken.
    fn is_broken(&self) -> bool {
        match &self.framing {
            Framing::EventStream(stream) => stream.is_broken(),
            Framing::Json => self.body.json.is_broken(),
            Framing::Sse(_) | Framing::Unknown(_) => false,
        }
    }

    pub(super) fn judge(&mut self, end: End, now: SystemTime) -> Verdict {
        let report = self.body.collector.answer.report.take();
        let broken = self.is_broken();
        self.streamed |= self.body.collector.answer.stream
            || (self.body.json.is_many() && self.body.collector.answer.events > 1);
        let answer = &self.body.collector.answer;
        if super::is_error(self.status) {
            return self.failed(Kind::HttpError, report.unwrap_or_default(), now);
        }
        if answer.failed {
            let kind = if self.streamed { Kind::StreamError } else { Kind::BodyError };
            return self.failed(kind, report.unwrap_or_default(), now);
        }
        match end {
            End::Dropped if !self.is_whole() => {
                return self.cut(Outcome::Abandoned, Code::Abandoned);
            }
            End::Broken if !self.is_whole() => return self.cut(Outcome::Cut, Code::StreamCut),
            End::Eof | End::Broken | End::Dropped => {}
        }
        self.streamed |= self.asked && !self.anything;
        if self.streamed {
            if broken || answer.malformed {
                return self.cut(Outcome::Corrupt, Code::StreamCorrupt);
            }
            if !self.is_finished() {
                return self.cut(Outcome::Cut, Code::StreamCut);
            }
        } else if !self.anything {
            return self.no_answer(Code::AnswerEmpty, None);
        } else if !self.body.json.is_done() || answer.malformed || !self.has_its_form() {
            return match report {
                // An error in no envelope.
                Some(report) if is_known_error(&report, self.provider) => {
                    self.failed(Kind::BodyError, report, now)
                }
                report => self.no_answer(Code::AnswerMalformed, report),
            };
        }
        self.finish_verdict(report)
    }

    /// Whether the answer is complete, so that losing its last bytes loses nothing.
    fn is_whole(&self) -> bool {
        if self.streamed { self.is_finished() } else { self.body.json.is_done() }
    }

    /// Whether a whole document has the form of its dialect's answers.
    fn has_its_form(&self) -> bool {
        self.body.collector.answer.known || self.body.collector.spec.choices == Choices::Anything
    }

    /// Whether at least one choice is there and all of them are finished.
    fn is_finished(&self) -> bool {
        let answer = &self.body.collector.answer;
        match self.body.collector.spec.choices {
            Choices::Nothing => answer.known,
            Choices::Anything => self.body.json.is_done(),
            _ => {
                !answer.choices.is_empty()
                    && answer.choices.iter().all(|choice| choice.is_finished(answer.ended))
            }
        }
    }

    /// A generation that ended and said how.
    fn finish_verdict(&mut self, report: Option<Box<Report>>) -> Verdict {
        let spec = self.body.collector.spec;
        let overflow = self.body.collector.answer.overflow;
        let mut choices = std::mem::take(&mut self.body.collector.answer.choices);
        if choices.is_empty() && spec.choices == Choices::One {
            choices.push(Choice::default());
        }
        let finishes = finishes(choices.into_iter());
        let least = match spec.choices {
            Choices::Nothing | Choices::Anything => FinishClass::Complete,
            _ if finishes.is_empty() || overflow => FinishClass::Unknown,
            _ => FinishClass::Complete,
        };
        let class = finishes.iter().map(|finish| finish.class).fold(least, FinishClass::worst);
        let transient = finishes
            .iter()
            .filter(|finish| finish.class == class)
            .any(|finish| is_transient(class, finish.telling_reason()));
        let ended = self.is_ended();
        let failure = code_of_finish(class).map(|code| {
            let report = report.map(|report| report.said).unwrap_or_default();
            self.failure(code, Phase::After, transient, None, report)
        });
        Verdict {
            kind: Kind::Finish,
            outcome: Outcome::Finished(class),
            finishes,
            usage: self.whole_usage(),
            failure,
            stream_end: self.streamed.then_some(if ended {
                StreamEnd::Clean
            } else {
                StreamEnd::EofAfterFinish
            }),
            has_output: self.body.collector.answer.output,
            request_id: self.request_id(),
        }
    }

    /// Whether the stream ended the way its dialect ends.
    fn is_ended(&self) -> bool {
        match self.body.collector.spec.end {
            crate::dialect::End::Marker => self.body.collector.answer.ended,
            crate::dialect::End::Finish => {
                !self.body.collector.answer.stream || self.body.json.is_done()
            }
        }
    }

    /// An error of the provider's, told by status or inside the answer.
    fn failed(&mut self, kind: Kind, mut report: Box<Report>, now: SystemTime) -> Verdict {
        if report.said.kind.is_none() || self.head.error_type.is_some() {
            report.said.kind = self.head.report().kind.or(report.said.kind.take());
        }
        if kind == Kind::HttpError {
            report.settle_names(self.provider);
        }
        let headers = self.head.headers.take().unwrap_or_default();
        let repeated: Vec<_> =
            report.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let hints = BodyHints {
            retry_delay: report.retry_delay.as_deref(),
            headers: &repeated,
            message: report.said.message.as_deref(),
        };
        let hint = hint::wait(&headers, &hints, self.provider, now);
        let http = kind == Kind::HttpError;
        let exhausted = hint::rate_limits(&headers, self.provider, now).exhausted();
        let judged = classify(
            &report,
            Circumstances {
                provider: self.provider,
                status: http.then_some(self.status.as_u16()),
                exhausted,
                has_wait: hint.is_some(),
            },
        );
        let output = self.body.collector.answer.output;
        let phase = if output { Phase::During } else { Phase::Before };
        let transient = judged.class.is_transient() && !judged.never_fits;
        let failure = self.failure(code_of_error(judged), phase, transient, hint, report.said);
        Verdict {
            kind,
            outcome: Outcome::Failed(judged.class),
            finishes: self.known_finishes(),
            usage: self.whole_usage(),
            failure: Some(failure),
            stream_end: (self.streamed && !http).then_some(StreamEnd::Error),
            has_output: output,
            request_id: self.request_id(),
        }
    }

    /// A 2xx that is no answer.
    fn no_answer(&mut self, code: Code, report: Option<Box<Report>>) -> Verdict {
        let said = report.map(|report| report.said).unwrap_or_default();
        let output = self.body.collector.answer.output;
        let phase = if output { Phase::During } else { Phase::Before };
        let failure = self.failure(code, phase, true, None, said);
        Verdict {
            kind: Kind::BodyError,
            outcome: Outcome::Failed(ErrorClass::ServerError),
            finishes: Vec::new(),
            usage: self.whole_usage(),
            failure: Some(failure),
            stream_end: None,
            has_output: output,
            request_id: self.request_id(),
        }
    }

    /// A stream that broke, ended early, or was left.
    fn cut(&mut self, outcome: Outcome, code: Code) -> Verdict {
        let output = self.body.collector.answer.output;
        let phase = if output { Phase::During } else { Phase::Before };
        let transient = outcome != Outcome::Abandoned;
        let failure = self.failure(code, phase, transient, None, ErrorReport::default());
        Verdict {
            kind: Kind::StreamCut,
            outcome,
            finishes: self.known_finishes(),
            usage: self.whole_usage(),
            failure: Some(failure),
            stream_end: self.streamed.then_some(StreamEnd::Cut),
            has_output: output,
            request_id: self.request_id(),
        }
    }

    fn failure(
        &self,
        code: Code,
        phase: Phase,
        transient: bool,
        hint: Option<Hint>,
        report: ErrorReport,
    ) -> Box<Failure> {
        let advice = match (self.head.should_retry.unwrap_or(transient), hint) {
            (false, _) => Advice::Never,
            (true, Some(hint)) => Advice::After(hint.after),
            (true, None) => Advice::Backoff,
        };
        let status = super::is_error(self.status).then_some(self.status.as_u16());
        Box::new(Failure { code, phase, advice, hint, status, report })
    }

    /// The choices that did end.
    fn known_finishes(&mut self) -> Vec<Finish> {
        let choices = std::mem::take(&mut self.body.collector.answer.choices);
        choices.into_iter().filter(|choice| choice.finished).map(Choice::into_finish).collect()
    }

    fn whole_usage(&self) -> Option<Usage> {
        let from_head = || {
            self.head.input_tokens.map(|input| Usage {
                input: Some(input),
                output: self.head.output_tokens,
                ..Usage::default()
            })
        };
        self.usage().or_else(from_head)
    }

    fn request_id(&mut self) -> Option<Box<str>> {
        self.head.request_id.take().or(self.body.collector.answer.request_id.take())
    }
}

fn finishes(choices: impl ExactSizeIterator<Item = Choice>) -> Vec<Finish> {
    let mut finishes = Vec::with_capacity(choices.len());
    finishes.extend(choices.map(Choice::into_finish));
    finishes
}

impl Choice {
    /// Whether the choice is over; an empty reason says so only when the answer is over too.
    fn is_finished(&self, ended: bool) -> bool {
        self.finished || (ended && self.reason.is_some())
    }

    fn into_finish(self) -> Finish {
        let class = self.class();
        Finish { index: self.index, class, reason: self.reason, native_reason: self.native_reason }
    }

    /// What the end of the choice is called, by all that is known of it.
    fn class(&self) -> FinishClass {
        let told = self.reason.as_deref().map_or(FinishClass::Unknown, finish_class);
        let empty = self.reason.as_deref() == Some("");
        let class = match told {
            _ if self.blocked => FinishClass::ContentFilter,
            // Many servers stop, and mean the tool call or the refusal that stands there.
            FinishClass::Complete | FinishClass::StopSequence if self.refusal => {
                FinishClass::Refusal
            }
            FinishClass::Complete if self.tool_call => FinishClass::ToolCall,
            FinishClass::Unknown if empty && self.tool_call => FinishClass::ToolCall,
            FinishClass::Complete if self.stop_string => FinishClass::StopSequence,
            told => told,
        };
        // A router's own word may hide what the upstream said.
        let native = self.native_reason.as_deref().map(finish_class);
        match native {
            Some(native) if native > class && native != FinishClass::Unknown => native,
            _ => class,
        }
    }
}

impl Finish {
    /// The reason that its class came from.
    fn telling_reason(&self) -> &str {
        let native = self.native_reason.as_deref().filter(|word| finish_class(word) == self.class);
        native.or(self.reason.as_deref()).unwrap_or_default()
    }
}

fn code_of_finish(class: FinishClass) -> Option<Code> {
    Some(match class {
        FinishClass::Complete
        | FinishClass::StopSequence
        | FinishClass::ToolCall
        | FinishClass::NoGeneration
        | FinishClass::Pause => return None,
        FinishClass::Length => Code::Truncated,
        FinishClass::ContextWindow => Code::ContextWindow,
        FinishClass::Unknown => Code::UnknownFinish,
        FinishClass::Recitation => Code::Recitation,
        FinishClass::Refusal => Code::Refusal,
        FinishClass::ContentFilter => Code::ContentFilter,
        FinishClass::MalformedToolCall => Code::MalformedToolCall,
        FinishClass::InsufficientResource => Code::InsufficientResource,
        FinishClass::Aborted => Code::Aborted,
        FinishClass::Timeout => Code::ProviderTimeout,
        FinishClass::GenerationError => Code::GenerationError,
    })
}

fn code_of_error(judged: Judged) -> Code {
    match judged.class {
        ErrorClass::RateLimitTokens if judged.never_fits => Code::RateLimitNeverFits,
        ErrorClass::RateLimitRequests => Code::RateLimitRequests,
        ErrorClass::RateLimitTokens => Code::RateLimitTokens,
        ErrorClass::RateLimitOther => Code::RateLimitOther,
        ErrorClass::QuotaExhausted => Code::QuotaExhausted,
        ErrorClass::ContextLength => Code::ContextLength,
        ErrorClass::RequestTooLarge => Code::RequestTooLarge,
        ErrorClass::ContentPolicy => Code::ContentPolicy,
        ErrorClass::Auth if judged.key_missing => Code::MissingKey,
        ErrorClass::Auth => Code::InvalidKey,
        ErrorClass::Permission => Code::AccessDenied,
        ErrorClass::ModelNotFound => Code::ModelUnavailable,
        ErrorClass::InvalidRequest => Code::InvalidRequest,
        ErrorClass::ModelNotReady => Code::ModelNotReady,
        ErrorClass::Overloaded => Code::Overloaded,
        ErrorClass::ServerError => Code::ServerError,
        ErrorClass::Timeout => Code::ProviderTimeout,
        ErrorClass::Conflict => Code::Conflict,
        ErrorClass::MalformedToolCall => Code::MalformedToolCall,
        ErrorClass::GenerationError => Code::GenerationError,
        ErrorClass::Unreachable => Code::Unreachable,
        ErrorClass::Disconnected => Code::Disconnected,
        ErrorClass::Overdue => Code::TimeoutTotal,
    }
}
