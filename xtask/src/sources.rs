//! Promises that the compiler cannot check, looked for in the text of the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, steps::root};

/// Names of fields on the wire. Not all of them: enough to notice when one has gone astray.
const FIELDS: [&str; 14] = [
    "finish_reason",
    "finishReason",
    "stop_reason",
    "stopReason",
    "done_reason",
    "incomplete_details",
    "choices",
    "candidates",
    "usageMetadata",
    "prompt_tokens",
    "input_tokens",
    "max_tokens",
    "promptFeedback",
    "retryDelay",
];

/// Where in battlement-core they belong.
const FIELDS_AT_HOME: [&str; 4] = ["dialect", "hint", "request", "write"];

pub(crate) fn check() -> Result {
    let mut wrong = Vec::new();
    let crates = root().join("crates");
    let core = crates.join("battlement-core/src");
    for file in rust_files(&crates)? {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let shown = file.strip_prefix(root()).unwrap_or(&file).display();
        let is_source = file.iter().any(|part| part == "src");
        if is_source && lacks_reason_for_unsafe(&text) {
            wrong.push(format!("{shown}: `unsafe`, but its first line does not say why"));
        }
        if file.strip_prefix(&core).is_ok_and(|path| !is_at_home(path)) {
            if let Some(field) = FIELDS.iter().find(|field| names_field(&text, field)) {
                wrong.push(format!("{shown}: names the provider's field `{field}`"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn is_at_home(path: &Path) -> bool {
    let first = path.iter().next().map(Path::new).and_then(Path::file_stem);
    FIELDS_AT_HOME.iter().any(|home| first.is_some_and(|first| first == *home))
        || path.file_stem().is_some_and(|stem| stem == "tests")
}

fn lacks_reason_for_unsafe(text: &str) -> bool {
    let mut words =
        code(text).flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let first = text.lines().next().unwrap_or_default();
    words.any(|word| word == "unsafe") && !(first.starts_with("//") && first.contains("unsafe"))
}

fn names_field(text: &str, field: &str) -> bool {
    // A unit test at the end of a file may quote an answer.
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let quoted = format!("\"{field}\"");
    code(text).any(|line| line.contains(&quoted))
}

/// The lines without their comments; a `//` inside a string cuts too much, which does no harm here.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_needs_a_reason_in_the_first_line() {
        assert!(lacks_reason_for_unsafe("//! Fast.\nfn f() { unsafe { g() } }"));
        assert!(!lacks_reason_for_unsafe("//! Uses unsafe to skip a check.\nunsafe fn f() {}"));
        assert!(!lacks_reason_for_unsafe("//! No unsafe here.\n// unsafe\n#![deny(unsafe_code)]"));
        assert!(!lacks_reason_for_unsafe(""));
    }

    #[test]
    fn a_field_is_a_whole_string_outside_comments_and_tests() {
        assert!(names_field("let key = \"choices\";", "choices"));
        assert!(!names_field("// \"choices\"", "choices"));
        assert!(!names_field("let key = \"no choices\";", "choices"));
        assert!(!names_field("#[cfg(test)]\nmod tests {\n\"choices\"", "choices"));
    }

    #[test]
    fn fields_are_at_home_in_four_folders() {
        assert!(is_at_home(Path::new("dialect/openai.rs")));
        assert!(is_at_home(Path::new("hint.rs")));
        assert!(is_at_home(Path::new("scan/tests.rs")));
        assert!(!is_at_home(Path::new("scan/sse.rs")));
    }
}
