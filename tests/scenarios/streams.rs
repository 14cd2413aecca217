//! A stream that goes wrong on its way.

use crate::{
    scenario::{Scenario, played},
    words::Spoken,
};

const SCENARIOS: &[Scenario] = &[
    Scenario::new("ok", "all of it, whole", "complete", "finished"),
    Scenario::new("ok", "all of it, whole", "complete", "finished").to(Spoken::Anthropic),
    Scenario::new("ok", "all of it, whole", "complete", "finished").to(Spoken::Gemini),
    Scenario::new("every 10ms", "all of it, whole", "complete", "finished").takes(60),
    // The first word is late: within the limit, and beyond it.
    Scenario::new("first token after 150ms", "all of it, whole", "complete", "finished").takes(150),
    Scenario::new(
        "first token after 60s; ok",
        "all of it, whole",
        "overdue, complete",
        "left after 0, finished",
    )
    .takes(500),
    // Cut before the first word, nobody notices.
    Scenario::new(
        "cut after 0 events; ok",
        "all of it, whole",
        "stream_cut, complete",
        "broken after 0, finished",
    ),
    Scenario::new(
        "cut after 1 event; ok",
        "all of it, whole",
        "stream_cut, complete",
        "broken after 1, finished",
    ),
    // Cut behind it, what came is there, and then an error.
    Scenario::new(
        "cut after 3 events; ok",
        "\"The castle sta\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 3",
    ),
    Scenario::new(
        "cut after 5 events; ok",
        "\"The castle sta\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 5",
    )
    .to(Spoken::Anthropic),
    Scenario::new(
        "cut after 1 event; ok",
        "\"The cas\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 1",
    )
    .to(Spoken::Gemini),
    Scenario::new(
        "torn after 2 events; ok",
        "\"The cas\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 3",
    ),
    Scenario::new(
        "reset after 3 events; ok",
        "\"The castle sta\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 3",
    ),
    Scenario::new(
        "reset after 0 events; ok",
        "all of it, whole",
        "stream_cut, complete",
        "broken after 0, finished",
    ),
    // It falls silent.
    Scenario::new(
        "stall after 0 events; ok",
        "all of it, whole",
        "overdue, complete",
        "left after 0, finished",
    )
    .takes(500),
    Scenario::new(
        "stall after 3 events; ok",
        "\"The castle sta\", then llm.timeout.idle (Timeout)",
        "overdue",
        "left after 3",
    )
    .takes(350),
    Scenario::new(
        "stall after 5 events; ok",
        "\"The castle sta\", then llm.timeout.idle (Timeout)",
        "overdue",
        "left after 5",
    )
    .to(Spoken::Anthropic)
    .takes(350),
    // A chunk that is none, of HTTP and of JSON.
    Scenario::new(
        "bad chunk after 3 events; ok",
        "\"The castle sta\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "broken after 3",
    ),
    Scenario::new(
        "bad chunk after 0 events; ok",
        "all of it, whole",
        "stream_cut, complete",
        "broken after 0, finished",
    ),
    Scenario::new(
        "malformed after 3 events; ok",
        "\"The castle staa hill.\", then llm.stream.corrupt (Upstream)",
        "stream_corrupt",
        "finished",
    ),
    // An end in good order, too early.
    Scenario::new(
        "end after 3 events; ok",
        "\"The castle sta\", then llm.stream.cut (Upstream)",
        "stream_cut",
        "finished",
    ),
    Scenario::new(
        "end after 0 events; ok",
        "all of it, whole",
        "stream_cut, complete",
        "finished, finished",
    ),
    // Only the terminal event is missing. The model has said why it stopped, so nothing is lost.
    Scenario::new("end after 99 events; ok", "all of it", "complete", "finished"),
    Scenario::new("end after 99 events; ok", "all of it", "complete", "finished")
        .to(Spoken::Anthropic),
    // An error in the middle.
    Scenario::new(
        "overloaded after 5 events; ok",
        "\"The castle sta\", then llm.provider.overloaded (Upstream)",
        "overloaded",
        "finished",
    )
    .to(Spoken::Anthropic),
    Scenario::new(
        "overloaded after 1 event; ok",
        "all of it, whole",
        "overloaded, complete",
        "finished, finished",
    )
    .to(Spoken::Anthropic),
    // A document that is cut is held until its end, so it can be had again.
    Scenario::new(
        "cut after 0 events; ok",
        "all of it, whole",
        "stream_cut, complete",
        "broken after 1, finished",
    )
    .whole(),
    // The document is all there, and something behind it that was promised is not.
    Scenario::new(
        "wrong length; ok",
        "all of it, whole, then llm.network.disconnected (Upstream)",
        "complete",
        "broken after 1",
    )
    .whole(),
];

played!(SCENARIOS);
