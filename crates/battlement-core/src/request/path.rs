//! Models that travel in the path: Azure deployments, Gemini, Vertex and Bedrock.

use std::{borrow::Cow, ops::Range};

use super::detect::find;

/// The last segment of every Bedrock path that starts with `/model/{id}/`.
static BEDROCK_OPERATIONS: [&str; 6] = [
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
    "invoke-with-bidirectional-stream",
    "count-tokens",
];

/// What Google lets one ask of a model, behind the colon. Another colon is part of a name, as in
/// OpenAI's `/v1/models/ft:gpt-4o:org`.
static GOOGLE_METHODS: [&str; 24] = [
    "generateContent",
    "streamGenerateContent",
    "bidiGenerateContent",
    "batchGenerateContent",
    "generateAnswer",
    "generateText",
    "generateMessage",
    "countTokens",
    "countTextTokens",
    "countMessageTokens",
    "computeTokens",
    "embedContent",
    "batchEmbedContents",
    "asyncBatchEmbedContent",
    "embedText",
    "batchEmbedText",
    "predict",
    "predictLongRunning",
    "fetchPredictOperation",
    "rawPredict",
    "streamRawPredict",
    "serverStreamingPredict",
    "directPredict",
    "directRawPredict",
];

/// Where in `path` the model's name is, still percent-encoded.
pub(super) fn model_span(path: &str) -> Option<Range<usize>> {
    let last = path.bytes().rposition(|byte| byte == b'/')? + 1;
    bedrock(path, last)
        .or_else(|| azure(path))
        .or_else(|| google(path, last))
        .filter(|span| !span.is_empty())
}

/// `/model/{id}/converse`. The id may hold slashes when a client forgot to encode an ARN.
fn bedrock(path: &str, last: usize) -> Option<Range<usize>> {
    if !BEDROCK_OPERATIONS.contains(&&path[last..]) {
        return None;
    }
    let start = find(path.as_bytes(), b"/model/")? + "/model/".len();
    (start < last - 1).then_some(start..last - 1)
}

/// `/openai/deployments/{deployment}/chat/completions`.
fn azure(path: &str) -> Option<Range<usize>> {
    const BEFORE: &str = "/openai/deployments/";
    let start = find(path.as_bytes(), BEFORE.as_bytes())? + BEFORE.len();
    let end = path[start..].find('/').map_or(path.len(), |length| start + length);
    Some(start..end)
}

/// `…/models/{model}:{method}`.
fn google(path: &str, last: usize) -> Option<Range<usize>> {
    let colon = last + path[last..].bytes().rposition(|byte| byte == b':')?;
    if !GOOGLE_METHODS.contains(&&path[colon + 1..]) {
        return None;
    }
    let collection = path[..last - 1].rsplit('/').next();
    let named = matches!(collection, Some("models" | "tunedModels" | "endpoints"));
    // Vertex counts tokens for Claude under a model of this name; the real one is in the body.
    (named && &path[last..colon] != "count-tokens").then_some(last..colon)
}

/// Resolves `%3A` and its like.
pub(super) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        });
        match code {
            Some(code) if byte == b'%' => {
                decoded.push(code);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Makes a name fit for one path segment.
///
/// Everything outside RFC 3986 `unreserved` is encoded, as the AWS SDKs do, except `@`, which
/// Vertex uses literally between a model and its version.
pub(super) fn percent_encode(name: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push(char::from(HEX[usize::from(byte >> 4)]));
                encoded.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_models_in_paths() {
        let check = |path: &str, expected: Option<&str>| {
            let model = model_span(path).map(|span| percent_decode(&path[span]));
            assert_eq!(model.as_deref(), expected, "{path}");
        };
        check("/v1/chat/completions", None);
        check("/openai/v1/chat/completions", None);
        check("/openai/deployments/my-gpt/chat/completions", Some("my-gpt"));
        check("/proxy/openai/deployments/my%20gpt/embeddings", Some("my gpt"));
        check("/v1beta/models/gemini-3-flash:generateContent", Some("gemini-3-flash"));
        check("/v1beta/tunedModels/mine:streamGenerateContent", Some("mine"));
        check(
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict",
            Some("claude@1"),
        );
        check(
            "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
            None,
        );
        check("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", None);
        check("/v1beta/models/:generateContent", None);
        check("/v1/models/ft:gpt-4o:org", None);
        check("/v1/models/ft:gpt-4o:org:batchEmbedContents", Some("ft:gpt-4o:org"));
        check("/v1/projects/p/locations/l/endpoints/7:serverStreamingPredict", Some("7"));
        check("/v1/projects/p/locations/l/endpoints/7:chat", None);
        check("/v1beta/models", None);
        check(
            "/model/anthropic.claude-sonnet-5-v1%3A0/converse",
            Some("anthropic.claude-sonnet-5-v1:0"),
        );
        check(
            "/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Ainference-profile%2Fus.x/invoke",
            Some("arn:aws:bedrock:us:1:inference-profile/us.x"),
        );
        check(
            "/model/arn:aws:bedrock:us:1:inference-profile/us.x/converse-stream",
            Some("arn:aws:bedrock:us:1:inference-profile/us.x"),
        );
        check("/model/x/unknown", None);
        check("/model/converse", None);
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        for name in ["a:b/c", "claude@20260101", "100%", "模型", "a b", "%3A"] {
            assert_eq!(&*percent_decode(&percent_encode(name)), name);
        }
        assert_eq!(percent_encode("v1:0/x@2"), "v1%3A0%2Fx@2");
        assert_eq!(&*percent_decode("%4%zz%"), "%4%zz%");
    }
}
