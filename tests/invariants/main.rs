//! `docs/invariants.md` is true: what it names exists, and what exists is named in it.
//!
//! An invariant without a test is a wish, and a test that nobody finds is not repeated by whoever
//! changes the code. So the table and the sources are compared in both directions.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The families of invariants.
const FAMILIES: &str = "grblcthaqfsk";

/// Where tests live.
const FOLDERS: [&str; 2] = ["crates", "tests"];

/// One test: the file it is in, from the root, and its name.
type Test = (String, String);

#[test]
fn every_test_in_the_table_exists_and_every_invariant_test_is_in_the_table() {
    let listed = listed();
    let found = found();
    let missing: Vec<_> = listed.difference(&found).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "in the table only: {missing:#?}");
    assert!(unlisted.is_empty(), "not in the table: {unlisted:#?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rows of the table; each holds an id, a statement and `file::test`.
fn listed() -> BTreeSet<Test> {
    let text = fs::read_to_string(root().join("docs/invariants.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [id, statement, test] = cells[..] else { panic!("not three cells: {row}") };
        assert!(!statement.is_empty(), "no statement: {row}");
        let (file, name) = test.trim_matches('`').rsplit_once("::").unwrap();
        let in_name = invariant(name).unwrap_or_else(|| panic!("no id in the name: {row}"));
        assert_eq!(id.to_lowercase(), in_name, "the id is not that of the test: {row}");
        (file.to_owned(), name.to_owned())
    })
    .collect()
}

/// The tests in the sources that are named after an invariant.
fn found() -> BTreeSet<Test> {
    let root = root();
    let mut tests = BTreeSet::new();
    for file in FOLDERS.iter().flat_map(|folder| rust_files(&root.join(folder))) {
        let shown = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if let Some(function) = line.trim_start_matches("async ").strip_prefix("fn ") {
                let name = function.split('(').next().unwrap_or_default();
                if is_test && invariant(name).is_some() {
                    tests.insert((shown.clone(), name.to_owned()));
                }
                is_test = false;
            }
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        }
    }
    tests
}

/// The id that a name begins with, as in `b3_idle_time_earns_nothing`.
fn invariant(name: &str) -> Option<&str> {
    let id = name.split('_').next()?;
    let number = id.strip_prefix(|family| FAMILIES.contains(family))?;
    let is_id = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && name.len() > id.len()).then_some(id)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn ids_are_told_from_other_names() {
    assert_eq!(invariant("b3_idle_time"), Some("b3"));
    assert_eq!(invariant("l10_error"), Some("l10"));
    assert_eq!(invariant("backoff_grows"), None);
    assert_eq!(invariant("b3"), None);
    assert_eq!(invariant("x1_unknown_family"), None);
}
