//! Ollama's own API: `/api/chat` and `/api/generate`.

use super::{
    Field,
    error_body::ERROR,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static NATIVE: Spec = Spec {
    answer: &ANSWER,
    events: &[],
    other_events: EventKind::Answer,
    parts: &[],
    end: End::Marker,
    choices: Choices::One,
    cache_beside_input: false,
    absent_output_is_zero: false,
    many_documents: true,
    reasoning_beside_output: &[],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("message", Node::object(Field::Known, &MESSAGE)),
    ("response", Node::leaf(Field::Output)),
    ("thinking", Node::leaf(Field::Output)),
    ("done", Node::leaf(Field::Done)),
    ("done_reason", Node::leaf(Field::Finish)),
    ("prompt_eval_count", Node::leaf(Field::Input)),
    ("eval_count", Node::leaf(Field::OutputTokens)),
    ("error", ERROR),
]);
static MESSAGE: Shape = Shape::new(&[
    ("content", Node::leaf(Field::Output)),
    ("thinking", Node::leaf(Field::Output)),
    ("tool_calls", Node::list(&TOOL_CALL)),
]);
static TOOL_CALL: Node = Node::leaf(Field::ToolCall);
