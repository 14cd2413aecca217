//! An answer that comes in good order, and is not what was asked for.

use crate::{
    scenario::{Scenario, played},
    words::Spoken,
};

const SCENARIOS: &[Scenario] = &[
    // The model says it itself: the answer is passed on, and known for what it is.
    Scenario::new(
        "truncate; ok",
        "all of it, whole, which is llm.truncated (Unusable)",
        "length",
        "finished",
    ),
    Scenario::new(
        "truncate; ok",
        "all of it, whole, which is llm.truncated (Unusable)",
        "length",
        "finished",
    )
    .whole(),
    Scenario::new(
        "truncate; ok",
        "all of it, whole, which is llm.truncated (Unusable)",
        "length",
        "finished",
    )
    .to(Spoken::Anthropic),
    Scenario::new(
        "truncate; ok",
        "all of it, whole, which is llm.truncated (Unusable)",
        "length",
        "finished",
    )
    .to(Spoken::Gemini),
    Scenario::new(
        "filter; ok",
        "all of it, whole, which is llm.content_filter (Unusable)",
        "content_filter",
        "finished",
    ),
    Scenario::new(
        "filter; ok",
        "all of it, whole, which is llm.content_filter (Unusable)",
        "content_filter",
        "finished",
    )
    .to(Spoken::Gemini),
    Scenario::new(
        "refuse; ok",
        "all of it, whole, which is llm.refusal (Unusable)",
        "refusal",
        "finished",
    )
    .to(Spoken::Anthropic),
    // The stream ends in good order, and without a reason for stopping: half of it may be missing.
    Scenario::new(
        "unfinished; ok",
        "all of it, then llm.stream.cut (Upstream)",
        "stream_cut",
        "finished",
    ),
    Scenario::new(
        "unfinished; ok",
        "all of it, then llm.stream.cut (Upstream)",
        "stream_cut",
        "finished",
    )
    .to(Spoken::Anthropic),
    Scenario::new(
        "unfinished; ok",
        "all of it, then llm.stream.cut (Upstream)",
        "stream_cut",
        "finished",
    )
    .to(Spoken::Gemini),
    // A 200 with nothing in it.
    Scenario::new(
        "answer 200 \"content-type: application/json\" saying \"\"; ok",
        "all of it, whole",
        "server_error, complete",
        "finished, finished",
    )
    .whole(),
    Scenario::new(
        "answer 200 \"content-type: text/event-stream\" saying \"\"; ok",
        "all of it, whole",
        "stream_cut, complete",
        "finished, finished",
    ),
    Scenario::new(
        "answer 200 \"content-type: text/html\" saying \"<html>Hi</html>\"; ok",
        "all of it, whole",
        "server_error, complete",
        "finished, finished",
    )
    .whole(),
    // An error whose status says 200.
    Scenario::new(
        "overloaded after 0 events; ok",
        "all of it, whole",
        "overloaded, complete",
        "finished, finished",
    )
    .whole(),
    // What the model has not said may be right, and passes.
    Scenario::new("empty; ok", "\"\", whole", "complete", "finished"),
];

played!(SCENARIOS);
