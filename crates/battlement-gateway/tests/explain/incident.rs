//! Incident records as stories.

use crate::{explain, printed, scratch};

const SAVED: &str = r#"{"schema":1,"id":"00000000000000ab","time":"2026-11-21T22:10:00.000Z","environment":"production","outcome":"complete","rescued":true,"provider":"openai","model":"gpt-5-mini","operation":"chat","lane":"interactive","tenant":"acme","source":"fallback:b","stream":true,"committed":true,"took_ms":4200,"waited_ms":2000,"first_output_ms":3100,"input_tokens":10,"output_tokens":1200,"cost_nanodollars":2402500,"attempts":[{"number":1,"role":"first","route":"a","waited_ms":0,"took_ms":120,"outcome":"rate_limit_other","code":"llm.rate_limit.other","status":429,"message":"_ limit reached","untold":false},{"number":2,"role":"fallback","route":"b","waited_ms":2000,"in_rate_limit_ms":40,"took_ms":2000,"outcome":"complete","status":200,"request_id":"req_1","input_tokens":10,"output_tokens":1200,"untold":false}]}"#;

const FAILED: &str = r#"{"schema":1,"outcome":"stream_cut","code":"llm.stream.cut","committed":true,"took_ms":900,"attempts":[{"number":1,"role":"first","took_ms":900,"outcome":"stream_cut","code":"llm.stream.cut","status":200,"untold":true}],"a member of a later program":[]}"#;

#[test]
fn each_record_is_a_story() {
    let file = scratch("incidents.jsonl", format!("{SAVED}\n\n{FAILED}\n"));
    let told = printed(&["--incident", &file], b"");
    // However the lines are broken.
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "saved: chat gpt-5-mini at openai",
        "It was tried 2 times, and took 4.2 s, 2 s of which it waited on our side. The answer came from",
        "fallback:b. The first output was there after 3.1 s. All attempts cost $0.0024",
        "1 first to a: rate_limit_other (llm.rate_limit.other), status 429, 120 ms",
        "“_ limit reached”",
        "2 fallback to b, after a wait of 2 s, 40 ms in the line of rate_limit: complete, status 200, 2 s, 10 + 1,200 tokens, request req_1",
        "2026-11-21T22:10:00.000Z, call 00000000000000ab, production, interactive, for acme",
        "stream_cut (llm.stream.cut)",
        "The caller had seen part of the answer, so it could not be tried again.",
        "900 ms, cost unknown",
    ] {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
    assert_eq!(printed(&["--incident", "-"], FAILED.as_bytes()).matches("tried once").count(), 1);
}

#[test]
fn what_is_no_record_is_told() {
    let check = |content: &str, part: &str| {
        let output = explain(&["--incident", &scratch("bad.jsonl", content)], b"");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(part), "{errors}");
    };
    check("", "has no incident records");
    check(&format!("{FAILED}\n{{"), "line 2: no incident record");
    check(r#"{"schema":99,"outcome":"x"}"#, "newer program");
}
