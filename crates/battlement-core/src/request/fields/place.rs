//! Where in a request a value is, and so what it means: the tables of the automaton.

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    // Scalars.
    Model,
    Stream,
    IncludeUsage,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    MaxGenLen,
    GenerationCap,
    InferenceCap,
    TitanCap,
    OptionsCap,
    N,
    BestOf,
    CandidateCount,
    // Objects of settings.
    StreamOptions,
    GenerationConfig,
    InferenceConfig,
    TitanConfig,
    Options,
    TextConfig,
    ToolConfig,
    // Whose presence alone matters.
    ServerTools,
    /// xAI's live search, which has a switch of its own.
    Search,
    SearchMode,
    /// An id of something the server keeps.
    State,
    /// `store` and `background`.
    StateSwitch,
    /// The `prompt` of text completions, or a stored one of Responses.
    Prompt,
    /// A stored prompt and what is filled in.
    StoredPrompt,
    Variables,
    Schema,
    /// What a sampler is held to, which the model does not read.
    Constraint,
    /// `response_format` and its like; structured unless its type says text.
    Format,
    FormatType,
    OllamaFormat,
    MimeType,
    // The prompt.
    /// Messages, strings or token ids, alone or in arrays.
    Turns,
    /// Parts of a message.
    Parts,
    PartType,
    /// A file that the server keeps.
    FileId,
    /// Free-form JSON that the model reads: arguments, results, schemas.
    Structured,
    Tools,
    Tool,
    ToolType,
    Image,
    Audio,
    File,
    FileData,
    Document,
    Blob,
    BlobType,
    BlobMime,
    BlobData,
    BlobUri,
    /// Nothing the model reads, or nothing we know.
    Quiet,
}

impl Place {
    /// The place of a member.
    pub(super) fn child(self, key: &str) -> Self {
        match self {
            Self::Root => top_level(key),
            Self::StreamOptions if key == "include_usage" => Self::IncludeUsage,
            Self::GenerationConfig => match key {
                "maxOutputTokens" | "max_output_tokens" => Self::GenerationCap,
                "candidateCount" | "candidate_count" => Self::CandidateCount,
                "responseSchema"
                | "response_schema"
                | "responseJsonSchema"
                | "response_json_schema" => Self::Schema,
                "responseMimeType" | "response_mime_type" => Self::MimeType,
                _ => Self::Quiet,
            },
            Self::InferenceConfig if matches!(key, "maxTokens" | "max_new_tokens") => {
                Self::InferenceCap
            }
            Self::Search if key == "mode" => Self::SearchMode,
            Self::TitanConfig if key == "maxTokenCount" => Self::TitanCap,
            Self::Options if key == "num_predict" => Self::OptionsCap,
            Self::TextConfig if key == "format" => Self::Format,
            Self::ToolConfig if key == "tools" => Self::Tools,
            Self::Format => match key {
                "type" => Self::FormatType,
                "format" => Self::Format,
                _ => Self::Structured,
            },
            Self::Tool => match key {
                "type" => Self::ToolType,
                "googleSearch"
                | "google_search"
                | "googleSearchRetrieval"
                | "google_search_retrieval"
                | "codeExecution"
                | "code_execution"
                | "urlContext"
                | "url_context"
                | "googleMaps"
                | "google_maps"
                | "fileSearch"
                | "file_search"
                | "enterpriseWebSearch"
                | "retrieval"
                | "systemTool" => Self::ServerTools,
                "cache_control" | "cachePoint" => Self::Quiet,
                "vector_store_ids" => Self::State,
                _ => Self::Structured,
            },
            Self::StoredPrompt => match key {
                "id" => Self::State,
                "variables" => Self::Variables,
                _ => Self::Quiet,
            },
            Self::Variables => Self::Parts,
            Self::Turns | Self::Parts => part(key),
            Self::Document if key == "data" => Self::Structured,
            Self::Document => part(key),
            Self::Blob => match key {
                "type" => Self::BlobType,
                "media_type" | "mimeType" | "mime_type" => Self::BlobMime,
                "data" => Self::BlobData,
                "file_id" => Self::State,
                "fileUri" | "file_uri" => Self::BlobUri,
                "text" | "content" => Self::Parts,
                _ => Self::Quiet,
            },
            Self::Structured => Self::Structured,
            _ => Self::Quiet,
        }
    }
}

