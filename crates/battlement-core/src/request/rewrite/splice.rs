//! Replaces and adds members of one JSON object, and copies every other byte.

use std::{borrow::Cow, ops::Range};

use super::RewriteError;
use crate::request::cursor::{self, NotJson, Shape, Text};

/// Every top-level member an edit may look at; the others are not remembered.
const NAMES: [&str; 16] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_gen_len",
    "max_tokens_to_sample",
    "generationConfig",
    "generation_config",
    "inferenceConfig",
    "textGenerationConfig",
    "options",
    "anthropic_version",
    "inputText",
    "schemaVersion",
];

pub(super) struct Splicer<'b> {
    body: &'b [u8],
    shape: Shape,
    members: Vec<(&'static str, Range<usize>)>,
    splices: Vec<(Range<usize>, String)>,
    /// What is missing at the top level, as `"key":value`.
    additions: Vec<String>,
}

impl<'b> Splicer<'b> {
    pub(super) fn new(body: &'b [u8]) -> Result<Self, RewriteError> {
        let mut members = Vec::new();
        let shape = cursor::members(body, |key, value| {
            let key = key.decode();
            if let Some(name) = NAMES.into_iter().find(|name| *name == key) {
                members.push((name, value));
            }
        })?;
        let shape = shape.ok_or(RewriteError::NotAnObject { what: "body" })?;
        Ok(Self { body, shape, members, splices: Vec::new(), additions: Vec::new() })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| *member == name)
    }

    /// The value that counts: the last.
    pub(super) fn last(&self, name: &str) -> Option<&'b [u8]> {
        let (_, value) = self.members.iter().rfind(|(member, _)| *member == name)?;
        Some(&self.body[value.clone()])
    }

    /// Replaces a member wherever it is.
    pub(super) fn replace(&mut self, name: &str, value: &str) {
        for place in self.places(name) {
            self.splice(place, value);
        }
    }

    /// Replaces a member, or adds it.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if self.has(name) {
            self.replace(name, value);
        } else {
            self.additions.push(format!("\"{name}\":{value}"));
        }
    }

    /// Replaces those of several members that hold something; if none does, sets the first.
    pub(super) fn set_one_of(&mut self, names: &[&str], value: &str) {
        let is_set = |name: &&str| self.last(name).is_some_and(|value| value != b"null");
        let used: Vec<&str> = names.iter().copied().filter(is_set).collect();
        let names = if used.is_empty() { &names[..1] } else { &used };
        for name in names {
            self.set(name, value);
        }
    }

    /// Replaces a member of a member, by any of its names, or adds it by the first.
    pub(super) fn set_inside(
        &mut self,
        outer: &'static str,
        names: &[&str],
        value: &str,
    ) -> Result<(), RewriteError> {
        let member = format!("\"{}\":{value}", names[0]);
        if !self.has(outer) {
            self.additions.push(format!("\"{outer}\":{{{member}}}"));
        }
        for place in self.places(outer) {
            if &self.body[place.clone()] == b"null" {
                self.splice(place, &format!("{{{member}}}"));
                continue;
            }
            let (shape, found) = self.inside(outer, &place, names)?;
            if found.is_empty() {
                let comma = if shape.is_empty { "" } else { "," };
                let open = place.start + shape.open;
                self.splices.push((open..open, member.clone() + comma));
            }
            for inner in found {
                self.splice(inner, value);
            }
        }
        Ok(())
    }

    /// Replaces a member of a member where it is.
    pub(super) fn replace_inside(
        &mut self,
        outer: &'static str,
        name: &str,
        value: &str,
    ) -> Result<(), RewriteError> {
        for place in self.places(outer) {
            if &self.body[place.clone()] != b"null" {
                for inner in self.inside(outer, &place, &[name])?.1 {
                    self.splice(inner, value);
                }
            }
        }
        Ok(())
    }

    /// The body with all changes.
    pub(super) fn finish(mut self) -> Cow<'b, [u8]> {
        if !self.additions.is_empty() {
            let mut added = self.additions.join(",");
            if !self.shape.is_empty {
                added.push(',');
            }
            self.splices.push((self.shape.open..self.shape.open, added));
        }
        if self.splices.is_empty() {
            return Cow::Borrowed(self.body);
        }
        self.splices.sort_by_key(|(range, _)| range.start);
        let grown: usize = self.splices.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(self.body.len() + grown);
        let mut copied = 0;
        for (range, text) in &self.splices {
            out.extend_from_slice(&self.body[copied..range.start]);
            out.extend_from_slice(text.as_bytes());
            copied = range.end;
        }
        out.extend_from_slice(&self.body[copied..]);
        Cow::Owned(out)
    }

    fn places(&self, name: &str) -> Vec<Range<usize>> {
        let named = self.members.iter().filter(|(member, _)| *member == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// The shape of a member that is an object, and where it has members of these names.
    fn inside(
        &self,
        outer: &'static str,
        place: &Range<usize>,
        names: &[&str],
    ) -> Result<(Shape, Vec<Range<usize>>), RewriteError> {
        let mut found = Vec::new();
        let visit = |key: Text<'_>, value: Range<usize>| {
            if names.contains(&&*key.decode()) {
                found.push(place.start + value.start..place.start + value.end);
            }
        };
        let shape: Result<Option<Shape>, NotJson> =
            cursor::members(&self.body[place.clone()], visit);
        let shape = shape?.ok_or(RewriteError::NotAnObject { what: outer })?;
        Ok((shape, found))
    }

    fn splice(&mut self, place: Range<usize>, value: &str) {
        if &self.body[place.clone()] != value.as_bytes() {
            self.splices.push((place, value.to_owned()));
        }
    }
}
