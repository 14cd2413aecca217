//! The table. See the module's documentation for what belongs in it.

/// When it was last gone through, year and month.
pub const DATED: &str = "2026-07";

/// Who makes a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    OpenAi,
    Anthropic,
    Google,
    Cohere,
}

pub(super) struct Row {
    pub(super) maker: Maker,
    pub(super) name: &'static str,
    pub(super) window: u64,
    pub(super) input: Option<u64>,
    pub(super) output: u64,
}

const fn row(
    maker: Maker,
    name: &'static str,
    window: u64,
    input: Option<u64>,
    output: u64,
) -> Row {
    Row { maker, name, window, input, output }
}

const fn openai(name: &'static str, window: u64, output: u64) -> Row {
    row(Maker::OpenAi, name, window, None, output)
}

/// Of these the prompt has a limit of its own.
const fn reasoning(name: &'static str, window: u64, input: u64, output: u64) -> Row {
    row(Maker::OpenAi, name, window, Some(input), output)
}

const fn anthropic(name: &'static str, window: u64, output: u64) -> Row {
    row(Maker::Anthropic, name, window, None, output)
}

/// Answers are counted apart from prompts.
const fn google(name: &'static str, input: u64, output: u64) -> Row {
    row(Maker::Google, name, input + output, Some(input), output)
}

const fn cohere(name: &'static str, window: u64, output: u64) -> Row {
    row(Maker::Cohere, name, window, None, output)
}

/// A million tokens, as Google counts them.
const MILLION: u64 = 1 << 20;

#[rustfmt::skip]
pub(super) static TABLE: &[Row] = &[
    openai("gpt-3.5-turbo", 16_385, 4_096),
    openai("gpt-4", 8_192, 8_192),
    openai("gpt-4-turbo", 128_000, 4_096),
    openai("gpt-4o", 128_000, 16_384),
    openai("gpt-4o-mini", 128_000, 16_384),
    openai("gpt-4.1", 1_047_576, 32_768),
    openai("gpt-4.1-mini", 1_047_576, 32_768),
    openai("gpt-4.1-nano", 1_047_576, 32_768),
    openai("o1", 200_000, 100_000),
    openai("o1-pro", 200_000, 100_000),
    openai("o3", 200_000, 100_000),
    openai("o3-mini", 200_000, 100_000),
    openai("o3-pro", 200_000, 100_000),
    openai("o4-mini", 200_000, 100_000),
    reasoning("gpt-5", 400_000, 272_000, 128_000),
    reasoning("gpt-5-mini", 400_000, 272_000, 128_000),
    reasoning("gpt-5-nano", 400_000, 272_000, 128_000),
    reasoning("gpt-5-codex", 400_000, 272_000, 128_000),
    reasoning("gpt-5.1", 400_000, 272_000, 128_000),
    reasoning("gpt-5.1-codex", 400_000, 272_000, 128_000),
    reasoning("gpt-5.2", 400_000, 272_000, 128_000),
    reasoning("gpt-5.2-codex", 400_000, 272_000, 128_000),
    reasoning("gpt-5.3-codex", 400_000, 272_000, 128_000),
    reasoning("gpt-5.4", 1_050_000, 922_000, 128_000),
    reasoning("gpt-5.4-mini", 400_000, 272_000, 128_000),
    reasoning("gpt-5.4-nano", 400_000, 272_000, 128_000),
    reasoning("gpt-5.5", 1_050_000, 922_000, 128_000),

    anthropic("claude-3-haiku", 200_000, 4_096),
    anthropic("claude-3-sonnet", 200_000, 4_096),
    anthropic("claude-3-opus", 200_000, 4_096),
    anthropic("claude-3-5-haiku", 200_000, 8_192),
    anthropic("claude-3-5-sonnet", 200_000, 8_192),
    // With a header for a trial; 64,000 without.
    anthropic("claude-3-7-sonnet", 200_000, 128_000),
    anthropic("claude-opus-4", 200_000, 32_000),
    anthropic("claude-opus-4-0", 200_000, 32_000),
    anthropic("claude-opus-4-1", 200_000, 32_000),
    anthropic("claude-opus-4-5", 200_000, 64_000),
    anthropic("claude-opus-4-6", 1_000_000, 128_000),
    // The window with a header for a trial; 200,000 without.
    anthropic("claude-sonnet-4", 1_000_000, 64_000),
    anthropic("claude-sonnet-4-0", 1_000_000, 64_000),
    anthropic("claude-sonnet-4-5", 1_000_000, 64_000),
    anthropic("claude-sonnet-4-6", 1_000_000, 128_000),
    anthropic("claude-haiku-4-5", 200_000, 64_000),

    google("gemini-2.0-flash", MILLION, 8_192),
    google("gemini-2.0-flash-lite", MILLION, 8_192),
    google("gemini-2.5-flash", MILLION, 65_536),
    google("gemini-2.5-flash-lite", MILLION, 65_536),
    google("gemini-2.5-pro", MILLION, 65_536),
    google("gemini-3-flash-preview", MILLION, 65_536),
    google("gemini-3-pro-preview", MILLION, 65_536),
    google("gemini-3.1-pro-preview", MILLION, 65_536),
    google("gemini-3.5-flash", MILLION, 65_536),

    // Said to be 4,000 and 8,000 and so on, by which powers of two may be meant.
    cohere("command-r-08-2024", 128_000, 4_096),
    cohere("command-r-plus-08-2024", 128_000, 4_096),
    cohere("command-r7b-12-2024", 128_000, 4_096),
    cohere("command-a-03-2025", 256_000, 8_192),
    cohere("command-a-reasoning-08-2025", 256_000, 32_768),
];
