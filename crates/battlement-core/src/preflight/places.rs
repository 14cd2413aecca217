//! Members of a body that was walked once, by name, and what is inside of those.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

use crate::request::{NotJson, elements, members};

/// The members at the top of a body.
pub(super) struct Top<'b> {
    body: &'b [u8],
    members: SmallVec<[(Cow<'b, str>, Range<usize>); 12]>,
}

impl<'b> Top<'b> {
    /// `None` if the body is JSON, but not an object.
    pub(super) fn read(body: &'b [u8]) -> Result<Option<Self>, NotJson> {
        let mut found = SmallVec::new();
        let shape = members(body, |key, value| found.push((key.decode(), value)))?;
        Ok(shape.map(|_| Self { body, members: found }))
    }

    /// The value that counts: the last.
    pub(super) fn get(&self, name: &str) -> Option<&'b [u8]> {
        let (_, value) = self.members.iter().rfind(|(member, _)| member == name)?;
        Some(&self.body[value.clone()])
    }

    /// Whether there is something else than null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != b"null")
    }

    /// Shows every value at a place, such as `tools/*/function/parameters`, with its pointer.
    pub(super) fn each(&self, place: &str, visit: &mut dyn FnMut(&str, &'b [u8])) {
        let (first, rest) = split(place);
        if let Some(value) = self.get(first) {
            each_inside(value, rest, &mut format!("/{first}"), visit);
        }
    }
}

fn split(place: &str) -> (&str, Option<&str>) {
    place.split_once('/').map_or((place, None), |(first, rest)| (first, Some(rest)))
}

fn each_inside<'b>(
    value: &'b [u8],
    place: Option<&str>,
    pointer: &mut String,
    visit: &mut dyn FnMut(&str, &'b [u8]),
) {
    let Some(place) = place else { return visit(pointer, value) };
    let (first, rest) = split(place);
    let length = pointer.len();
    if first == "*" {
        let mut index = 0_usize;
        // What is inside of JSON is JSON.
        let _is_array = elements(value, |range| {
            pointer.push_str(&format!("/{index}"));
            each_inside(&value[range], rest, pointer, visit);
            pointer.truncate(length);
            index += 1;
        });
        return;
    }
    let mut found = None;
    let _shape = members(value, |key, range| {
        if key.decode() == first {
            found = Some(range);
        }
    });
    if let Some(range) = found {
        pointer.push('/');
        pointer.push_str(first);
        each_inside(&value[range], rest, pointer, visit);
        pointer.truncate(length);
    }
}
