use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DIALECTS: [Dialect; 7] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::CohereV2,
    Dialect::OllamaNative,
    Dialect::BedrockConverse,
];

/// Something that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    System,
    User,
    Model,
    /// A call of a tool with this number, by the model.
    Call(u8),
    /// The result of that call.
    Result(u8),
}

/// A message as a dialect writes it, with a mark to know it by.
fn message(dialect: Dialect, say: Say, mark: usize) -> Value {
    let text = format!("m{mark} and some more words to make it longer");
    let name = |call: u8| format!("call_{call}");
    match (dialect, say) {
        (Dialect::OpenAiResponses, Say::Call(call)) => {
            json!({"type": "function_call", "call_id": name(call), "name": "f", "arguments": text})
        }
        (Dialect::OpenAiResponses, Say::Result(call)) => {
            json!({"type": "function_call_output", "call_id": name(call), "output": text})
        }
        (Dialect::Gemini, Say::Call(call)) => json!({"role": "model", "parts": [
            {"functionCall": {"id": name(call), "name": "f", "args": {"a": text}}}]}),
        (Dialect::Gemini, Say::Result(call)) => json!({"role": "user", "parts": [
            {"functionResponse": {"id": name(call), "name": "f", "response": {"a": text}}}]}),
        (Dialect::Gemini, say) => {
            json!({"role": if say == Say::Model { "model" } else { "user" }, "parts": [{"text": text}]})
        }
        (Dialect::AnthropicMessages, Say::Call(call)) => json!({"role": "assistant", "content": [
            {"type": "tool_use", "id": name(call), "name": "f", "input": {"a": text}}]}),
        (Dialect::AnthropicMessages, Say::Result(call)) => json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": name(call), "content": text}]}),
        (Dialect::BedrockConverse, Say::Call(call)) => json!({"role": "assistant", "content": [
            {"toolUse": {"toolUseId": name(call), "name": "f", "input": {"a": text}}}]}),
        (Dialect::BedrockConverse, Say::Result(call)) => json!({"role": "user", "content": [
            {"toolResult": {"toolUseId": name(call), "content": [{"text": text}]}}]}),
        (_, Say::Call(call)) => json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": name(call), "type": "function", "function": {"name": "f", "arguments": text}}]}),
        (_, Say::Result(call)) => {
            json!({"role": "tool", "tool_call_id": name(call), "content": text})
        }
        (_, Say::System) => json!({"role": "system", "content": text}),
        (_, Say::User) => json!({"role": "user", "content": text}),
        (_, Say::Model) => json!({"role": "assistant", "content": text}),
    }
}

fn list(dialect: Dialect) -> &'static str {
    turns::form(dialect).map_or("", |_| match dialect {
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
        _ => "messages",
    })
}

/// Whether the dialect has what the system says among the messages.
fn has_system(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::AnthropicMessages | Dialect::Gemini | Dialect::BedrockConverse)
}

fn body(dialect: Dialect, says: &[Say]) -> Vec<u8> {
    let messages = says.iter().enumerate().map(|(mark, say)| message(dialect, *say, mark));
    let messages: Vec<Value> = messages.collect();
    let body = json!({"model": "m", list(dialect): messages, "temperature": 0.5});
    serde_json::to_vec_pretty(&body).unwrap()
}

/// The marks of the messages that are there.
fn marks(dialect: Dialect, body: &[u8]) -> Vec<usize> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let messages = body[list(dialect)].as_array().unwrap();
    let mark = |message: &Value| {
        let text = message.to_string();
        let at = text.find("\"m").into_iter().chain(text.match_indices("\"m").map(|found| found.0));
        let digits = |at: usize| {
            let digits =
                text[at + 2..].chars().take_while(char::is_ascii_digit).collect::<String>();
            digits.parse::<usize>().ok()
        };
        at.filter_map(digits).next().unwrap()
    };
    messages.iter().map(mark).collect()
}

/// What is left of a conversation from which as much goes as may.
fn check(says: &[Say], expected: &[usize]) {
    for dialect in DIALECTS {
        if says.contains(&Say::System) && !has_system(dialect) {
            continue;
        }
        let body = body(dialect, says);
        let conversation = Conversation::read(dialect, &body).unwrap();
        let left = conversation.without(conversation.droppable());
        assert_eq!(marks(dialect, &left), expected, "{dialect} {says:?}");
    }
}

#[test]
fn the_newest_turn_stays_and_the_system() {
    use Say::{Call, Model, Result, System, User};
    check(&[User], &[0]);
    check(&[User, Model, User], &[2]);
    check(&[System, User, Model, System, User], &[0, 3, 4]);
    // A user who says two things says them in one turn.
    check(&[User, Model, User, User], &[2, 3]);
    check(&[Model, User, Model], &[1, 2]);
    check(&[User, Call(1), Result(1), Model, User], &[4]);
    check(&[User, Model, User, Call(1), Result(1)], &[2, 3, 4]);
    // A result that reaches over what was said in between.
    check(&[User, Model, User, Call(1), User, Result(1)], &[2, 3, 4, 5]);
    check(&[User, Call(1), User, Result(1), User], &[4]);
    // The same name for another call.
    check(&[User, Call(1), Result(1), Model, User, Call(1), Result(1)], &[4, 5, 6]);
    check(&[Model, Call(1), Result(1)], &[0, 1, 2]);
}

