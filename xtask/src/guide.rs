//! The guide, built with mdBook. Its programs, tables and links are checked by the tests of its package, which need no mdBook.

use crate::{
    Result,
    steps::{program, works},
};

/// Why it cannot be built here, if it cannot.
pub(crate) fn missing() -> Option<&'static str> {
    (!works(&mut program("mdbook", &["--version"]))).then_some("mdbook not installed")
}

/// Builds it into `target/guide`; a warning is an error.
pub(crate) fn build() -> Result {
    let built = program("mdbook", &["build", "docs/guide"]).output();
    let built = built.map_err(|error| format!("cannot start mdbook: {error}"))?;
    let said = [built.stdout, built.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    print!("{said}");
    if !built.status.success() {
        return Err(format!("mdbook: {}", built.status));
    }
    match said.lines().find(|line| is_warning(line)) {
        Some(line) => Err(format!("mdbook warns: {line}")),
        None => Ok(()),
    }
}

/// In square brackets until version 0.4, and between blanks since.
fn is_warning(line: &str) -> bool {
    line.split([' ', '[', ']']).any(|word| word == "WARN" || word == "ERROR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_both_versions_are_noticed() {
        assert!(is_warning("2026-11-21 23:00:00 [WARN] (mdbook::book): no such chapter"));
        assert!(is_warning(" WARN unclosed HTML tag `<br>`"));
        assert!(!is_warning(" INFO Book building has started"));
        assert!(!is_warning("2026-11-21 23:00:00 [INFO] (mdbook::cmd): WARNINGS are rare"));
    }
}
