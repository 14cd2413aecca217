//! The SDKs through the gateway, by changing one address: what is whole stays whole, what is not raises an error of the right class,
//! and nothing is repeated twice over.

use std::time::Duration;

use battlement_gateway::{
    config,
    serve::{Running, anywhere},
};
use battlement_sim::{
    Provider,
    answer::Reply,
    provider::{End, Stage},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    client::{
        Client,
        Sdk::{self, AnthropicPython, OpenAiNode, OpenAiPython},
    },
    direct::holds,
};

const SAID: &str = "The castle stands on a hill.";

/// What a provider does, what the SDK is told to do, what has to be in that which came of it, and how many requests arrive.
struct Play {
    sdk: Sdk,
    script: &'static str,
    task: &'static str,
    expected: Value,
    requests: u64,
}

fn play(
    sdk: Sdk,
    script: &'static str,
    task: &'static str,
    requests: u64,
    expected: Value,
) -> Play {
    Play { sdk, script, task, expected, requests }
}

fn plays() -> Vec<Play> {
    let whole = |finish: &str| json!({"text": SAID, "finish": finish, "error": null});
    let error =
        |class: &str, status: u16| json!({"error": {"class": class, "status_code": status}});
    let tool = |finish: &str| json!({"tool": "get_weather", "is_json": true, "finish": finish});
    vec![
        play(OpenAiPython, "ok", "plain", 1, whole("stop")),
        play(OpenAiPython, "ok", "stream", 1, whole("stop")),
        play(OpenAiPython, "ok", "respond", 1, whole("completed")),
        play(OpenAiPython, "ok", "respond_stream", 1, whole("completed")),
        play(OpenAiPython, "ok", "embed", 1, json!({"vectors": 2, "error": null})),
        play(OpenAiPython, "ok", "models", 0, json!({"models": ["gpt-5-mini"]})),
        play(OpenAiPython, "tool call", "tools", 1, tool("tool_calls")),
        play(
            OpenAiPython,
            r#"saying "{\"name\":\"Hohenburg\",\"towers\":4}""#,
            "structured",
            1,
            json!({"parsed": {"name": "Hohenburg", "towers": 4}}),
        ),
        play(OpenAiNode, "ok", "plain", 1, whole("stop")),
        play(OpenAiNode, "ok", "stream", 1, whole("stop")),
        play(OpenAiNode, "ok", "respond", 1, whole("completed")),
        play(OpenAiNode, "tool call", "tools", 1, tool("tool_calls")),
        play(AnthropicPython, "ok", "plain", 1, whole("end_turn")),
        play(AnthropicPython, "ok", "stream", 1, whole("end_turn")),
        play(AnthropicPython, "ok", "count", 1, json!({"counted": true})),
        play(AnthropicPython, "tool call", "tools", 1, tool("tool_use")),
        // What passes by itself is not noticed.
        play(OpenAiPython, "500; ok", "plain", 2, whole("stop")),
        play(OpenAiNode, "cut after 1 events; ok", "stream", 2, whole("stop")),
        play(AnthropicPython, "overloaded; ok", "plain", 2, whole("end_turn")),
        // Half an answer is an error, though its stream ends in good order.
        play(
            OpenAiPython,
            "end after 3 events",
            "stream",
            1,
            json!({"error": {"class": "APIError"}}),
        ),
        play(
            OpenAiNode,
            "end after 3 events",
            "stream",
            1,
            json!({"error": {"class": "APIError"}}),
        ),
        play(
            AnthropicPython,
            "end after 4 events",
            "stream",
            1,
            json!({"error": {"class": "APIStatusError"}}),
        ),
        // What was tried here as often as it may be is not tried again there: three requests, and not nine.
        play(OpenAiPython, "500", "plain", 3, error("InternalServerError", 500)),
        play(OpenAiNode, "500", "plain", 3, error("InternalServerError", 500)),
        play(AnthropicPython, "500", "plain", 3, error("InternalServerError", 500)),
        play(OpenAiPython, "429 after 10ms", "plain", 3, error("RateLimitError", 429)),
        play(OpenAiNode, "429 after 10ms", "plain", 3, error("RateLimitError", 429)),
        play(AnthropicPython, "429 after 10ms", "plain", 3, error("RateLimitError", 429)),
        play(
            OpenAiPython,
            "context overflow",
            "plain",
            1,
            json!({"error": {"class": "BadRequestError", "code": "context_length_exceeded"}}),
        ),
        play(
            AnthropicPython,
            "context overflow",
            "plain",
            1,
            json!({"error": {"class": "BadRequestError", "type": "invalid_request_error"}}),
        ),
    ]
}

/// In front of this provider; a key that no client has, and no waits that are long.
async fn gateway(url: &str) -> Running {
    let file = format!(
        "log = \"off\"\n\
         [providers.main]\nkind = \"openai\"\nbase_url = \"{url}\"\nkey = \"sk-of-the-gateway\"\nspeaks = [\"openai\", \"anthropic\"]\n\
         [[models]]\nname = \"gpt-5-mini\"\nto = [{{ provider = \"main\" }}]\n\
         [[models]]\nname = \"*\"\nto = [{{ provider = \"main\" }}]\n"
    );
    Running::start(config::parse(&file).unwrap(), anywhere().await.unwrap(), None).await.unwrap()
}

#[tokio::test]
async fn what_sdks_make_of_the_gateway() {
    let mut failed = Vec::new();
    for sdk in Sdk::ALL {
        let mut client = Client::start(sdk);
        for Play { script, task, expected, requests, .. } in
            plays().into_iter().filter(|play| play.sdk == sdk)
        {
            let provider = Provider::script(script).unwrap().reply(Reply::default().text(SAID));
            let server = provider.listen().await.unwrap();
            let gateway = gateway(server.url()).await;
            // Two retries of its own, as it comes.
            let url = format!("http://{}", gateway.address());
            let told = client.play(&url, task, json!({})).await;
            let arrived = provider.counts().arrived;
            if !holds(&expected, &told) || arrived != requests {
                failed.push(format!(
                    "{sdk:?}, {script:?}, {task}:\n  expected {expected}, {requests} requests\n  got      {told}, {arrived} requests"
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn who_leaves_is_left_by_the_provider() {
    for sdk in Sdk::ALL {
        let mut client = Client::start(sdk);
        let provider = Provider::script("every 20ms 500 tokens stall after 6 events").unwrap();
        let server = provider.listen().await.unwrap();
        let gateway = gateway(server.url()).await;
        let url = format!("http://{}", gateway.address());
        let told = client.play(&url, "leave", json!({})).await;
        assert!(told["left"].is_string(), "{sdk:?}: {told}");
        timeout(Duration::from_secs(5), provider.ended(1)).await.expect("it was told");
        assert_eq!(provider.record()[0].end, Some(End::Cancelled(Stage::Body)), "{sdk:?}");
    }
}
