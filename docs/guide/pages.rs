//! Every page is in the table of contents and is included, and every link leads somewhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use crate::PAGES;

const CONTENTS: &str = "SUMMARY.md";

#[test]
fn every_page_is_in_the_contents_and_included_and_there() {
    let found = files(&source());
    let included: BTreeSet<_> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    let contents: Vec<_> = links(&text(CONTENTS)).into_iter().collect();
    let listed: BTreeSet<_> = contents.iter().cloned().collect();
    assert_eq!(contents.len(), listed.len(), "a page is in the contents twice");
    assert_eq!(found, listed, "the files on the left, the table of contents on the right");
    assert_eq!(found, included, "the files on the left, `pages!` in lib.rs on the right");
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in PAGES.iter().copied().chain([CONTENTS]) {
        for link in links(&text(page)) {
            if link.starts_with("https://") {
                continue;
            }
            count += 1;
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.to_owned() } else { beside(page, path) };
            let is_there = PAGES.contains(&&*target)
                && (heading.is_empty() || headings(&text(&target)).contains(heading));
            if !is_there {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(count > 100, "{count} links: they are no longer found");
}

#[test]
fn blocks_say_what_they_are() {
    // What says nothing is run as Rust, and what is indented, too: by accident, mostly.
    for page in PAGES {
        let mut is_inside = false;
        for line in text(page).lines() {
            if let Some(kind) = line.strip_prefix("```") {
                let is_known = ["rust", "text", "console", "toml", "yaml"].contains(&kind);
                assert!(if is_inside { kind.is_empty() } else { is_known }, "{page}: {line}");
                is_inside = !is_inside;
            }
            assert!(is_inside || !line.starts_with("    "), "{page}: {line}");
        }
        assert!(!is_inside, "{page} ends inside of a block");
    }
}

#[test]
fn headings_are_named_as_mdbook_does() {
    let named = |line| headings(line).into_iter().next().unwrap();
    assert_eq!(named("## The line"), "the-line");
    assert_eq!(named("## 4. How many at once"), "4-how-many-at-once");
    assert_eq!(named("## `llm.rate_limit.requests`"), "llmrate_limitrequests");
}

/// Where the pages are.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The Markdown below a folder, by its path from `src`, without the table of contents.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let parts: Vec<_> = path.strip_prefix(source()).unwrap().iter().collect();
            found.insert(parts.join("/".as_ref()).into_string().unwrap());
        }
    }
    found.remove(CONTENTS);
    found
}

/// A page, with what it includes.
fn text(page: &str) -> String {
    let path = source().join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    match text.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}")) {
        Some(other) => fs::read_to_string(path.with_file_name("").join(other)).unwrap(),
        None => text,
    }
}

/// What a page links to: what stands in `](…)`, outside of blocks.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The ids of its headings.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = prose(text);
    let titles = lines.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| id(line.trim_start_matches('#').trim())).collect()
}

fn id(title: &str) -> String {
    let letters = title.to_lowercase();
    let kept = letters.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '_' | '-' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect()
}

/// A page without its blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The path of a page that another one names by its path from there.
fn beside(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.push(name.to_str().unwrap()),
            _ => {}
        }
    }
    parts.join("/")
}
