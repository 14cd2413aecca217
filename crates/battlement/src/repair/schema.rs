//! Compiled schemas, kept for the next call.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use battlement_core::repair::Schema;
use foldhash::fast::RandomState;
use jsonschema::{Draft, Validator};
use serde_json::Value;

/// How many are kept. Programs have a few; whoever makes a new one for each call gains nothing by more.
const MOST: usize = 128;

/// What was written, and whether in Google's way.
type Written = (bool, Box<[u8]>);

/// Compiled schemas, by what was written. `None` is one that cannot be compiled.
#[derive(Default)]
pub(super) struct Schemas {
    compiled: Mutex<HashMap<Written, Option<Arc<Validator>>, RandomState>>,
}

/// What an answer is to match.
#[derive(Clone)]
pub(super) enum Rule {
    Schema(Arc<Validator>),
    /// An object of any form.
    Object,
}

impl Schemas {
    /// The rule that a schema is; `None` if it is none that could be compiled.
    pub(super) fn rule(&self, schema: Schema<'_>) -> Option<Rule> {
        let (is_google, bytes) = match schema {
            Schema::Json(bytes) => (false, bytes),
            Schema::Google(bytes) => (true, bytes),
            Schema::Object => return Some(Rule::Object),
        };
        let key = (is_google, Box::from(bytes));
        let lock = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&key).cloned();
        // Compiled under no lock: it takes its time.
        let compiled = known.unwrap_or_else(|| {
            let compiled = compile(bytes, is_google).map(Arc::new);
            let mut kept = lock();
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(key, compiled.clone());
            compiled
        });
        compiled.map(Rule::Schema)
    }
}

/// Compiles a schema by the first draft that takes it: hardly any says which it is meant for.
pub(super) fn compile(bytes: &[u8], is_google: bool) -> Option<Validator> {
    let mut schema: Value = serde_json::from_slice(bytes).ok()?;
    if is_google {
        translate(&mut schema);
    }
    let drafts = [None, Some(Draft::Draft7), Some(Draft::Draft4)];
    drafts.into_iter().find_map(|draft| {
        let options = jsonschema::options();
        let options = match draft {
            Some(draft) => options.with_draft(draft),
            None => options,
        };
        options.build(&schema).ok()
    })
}

/// Makes JSON Schema of Google's own kind: types in capitals, `nullable`, numbers as strings.
fn translate(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    if let Some(Value::String(kind)) = members.get_mut("type") {
        kind.make_ascii_lowercase();
        if kind == "type_unspecified" {
            members.remove("type");
        }
    }
    if members.remove("nullable") == Some(Value::Bool(true)) {
        let null = || Value::String("null".into());
        if let Some(kind) = members.remove("type") {
            members.insert("type".into(), Value::Array(vec![kind, null()]));
        }
        if let Some(Value::Array(values)) = members.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    for name in COUNTS {
        if let Some(Value::String(count)) = members.get(name) {
            match count.parse::<u64>() {
                Ok(count) => drop(members.insert(name.into(), count.into())),
                Err(_) => drop(members.remove(name)),
            }
        }
    }
    // Names of widths and the like, which are no formats of strings.
    if let Some(Value::String(format)) = members.get("format") {
        if format != "date-time" && format != "date" && format != "time" {
            members.remove("format");
        }
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inside) = members.get_mut(name) {
            translate(inside);
        }
    }
    for name in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(inside)) = members.get_mut(name) {
            inside.iter_mut().for_each(translate);
        }
    }
    for name in ["properties", "$defs", "defs"] {
        if let Some(Value::Object(inside)) = members.get_mut(name) {
            inside.values_mut().for_each(translate);
        }
    }
}

const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, good: &[&str], bad: &[&str]) {
        let schema = compile(schema.as_bytes(), true).unwrap();
        let is_valid = |text: &&str| schema.is_valid(&serde_json::from_str(text).unwrap());
        assert!(good.iter().all(is_valid), "{good:?}");
        assert!(!bad.iter().any(is_valid), "{bad:?}");
    }

    #[test]
    fn googles_schemas_mean_what_google_says() {
        check(
            r#"{"type":"OBJECT","required":["a"],"propertyOrdering":["a"],"properties":{
                "a":{"type":"ARRAY","minItems":"1","items":{"type":"INTEGER","format":"int32"}},
                "b":{"type":"STRING","nullable":true,"format":"enum","enum":["x"]},
                "c":{"anyOf":[{"type":"BOOLEAN"},{"type":"NUMBER"}]}}}"#,
            &[r#"{"a":[1],"b":null,"c":1.5}"#, r#"{"a":[1],"b":"x"}"#],
            &[
                "[]",
                "{}",
                r#"{"a":[]}"#,
                r#"{"a":["x"]}"#,
                r#"{"a":[1],"b":"y"}"#,
                r#"{"a":[1],"c":"t"}"#,
            ],
        );
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_none_is_none() {
        let schemas = Schemas::default();
        for number in 0..3 * MOST {
            let schema = format!(r#"{{"const":{number}}}"#);
            assert!(schemas.rule(Schema::Json(schema.as_bytes())).is_some());
        }
        assert!(schemas.compiled.lock().unwrap().len() <= MOST);
        assert!(schemas.rule(Schema::Json(br#"{"type":"strin"}"#)).is_none());
        assert!(schemas.rule(Schema::Json(b"no")).is_none());
        // What is somewhere else is not fetched.
        let far = br#"{"$ref":"https://example.com/schema.json"}"#;
        assert!(schemas.rule(Schema::Json(far)).is_none());
    }
}
