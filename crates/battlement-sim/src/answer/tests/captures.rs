//! Answers have the members that captured ones have, and no others.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::*;

/// Members that captures have and we leave out.
const LEFT_OUT: [&str; 2] = [
    // Padding, of which there need not be any.
    "/obfuscation",
    // A reasoning item, which comes with some models only.
    "/output/*/summary",
];

/// Members that happen to be in no capture of the dialect.
const BESIDE: [&str; 8] = [
    // In captures of the whole answer, or of a call that is not streamed.
    "/delta/usage/cached_tokens",
    "/delta/message/tool_calls/id",
    "/delta/message/tool_calls/type",
    "/delta/message/tool_calls/function/name",
    "/delta/message/tool_calls/function/arguments",
    "/item/content/*/refusal",
    "/part/logprobs",
    // In Amazon's description of the service.
    "/amazon-bedrock-invocationMetrics/cacheReadInputTokenCount",
];

#[test]
fn answers_have_the_members_of_captured_ones() {
    let captures = captures();
    let check = |file: &str, asked: Asked, reply: Reply| {
        let capture = captures.iter().find(|capture| capture.file == file);
        let expected = capture.unwrap_or_else(|| panic!("{file} is a capture"));
        let answer = super::reply(&asked, &reply);
        let told = members(&documents(&asked, &answer));
        let missing: Vec<&String> = expected
            .members
            .difference(&told)
            .filter(|member| !LEFT_OUT.contains(&member.as_str()) && !has(&told, member))
            .collect();
        assert!(missing.is_empty(), "{file} has {missing:?}, and the answer has {told:?}");
    };
    let whole = |dialect| Asked::new(dialect);
    let stream = |dialect| Asked::new(dialect).stream(true);
    let text = || Reply::default().input_tokens(100).cached_tokens(10).reasoning_tokens(3);
    let tool = || text().ending(Ending::ToolCall);
    let refused = || text().ending(Ending::Refused);

    check("openai_chat/ok.json", whole(Dialect::OpenAiChat), text());
    check("openai_chat/tool_call.json", whole(Dialect::OpenAiChat), tool());
    check("openai_chat/refusal.json", whole(Dialect::OpenAiChat), refused());
    check("openai_chat/stream_ok.sse", stream(Dialect::OpenAiChat), text());
    check("openai_chat/stream_tool_call.sse", stream(Dialect::OpenAiChat), tool());
    check("openai_chat/stream_refusal.sse", stream(Dialect::OpenAiChat), refused());
    check("openai_completions/ok.json", whole(Dialect::OpenAiCompletions), text());
    check("openai_completions/stream_ok.sse", stream(Dialect::OpenAiCompletions), text());
    check("openai_embeddings/ok.json", whole(Dialect::OpenAiEmbeddings), text());
    check("openai_responses/ok.json", whole(Dialect::OpenAiResponses), text());
    check("openai_responses/tool_call.json", whole(Dialect::OpenAiResponses), tool());
    check("openai_responses/refusal.json", whole(Dialect::OpenAiResponses), refused());
    check("openai_responses/stream_ok.sse", stream(Dialect::OpenAiResponses), text());
    check("openai_responses/stream_tool_call.sse", stream(Dialect::OpenAiResponses), tool());
    check("openai_responses/stream_refusal.sse", stream(Dialect::OpenAiResponses), refused());
    check("anthropic/ok.json", whole(Dialect::AnthropicMessages), text());
    check("anthropic/tool_call.json", whole(Dialect::AnthropicMessages), tool().text("I'll look."));
    check("anthropic/refusal.json", whole(Dialect::AnthropicMessages), refused());
    check("anthropic/stream_ok.sse", stream(Dialect::AnthropicMessages), text());
    check("anthropic/stream_tool_call.sse", stream(Dialect::AnthropicMessages), tool());
    check("gemini/ok.json", whole(Dialect::Gemini), text());
    check("gemini/tool_call.json", whole(Dialect::Gemini), tool());
    check("gemini/filtered.json", whole(Dialect::Gemini), text().ending(Ending::Filtered));
    check("gemini/stream_ok.sse", stream(Dialect::Gemini), text());
    check("bedrock_converse/ok.json", whole(Dialect::BedrockConverse), text());
    check("bedrock_converse/tool_call.json", whole(Dialect::BedrockConverse), tool());
    check("bedrock_converse/stream_ok.bin", stream(Dialect::BedrockConverse), text());
    check("bedrock_converse/stream_tool_call.bin", stream(Dialect::BedrockConverse), tool());
    check("bedrock_invoke/anthropic_ok.json", whole(Dialect::BedrockInvoke), text());
    check("bedrock_invoke/anthropic_stream_ok.bin", stream(Dialect::BedrockInvoke), text());
    check("cohere/ok.json", whole(Dialect::CohereV2), text());
    check("cohere/tool_call.json", whole(Dialect::CohereV2), tool());
    check("cohere/stream_ok.sse", stream(Dialect::CohereV2), text());
    check("ollama/ok.json", whole(Dialect::OllamaNative), text());
    check("ollama/tool_call.json", whole(Dialect::OllamaNative), tool());
    check("ollama/stream_ok.ndjson", stream(Dialect::OllamaNative), text());
    check("ollama/stream_tool_call.ndjson", stream(Dialect::OllamaNative), tool());
}

