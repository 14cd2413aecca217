//! Where schemas are in a request, and what they have to be.

use super::{Check, Finding};
use crate::{Dialect, request::places::Top};

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where in the schema: a JSON pointer.
    pub at: String,
    /// What is wrong, without a word of the schema.
    pub sentence: String,
}

/// Says what is wrong with a JSON Schema, if anything is: a validator, which is not part of this crate.
pub type Judge = fn(&[u8]) -> Option<Flaw>;

/// How a schema is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON Schema.
    Standard,
    /// Google's own, which resembles it.
    Google,
    /// JSON Schema, or a word.
    OrWord,
}

const fn places(dialect: Dialect) -> &'static [(&'static str, Kind)] {
    use Kind::{Google, OrWord, Standard};
    match dialect {
        Dialect::OpenAiChat => &[
            ("tools/*/function/parameters", Standard),
            ("functions/*/parameters", Standard),
            ("response_format/json_schema/schema", Standard),
        ],
        Dialect::OpenAiResponses => {
            &[("tools/*/parameters", Standard), ("text/format/schema", Standard)]
        }
        Dialect::AnthropicMessages => &[
            ("tools/*/input_schema", Standard),
            ("output_format/schema", Standard),
            ("output_config/format/schema", Standard),
        ],
        Dialect::Gemini => &[
            ("tools/*/functionDeclarations/*/parameters", Google),
            ("tools/*/functionDeclarations/*/parametersJsonSchema", Standard),
            ("tools/*/function_declarations/*/parameters", Google),
            ("tools/*/function_declarations/*/parameters_json_schema", Standard),
            ("generationConfig/responseSchema", Google),
            ("generationConfig/responseJsonSchema", Standard),
            ("generation_config/response_schema", Google),
            ("generation_config/response_json_schema", Standard),
        ],
        Dialect::BedrockConverse => &[("toolConfig/tools/*/toolSpec/inputSchema/json", Standard)],
        Dialect::BedrockInvoke => &[("tools/*/input_schema", Standard)],
        Dialect::CohereV2 => &[
            ("tools/*/function/parameters", Standard),
            ("response_format/json_schema", Standard),
            ("response_format/schema", Standard),
        ],
        Dialect::OllamaNative => &[("tools/*/function/parameters", Standard), ("format", OrWord)],
        Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => &[],
    }
}

/// Looks at every schema in a body.
pub(super) fn look(
    dialect: Dialect,
    top: &Top<'_>,
    judge: Option<Judge>,
    found: &mut Vec<Finding>,
) {
    for &(place, kind) in places(dialect) {
        top.each(place, &mut |pointer, value| {
            let is_other = match value.first() {
                Some(b'{') => false,
                // Nothing; or JSON Schema for anything and for nothing, which some take.
                Some(b'n' | b't' | b'f') => return,
                Some(b'"') if kind == Kind::OrWord => return,
                _ => true,
            };
            if is_other {
                found.push(Finding::new(Check::Schema, pointer, "the schema is not an object"));
                return;
            }
            let judge = judge.filter(|_| kind != Kind::Google);
            if let Some(flaw) = judge.and_then(|judge| judge(value)) {
                let Flaw { at, sentence } = flaw;
                found.push(Finding::new(Check::Schema, format!("{pointer}{at}"), sentence));
            }
        });
    }
}
