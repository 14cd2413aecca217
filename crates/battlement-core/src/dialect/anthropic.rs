//! Anthropic Messages, also as spoken on Vertex.

use super::{
    Field,
    error_body::ERROR,
    spec::{Choices, End, EventKind, PartKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static MESSAGES: Spec = Spec {
    answer: &ANSWER,
    events: EVENTS,
    other_events: EventKind::Unknown,
    parts: PARTS,
    end: End::Marker,
    choices: Choices::One,
    cache_beside_input: true,
    absent_output_is_zero: false,
    many_documents: false,
    reasoning_beside_output: &[],
};

pub(super) const EVENTS: &[(&str, EventKind)] = &[
    ("message_stop", EventKind::End),
    ("error", EventKind::Error),
    ("ping", EventKind::KeepAlive),
    // The whole message calls itself so.
    ("message", EventKind::Answer),
    ("message_start", EventKind::Answer),
    ("message_delta", EventKind::Answer),
    ("content_block_start", EventKind::Output),
    ("content_block_delta", EventKind::Output),
    ("content_block_stop", EventKind::Output),
    // The frame around each of these when Bedrock sends them.
    ("chunk", EventKind::Answer),
];
pub(super) const PARTS: &[(&str, PartKind)] = &[("tool_use", PartKind::ToolCall)];

static ANSWER: Node = Node::object(Field::Event, &ROOT);

/// The message itself, and the events that build it up.
static ROOT: Shape = Shape::new(&[
    ("type", Node::leaf(Field::EventType)),
    ("delta", DELTA),
    ("message", MESSAGE),
    ("content_block", BLOCK),
    ("content", CONTENT),
    ("stop_reason", Node::leaf(Field::Finish)),
    ("usage", USAGE),
    ("error", ERROR),
    ("request_id", Node::leaf(Field::RequestId)),
]);

/// The message; as a string it is the message of an error.
pub(super) const MESSAGE: Node = Node::object(Field::ErrorMessage, &MESSAGE_SHAPE);
static MESSAGE_SHAPE: Shape = Shape::new(&[
    ("content", CONTENT),
    ("stop_reason", Node::leaf(Field::Finish)),
    ("usage", USAGE),
]);

pub(super) const DELTA: Node = Node::object(Field::None, &DELTA_SHAPE);
static DELTA_SHAPE: Shape = Shape::new(&[
    ("text", Node::leaf(Field::Output)),
    ("partial_json", Node::leaf(Field::Output)),
    ("thinking", Node::leaf(Field::Output)),
    ("stop_reason", Node::leaf(Field::Finish)),
]);

pub(super) const CONTENT: Node = Node { field: Field::Known, object: None, each: Some(&BLOCK) };
pub(super) static BLOCK: Node = Node::object(Field::None, &BLOCK_SHAPE);
static BLOCK_SHAPE: Shape = Shape::new(&[
    ("type", Node::leaf(Field::PartType)),
    ("text", Node::leaf(Field::Output)),
    ("thinking", Node::leaf(Field::Output)),
]);

pub(super) const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    ("input_tokens", Node::leaf(Field::Input)),
    ("output_tokens", Node::leaf(Field::OutputTokens)),
    ("cache_read_input_tokens", Node::leaf(Field::CachedInput)),
    ("cache_creation_input_tokens", Node::leaf(Field::CacheWrite)),
    ("output_tokens_details", Node::object(Field::None, &OUTPUT_DETAILS)),
]);
static OUTPUT_DETAILS: Shape = Shape::new(&[("thinking_tokens", Node::leaf(Field::Reasoning))]);
