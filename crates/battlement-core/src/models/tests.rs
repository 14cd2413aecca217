use super::{table::TABLE, *};

#[test]
fn names_of_models_and_their_snapshots_are_known() {
    let check = |provider: Provider, model: &str, output: Option<u64>| {
        assert_eq!(limits(provider, model).and_then(|limits| limits.output), output, "{model}");
    };
    check(Provider::OpenAi, "gpt-4o", Some(16_384));
    check(Provider::OpenAi, "gpt-4o-2024-08-06", Some(16_384));
    check(Provider::OpenAi, "gpt-4-0613", Some(8_192));
    check(Provider::OpenAi, "gpt-4-turbo-2024-04-09", Some(4_096));
    check(Provider::OpenAi, "gpt-4o-mini-tts", None);
    check(Provider::OpenAi, "gpt-4-32k", None);
    check(Provider::OpenAi, "gpt-5.9", None);
    check(Provider::OpenAi, "gpt-5-mini-", None);
    check(Provider::OpenAi, "ft:gpt-4o:org", None);
    check(Provider::OpenAi, "", None);
    check(Provider::Anthropic, "claude-3-5-sonnet-latest", Some(8_192));
    check(Provider::Anthropic, "claude-opus-4-20250514", Some(32_000));
    check(Provider::Anthropic, "claude-opus-4-5-20251101", Some(64_000));
    check(Provider::Anthropic, "claude-opus-4-9", None);
    check(Provider::Vertex, "claude-opus-4-1@20250805", Some(32_000));
    check(Provider::Bedrock, "us.anthropic.claude-3-5-sonnet-20241022-v2:0", Some(8_192));
    check(Provider::Bedrock, "anthropic.claude-opus-4-6-v1", Some(128_000));
    check(Provider::Bedrock, "claude-3-haiku", None);
    check(Provider::Vertex, "gemini-2.0-flash-001", Some(8_192));
    check(Provider::Gemini, "models/gemini-2.0-flash", None);
    check(Provider::AzureOpenAi, "gpt-4o", None);
}

#[test]
fn there_is_room_for_what_the_answer_leaves() {
    let known = limits(Provider::OpenAi, "gpt-5").unwrap();
    assert_eq!(known.room(None), Some(272_000));
    assert_eq!(known.room(Some(200_000)), Some(200_000));
    assert_eq!(Limits::window(8_192).room(Some(10_000)), Some(0));
    assert_eq!(Limits::default().room(Some(1)), None);
    let input = Limits { input: Some(7), ..Limits::default() };
    assert_eq!(input.room(Some(1)), Some(7));
}

#[test]
fn each_row_makes_sense() {
    for (at, row) in TABLE.iter().enumerate() {
        assert!(row.output <= row.window, "{}", row.name);
        assert!(row.input.is_none_or(|input| input < row.window), "{}", row.name);
        let twice = TABLE[at + 1..].iter().any(|other| other.name == row.name);
        assert!(!twice, "{} is there twice", row.name);
    }
}
