//! What is done with an answer, by how it ended.

use battlement_core::{Code, ErrorClass, FinishClass, Kind, Outcome, Verdict};

/// What is done with an answer that ended in a certain way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It is as good as any.
    Pass,
    /// It is passed on, and its [`Tag`](super::Tag) says what is wrong with it.
    Tag,
    /// It is not for the caller, who gets [`Unusable`](super::Unusable) instead.
    Fail,
}

/// What is done with answers, by how they ended.
///
/// By default an answer **fails** if the caller's client would take it for good although it is not,
/// or cannot read it: one that is empty, cut, corrupt, in no known form, or an error inside a 200.
/// It is **tagged** if it says itself that it is not what was asked for, in the place where every client
/// looks: truncated, filtered, refused. Whoever sets an output budget may mean it, a refusal is
/// written to be shown, and what was generated is paid for. Reasons that are not known are tagged,
/// too, or each new one of a provider would be an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy {
    truncated: Action,
    filtered: Action,
    refused: Action,
    unknown: Action,
    silent: Action,
    empty: Action,
    malformed: Action,
    cut: Action,
    errors: Action,
}

impl Policy {
    /// Passes everything on.
    pub const LENIENT: Self = Self {
        truncated: Action::Pass,
        filtered: Action::Pass,
        refused: Action::Pass,
        unknown: Action::Pass,
        silent: Action::Pass,
        empty: Action::Pass,
        malformed: Action::Pass,
        cut: Action::Pass,
        errors: Action::Pass,
    };

    /// Fails everything but a success.
    pub const STRICT: Self = Self {
        truncated: Action::Fail,
        filtered: Action::Fail,
        refused: Action::Fail,
        unknown: Action::Fail,
        empty: Action::Fail,
        malformed: Action::Fail,
        cut: Action::Fail,
        errors: Action::Fail,
        ..Self::LENIENT
    };

    /// The text stops in the middle: the output budget or the model's window was used up.
    pub const fn truncated(mut self, action: Action) -> Self {
        self.truncated = action;
        self
    }

    /// A filter blocked the prompt or cut the answer, recitation of training material included.
    pub const fn filtered(mut self, action: Action) -> Self {
        self.filtered = action;
        self
    }

    /// The model declined.
    pub const fn refused(mut self, action: Action) -> Self {
        self.refused = action;
        self
    }

    /// There is no reason for stopping, or one that is not known.
    pub const fn unknown(mut self, action: Action) -> Self {
        self.unknown = action;
        self
    }

    /// The answer ended well, and the model has said nothing: no text, no tool call, no thought.
    ///
    /// Passed unless told otherwise, by [`Policy::STRICT`] too, since it can be right: after a tool's result
    /// there may be nothing to add. Where every answer must say something, [`Action::Fail`] makes a
    /// retry of it.
    pub const fn silent(mut self, action: Action) -> Self {
        self.silent = action;
        self
    }

    /// A 200 without a body.
    pub const fn empty(mut self, action: Action) -> Self {
        self.empty = action;
        self
    }

    /// A 200 in no known form, or a tool call that cannot be used.
    pub const fn malformed(mut self, action: Action) -> Self {
        self.malformed = action;
        self
    }

    /// A stream that ended before it was finished, or whose framing is broken.
    pub const fn cut(mut self, action: Action) -> Self {
        self.cut = action;
        self
    }

    /// An error inside a 200, in a body or in the middle of a stream, or as the reason for stopping.
    pub const fn errors(mut self, action: Action) -> Self {
        self.errors = action;
        self
    }

    /// What is done with an answer of which this is known.
    pub fn action(&self, verdict: &Verdict) -> Action {
        match verdict.outcome {
            // Layers that read the status see to it.
            _ if verdict.kind == Kind::HttpError => Action::Pass,
            Outcome::Finished(class) => self.of_finish(class),
            Outcome::Cut | Outcome::Corrupt => self.cut,
            Outcome::Abandoned => Action::Pass,
            Outcome::Failed(class) => match verdict.code() {
                Some(Code::AnswerEmpty) => self.empty,
                Some(Code::AnswerMalformed) => self.malformed,
                _ if class == ErrorClass::MalformedToolCall => self.malformed,
                _ => self.errors,
            },
        }
    }

    pub(super) fn of_finish(&self, class: FinishClass) -> Action {
        match class {
            class if class.is_success() => Action::Pass,
            FinishClass::Length | FinishClass::ContextWindow => self.truncated,
            FinishClass::Recitation | FinishClass::ContentFilter => self.filtered,
            FinishClass::Refusal => self.refused,
            FinishClass::MalformedToolCall => self.malformed,
            FinishClass::InsufficientResource
            | FinishClass::Aborted
            | FinishClass::Timeout
            | FinishClass::GenerationError => self.errors,
            _ => self.unknown,
        }
    }

    pub(super) fn of_silence(&self) -> Action {
        self.silent
    }

    /// Whether anything is tagged.
    pub(super) fn tags(&self) -> bool {
        [
            self.truncated,
            self.filtered,
            self.refused,
            self.unknown,
            self.silent,
            self.empty,
            self.malformed,
            self.cut,
            self.errors,
        ]
        .contains(&Action::Tag)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            truncated: Action::Tag,
            filtered: Action::Tag,
            refused: Action::Tag,
            unknown: Action::Tag,
            ..Self::STRICT
        }
    }
}

/// For how long an answer is held back, the head included.
///
/// What is held can still be replaced by an error, on which a retry may act. Keep-alives are held with
/// the rest: passing them on would need the head. An answer that is no stream is held until its end in
/// both modes, since its first output and its end arrive together.
///
/// `most` is in bytes of memory: a frame costs about a hundred more than it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// Until the model has said something. If what comes first ends the answer as well, until the
    /// end. More than `most` is passed on as it is: the beginning of some streams repeats all of the
    /// request.
    FirstOutput {
        /// The most to hold.
        most: usize,
    },
    /// Until the end: nothing of an answer that fails ever leaves.
    Complete {
        /// The most to hold.
        most: usize,
        /// What is done with a longer one.
        beyond: Beyond,
    },
    /// Not at all. An answer that fails ends with an error.
    Not,
}

impl Hold {
    /// Until the first output, or one mebibyte.
    pub const FIRST_OUTPUT: Self = Self::FirstOutput { most: 1 << 20 };

    /// How much is held at most.
    pub(super) fn most(self) -> usize {
        match self {
            Self::FirstOutput { most } | Self::Complete { most, .. } => most,
            Self::Not => 0,
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::FIRST_OUTPUT
    }
}

/// What is done with an answer that is longer than may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beyond {
    /// It fails with [`TooLong`](super::TooLong).
    Fail,
    /// It is passed on, and ends with an error if it turns out to be of no use.
    PassOn,
}

/// How a caller is told of a failure when a part of the answer has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterCommit {
    /// The body ends with [`Unusable`](super::Unusable) as its error. Behind a server, the connection
    /// breaks.
    #[default]
    BodyError,
    /// The stream ends with an error in the form of its dialect, where there is one that can be
    /// written, and with a body error elsewhere.
    ///
    /// It cannot be written in Amazon's event streams and in JSON arrays, into an answer whose length
    /// was announced, or behind half an event: a client would read both as one.
    ErrorEvent,
}
