//! Every captured answer is explained as the manifest expects.

use std::fs;

use serde_json::{Value, json};

use crate::{explain, fixture, printed, scratch};

#[test]
fn as_expected() {
    let manifest = fixture("manifest.json");
    let text = printed(&["--manifest", &manifest, "--json"], b"");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let fixtures = written["fixtures"].as_array().unwrap();
    assert_eq!(lines.len(), fixtures.len());
    assert!(fixtures.len() > 300);

    let mut wrong = Vec::new();
    for (line, fixture) in lines.iter().zip(fixtures) {
        assert_eq!(line["file"], fixture["file"]);
        wrong.extend(differences(line, fixture));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

fn differences(line: &Value, fixture: &Value) -> Vec<String> {
    let expect = &fixture["expect"];
    let keys = [
        "outcome",
        "finish_reasons",
        "finish_classes",
        "usage",
        "retryable",
        "retry_after_ms",
        "retry_after_source",
        "stream_end",
    ];
    // Absent and null say the same.
    let mut differ: Vec<_> = keys.into_iter().filter(|key| line[key] != expect[key]).collect();
    if expect.get("rate_limit").is_some_and(|windows| *windows != line["rate_limit"]) {
        differ.push("rate_limit");
    }
    if !error_is_as_expected(&line["error"], expect) {
        differ.push("error");
    }
    let is_success =
        ["complete", "stop_sequence", "tool_call", "no_generation", "pause"].map(Value::from);
    if line["code"].is_null() != is_success.contains(&line["outcome"]) {
        differ.push("code");
    }
    let shown =
        |key: &str| format!("{}: {key}: {} is not {}", line["file"], line[key], expect[key]);
    differ.into_iter().map(shown).collect()
}

fn error_is_as_expected(error: &Value, expect: &Value) -> bool {
    let Some(members) = expect["error"].as_object() else {
        let kind = expect["kind"].as_str().unwrap();
        return error.is_null() != kind.ends_with("_error");
    };
    !error.is_null()
        && members.iter().all(|(key, expected)| match key.as_str() {
            "message_contains" => {
                let part = expected.as_str().unwrap();
                error["message"].as_str().is_some_and(|message| message.contains(part))
            }
            _ => error[key] == *expected,
        })
}

#[test]
fn as_a_table() {
    let text = printed(&["--manifest", &fixture("manifest.json")], b"");
    let lines: Vec<_> = text.lines().collect();
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(lines[0]), ["file", "status", "outcome", "retry", "code"]);
    assert_eq!(cells(lines[1]), ["openai_chat/ok.json", "200", "complete"]);
    let limited = lines.iter().find(|line| line.contains("rate_limit_tokens.json")).unwrap();
    let expected = ["429", "rate_limit_tokens", "in", "4", "s", "llm.rate_limit.tokens"];
    assert_eq!(cells(limited)[1..], expected);
    assert!(lines.last().unwrap().starts_with("398 answers: "), "{:?}", lines.last());
}

#[test]
fn what_is_left_out_is_guessed() {
    let folder = scratch_folder();
    let manifest = json!({ "fixtures": [
        { "file": "bare.sse" },
        { "file": "limited.json", "status": 429, "headers": { "Retry-After": "2" } },
    ]});
    fs::write(folder.join("bare.sse"), fs::read(fixture("anthropic/stream_cut.sse")).unwrap())
        .unwrap();
    fs::write(folder.join("limited.json"), "{}").unwrap();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let manifest = folder.join("manifest.json").into_os_string().into_string().unwrap();
    let text = printed(&["--manifest", &manifest, "--json"], b"");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["stream_cut", "rate_limit_other"]);
    assert_eq!(lines[1]["retry_after_ms"], 2000);
}

#[test]
fn an_unknown_provider_is_warned_of_once_and_read_as_generic() {
    scratch("strangers/limited.json", "{}");
    let entry =
        |provider: &str| json!({"file": "limited.json", "status": 429, "provider": provider});
    let entries = ["someone new", "groq", "someone new", "red\u{1b}[31m"].map(entry);
    let manifest = json!({"fixtures": entries}).to_string();
    let path = scratch("strangers/manifest.json", manifest);
    for last in [&["--json"][..], &[]] {
        let output = explain(&[&["--manifest", path.as_str()], last].concat(), b"");
        assert!(output.status.success());
        let expected = "\
warning: unknown provider `red\\u{1b}[31m`, read as generic
warning: unknown provider `someone new`, read as generic
";
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("rate_limit_other").count(), 4, "{text}");
    }
}

fn scratch_folder() -> std::path::PathBuf {
    let file = scratch("guessed/.keep", "");
    std::path::Path::new(&file).parent().unwrap().to_owned()
}
