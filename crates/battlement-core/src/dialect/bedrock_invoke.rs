//! Amazon Bedrock InvokeModel: the vendor's own body, whole or as base64 inside event frames.
//!
//! The vendors' bodies do not collide, so one shape reads Anthropic, Llama, Titan, Nova, Mistral,
//! Cohere and those that answer like OpenAI.

use super::{
    Field,
    anthropic::{CONTENT, EVENTS, MESSAGE, PARTS},
    bedrock_converse,
    error_body::ERROR,
    spec::{Choices, End, EventKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static INVOKE: Spec = Spec {
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

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("bytes", Node::leaf(Field::Embedded)),
    ("type", Node::leaf(Field::EventType)),
    ("error", ERROR),
    ("usage", USAGE),
    ("amazon-bedrock-invocationMetrics", Node::object(Field::Ended, &METRICS)),
    // Anthropic.
    ("delta", DELTA),
    ("message", MESSAGE),
    ("Message", Node::leaf(Field::ErrorMessage)),
    ("content_block", super::anthropic::BLOCK),
    ("content", CONTENT),
    ("stop_reason", Node::leaf(Field::Finish)),
    // Llama.
    ("generation", Node::leaf(Field::Output)),
    ("prompt_token_count", Node::leaf(Field::Input)),
    ("generation_token_count", Node::leaf(Field::OutputTokens)),
    // Titan: whole, and as a chunk.
    ("inputTextTokenCount", Node::leaf(Field::Input)),
    ("results", Node::list(&TITAN_RESULT)),
    ("outputText", Node::leaf(Field::Output)),
    ("completionReason", Node::leaf(Field::Finish)),
    ("totalOutputTextTokenCount", Node::leaf(Field::OutputTokens)),
    // Nova answers as Converse does; its stream wraps each event in its name.
    ("output", bedrock_converse::OUTPUT),
    ("stopReason", Node::leaf(Field::Finish)),
    ("contentBlockStart", Node::object(Field::None, &NOVA_EVENT)),
    ("contentBlockDelta", Node::object(Field::None, &NOVA_EVENT)),
    ("messageStop", Node::object(Field::None, &NOVA_EVENT)),
    ("metadata", Node::object(Field::None, &NOVA_EVENT)),
    // Mistral, Cohere, and those that answer like OpenAI.
    ("outputs", Node::list(&VENDOR_CHOICE)),
    ("generations", Node::list(&VENDOR_CHOICE)),
    ("choices", Node::list(&VENDOR_CHOICE)),
    ("text", Node::leaf(Field::Output)),
    ("finish_reason", Node::leaf(Field::Finish)),
]);

/// Anthropic's delta, and the one Nova shares with Converse.
const DELTA: Node = super::anthropic::DELTA;

static TITAN_RESULT: Node = Node::object(Field::None, &TITAN_RESULT_SHAPE);
static TITAN_RESULT_SHAPE: Shape = Shape::new(&[
    ("tokenCount", Node::leaf(Field::OutputTokens)),
    ("outputText", Node::leaf(Field::Output)),
    ("completionReason", Node::leaf(Field::Finish)),
]);

static NOVA_EVENT: Shape = Shape::new(&[
    ("start", bedrock_converse::BLOCK),
    ("delta", bedrock_converse::BLOCK),
    ("stopReason", Node::leaf(Field::Finish)),
    ("usage", bedrock_converse::USAGE),
]);

static VENDOR_CHOICE: Node = Node::object(Field::Choice, &VENDOR_CHOICE_SHAPE);
static VENDOR_CHOICE_SHAPE: Shape = Shape::new(&[
    ("index", Node::leaf(Field::Index)),
    ("text", Node::leaf(Field::Output)),
    ("stop_reason", Node::leaf(Field::Finish)),
    ("finish_reason", Node::leaf(Field::Finish)),
    ("message", VENDOR_MESSAGE),
    ("delta", VENDOR_MESSAGE),
]);
const VENDOR_MESSAGE: Node = Node::object(Field::None, &VENDOR_MESSAGE_SHAPE);
static VENDOR_MESSAGE_SHAPE: Shape = Shape::new(&[
    ("content", Node::leaf(Field::Output)),
    ("reasoning_content", Node::leaf(Field::Output)),
    ("tool_calls", Node::list(&TOOL_CALL)),
]);
static TOOL_CALL: Node = Node::leaf(Field::ToolCall);

const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    // Anthropic.
    ("input_tokens", Node::leaf(Field::Input)),
    ("output_tokens", Node::leaf(Field::OutputTokens)),
    ("cache_read_input_tokens", Node::leaf(Field::CachedInput)),
    ("cache_creation_input_tokens", Node::leaf(Field::CacheWrite)),
    // Nova.
    ("inputTokens", Node::leaf(Field::Input)),
    ("outputTokens", Node::leaf(Field::OutputTokens)),
    ("cacheReadInputTokenCount", Node::leaf(Field::CachedInput)),
    ("cacheWriteInputTokenCount", Node::leaf(Field::CacheWrite)),
    // Those that answer like OpenAI.
    ("prompt_tokens", Node::leaf(Field::Input)),
    ("completion_tokens", Node::leaf(Field::OutputTokens)),
]);
static METRICS: Shape = Shape::new(&[
    ("inputTokenCount", Node::leaf(Field::Input)),
    ("outputTokenCount", Node::leaf(Field::OutputTokens)),
    ("cacheReadInputTokenCount", Node::leaf(Field::CachedInput)),
    ("cacheWriteInputTokenCount", Node::leaf(Field::CacheWrite)),
]);
