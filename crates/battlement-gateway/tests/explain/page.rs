//! One answer as a page for a person.

use std::process::Command;

use crate::{fixture, printed};

#[track_caller]
fn check(arguments: &[&str], input: &str, expected: &str) {
    let found = printed(&[&["-"], arguments].concat(), input.as_bytes());
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn a_rate_limit() {
    let input = "\
HTTP/2 429
x-request-id: req_1
retry-after: 4
x-ratelimit-limit-requests: 500
x-ratelimit-remaining-requests: 471
x-ratelimit-limit-tokens: 30000
x-ratelimit-remaining-tokens: 1961
x-ratelimit-reset-tokens: 3.89s

{\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":\"Rate limit reached for \
gpt-5-mini on tokens per min (TPM): Limit 30000, Used 28039. Please try again in 3.89s.\"}}";
    let expected = "\
failed: rate_limit_tokens
The account uses more tokens per window than its limit allows. Most providers count the
requested output budget, not only what was generated.

  code        llm.rate_limit.tokens
  fault       account: the limits, money and rights behind the key
  when        before any output: nothing was delivered
  retry       yes, in 4 s (told by retry-after)
  error       type tokens, code rate_limit_exceeded
  message     “Rate limit reached for gpt-5-mini on tokens per min (TPM): Limit 30000, Used
              28039. Please try again in 3.89s.”

  what to do  Nothing, if it passes. If it stays, lower the output budgets (they are reserved in
              full), shorten prompts, spread the load, or ask the provider for a higher limit.
  handled by  retry_after, rate_limit, retry, fallback

  status      429 Too Many Requests
  read as     openai_chat from openai
  limits      requests  471 of 500 left
              tokens    1,961 of 30,000 left, full again in 3.89 s
  request id  req_1
";
    check(&["--dialect", "openai_chat", "--provider", "openai"], input, expected);
}

#[test]
fn a_success_of_two_choices() {
    let input = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[
        {"index":0,"message":{"content":"a"},"finish_reason":"stop"},
        {"index":1,"message":{"content":null,"tool_calls":[{}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":2006,"completion_tokens":300,
        "prompt_tokens_details":{"cached_tokens":1920},
        "completion_tokens_details":{"reasoning_tokens":192}}}"#;
    let expected = "\
ok: tool_call
The model asks for a tool: run it and send the result back.

  status      200 OK
  read as     openai_chat (guessed) from groq
  finish      choice 0: stop, which means complete
              choice 1: tool_calls, which means tool_call
  tokens      2,006 in (1,920 from cache), 300 out (192 reasoning), 2,306 in total
";
    check(&["--provider", "groq"], input, expected);
}

#[test]
fn a_stream_that_was_cut() {
    let found = printed(&[&fixture("anthropic/stream_cut.sse")], b"");
    let expected = "\
failed: stream_cut
The stream ended while at least one choice was unfinished. The text so far is a part, whatever
the status said.

  code        llm.stream.cut
  fault       network: the way between caller and provider
  when        during the output: a part was delivered, and a retry begins anew
  retry       yes, with backoff: the answer tells no wait

  what to do  Compare idle timeouts of every proxy on the way with the longest silence of the
              model. If cuts come from one provider only, treat them as its outage.
  handled by  retry, breaker, continuation, fallback

  status      200 OK
  read as     anthropic_messages from anthropic (both guessed)
  stream      cut: it ended too early, or broke
  tokens      at least 25 in, 1 out, 26 in total
";
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn what_is_guessed_is_told_apart() {
    let check = |arguments: &[&str], expected: &str| {
        let found = printed(&[&["-"], arguments].concat(), b"{}");
        assert!(found.contains(&format!("  read as     {expected}\n")), "{found}");
    };
    check(&[], "openai_chat from generic (both guessed)");
    check(&["--provider", "cohere"], "cohere_v2 (guessed) from cohere");
    check(&["--dialect", "gemini"], "gemini from generic (guessed)");
    check(&["--dialect", "gemini", "--provider", "vertex"], "gemini from vertex");
}

#[test]
fn what_a_provider_says_is_harmless() {
    let input = r#"{"error":{"type":"a\u001b[2J","message":"one\ntwo\u001b]0;title\u0007\u202e"}}"#;
    let arguments = ["-", "--status", "400", "-H", "x-request-id: 1\u{9b}2"];
    let found = printed(&arguments, input.as_bytes());
    assert!(found.contains(r"type a\u{1b}[2J"), "{found}");
    assert!(found.contains(r"“one\ntwo\u{1b}]0;title\u{7}\u{202e}”"), "{found}");
    assert!(!found.contains(|c: char| c.is_control() && c != '\n'), "{found}");
}

#[test]
fn a_wait_counts_from_when_the_answer_was_sent() {
    let body = r#"{"error":{"code":429,"message":"x","metadata":{"headers":
        {"X-RateLimit-Reset":"1795176005000","X-RateLimit-Remaining":"0"}}}}"#;
    let arguments = ["-", "--provider", "openrouter", "-H", "date: Fri, 20 Nov 2026 12:00:00 GMT"];
    let found = printed(&arguments, body.as_bytes());
    assert!(found.contains("yes, in 5 s (told by headers repeated in the body)"), "{found}");
}

#[test]
fn many_choices_are_counted() {
    let choices: Vec<_> =
        (0..100).map(|index| format!(r#"{{"index":{index},"finish_reason":"stop"}}"#)).collect();
    let body = format!(r#"{{"object":"chat.completion","choices":[{}]}}"#, choices.join(","));
    let found = printed(&["-"], body.as_bytes());
    assert!(found.contains("choice 11: ") && !found.contains("choice 12: "), "{found}");
    assert!(found.contains("and 88 more"), "{found}");
}

#[test]
fn colours_are_for_terminals() {
    let run = |variable: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_battlement"));
        command.args(["explain", &fixture("openai_chat/ok.json")]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env(variable, "1");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!run("NO_COLOR").contains('\u{1b}'));
    assert!(run("CLICOLOR_FORCE").contains('\u{1b}'));
}
