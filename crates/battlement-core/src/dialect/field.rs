//! What a place in a document can mean, whichever dialect it is written in.

/// The meaning of a place.
///
/// A dialect maps its own names to these; everything behind the dialects knows only these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Nothing of interest, though something below it may be.
    None,
    /// A member that only answers of this dialect have.
    Known,
    /// One event of a streamed JSON array, or the document itself.
    Event,
    /// What kind of event this is.
    EventType,
    /// The stream's own word that it is over.
    Ended,
    /// The word `done`, with `true` at the end.
    Done,

    /// One choice (candidate) of the answer.
    Choice,
    /// The choice's index.
    Index,
    /// The reason for stopping.
    Finish,
    /// The upstream's own reason for stopping, passed on by a router.
    NativeFinish,
    /// The stop string of the caller that was hit; any other type is not one.
    StopString,
    /// The status of a Responses answer.
    Status,
    /// Why an answer is incomplete: a better reason than its status.
    IncompleteReason,
    /// Why the prompt was blocked.
    BlockReason,

    /// Output of the model: text, reasoning, tool arguments, audio.
    Output,
    /// A tool call.
    ToolCall,
    /// The text of a refusal.
    Refusal,
    /// What kind of part or item this is.
    PartType,
    /// A string of base64 that holds an event of another dialect.
    Embedded,

    /// Token counts are given; any of them may be missing.
    Usage,
    /// Prompt tokens.
    Input,
    /// Prompt tokens that are not in `Input`.
    ExtraInput,
    /// Prompt tokens read from a cache.
    CachedInput,
    /// Prompt tokens written to a cache.
    CacheWrite,
    /// Generated tokens.
    OutputTokens,
    /// Reasoning tokens, a part of the generated ones.
    Reasoning,
    /// Reasoning tokens that are not in `OutputTokens`.
    ExtraReasoning,

    /// An error, as an object, or as a string that is its message.
    Error,
    ErrorType,
    ErrorCode,
    /// The HTTP status that the error would have had.
    ErrorStatus,
    ErrorMessage,
    /// A message where no better one is.
    ErrorTitle,
    /// A note on a failure that the finish reason tells already.
    ErrorNote,
    /// A more exact code than the error's own.
    DetailCode,
    /// A router's or framework's own word for the kind of error.
    ErrorKind,
    /// Which of a router's limits was hit.
    LimitSource,
    /// The input was flagged by moderation.
    Flagged,
    /// The identifier of a quota that was hit.
    QuotaId,
    /// How long to wait, as a duration string.
    RetryDelay,
    /// Headers repeated in the body.
    HeaderRetryAfter,
    HeaderRetryAfterMs,
    HeaderLimit,
    HeaderRemaining,
    HeaderReset,
    /// The provider's name for the request.
    RequestId,
}

impl Field {
    /// Whether a string in this place is kept; any other is only passed.
    #[inline]
    pub(crate) const fn is_kept(self) -> bool {
        !matches!(
            self,
            Self::None
                | Self::Known
                | Self::Event
                | Self::Choice
                | Self::StopString
                | Self::Output
                | Self::ToolCall
                | Self::Refusal
                | Self::Embedded
                | Self::Usage
                | Self::Flagged
                | Self::Ended
                | Self::Done
        )
    }

    /// Whether a string in this place is handed on piece by piece.
    #[inline]
    pub(crate) const fn is_streamed(self) -> bool {
        matches!(self, Self::Embedded)
    }
}
