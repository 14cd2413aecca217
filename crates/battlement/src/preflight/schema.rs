//! Whether a schema is one, by the drafts that are in use.

use battlement_core::preflight::Flaw;
use jsonschema::{draft4, draft7, draft202012};
use serde_json::Value;

/// What is wrong with a schema. One that is valid in any of the drafts will do: hardly any says which it is meant for,
/// and providers differ in which they take it for.
pub(super) fn judge(schema: &[u8]) -> Option<Flaw> {
    // What this parser does not take, such as one that is very deep, is not judged.
    let schema: Value = serde_json::from_slice(schema).ok()?;
    let error = draft202012::meta::validate(&schema).err()?;
    if draft7::meta::is_valid(&schema) || draft4::meta::is_valid(&schema) {
        return None;
    }
    let sentence = "the schema is not valid in any draft of JSON Schema".into();
    Some(Flaw { at: error.instance_path().to_string(), sentence })
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_schema_has_to_be_valid_in_one_draft() {
        let check = |schema: &str, expected: Option<&str>| {
            assert_eq!(
                judge(schema.as_bytes()).map(|flaw| flaw.at).as_deref(),
                expected,
                "{schema}"
            );
        };
        check(r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#, None);
        check("{}", None);
        check(r#"{"x-own":true,"type":"object"}"#, None);
        // Draft 7 and draft 4.
        check(r#"{"type":"array","items":[{"type":"string"}]}"#, None);
        check(r#"{"type":"number","minimum":0,"exclusiveMinimum":true}"#, None);
        check(r#"{"properties":{"a":{"type":"strin"}}}"#, Some("/properties/a/type"));
        check(r#"{"required":"a"}"#, Some("/required"));
        check(r#"{"properties":[]}"#, Some("/properties"));
        check(r#"{"enum":7}"#, Some("/enum"));
        check(&"{\"not\":".repeat(500), None);
    }
}
