//! Which places of a JSON document are worth stopping at.
//!
//! A dialect describes its answers as a tree of [`Shape`]s and [`Node`]s; the reader walks the
//! document along that tree and skips whatever is not on it. So a word like `finish_reason` inside
//! the model's own text, or in a place where it means nothing, is never taken for the field.

use crate::dialect::Field;

/// The members of an object that matter.
#[derive(Debug)]
pub(crate) struct Shape {
    members: &'static [(&'static str, Node)],
    /// Where a name is looked for: its place among the members, counted from 1.
    slots: [u8; SLOTS],
    /// What makes every member's slot its own.
    factor: u32,
    /// Bit n is set when a name has n bytes: most other keys are turned away here.
    lengths: u64,
    /// Names are given in lower case and found in any.
    any_case: bool,
}

const SLOTS: usize = 64;

/// What to do with the value at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// What the value means.
    pub(crate) field: Field,
    /// How to read it when it is an object; `None` skips it.
    pub(crate) object: Option<&'static Shape>,
    /// How to read its elements when it is an array; `None` skips it.
    pub(crate) each: Option<&'static Self>,
}

impl Shape {
    /// Arranges the members so that a name is found with one comparison. Done by the compiler,
    /// which also says so should it ever be impossible.
    pub(crate) const fn new(members: &'static [(&'static str, Node)]) -> Self {
        let mut factor: u32 = 0x9E37_79B1;
        let mut tries = 0;
        while tries < 4096 {
            if let Some(slots) = arrange(members, factor) {
                let lengths = lengths(members);
                return Self { members, slots, factor, lengths, any_case: false };
            }
            // Any walk through the odd numbers will do.
            factor = factor.wrapping_mul(5).wrapping_add(2);
            tries += 1;
        }
        panic!("no factor gives every member a slot of its own; make SLOTS larger");
    }

    /// Members whose names have no case, given in lower case.
    pub(crate) const fn of_any_case(members: &'static [(&'static str, Node)]) -> Self {
        Self { any_case: true, ..Self::new(members) }
    }

    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<&'static Node> {
        if self.lengths.checked_shr(key.len() as u32).unwrap_or_default() & 1 == 0 {
            return None;
        }
        if self.any_case { self.find_lower(key) } else { self.find_exact(key) }
    }

    #[cold]
    fn find_lower(&self, key: &[u8]) -> Option<&'static Node> {
        let mut lower = [0; 64];
        let lower = lower.get_mut(..key.len())?;
        lower.copy_from_slice(key);
        lower.make_ascii_lowercase();
        self.find_exact(lower)
    }

    #[inline]
    fn find_exact(&self, key: &[u8]) -> Option<&'static Node> {
        let place = self.slots[slot(key, self.factor)];
        let (name, node) = self.members.get(usize::from(place).checked_sub(1)?)?;
        same(name.as_bytes(), key).then_some(node)
    }

    #[cfg(test)]
    pub(crate) fn members(&self) -> impl Iterator<Item = &'static (&'static str, Node)> {
        self.members.iter()
    }
}

#[inline]
fn ends<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    Some((text.first_chunk()?, text.last_chunk()?))
}

const fn lengths(members: &[(&str, Node)]) -> u64 {
    let (mut lengths, mut at) = (0, 0);
    while at < members.len() {
        assert!(!members[at].0.is_empty() && members[at].0.len() < 64);
        lengths |= 1 << members[at].0.len();
        at += 1;
    }
    lengths
}

const fn arrange(members: &[(&str, Node)], factor: u32) -> Option<[u8; SLOTS]> {
    let mut slots = [0; SLOTS];
    let mut at = 0;
    while at < members.len() {
        let name = members[at].0.as_bytes();
        let slot = slot(name, factor);
        if slots[slot] != 0 {
            return None;
        }
        at += 1;
        slots[slot] = at as u8;
    }
    Some(slots)
}

/// The slot of a name, which must not be empty.
#[inline]
const fn slot(name: &[u8], factor: u32) -> usize {
    let len = name.len();
    // Enough to tell the names in any one object apart.
    let seen = [name[0], name[len - 1], name[len / 4 * 3], len as u8];
    // The highest bits of a product depend on all bits of the factors.
    (u32::from_le_bytes(seen).wrapping_mul(factor) >> (u32::BITS - SLOTS.ilog2())) as usize
}

/// Equality of short names, without the call that comparing slices is.
#[inline]
fn same(name: &[u8], key: &[u8]) -> bool {
    let len = name.len();
    if len != key.len() {
        return false;
    }
    // Both ends, overlapping in the middle; what is longer than both is compared whole.
    match len {
        8..=16 => ends::<8>(name) == ends(key),
        4..=7 => ends::<4>(name) == ends(key),
        _ => name == key,
    }
}

impl Node {
    /// A value that is taken as it is.
    pub(crate) const fn leaf(field: Field) -> Self {
        Self { field, object: None, each: None }
    }

    /// An object with members that matter.
    pub(crate) const fn object(field: Field, shape: &'static Shape) -> Self {
        Self { field, object: Some(shape), each: None }
    }

    /// An array whose elements all look like `each`.
    pub(crate) const fn list(each: &'static Self) -> Self {
        Self { field: Field::None, object: None, each: Some(each) }
    }

    /// Also accepts an array of what it accepts alone.
    pub(crate) const fn or_list(self, each: &'static Self) -> Self {
        Self { each: Some(each), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, dialect::ERROR_BODY, scan::json::DEPTH};

    fn depth(node: &Node, limit: usize) -> usize {
        assert!(limit > 0, "a shape must not lead back into itself");
        let members = node.object.into_iter().flat_map(Shape::members);
        let members = members.map(|(_, node)| 1 + depth(node, limit - 1));
        let elements = node.each.map(|node| 1 + depth(node, limit - 1));
        members.chain(elements).max().unwrap_or_default()
    }

    #[test]
    fn no_shape_is_deeper_than_a_reader_follows() {
        let roots = Dialect::ALL.map(|dialect| dialect.spec().answer);
        for root in roots.into_iter().chain([&ERROR_BODY]) {
            assert!(depth(root, 20) <= DEPTH);
        }
    }

    #[test]
    fn finds_each_member_and_nothing_else() {
        fn check(node: &Node) {
            if let Some(shape) = node.object {
                for (name, node) in shape.members() {
                    let found = shape.find(name.as_bytes()).unwrap();
                    assert!(std::ptr::eq(found, node), "{name}");
                    let mut other = name.as_bytes().to_vec();
                    let middle = other.len() / 2;
                    other[middle] ^= 1;
                    assert!(shape.find(&other).is_none_or(|found| !std::ptr::eq(found, node)));
                    check(node);
                }
                assert!(shape.find(b"").is_none());
            }
            if let Some(each) = node.each {
                check(each);
            }
        }
        for dialect in Dialect::ALL {
            check(dialect.spec().answer);
        }
        check(&ERROR_BODY);
    }
}
