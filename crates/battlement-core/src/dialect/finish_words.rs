//! What the words for stopping mean.
//!
//! One table for all dialects, compared without regard to case: proxies leak the upstream's words
//! into any dialect, and no word means two things.

use crate::FinishClass::{self, *};

/// What a finish reason means; an unknown word is never success.
pub(crate) fn finish_class(reason: &str) -> FinishClass {
    WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(reason))
        .map_or(Unknown, |(_, class)| *class)
}

/// Whether the identical request may end differently later.
pub(crate) fn is_transient(class: FinishClass, reason: &str) -> bool {
    match class {
        InsufficientResource | Timeout => true,
        Aborted | GenerationError => !LASTING.iter().any(|word| word.eq_ignore_ascii_case(reason)),
        _ => false,
    }
}

/// Words of classes that pass, for which the same input tends to fail again.
const LASTING: &[&str] =
    &["repetition", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE", "malformed_model_output"];

const WORDS: &[(&str, FinishClass)] = &[
    ("stop", Complete),
    ("end_turn", Complete),
    ("completed", Complete),
    ("complete", Complete),
    // Together.
    ("eos", Complete),
    // Titan.
    ("finish", Complete),
    ("stop_sequence", StopSequence),
    // Amazon's models behind Invoke.
    ("stop_criteria_met", StopSequence),
    ("length", Length),
    ("max_tokens", Length),
    ("max_output_tokens", Length),
    // Mistral.
    ("model_length", ContextWindow),
    ("model_context_window_exceeded", ContextWindow),
    // Cohere, legacy.
    ("error_limit", ContextWindow),
    ("tool_calls", ToolCall),
    ("function_call", ToolCall),
    ("tool_use", ToolCall),
    ("tool_call", ToolCall),
    ("content_filter", ContentFilter),
    ("content_filtered", ContentFilter),
    ("guardrail_intervened", ContentFilter),
    ("safety", ContentFilter),
    ("blocklist", ContentFilter),
    ("prohibited_content", ContentFilter),
    ("spii", ContentFilter),
    ("image_safety", ContentFilter),
    ("image_prohibited_content", ContentFilter),
    ("model_armor", ContentFilter),
    ("escalation", ContentFilter),
    ("pup_limited_disabled", ContentFilter),
    // Cohere, legacy.
    ("error_toxic", ContentFilter),
    ("recitation", Recitation),
    ("image_recitation", Recitation),
    ("refusal", Refusal),
    ("pause_turn", Pause),
    ("compaction", Pause),
    ("continuation", Pause),
    ("malformed_function_call", MalformedToolCall),
    ("unexpected_tool_call", MalformedToolCall),
    ("missing_thought_signature", MalformedToolCall),
    ("malformed_tool_use", MalformedToolCall),
    ("error", GenerationError),
    ("too_many_tool_calls", GenerationError),
    ("malformed_response", GenerationError),
    ("malformed_model_output", GenerationError),
    ("insufficient_system_resource", InsufficientResource),
    ("abort", Aborted),
    ("repetition", Aborted),
    ("user_cancel", Aborted),
    ("timeout", Timeout),
    // Ollama loads and unloads models on an empty prompt.
    ("load", NoGeneration),
    ("unload", NoGeneration),
];