fn top_level(key: &str) -> Place {
    match key {
        "model" => Place::Model,
        "stream" => Place::Stream,
        "stream_options" => Place::StreamOptions,
        "max_tokens" | "max_tokens_to_sample" => Place::MaxTokens,
        "max_completion_tokens" => Place::MaxCompletionTokens,
        "max_output_tokens" => Place::MaxOutputTokens,
        "max_gen_len" => Place::MaxGenLen,
        "n" => Place::N,
        "best_of" => Place::BestOf,
        // Cohere embeds `texts`, Gemini a batch of `requests`.
        "messages" | "contents" | "input" | "texts" | "requests" => Place::Turns,
        "prompt" => Place::Prompt,
        "system" | "instructions" | "systemInstruction" | "system_instruction" | "suffix"
        | "inputText" | "content" => Place::Parts,
        "documents" => Place::Document,
        // Text that the answer is likely to repeat.
        "prediction" => Place::Parts,
        "tools" | "functions" => Place::Tools,
        "toolConfig" => Place::ToolConfig,
        "mcp_servers" | "web_search_options" | "plugins" => Place::ServerTools,
        "search_parameters" => Place::Search,
        // vLLM's old and new names, then those of SGLang, llama.cpp and TGI.
        "guided_json" | "guided_regex" | "guided_choice" | "guided_grammar"
        | "structured_outputs" | "json_schema" | "regex" | "ebnf" | "grammar" => Place::Constraint,
        "response_format" | "output_format" | "output_config" => Place::Format,
        "text" => Place::TextConfig,
        "format" => Place::OllamaFormat,
        "generationConfig" | "generation_config" => Place::GenerationConfig,
        "inferenceConfig" => Place::InferenceConfig,
        "textGenerationConfig" => Place::TitanConfig,
        "options" => Place::Options,
        "previous_response_id"
        | "conversation"
        | "container"
        | "cachedContent"
        | "cached_content" => Place::State,
        "store" | "background" => Place::StateSwitch,
        "images" => Place::Image,
        // Gemini's countTokens wraps a whole request.
        "generateContentRequest" => Place::Root,
        _ => Place::Quiet,
    }
}

/// The place of the elements of an array: the same, where a list makes sense.
pub(super) fn inside_array(place: Place) -> Place {
    match place {
        Place::Turns
        | Place::Parts
        | Place::Document
        | Place::Structured
        | Place::Tools
        | Place::ServerTools
        | Place::State
        | Place::Constraint
        | Place::Image => place,
        Place::Prompt => Place::Turns,
        _ => Place::Quiet,
    }
}

/// The place of a member of a message or of one of its parts.
fn part(key: &str) -> Place {
    match key {
        "type" => Place::PartType,
        "role" | "id" | "tool_call_id" | "call_id" | "tool_use_id" | "toolUseId" | "status"
        | "signature" | "thoughtSignature" | "thought_signature" | "encrypted_content"
        | "cache_control" | "cachePoint" | "detail" | "format" | "data" | "bytes" | "index"
        | "mimeType" | "mime_type" | "media_type" | "filename" => Place::Quiet,
        "image" | "image_url" | "images" => Place::Image,
        "input_audio" | "audio" | "audio_url" | "video" | "video_url" => Place::Audio,
        "file_id" => Place::FileId,
        "file_url" | "document_url" => Place::File,
        // Where an answer that is sent back had found something; not read again.
        "annotations" | "citations" | "logprobs" => Place::Quiet,
        // A data URL at OpenAI, an object at Gemini.
        "file_data" => Place::FileData,
        "source" | "inlineData" | "inline_data" | "fileData" => Place::Blob,
        "document" => Place::Document,
        "input" | "args" | "arguments" | "response" | "json" | "parameters" => Place::Structured,
        _ => Place::Parts,
    }
}

/// Whether the provider itself runs a tool of this type, at its cost and with its side effects.
///
/// Anthropic adds a date (`web_search_20250305`), hence prefixes. Tools the client runs
/// (`function`, `custom`, `bash_…`, `computer_…`, `text_editor_…`, `local_shell`) are not listed.
pub(super) fn is_server_tool(name: &str) -> bool {
    const PREFIXES: [&str; 14] = [
        "web_search",
        "web_fetch",
        "file_search",
        "code_interpreter",
        "code_execution",
        "image_generation",
        "mcp",
        "tool_search",
        "x_search",
        "collections_search",
        "browser_search",
        "browser_automation",
        "visit_website",
        "openrouter:",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a URI names a file uploaded to the Gemini API (`https://…/v1beta/files/abc`).
///
/// A file of another host may look so too: to think it kept costs a fallback, to miss that it is
/// costs an answer.
pub(super) fn is_kept_file(uri: &str) -> bool {
    uri.starts_with("files/") || uri.contains("/files/")
}

/// The media type of a `data:` URL that holds base64.
pub(super) fn data_url_mime(raw: &[u8]) -> Option<&str> {
    let rest = raw.strip_prefix(b"data:")?;
    let head = &rest[..rest.len().min(128)];
    let mime = &head[..memchr::memchr(b',', head)?];
    std::str::from_utf8(mime.strip_suffix(b";base64")?).ok()
}

/// The medium that a part of this type holds.
pub(super) fn medium_of_type(name: &str) -> Option<Place> {
    match name {
        "image" | "input_image" | "image_url" => Some(Place::Image),
        "audio" | "video" | "input_audio" => Some(Place::Audio),
        "document" | "file" | "input_file" => Some(Place::File),
        _ => None,
    }
}

pub(super) fn media_of(mime: &str) -> Place {
    match mime.split('/').next() {
        Some("image") => Place::Image,
        Some("audio" | "video") => Place::Audio,
        _ => Place::File,
    }
}
