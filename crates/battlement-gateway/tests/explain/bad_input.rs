//! Bad input ends with status 2 and a message that names what is wrong.

use std::fs;

use crate::{explain, fixture, scratch};

#[track_caller]
fn check(arguments: &[&str], input: &[u8], parts: &[&str]) {
    let output = explain(arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(errors.starts_with("error: "), "{errors}");
    for part in parts {
        assert!(errors.contains(part), "{arguments:?}: no {part:?} in {errors}");
    }
}

#[test]
fn files() {
    check(&["no/such/file.json"], b"", &["cannot open no/such/file.json", "(os error 2)"]);
    check(&[env!("CARGO_MANIFEST_DIR")], b"", &["cannot read", env!("CARGO_MANIFEST_DIR")]);
    check(&[], b"", &["FILE", "--manifest", "required"]);
    check(&["--json"], b"", &["FILE", "--manifest", "required"]);
    check(&["a.json", "--manifest", "b.json"], b"", &["--manifest", "cannot be used with"]);
}

#[test]
fn nothing_to_explain_is_an_error_without_a_command_line_too() {
    use battlement_gateway::cli::{Cli, Command, Explain};

    let arguments = Explain {
        file: None,
        dialect: None,
        provider: None,
        status: None,
        headers: Vec::new(),
        stream: false,
        json: false,
        manifest: None,
        incident: None,
    };
    let error =
        battlement_gateway::run(&Cli { command: Some(Command::Explain(arguments)) }).unwrap_err();
    assert!(error.to_string().starts_with("nothing to explain"), "{error}");
}

#[test]
fn options() {
    check(&["-", "--dialect", "openai"], b"", &["'openai'", "--dialect", "openai_chat"]);
    check(&["-", "--provider", "acme"], b"", &["'acme'", "--provider", "openrouter"]);
    for status in ["99", "600", "1000", "99999", "two", ""] {
        check(&["-", "--status", status], b"", &["--status", "not a status from 100 to 599"]);
    }
    check(&["-", "-H", "no colon"], b"", &["`no colon` is not a header"]);
    check(&["-", "-H", "two words: x"], b"", &["`two words` cannot be the name of a header"]);
    check(&["-", "-H", "a: \u{1}"], b"", &["the value of `a`"]);
    check(&["-", "--colour"], b"", &["--colour"]);
}

#[test]
fn heads() {
    check(&["-"], b"HTTP/1.1 999 Denied\r\n\r\n", &["standard input: `999` is not a status"]);
    check(&["-"], b"HTTP/2 200\nno colon\n\n{}", &["standard input: `no colon`"]);
    let endless = [&b"HTTP/2 200\r\n"[..], &b"a: b\r\n".repeat(60_000)].concat();
    check(&["-"], &endless, &["the headers have no end"]);
}

#[test]
fn more_headers_than_fit() {
    let heads: String = (0..30_000).map(|index| format!("{index:x}:\n")).collect();
    let input = format!("HTTP/2 200\n{heads}\n{{}}");
    assert!(input.len() < 256 * 1024);
    check(&["-"], input.as_bytes(), &["standard input: more headers than an answer can have"]);

    let names: Vec<_> = (0..30_000).map(|index| format!("-H{index:x}:")).collect();
    let arguments: Vec<_> = names.iter().map(String::as_str).chain(["-"]).collect();
    let output = explain(&arguments, b"{}");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.starts_with(b"error: more headers than an answer can have"));

    scratch("many/ok.json", "{}");
    let headers: Vec<_> = (0..30_000).map(|index| format!(r#""{index:x}":"""#)).collect();
    let headers = headers.join(",");
    let manifest = format!(r#"{{"fixtures":[{{"file":"ok.json","headers":{{{headers}}}}}]}}"#);
    let path = scratch("many/manifest.json", manifest);
    check(&["--manifest", &path], b"", &["fixture `ok.json`: more headers than"]);
}

#[test]
fn compressed_bodies() {
    // An empty object, as gzip writes it.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0";
    let zstd = b"\x28\xb5\x2f\xfd\x04\x58\x11\0\0{}";
    let decode = "must be decoded first";
    let good = scratch("compressed/good.json", "{}");
    let file = scratch("compressed/answer.gz", gzip);
    let entries = r#"{"fixtures":[{"file":"good.json"},{"file":"answer.gz"}]}"#;
    let manifest = scratch("compressed/manifest.json", entries);
    for last in ["--json", "--stream"] {
        check(&["-", last], gzip, &["standard input: the body is compressed with gzip", decode]);
        check(&[&file, last], b"", &[&file, "the body is compressed with gzip", decode]);
        check(&["-", last], zstd, &["the body is compressed with zstd", decode]);
        let whole = b"HTTP/2 200\ncontent-encoding: br\n\n\x0b\x00\x80{}\x03";
        check(&["-", last], whole, &["the body is compressed, as `content-encoding: br`", decode]);
        let header = "content-encoding: deflate";
        check(&[&good, "-H", header, last], b"", &[&good, header, decode]);
    }
    check(&["--manifest", &manifest], b"", &["answer.gz", "compressed with gzip", decode]);
    check(&["--manifest", &manifest, "--json"], b"", &["answer.gz", "with gzip", decode]);
}

#[test]
fn manifests() {
    let bad = |name: &str, content: &str, parts: &[&str]| {
        let path = scratch(name, content);
        check(&["--manifest", &path, "--json"], b"", &[&[path.as_str()], parts].concat());
    };
    check(&["--manifest", "no/manifest.json"], b"", &["cannot read no/manifest.json"]);
    bad("not_json.json", "fixtures:", &["not a manifest", "line 1"]);
    bad("no_list.json", "{}", &["missing field `fixtures`"]);
    bad("no_file.json", r#"{"fixtures":[{"status":200}]}"#, &["missing field `file`"]);

    fs::copy(fixture("openai_chat/ok.json"), scratch("ok.json", "")).unwrap();
    let entry = |name: &str, entry: &str, parts: &[&str]| {
        let good = r#"{"file":"ok.json"}"#;
        let shown = if entry.contains("gone.json") { "`gone.json`" } else { "`ok.json`" };
        let content = format!(r#"{{"fixtures":[{good},{entry}]}}"#);
        bad(name, &content, &[&["fixture", shown], parts].concat());
    };
    entry("gone.manifest", r#"{"file":"gone.json"}"#, &["cannot open", "gone.json"]);
    let dialect = r#"{"file":"ok.json","dialect":"morse"}"#;
    entry("dialect.manifest", dialect, &["unknown dialect `morse`", "openai_chat"]);
    entry("status.manifest", r#"{"file":"ok.json","status":700}"#, &["`700` is not a status"]);
    let header = r#"{"file":"ok.json","headers":{"a b":"c"}}"#;
    entry("header.manifest", header, &["`a b` cannot be the name of a header"]);
}
