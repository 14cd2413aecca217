//! Gemini and Vertex `generateContent`, also streamed as SSE or as one JSON array.

use super::{
    Field,
    error_body::ERROR,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static GEMINI: Spec = Spec {
    answer: &ANSWER,
    events: &[],
    other_events: EventKind::Answer,
    parts: &[],
    end: End::Finish,
    choices: Choices::ZeroLeftOut,
    cache_beside_input: false,
    absent_output_is_zero: true,
    many_documents: false,
    reasoning_beside_output: &[],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT).or_list(&CHUNK);
static CHUNK: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("candidates", CANDIDATES),
    ("usageMetadata", USAGE),
    ("promptFeedback", Node::object(Field::Known, &FEEDBACK)),
    ("error", ERROR),
    ("modelVersion", Node::leaf(Field::Known)),
]);

const CANDIDATES: Node = Node { field: Field::Known, object: None, each: Some(&CANDIDATE) };
static CANDIDATE: Node = Node::object(Field::Choice, &CANDIDATE_SHAPE);
static CANDIDATE_SHAPE: Shape = Shape::new(&[
    ("index", Node::leaf(Field::Index)),
    ("finishReason", Node::leaf(Field::Finish)),
    ("content", Node::object(Field::None, &CONTENT)),
]);
static CONTENT: Shape = Shape::new(&[("parts", Node::list(&PART))]);
static PART: Node = Node::object(Field::None, &PART_SHAPE);
static PART_SHAPE: Shape = Shape::new(&[
    ("text", Node::leaf(Field::Output)),
    ("functionCall", Node::leaf(Field::ToolCall)),
    ("inlineData", Node::leaf(Field::Output)),
    ("executableCode", Node::leaf(Field::Output)),
]);
static FEEDBACK: Shape = Shape::new(&[("blockReason", Node::leaf(Field::BlockReason))]);

const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    ("promptTokenCount", Node::leaf(Field::Input)),
    ("toolUsePromptTokenCount", Node::leaf(Field::ExtraInput)),
    ("cachedContentTokenCount", Node::leaf(Field::CachedInput)),
    ("candidatesTokenCount", Node::leaf(Field::OutputTokens)),
    ("thoughtsTokenCount", Node::leaf(Field::ExtraReasoning)),
]);
