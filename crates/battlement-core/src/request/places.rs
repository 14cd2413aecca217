//! Members of a body that was walked once, by name, and what is inside of those.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

use super::{NotJson, elements, members};

/// The members at the top of a body.
pub(crate) struct Top<'b> {
    body: &'b [u8],
    members: SmallVec<[(Cow<'b, str>, Range<usize>); 12]>,
}

impl<'b> Top<'b> {
    /// `None` if the body is JSON, but not an object.
    pub(crate) fn read(body: &'b [u8]) -> Result<Option<Self>, NotJson> {
        let mut found = SmallVec::new();
        let shape = members(body, |key, value| found.push((key.decode(), value)))?;
        Ok(shape.map(|_| Self { body, members: found }))
    }

    /// The value that counts: the last.
    pub(crate) fn get(&self, name: &str) -> Option<&'b [u8]> {
        Some(&self.body[self.range(name)?])
    }

    /// Where the value is that counts.
    pub(crate) fn range(&self, name: &str) -> Option<Range<usize>> {
        let (_, value) = self.members.iter().rfind(|(member, _)| member == name)?;
        Some(value.clone())
    }

    /// Whether there is something else than null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != b"null")
    }

    /// Shows every value at a place, such as `tools/*/function/parameters`, with its pointer.
    pub(crate) fn each(&self, place: &str, visit: &mut dyn FnMut(&str, &'b [u8])) {
        let (first, rest) = split(place);
        if let Some(value) = self.get(first) {
            each_inside(value, rest, &mut format!("/{first}"), visit);
        }
    }
}

/// Shows every value at a place inside of a value, such as `content/*/id`.
pub(crate) fn each<'b>(value: &'b [u8], place: &str, visit: &mut dyn FnMut(&'b [u8])) {
    each_inside(value, Some(place), &mut String::new(), &mut |_, value| visit(value));
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
