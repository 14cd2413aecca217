//! Amazon Bedrock Converse and ConverseStream.
//!
//! The members of the stream's events do not collide with each other or with the whole answer's,
//! so one shape reads them all; the events' names come in the frames' headers.

use super::{
    Field,
    error_body::ERROR,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static CONVERSE: Spec = Spec {
    answer: &ANSWER,
    events: &[
        ("metadata", EventKind::End),
        ("messageStop", EventKind::Answer),
        ("messageStart", EventKind::Output),
        ("contentBlockStart", EventKind::Output),
        ("contentBlockDelta", EventKind::Output),
        ("contentBlockStop", EventKind::Output),
    ],
    other_events: EventKind::Unknown,
    parts: &[],
    end: End::Marker,
    choices: Choices::One,
    cache_beside_input: true,
    absent_output_is_zero: false,
    many_documents: false,
    reasoning_beside_output: &[],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("delta", BLOCK),
    ("start", BLOCK),
    ("output", OUTPUT),
    ("stopReason", Node::leaf(Field::Finish)),
    ("usage", USAGE),
    ("message", Node::leaf(Field::ErrorMessage)),
    ("Message", Node::leaf(Field::ErrorMessage)),
    ("error", ERROR),
]);

pub(super) const OUTPUT: Node = Node::object(Field::Known, &OUTPUT_SHAPE);
static OUTPUT_SHAPE: Shape = Shape::new(&[("message", Node::object(Field::None, &MESSAGE))]);
static MESSAGE: Shape = Shape::new(&[("content", Node::list(&BLOCK_OBJECT))]);
static BLOCK_OBJECT: Node = BLOCK;
pub(super) const BLOCK: Node = Node::object(Field::None, &BLOCK_SHAPE);
static BLOCK_SHAPE: Shape = Shape::new(&[
    ("text", Node::leaf(Field::Output)),
    ("toolUse", Node::leaf(Field::ToolCall)),
    ("reasoningContent", Node::object(Field::None, &REASONING)),
]);
static REASONING: Shape = Shape::new(&[
    ("text", Node::leaf(Field::Output)),
    ("reasoningText", Node::object(Field::None, &REASONING_TEXT)),
]);
static REASONING_TEXT: Shape = Shape::new(&[("text", Node::leaf(Field::Output))]);

pub(super) const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    ("inputTokens", Node::leaf(Field::Input)),
    ("outputTokens", Node::leaf(Field::OutputTokens)),
    ("cacheReadInputTokens", Node::leaf(Field::CachedInput)),
    ("cacheWriteInputTokens", Node::leaf(Field::CacheWrite)),
]);
