//! OpenAI Chat Completions, and every server that speaks it.

use super::{
    Field, Provider,
    error_body::ERROR,
    spec::{Choices, End, EventKind, PartKind, Spec},
};
use crate::scan::shape::{Node, Shape};

pub(super) static CHAT: Spec = Spec {
    answer: &ANSWER,
    // A flat error body calls itself `"object": "error"`.
    events: &[("error", EventKind::Error)],
    other_events: EventKind::Answer,
    parts: &[("tool_use", PartKind::ToolCall)],
    end: End::Marker,
    choices: Choices::ByPosition,
    cache_beside_input: false,
    absent_output_is_zero: false,
    many_documents: false,
    reasoning_beside_output: &[Provider::Xai],
};

static ANSWER: Node = Node::object(Field::Event, &ROOT);
static ROOT: Shape = Shape::new(&[
    ("choices", CHOICES),
    ("usage", USAGE),
    ("object", Node::leaf(Field::EventType)),
    ("error", ERROR),
    ("x_groq", Node::object(Field::None, &X_GROQ)),
    ("message", Node::leaf(Field::ErrorMessage)),
    ("type", Node::leaf(Field::ErrorType)),
    ("code", Node::leaf(Field::ErrorCode)),
    // Cerebras, beside the error.
    ("status_code", Node::leaf(Field::ErrorStatus)),
]);

const CHOICES: Node = Node { field: Field::Known, object: None, each: Some(&CHOICE) };
static CHOICE: Node = Node::object(Field::Choice, &CHOICE_SHAPE);
static CHOICE_SHAPE: Shape = Shape::new(&[
    ("index", Node::leaf(Field::Index)),
    ("finish_reason", Node::leaf(Field::Finish)),
    ("native_finish_reason", Node::leaf(Field::NativeFinish)),
    // SGLang and vLLM: the caller's stop string that was hit, or the number of a token.
    ("matched_stop", Node::leaf(Field::StopString)),
    ("stop_reason", Node::leaf(Field::StopString)),
    ("delta", MESSAGE),
    ("message", MESSAGE),
    // Legacy completions.
    ("text", Node::leaf(Field::Output)),
    // OpenRouter.
    ("error", ERROR),
    // Moonshot.
    ("usage", USAGE),
]);

const MESSAGE: Node = Node::object(Field::None, &MESSAGE_SHAPE);
static MESSAGE_SHAPE: Shape = Shape::new(&[
    ("content", Node::leaf(Field::Output).or_list(&PART)),
    ("refusal", Node::leaf(Field::Refusal)),
    ("tool_calls", Node::leaf(Field::ToolCall).or_list(&TOOL_CALL)),
    ("function_call", Node::leaf(Field::ToolCall)),
    ("reasoning_content", Node::leaf(Field::Output)),
    ("reasoning", Node::leaf(Field::Output)),
    ("audio", Node::object(Field::None, &AUDIO)),
]);
static TOOL_CALL: Node = Node::leaf(Field::ToolCall);
static AUDIO: Shape =
    Shape::new(&[("data", Node::leaf(Field::Output)), ("transcript", Node::leaf(Field::Output))]);

/// Mistral sends content as parts, thinking as parts of a part.
static PART: Node = Node::object(Field::None, &PART_SHAPE);
static PART_SHAPE: Shape = Shape::new(&[
    ("text", Node::leaf(Field::Output)),
    ("refusal", Node::leaf(Field::Refusal)),
    ("thinking", Node::leaf(Field::Output).or_list(&THOUGHT)),
]);
static THOUGHT: Node = Node::object(Field::None, &THOUGHT_SHAPE);
static THOUGHT_SHAPE: Shape = Shape::new(&[("text", Node::leaf(Field::Output))]);

static X_GROQ: Shape = Shape::new(&[("usage", USAGE), ("error", ERROR)]);

pub(super) const USAGE: Node = Node::object(Field::Usage, &USAGE_SHAPE);
static USAGE_SHAPE: Shape = Shape::new(&[
    ("prompt_tokens", Node::leaf(Field::Input)),
    ("completion_tokens", Node::leaf(Field::OutputTokens)),
    ("prompt_tokens_details", Node::object(Field::None, &INPUT_DETAILS)),
    ("completion_tokens_details", Node::object(Field::None, &OUTPUT_DETAILS)),
    // DeepSeek, Moonshot and Perplexity.
    ("prompt_cache_hit_tokens", Node::leaf(Field::CachedInput)),
    ("cached_tokens", Node::leaf(Field::CachedInput)),
    ("reasoning_tokens", Node::leaf(Field::Reasoning)),
]);
pub(super) static INPUT_DETAILS: Shape = Shape::new(&[
    ("cached_tokens", Node::leaf(Field::CachedInput)),
    ("cache_write_tokens", Node::leaf(Field::CacheWrite)),
]);
pub(super) static OUTPUT_DETAILS: Shape =
    Shape::new(&[("reasoning_tokens", Node::leaf(Field::Reasoning))]);
