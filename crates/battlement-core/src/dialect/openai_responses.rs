//! OpenAI Responses.

use super::{
    Field,
    error_body::ERROR,
    openai_chat::{INPUT_DETAILS, OUTPUT_DETAILS},
    spec::{Choices, End, EventKind, PartKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static RESPONSES: Spec = Spec {
    answer: &ANSWER,
    events: &[
        ("response.completed", EventKind::End),
        ("response.incomplete", EventKind::End),
        ("response.failed", EventKind::Failed),
        ("error", EventKind::Error),
        ("keepalive", EventKind::KeepAlive),
        ("response.created", EventKind::Answer),
        ("response.queued", EventKind::Answer),
        ("response.in_progress", EventKind::Answer),
        ("*.delta", EventKind::Output),
        ("*.added", EventKind::Output),
        ("*.done", EventKind::Output),
    ],
    other_events: EventKind::Unknown,
    parts: &[
        // Tools that the server runs itself: the caller is asked for nothing.
        ("web_search_call", PartKind::Other),
        ("file_search_call", PartKind::Other),
        ("code_interpreter_call", PartKind::Other),
        ("image_generation_call", PartKind::Other),
        ("mcp_call", PartKind::Other),
        ("tool_search_call", PartKind::Other),
        ("mcp_approval_request", PartKind::ToolCall),
        ("*_call", PartKind::ToolCall),
    ],
    end: End::Marker,
    choices: Choices::One,
    cache_beside_input: false,
    absent_output_is_zero: false,
    many_documents: false,
    reasoning_beside_output: &[],
};

/// What a response's status says about its end.
pub(crate) enum Status {
    /// It failed; an error says why.
    Failed,
    /// It is incomplete; another field says why.
    Incomplete,
    /// It is the reason itself.
    Reason,
}

impl Status {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "failed" => Self::Failed,
            "incomplete" => Self::Incomplete,
            _ => Self::Reason,
        }
    }
}

static ANSWER: Node = Node::object(Field::Event, &ROOT);

/// The response itself, and the events that carry it.
static ROOT: Shape = Shape::new(&[
    ("type", Node::leaf(Field::EventType)),
    ("delta", Node::leaf(Field::Output)),
    ("response", Node::object(Field::None, &RESPONSE)),
    ("item", ITEM),
    ("part", PART),
    ("status", Node::leaf(Field::Status)),
    ("incomplete_details", Node::object(Field::None, &INCOMPLETE)),
    ("output", OUTPUT),
    ("usage", USAGE),
    ("error", ERROR),
    ("object", Node::leaf(Field::Known)),
    // An `error` event, as documented: flat.
    ("code", Node::leaf(Field::ErrorCode)),
    ("message", Node::leaf(Field::ErrorMessage)),
]);
static RESPONSE: Shape = Shape::new(&[
    ("status", Node::leaf(Field::Status)),
    ("incomplete_details", Node::object(Field::None, &INCOMPLETE)),
    ("output", OUTPUT),
    ("usage", USAGE),
    ("error", ERROR),
]);
static INCOMPLETE: Shape = Shape::new(&[("reason", Node::leaf(Field::IncompleteReason))]);

const OUTPUT: Node = Node { field: Field::Known, object: None, each: Some(&ITEM) };
static ITEM: Node = Node::object(Field::None, &ITEM_SHAPE);
static ITEM_SHAPE: Shape = Shape::new(&[
    ("type", Node::leaf(Field::PartType)),
    ("content", Node::list(&PART)),
    ("summary", Node::list(&PART)),
]);
static PART: Node = Node::object(Field::None, &PART_SHAPE);
static PART_SHAPE: Shape =
    Shape::new(&[("text", Node::leaf(Field::Output)), ("refusal", Node::leaf(Field::Refusal))]);

const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    ("input_tokens", Node::leaf(Field::Input)),
    ("output_tokens", Node::leaf(Field::OutputTokens)),
    ("input_tokens_details", Node::object(Field::None, &INPUT_DETAILS)),
    ("output_tokens_details", Node::object(Field::None, &OUTPUT_DETAILS)),
]);