#[test]
fn as_little_goes_as_is_enough() {
    use Say::{Model, User};
    let says: Vec<Say> = (0..40).flat_map(|_| [User, Model]).chain([User]).collect();
    for dialect in DIALECTS {
        let body = body(dialect, &says);
        let whole = tokens(dialect, &body);
        assert_eq!(trim(dialect, &body, whole), Ok(None));
        let trimmed = trim(dialect, &body, whole / 2).unwrap().unwrap();
        let Dropped { messages, turns, before, after } = trimmed.dropped;
        assert_eq!((messages, before), (turns * 2, whole));
        assert!(after <= whole / 2 && after > whole / 2 - 60, "{after} of {whole}");
        let one_less = Conversation::read(dialect, &body).unwrap().without(turns - 1);
        assert!(tokens(dialect, &one_less) > whole / 2);
    }
}

#[test]
fn what_cannot_be_trimmed_says_why() {
    let check = |dialect: Dialect, body: &str, room: u64, expected: Untrimmable| {
        assert_eq!(trim(dialect, body.as_bytes(), room), Err(expected), "{body}");
    };
    let nothing = Untrimmable::NoConversation;
    check(Dialect::OpenAiResponses, r#"{"input":"Say something long"}"#, 1, nothing);
    check(Dialect::OpenAiChat, r#"{"messages":[],"tools":[{"a":"b"}]}"#, 1, nothing);
    check(Dialect::OpenAiCompletions, r#"{"prompt":"Say something long"}"#, 1, nothing);
    let body = r#"{"messages":[{"role":"user","content":"Say something long"}]}"#;
    let least = tokens(Dialect::OpenAiChat, body.as_bytes());
    check(Dialect::OpenAiChat, body, 1, Untrimmable::TooLarge { least, room: 1 });
    assert_eq!(trim(Dialect::OpenAiChat, b"not json", 0), Ok(None));
}

#[test]
fn two_cuts_are_told_as_one() {
    let first = Dropped { messages: 4, turns: 2, before: 100, after: 60 };
    let both = first.and(Dropped { messages: 2, turns: 1, before: 60, after: 40 });
    assert_eq!(both.to_string(), "6 messages in 3 turns, from 100 to 40 tokens");
}

fn says() -> impl Strategy<Value = Vec<Say>> {
    let say = prop_oneof![
        1 => Just(Say::System),
        3 => Just(Say::User),
        3 => Just(Say::Model),
        2 => (0..4_u8).prop_map(Say::Call),
        2 => (0..4_u8).prop_map(Say::Result),
    ];
    prop::collection::vec(say, 1..24)
}

/// The place of the call that each result answers, by places of messages.
fn answered(says: &[Say]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (at, say) in says.iter().enumerate() {
        if let Say::Result(call) = say {
            let call = says[..at].iter().rposition(|earlier| *earlier == Say::Call(*call));
            pairs.extend(call.map(|call| (call, at)));
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_left_is_whole(
        dialect in prop::sample::select(DIALECTS.to_vec()),
        says in says(),
        share in 0..100_u64,
    ) {
        let says: Vec<Say> = says
            .into_iter()
            .filter(|say| *say != Say::System || has_system(dialect))
            .collect();
        prop_assume!(!says.is_empty());
        let body = body(dialect, &says);
        let room = tokens(dialect, &body) * share / 100;
        let Ok(Some(trimmed)) = trim(dialect, &body, room) else { return Ok(()) };
        let left = marks(dialect, &trimmed.body);
        let stays = |at: usize| left.contains(&at);
        // In their order, and as many as is said.
        prop_assert!(left.windows(2).all(|two| two[0] < two[1]));
        prop_assert_eq!(says.len() - left.len(), trimmed.dropped.messages);
        prop_assert!(trimmed.dropped.messages > 0);
        // The system stays, and the newest.
        let system = says.iter().enumerate().filter(|(_, say)| **say == Say::System);
        for (at, _) in system {
            prop_assert!(stays(at));
        }
        let newest = says.iter().rposition(|say| *say == Say::User).unwrap_or(says.len() - 1);
        for at in newest..says.len() {
            prop_assert!(stays(at));
        }
        // No result without its call, and no call without its result.
        for (call, result) in answered(&says) {
            prop_assert_eq!(stays(call), stays(result), "{} {}", call, result);
        }
        // It fits, and nothing more goes the next time.
        prop_assert!(trimmed.dropped.after <= room);
        prop_assert_eq!(trim(dialect, &trimmed.body, room), Ok(None));
        // Everything else is as it was, byte for byte.
        let mut at = 0;
        for byte in &trimmed.body {
            at += body[at..].iter().position(|other| other == byte).unwrap() + 1;
        }
        let expected: Vec<Value> = left.iter().map(|at| message(dialect, says[*at], *at)).collect();
        let whole: Value = serde_json::from_slice(&trimmed.body).unwrap();
        prop_assert_eq!(whole, json!({"model": "m", list(dialect): expected, "temperature": 0.5}));
    }

    #[test]
    fn any_bytes_will_do(bytes in prop::collection::vec(any::<u8>(), 0..64), room in 0..9_u64) {
        for dialect in DIALECTS {
            let _any = trim(dialect, &bytes, room);
        }
    }
}
