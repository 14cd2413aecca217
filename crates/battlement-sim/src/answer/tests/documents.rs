//! What is written is what was to be said: the JSON of each event, in its framing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use battlement_core::{Dialect, FinishClass, Outcome};
use proptest::prelude::*;
use serde_json::Value;

use super::{Answer, Asked, Ending, Reply, read, reply, ways};

#[test]
fn any_text_arrives_as_it_was_written() {
    let texts = [
        "plain words",
        "\"quoted\" and \\escaped\\ \u{8}\u{c}\r\n\tand\u{0}\u{1f}",
        "Grüße, 世界! 🏰🏰 \u{2028}\u{feff}",
        "data: [DONE]\n\n{\"finish_reason\":\"stop\"}",
    ];
    for text in texts {
        for chunks in [1, 3, 100] {
            arrives(text, chunks);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_text_it_arrives(text in any::<String>(), chunks in 0_u32..20) {
        arrives(&text, chunks);
    }
}

fn arrives(text: &str, chunks: u32) {
    for asked in ways().filter(|asked| asked.dialect != Dialect::OpenAiEmbeddings) {
        let answer = reply(&asked, &Reply::default().text(text).chunks(chunks));
        let (whole, part) = text_pointers(asked.dialect);
        let told = strings(&asked, &answer, if asked.stream { part } else { whole });
        assert_eq!(told, text, "{}, stream: {}", asked.dialect, asked.stream);
        let verdict = read(&asked, &answer, answer.content.pieces());
        assert!(verdict.is_success(), "{}: {verdict:?}", asked.dialect);
    }
}

#[test]
fn a_tool_is_asked_for_with_its_arguments() {
    let arguments = r#"{"query":"a \"b\" \\ ü","limit":3}"#;
    let said = Reply::default().tool("search", arguments).chunks(3);
    for asked in ways().filter(|asked| Ending::ToolCall.is_told_by(asked.dialect)) {
        let name = format!("{}, stream: {}", asked.dialect, asked.stream);
        let answer = reply(&asked, &said);
        let Some(pointer) = arguments_pointer(&asked) else { continue };
        let found = documents(&asked, &answer);
        let found: Vec<&Value> = found.iter().filter_map(|json| json.pointer(pointer)).collect();
        let expected: Value = serde_json::from_str(arguments).unwrap();
        if found.iter().any(|value| value.is_object()) {
            assert_eq!(found, [&expected], "{name}");
        } else {
            let text: String = found.iter().filter_map(|value| value.as_str()).collect();
            assert_eq!(text, arguments, "{name}");
        }
        // Words before the call do not hide it.
        let answer = reply(&asked, &said.clone().text("I'll look."));
        let verdict = read(&asked, &answer, answer.content.pieces());
        assert_eq!(verdict.outcome, Outcome::Finished(FinishClass::ToolCall), "{name}");
        let _ = documents(&asked, &answer);
    }
}

/// Where the text of an answer is, and of an event.
fn text_pointers(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::OpenAiCompletions => ("/choices/0/text", "/choices/0/text"),
        Dialect::OpenAiResponses => ("/output/0/content/0/text", "/delta"),
        Dialect::AnthropicMessages | Dialect::BedrockInvoke => ("/content/0/text", "/delta/text"),
        Dialect::Gemini => {
            ("/candidates/0/content/parts/0/text", "/candidates/0/content/parts/0/text")
        }
        Dialect::BedrockConverse => ("/output/message/content/0/text", "/delta/text"),
        Dialect::CohereV2 => ("/message/content/0/text", "/delta/message/content/text"),
        Dialect::OllamaNative => ("/message/content", "/message/content"),
        _ => ("/choices/0/message/content", "/choices/0/delta/content"),
    }
}

fn arguments_pointer(asked: &Asked) -> Option<&'static str> {
    Some(match (asked.dialect, asked.stream) {
        (Dialect::OpenAiChat, false) => "/choices/0/message/tool_calls/0/function/arguments",
        (Dialect::OpenAiChat, true) => "/choices/0/delta/tool_calls/0/function/arguments",
        (Dialect::OpenAiResponses, false) => "/output/0/arguments",
        (Dialect::OpenAiResponses, true) => "/delta",
        (Dialect::AnthropicMessages | Dialect::BedrockInvoke, false) => "/content/0/input",
        (Dialect::AnthropicMessages | Dialect::BedrockInvoke, true) => "/delta/partial_json",
        (Dialect::Gemini, _) => "/candidates/0/content/parts/0/functionCall/args",
        (Dialect::BedrockConverse, false) => "/output/message/content/0/toolUse/input",
        (Dialect::BedrockConverse, true) => "/delta/toolUse/input",
        (Dialect::CohereV2, false) => "/message/tool_calls/0/function/arguments",
        (Dialect::CohereV2, true) => "/delta/message/tool_calls/function/arguments",
        (Dialect::OllamaNative, _) => "/message/tool_calls/0/function/arguments",
        _ => return None,
    })
}

pub(super) fn strings(asked: &Asked, answer: &Answer, pointer: &str) -> String {
    let documents = documents(asked, answer);
    documents.iter().filter_map(|json| json.pointer(pointer)?.as_str()).collect()
}

/// The JSON of an answer: of each event, in the framing that its content type promises.
pub(super) fn documents(asked: &Asked, answer: &Answer) -> Vec<Value> {
    let parse = |text: &[u8]| -> Value {
        let text = String::from_utf8(text.to_vec()).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let kind = answer.headers["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap();
    match kind {
        "application/json" => match parse(&answer.content.concat()) {
            Value::Array(elements) => elements,
            document => vec![document],
        },
        "application/x-ndjson" => answer
            .content
            .pieces()
            .iter()
            .map(|line| {
                assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
                parse(line)
            })
            .collect(),
        "text/event-stream" => answer
            .content
            .pieces()
            .iter()
            .filter_map(|event| {
                let text = std::str::from_utf8(event).unwrap();
                let text = text.strip_suffix("\r\n\r\n").or(text.strip_suffix("\n\n"));
                let lines: Vec<&str> = text.expect("a blank line at the end").lines().collect();
                let (data, names) = lines.split_last().unwrap();
                let data = data.strip_prefix("data: ").unwrap();
                if data == "[DONE]" {
                    return None;
                }
                let json = parse(data.as_bytes());
                for name in names {
                    assert_eq!(Some(name.strip_prefix("event: ").unwrap()), json["type"].as_str());
                }
                Some(json)
            })
            .collect(),
        _ => answer.content.pieces().iter().map(|frame| parse(&payload(asked, frame))).collect(),
    }
}

/// What is in a frame of Amazon's; its checksums are core's to check.
fn payload(asked: &Asked, frame: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        usize::try_from(u32::from_be_bytes(frame[at..at + 4].try_into().unwrap())).unwrap()
    };
    assert_eq!(number(0), frame.len());
    let payload = &frame[12 + number(4)..frame.len() - 4];
    if asked.dialect == Dialect::BedrockConverse {
        return payload.to_vec();
    }
    let payload: Value = serde_json::from_slice(payload).unwrap();
    STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap()
}
