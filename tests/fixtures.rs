//! The captured answers in `fixtures/` and their manifest agree.
//!
//! Every other test walks the manifest. A capture that it does not list would pass for tested, and
//! an entry without a file would fail far from its cause; both are found here.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Files in the folder that are not captures.
const TOOLS: [&str; 2] = ["manifest.json", "make_bedrock.py"];

#[test]
fn manifest_and_files_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(root.join("manifest.json")).unwrap()).unwrap();
    let entries = manifest["fixtures"].as_array().unwrap();
    let listed: BTreeSet<PathBuf> =
        entries.iter().map(|entry| entry["file"].as_str().unwrap().into()).collect();
    assert_eq!(listed.len(), entries.len(), "a file is listed twice");

    let mut found = BTreeSet::new();
    collect(&root, &root, &mut found);
    for tool in TOOLS {
        assert!(found.remove(Path::new(tool)), "{tool} is missing");
    }
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let missing: Vec<_> = listed.difference(&found).collect();
    assert!(unlisted.is_empty(), "not in the manifest: {unlisted:?}");
    assert!(missing.is_empty(), "in the manifest only: {missing:?}");
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_owned());
        }
    }
}
