//! OpenAI embeddings: no choices and no output tokens, by design.

use super::{
    Field,
    error_body::ERROR,
    openai_chat::USAGE,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static EMBEDDINGS: Spec = Spec {
    answer: &ANSWER,
    events: &[("error", EventKind::Error)],
    other_events: EventKind::Answer,
    parts: &[],
    end: End::Finish,
    choices: Choices::Nothing,
    cache_beside_input: false,
    absent_output_is_zero: true,
    many_documents: false,
    reasoning_beside_output: &[],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("data", Node::leaf(Field::Known)),
    ("object", Node::leaf(Field::EventType)),
    ("usage", USAGE),
    ("error", ERROR),
    ("message", Node::leaf(Field::ErrorMessage)),
    ("type", Node::leaf(Field::ErrorType)),
    ("code", Node::leaf(Field::ErrorCode)),
]);
