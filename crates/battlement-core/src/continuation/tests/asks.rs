//! What is asked for in a further round.

use http::Uri;

use super::*;

#[track_caller]
fn check(dialect: Dialect, prefill: Prefill, body: &str, expected: Result<&str, Unfit>) {
    let asked = prefilled(dialect, body.as_bytes(), prefill, "Once \"up\" \n");
    let asked = asked.map(|body| String::from_utf8(body).unwrap());
    assert_eq!(asked.as_deref().map_err(|unfit| *unfit), expected);
}

#[test]
fn a_request_is_prefilled_and_else_as_it_was() {
    let user = r#"{"role":"user","content":"Hi"}"#;
    check(
        Dialect::OpenAiChat,
        Prefill::Prefix,
        &format!(r#"{{ "messages" : [ {user} ], "n":1}}"#),
        Ok(&format!(
            r#"{{ "messages" : [ {user},{{"role":"assistant","content":"Once \"up\"","prefix":true}} ], "n":1}}"#
        )),
    );
    check(
        Dialect::OpenAiChat,
        Prefill::FinalMessage,
        &format!(r#"{{"add_generation_prompt":true,"messages":[{user}]}}"#),
        Ok(&format!(
            r#"{{"continue_final_message":true,"add_generation_prompt":false,"messages":[{user},{{"role":"assistant","content":"Once \"up\""}}]}}"#
        )),
    );
    check(
        Dialect::AnthropicMessages,
        Prefill::Bare,
        &format!(r#"{{"thinking":{{"type":"disabled"}},"messages":[{user}]}}"#),
        Ok(&format!(
            r#"{{"thinking":{{"type":"disabled"}},"messages":[{user},{{"role":"assistant","content":"Once \"up\""}}]}}"#
        )),
    );
    check(
        Dialect::Gemini,
        Prefill::Bare,
        r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#,
        Ok(
            r#"{"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Once \"up\""}]}]}"#,
        ),
    );
    check(
        Dialect::OpenAiResponses,
        Prefill::Bare,
        r#"{"input":"Hi"}"#,
        Ok(
            r#"{"input":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Once \"up\""}]}"#,
        ),
    );
}

#[test]
fn what_cannot_be_prefilled_is_left_alone() {
    let user = r#"{"role":"user","content":"Hi"}"#;
    let begun = format!(r#"{{"messages":[{user},{{"role":"assistant","content":"{{"}}]}}"#);
    check(Dialect::AnthropicMessages, Prefill::Bare, &begun, Err(Unfit::Begun));
    let thinks = format!(r#"{{"thinking":{{"type":"adaptive"}},"messages":[{user}]}}"#);
    check(Dialect::AnthropicMessages, Prefill::Bare, &thinks, Err(Unfit::Thinks));
    for body in ["", "[]", "{}", r#"{"messages":[]}"#, r#"{"messages":7}"#] {
        check(Dialect::OpenAiChat, Prefill::Bare, body, Err(Unfit::NoConversation));
    }
    check(Dialect::CohereV2, Prefill::Bare, &begun, Err(Unfit::NoConversation));
    let body = format!(r#"{{"messages":[{user}]}}"#);
    let asked = prefilled(Dialect::OpenAiChat, body.as_bytes(), Prefill::Bare, " \n");
    assert_eq!(asked, Err(Unfit::NoText));
}

#[test]
fn a_further_turn_has_all_of_the_text() {
    let body = br#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    let asked = followed_up(Dialect::OpenAiChat, body, "Once ", "Go on.").unwrap();
    assert_eq!(
        String::from_utf8(asked).unwrap(),
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Once "},{"role":"user","content":"Go on."}]}"#
    );
}

#[test]
fn the_table_has_who_is_known_to_go_on() {
    #[track_caller]
    fn check(provider: Provider, model: &str, path: &str, expected: Option<Prefill>) {
        let dialect = provider.usual_dialect().unwrap();
        let uri: Uri = path.parse().unwrap();
        assert_eq!(prefill(dialect, provider, model, &uri), expected, "{model}");
    }
    let (chat, messages) = ("/v1/chat/completions", "/v1/messages");
    check(Provider::Anthropic, "claude-3-5-haiku-latest", messages, Some(Prefill::Bare));
    check(Provider::Anthropic, "claude-opus-4-5-20251101", messages, Some(Prefill::Bare));
    check(Provider::Anthropic, "claude-opus-4-20250514", messages, Some(Prefill::Bare));
    check(Provider::Anthropic, "claude-opus-4-6", messages, None);
    check(Provider::Anthropic, "claude-sonnet-4-6", messages, None);
    check(Provider::Anthropic, "claude-of-tomorrow", messages, None);
    check(Provider::Mistral, "mistral-large-latest", chat, Some(Prefill::Prefix));
    check(Provider::DeepSeek, "deepseek-chat", "/beta/chat/completions", Some(Prefill::Prefix));
    check(Provider::DeepSeek, "deepseek-chat", chat, None);
    check(Provider::Vllm, "qwen", chat, Some(Prefill::FinalMessage));
    check(Provider::OpenAi, "gpt-5", chat, None);
    check(Provider::OpenRouter, "anthropic/claude-3.5-haiku", chat, None);
    check(
        Provider::Gemini,
        "gemini-2.5-flash",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        None,
    );
}
