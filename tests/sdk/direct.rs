//! What the SDKs make of a provider that misbehaves, with nothing in between: the simulated provider is one to them, and
//! an answer that was cut is a good one to some.

use battlement_sim::{Provider, answer::Reply};
use serde_json::{Value, json};

use crate::client::{
    Client,
    Sdk::{self, AnthropicPython, OpenAiNode, OpenAiPython},
};

const SAID: &str = "The castle stands on a hill.";

/// What a provider does, what the SDK is told to do, and what has to be in that which came of it.
struct Play {
    sdk: Sdk,
    script: &'static str,
    task: &'static str,
    expected: Value,
}

fn play(sdk: Sdk, script: &'static str, task: &'static str, expected: Value) -> Play {
    Play { sdk, script, task, expected }
}

fn plays() -> Vec<Play> {
    let whole = |finish: &str| json!({"text": SAID, "finish": finish, "error": null});
    vec![
        play(OpenAiPython, "ok", "plain", whole("stop")),
        play(OpenAiPython, "ok", "stream", whole("stop")),
        play(OpenAiPython, "ok", "respond", whole("completed")),
        play(OpenAiPython, "ok", "respond_stream", whole("completed")),
        play(OpenAiPython, "ok", "embed", json!({"vectors": 2, "error": null})),
        play(
            OpenAiPython,
            "tool call",
            "tools",
            json!({"tool": "get_weather", "is_json": true, "finish": "tool_calls"}),
        ),
        play(
            OpenAiPython,
            r#"saying "{\"name\":\"Hohenburg\",\"towers\":4}""#,
            "structured",
            json!({"parsed": {"name": "Hohenburg", "towers": 4}}),
        ),
        play(OpenAiNode, "ok", "plain", whole("stop")),
        play(OpenAiNode, "ok", "stream", whole("stop")),
        play(OpenAiNode, "ok", "respond", whole("completed")),
        play(
            OpenAiNode,
            "tool call",
            "tools",
            json!({"tool": "get_weather", "is_json": true, "finish": "tool_calls"}),
        ),
        play(AnthropicPython, "ok", "plain", whole("end_turn")),
        play(AnthropicPython, "ok", "stream", whole("end_turn")),
        play(AnthropicPython, "ok", "count", json!({"counted": true})),
        play(
            AnthropicPython,
            "tool call",
            "tools",
            json!({"tool": "get_weather", "is_json": true, "finish": "tool_use"}),
        ),
        // Nobody tells these callers that they have half an answer.
        play(OpenAiPython, "end after 3 events", "stream", json!({"finish": null, "error": null})),
        play(OpenAiNode, "end after 3 events", "stream", json!({"finish": null, "error": null})),
        play(
            AnthropicPython,
            "end after 4 events",
            "stream",
            json!({"finish": null, "error": null}),
        ),
        // Errors are of the class that says what they are.
        play(
            OpenAiPython,
            "429 after 7s",
            "plain",
            json!({"error": {"class": "RateLimitError", "status_code": 429, "retry_after": "7"}}),
        ),
        play(
            OpenAiNode,
            "429 after 7s",
            "plain",
            json!({"error": {"class": "RateLimitError", "status_code": 429, "retry_after": "7"}}),
        ),
        play(
            AnthropicPython,
            "overloaded",
            "plain",
            json!({"error": {"class": "OverloadedError", "status_code": 529, "type": "overloaded_error"}}),
        ),
        play(
            OpenAiPython,
            "context overflow",
            "plain",
            json!({"error": {"class": "BadRequestError", "code": "context_length_exceeded"}}),
        ),
    ]
}

/// Whether all of what is expected is there.
pub(crate) fn holds(expected: &Value, told: &Value) -> bool {
    match expected {
        Value::Object(members) => members
            .iter()
            .all(|(name, expected)| holds(expected, told.get(name).unwrap_or(&Value::Null))),
        expected => expected == told,
    }
}

#[tokio::test]
async fn what_sdks_make_of_a_provider() {
    let mut failed = Vec::new();
    for sdk in Sdk::ALL {
        let mut client = Client::start(sdk);
        for Play { script, task, expected, .. } in
            plays().into_iter().filter(|play| play.sdk == sdk)
        {
            let provider = Provider::script(script).unwrap().reply(Reply::default().text(SAID));
            let server = provider.listen().await.unwrap();
            let told = client.play(server.url(), task, json!({"max_retries": 0})).await;
            if !holds(&expected, &told) {
                failed.push(format!(
                    "{sdk:?}, {script:?}, {task}:\n  expected {expected}\n  got      {told}"
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
