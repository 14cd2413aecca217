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
    pub(super) fn child(self, key: &[u8]) -> Self {
        match self {
            Self::Root => top_level(key),
            Self::StreamOptions if key == b"include_usage" => Self::IncludeUsage,
            Self::GenerationConfig => match key {
                b"maxOutputTokens" | b"max_output_tokens" => Self::GenerationCap,
                b"candidateCount" | b"candidate_count" => Self::CandidateCount,
                b"responseSchema"
                | b"response_schema"
                | b"responseJsonSchema"
                | b"response_json_schema" => Self::Schema,
                b"responseMimeType" | b"response_mime_type" => Self::MimeType,
                _ => Self::Quiet,
            },
            Self::InferenceConfig if matches!(key, b"maxTokens" | b"max_new_tokens") => {
                Self::InferenceCap
            }
            Self::Search if key == b"mode" => Self::SearchMode,
            Self::TitanConfig if key == b"maxTokenCount" => Self::TitanCap,
            Self::Options if key == b"num_predict" => Self::OptionsCap,
            Self::TextConfig if key == b"format" => Self::Format,
            Self::ToolConfig if key == b"tools" => Self::Tools,
            Self::Format => match key {
                b"type" => Self::FormatType,
                b"format" => Self::Format,
                _ => Self::Structured,
            },
            Self::Tool => match key {
                b"type" => Self::ToolType,
                b"googleSearch"
                | b"google_search"
                | b"googleSearchRetrieval"
                | b"google_search_retrieval"
                | b"codeExecution"
                | b"code_execution"
                | b"urlContext"
                | b"url_context"
                | b"googleMaps"
                | b"google_maps"
                | b"fileSearch"
                | b"file_search"
                | b"enterpriseWebSearch"
                | b"retrieval"
                | b"systemTool" => Self::ServerTools,
                b"cache_control" | b"cachePoint" => Self::Quiet,
                b"vector_store_ids" => Self::State,
                _ => Self::Structured,
            },
            Self::StoredPrompt => match key {
                b"id" => Self::State,
                b"variables" => Self::Variables,
                _ => Self::Quiet,
            },
            Self::Variables => Self::Parts,
            Self::Turns | Self::Parts => part(key),
            Self::Document if key == b"data" => Self::Structured,
            Self::Document => part(key),
            Self::Blob => match key {
                b"type" => Self::BlobType,
                b"media_type" | b"mimeType" | b"mime_type" => Self::BlobMime,
                b"data" => Self::BlobData,
                b"file_id" => Self::State,
                b"fileUri" | b"file_uri" => Self::BlobUri,
                b"text" | b"content" => Self::Parts,
                _ => Self::Quiet,
            },
            Self::Structured => Self::Structured,
            _ => Self::Quiet,
        }
    }
}

fn top_level(key: &[u8]) -> Place {
    match key {
        b"model" => Place::Model,
        b"stream" => Place::Stream,
        b"stream_options" => Place::StreamOptions,
        b"max_tokens" | b"max_tokens_to_sample" => Place::MaxTokens,
        b"max_completion_tokens" => Place::MaxCompletionTokens,
        b"max_output_tokens" => Place::MaxOutputTokens,
        b"max_gen_len" => Place::MaxGenLen,
        b"n" => Place::N,
        b"best_of" => Place::BestOf,
        // Cohere embeds `texts`, Gemini a batch of `requests`.
        b"messages" | b"contents" | b"input" | b"texts" | b"requests" => Place::Turns,
        b"prompt" => Place::Prompt,
        b"system"
        | b"instructions"
        | b"systemInstruction"
        | b"system_instruction"
        | b"suffix"
        | b"inputText"
        | b"content" => Place::Parts,
        b"documents" => Place::Document,
        // Text that the answer is likely to repeat.
        b"prediction" => Place::Parts,
        b"tools" | b"functions" => Place::Tools,
        b"toolConfig" => Place::ToolConfig,
        b"mcp_servers" | b"web_search_options" | b"plugins" => Place::ServerTools,
        b"search_parameters" => Place::Search,
        // vLLM's old and new names, then those of SGLang, llama.cpp and TGI.
        b"guided_json"
        | b"guided_regex"
        | b"guided_choice"
        | b"guided_grammar"
        | b"structured_outputs"
        | b"json_schema"
        | b"regex"
        | b"ebnf"
        | b"grammar" => Place::Constraint,
        b"response_format" | b"output_format" | b"output_config" => Place::Format,
        b"text" => Place::TextConfig,
        b"format" => Place::OllamaFormat,
        b"generationConfig" | b"generation_config" => Place::GenerationConfig,
        b"inferenceConfig" => Place::InferenceConfig,
        b"textGenerationConfig" => Place::TitanConfig,
        b"options" => Place::Options,
        b"previous_response_id"
        | b"conversation"
        | b"container"
        | b"cachedContent"
        | b"cached_content" => Place::State,
        b"store" | b"background" => Place::StateSwitch,
        b"images" => Place::Image,
        // Gemini's countTokens wraps a whole request.
        b"generateContentRequest" => Place::Root,
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
fn part(key: &[u8]) -> Place {
    match key {
        b"type" => Place::PartType,
        b"role" | b"id" | b"tool_call_id" | b"call_id" | b"tool_use_id" | b"toolUseId"
        | b"status" | b"signature" | b"thoughtSignature" | b"thought_signature"
        | b"encrypted_content" | b"cache_control" | b"cachePoint" | b"detail" | b"format"
        | b"data" | b"bytes" | b"index" | b"mimeType" | b"mime_type" | b"media_type"
        | b"filename" => Place::Quiet,
        b"image" | b"image_url" | b"images" => Place::Image,
        b"input_audio" | b"audio" | b"audio_url" | b"video" | b"video_url" => Place::Audio,
        b"file_id" => Place::FileId,
        b"file_url" | b"document_url" => Place::File,
        // Where an answer that is sent back had found something; not read again.
        b"annotations" | b"citations" | b"logprobs" => Place::Quiet,
        // A data URL at OpenAI, an object at Gemini.
        b"file_data" => Place::FileData,
        b"source" | b"inlineData" | b"inline_data" | b"fileData" => Place::Blob,
        b"document" => Place::Document,
        b"input" | b"args" | b"arguments" | b"response" | b"json" | b"parameters" => {
            Place::Structured
        }
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
