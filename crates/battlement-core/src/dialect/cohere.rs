//! Cohere v2 chat.

use super::{
    Field,
    error_body::ERROR,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static CHAT_V2: Spec = Spec {
    answer: &ANSWER,
    events: &[
        ("message-end", EventKind::End),
        ("error", EventKind::Error),
        ("message-start", EventKind::Output),
        ("content-start", EventKind::Output),
        ("content-delta", EventKind::Output),
        ("content-end", EventKind::Output),
        ("tool-plan-delta", EventKind::Output),
        ("tool-call-start", EventKind::Output),
        ("tool-call-delta", EventKind::Output),
        ("tool-call-end", EventKind::Output),
    ],
    other_events: EventKind::Unknown,
    parts: &[],
    end: End::Marker,
    choices: Choices::One,
    cache_beside_input: false,
    absent_output_is_zero: false,
    many_documents: false,
    reasoning_beside_output: &[],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("type", Node::leaf(Field::EventType)),
    ("delta", Node::object(Field::None, &DELTA)),
    ("finish_reason", Node::leaf(Field::Finish)),
    ("message", MESSAGE),
    ("usage", USAGE),
    ("error", ERROR),
    ("id", Node::leaf(Field::RequestId)),
]);
static DELTA: Shape = Shape::new(&[
    ("finish_reason", Node::leaf(Field::Finish)),
    ("message", MESSAGE),
    ("usage", USAGE),
    // The finish reason says that it failed; this says why.
    ("error", Node::leaf(Field::ErrorNote)),
]);

/// The message, in a stream with its members as single objects instead of lists. As a string it is
/// the message of an error.
const MESSAGE: Node = Node::object(Field::ErrorMessage, &MESSAGE_SHAPE);
static MESSAGE_SHAPE: Shape = Shape::new(&[
    ("content", Node::object(Field::Known, &PART).or_list(&PART_OBJECT)),
    ("tool_calls", Node::leaf(Field::ToolCall).or_list(&TOOL_CALL)),
    ("tool_plan", Node::leaf(Field::Output)),
]);
static TOOL_CALL: Node = Node::leaf(Field::ToolCall);
static PART_OBJECT: Node = Node::object(Field::None, &PART);
static PART: Shape =
    Shape::new(&[("text", Node::leaf(Field::Output)), ("thinking", Node::leaf(Field::Output))]);

const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
/// `billed_units` is smaller than what was read and written, and is left alone.
static USAGE_SHAPE: Shape = Shape::new(&[
    ("tokens", Node::object(Field::None, &TOKENS)),
    ("cached_tokens", Node::leaf(Field::CachedInput)),
]);
static TOKENS: Shape = Shape::new(&[
    ("input_tokens", Node::leaf(Field::Input)),
    ("output_tokens", Node::leaf(Field::OutputTokens)),
]);
