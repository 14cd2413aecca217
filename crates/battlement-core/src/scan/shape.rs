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
    /// Bit n is set when a member's name has n bytes (all longer ones share the last bit).
    lengths: u64,
}

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
    pub(crate) const fn new(members: &'static [(&'static str, Node)]) -> Self {
        let mut lengths = 0;
        let mut at = 0;
        while at < members.len() {
            lengths |= 1 << length_bit(members[at].0.len());
            at += 1;
        }
        Self { members, lengths }
    }

    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<&'static Node> {
        if self.lengths >> length_bit(key.len()) & 1 == 0 {
            return None;
        }
        // The first byte tells most names of one length apart, cheaper than a comparison would.
        let same = |name: &str| name.as_bytes().first() == key.first() && name.as_bytes() == key;
        self.members.iter().find(|(name, _)| same(name)).map(|(_, node)| node)
    }
}

const fn length_bit(len: usize) -> usize {
    if len < 63 { len } else { 63 }
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