#[test]
fn no_member_is_made_up() {
    let captures = captures();
    for asked in ways() {
        // Claude speaks in its own dialect, wherever it runs; errors are the same for a provider.
        let is_alike = |capture: &&Capture| {
            let claude = asked.dialect == Dialect::BedrockInvoke
                && capture.dialect == Dialect::AnthropicMessages;
            let error = capture.error && capture.provider == vendor(asked.dialect);
            capture.dialect == asked.dialect || claude || error
        };
        let alike = captures.iter().filter(is_alike);
        let known = alike.flat_map(|capture| capture.members.iter().cloned()).collect();
        let check = |told: &[Value], what: &str| {
            for member in members(told) {
                let is_known = has(&known, &member) || BESIDE.contains(&member.as_str());
                assert!(is_known, "{}: {member} of {what} is in no capture", asked.dialect);
            }
        };
        for ending in Ending::ALL {
            let said = Reply::default()
                .ending(ending)
                .input_tokens(100)
                .cached_tokens(10)
                .reasoning_tokens(3);
            check(&documents(&asked, &reply(&asked, &said)), &format!("{ending:?}"));
        }
        for fault in Fault::ALL {
            let answer = super::fault(&asked, fault, Some(Duration::from_secs(3)));
            if answer.headers["content-type"] != "text/html" {
                check(&documents(&asked, &answer), &format!("{fault:?}"));
            }
        }
    }
}

/// Whether there is such a member, or something in it.
fn has(members: &BTreeSet<String>, member: &str) -> bool {
    let inside = format!("{member}/");
    members.iter().any(|other| other == member || other.starts_with(&inside))
}

struct Capture {
    file: String,
    dialect: Dialect,
    provider: Provider,
    error: bool,
    members: BTreeSet<String>,
}

fn captures() -> Vec<Capture> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"));
    let manifest = fs::read(folder.join("manifest.json")).expect("the captures are there");
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let fixtures = manifest["fixtures"].as_array().unwrap().iter();
    let captures = fixtures.map(|fixture| {
        let file = fixture["file"].as_str().unwrap();
        let body = fs::read(folder.join(file)).unwrap();
        Capture {
            file: file.to_owned(),
            dialect: fixture["dialect"].as_str().unwrap().parse().unwrap(),
            provider: fixture["provider"].as_str().unwrap().parse().unwrap(),
            error: fixture["status"].as_u64().unwrap() >= 400,
            members: members(&parse(&body)),
        }
    });
    captures.collect()
}

/// The JSON in a captured body, as far as there is any.
fn parse(body: &[u8]) -> Vec<Value> {
    if body.starts_with(&[0, 0]) {
        return frames(body);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Array(elements)) => return elements,
        Ok(document) => return vec![document],
        Err(_) => {}
    }
    let lines = body.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line.strip_prefix(b"data:").unwrap_or(line)).ok())
        .collect()
}

fn frames(mut body: &[u8]) -> Vec<Value> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
    let mut documents = Vec::new();
    while body.len() >= 12 && number(&body[..4]) <= body.len() {
        let (frame, rest) = body.split_at(number(&body[..4]));
        body = rest;
        let payload = &frame[12 + number(&frame[4..8])..frame.len() - 4];
        let Ok(payload) = serde_json::from_slice::<Value>(payload) else { continue };
        let inner = payload["bytes"].as_str().and_then(|bytes| STANDARD.decode(bytes).ok());
        let inner = inner.and_then(|inner| serde_json::from_slice(&inner).ok());
        documents.push(inner.unwrap_or(payload));
    }
    documents
}

/// Where in these documents there is anything: `/choices/*/index`. The arguments of tools are the
/// tool's.
fn members(documents: &[Value]) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, members: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, value) in object {
                    let path = format!("{path}/{name}");
                    if matches!(name.as_str(), "input" | "args" | "arguments") {
                        members.insert(path);
                    } else {
                        walk(value, &path, members);
                    }
                }
            }
            Value::Array(array) if !array.is_empty() => {
                array.iter().for_each(|value| walk(value, &format!("{path}/*"), members));
            }
            _ => {
                members.insert(path.to_owned());
            }
        }
    }
    let mut members = BTreeSet::new();
    documents.iter().for_each(|document| walk(document, "", &mut members));
    members
}
