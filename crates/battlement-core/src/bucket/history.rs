//! What a bucket has to remember so that a charge can be changed afterwards.
//!
//! Every step of a bucket is a map `level ↦ min(cap, level + add)`: a refill is one, a charge, a
//! lowered capacity. Such maps compose into one of the same form, so a sequence of steps is kept as
//! a segment tree of maps with one leaf per admission: changing what an admission costs is the update
//! of one leaf, and the root gives the level that would be there, had that been the cost all along.
//!
//! Nobody asks for the root until a cost changes, so the latest leaves are gone through one by one and
//! enter the tree many at a time; while there are few, there is no tree. Leaves that are settled are
//! merged into their neighbours once there are as many again, so memory grows with the reservations
//! that are open at once, and not with the age of the oldest.

use smallvec::SmallVec;

/// `level ↦ min(cap, level + add)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) cap: i128,
    pub(super) add: i128,
}

impl Step {
    /// Leaves every level as it is.
    pub(super) const IDENTITY: Self = Self { cap: i128::MAX, add: 0 };

    pub(super) const fn charge(cost: i128) -> Self {
        Self { cap: i128::MAX, add: -cost }
    }

    pub(super) fn apply(self, level: i128) -> i128 {
        level.saturating_add(self.add).min(self.cap)
    }

    /// This step and then `next`, as one step.
    pub(super) fn then(self, next: Self) -> Self {
        // An absent cap does not stay one, but above all levels it stays.
        let cap = self.cap.saturating_add(next.add).min(next.cap);
        Self { cap, add: self.add.saturating_add(next.add) }
    }
}

/// One admission, and what came between it and the next.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    cost: i128,
    after: Step,
    /// Its place in `slots` while it is open.
    slot: Option<u32>,
}

impl Leaf {
    fn step(&self) -> Step {
        Step { add: self.after.add.saturating_sub(self.cost), ..self.after }
    }
}

/// All steps since the oldest open reservation.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// The level before the first leaf.
    base: i128,
    leaves: SmallVec<[Leaf; 1]>,
    /// What came after the last leaf so far.
    tail: Step,
    /// How many there may be before those that are settled are merged; a power of two.
    room: usize,
    /// A heap-ordered binary tree over the leaves: the children of `i` are `2i` and `2i + 1`. Empty
    /// until it is needed.
    tree: Vec<Step>,
    /// How many leaves are in the tree.
    built: usize,
    /// Which leaf an open reservation is; `u32::MAX` for a slot that is free.
    slots: SmallVec<[u32; 4]>,
    free: SmallVec<[u32; 4]>,
}

/// So many leaves are gone through one by one.
const FEW: usize = 16;
const FREE: u32 = u32::MAX;

impl History {
    /// A history that begins at a level.
    pub(super) fn new(base: i128) -> Self {
        Self {
            base,
            leaves: SmallVec::new(),
            tail: Step::IDENTITY,
            room: FEW,
            tree: Vec::new(),
            built: 0,
            slots: SmallVec::new(),
            free: SmallVec::new(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes note of a step.
    pub(super) fn advance(&mut self, step: Step) {
        self.tail = self.tail.then(step);
    }

    /// Adds an admission at the end.
    pub(super) fn push(&mut self, cost: i128) -> u32 {
        let tail = std::mem::replace(&mut self.tail, Step::IDENTITY);
        if let Some(last) = self.leaves.last_mut() {
            last.after = tail;
        }
        if self.leaves.len() == self.room {
            self.compact();
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(FREE);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = self.leaves.len() as u32;
        self.leaves.push(Leaf { cost, after: Step::IDENTITY, slot: Some(slot) });
        slot
    }

    /// Ends an admission. If it is to cost something else than so far, returns the level now.
    pub(super) fn close(&mut self, slot: u32, cost: Option<i128>) -> Option<i128> {
        let place = self.slots.get_mut(slot as usize).filter(|place| **place != FREE)?;
        let index = std::mem::replace(place, FREE) as usize;
        self.free.push(slot);
        let leaf = &mut self.leaves[index];
        leaf.slot = None;
        leaf.cost = cost.filter(|cost| *cost != leaf.cost)?;
        Some(self.level(index))
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.room
    }

    /// The level after all steps, when those of one leaf have changed.
    fn level(&mut self, changed: usize) -> i128 {
        if changed < self.built {
            self.refresh(changed, changed);
        }
        let latest = self.leaves.len() - self.built;
        if latest > FEW {
            if self.tree.is_empty() {
                self.tree.resize(2 * self.room, Step::IDENTITY);
            }
            // What comes after the last leaf is not known yet, so it stays outside.
            let last = self.leaves.len() - 1;
            self.refresh(self.built, last - 1);
            self.built = last;
        }
        let root = self.tree.get(1).copied().unwrap_or(Step::IDENTITY);
        let through = |level: i128, leaf: &Leaf| leaf.after.apply(level.saturating_sub(leaf.cost));
        let level = self.leaves[self.built..].iter().fold(root.apply(self.base), through);
        self.tail.apply(level)
    }

    /// Puts leaves into the tree, and recomputes the paths from them to the root.
    fn refresh(&mut self, first: usize, last: usize) {
        let (mut first_node, mut last_node) = (self.room + first, self.room + last);
        let nodes = &mut self.tree[first_node..=last_node];
        for (node, leaf) in nodes.iter_mut().zip(&self.leaves[first..=last]) {
            *node = leaf.step();
        }
        while first_node > 1 {
            (first_node, last_node) = (first_node / 2, last_node / 2);
            for node in first_node..=last_node {
                self.tree[node] = self.tree[2 * node].then(self.tree[2 * node + 1]);
            }
        }
    }

    /// Merges what is settled into the open admission before it, and makes room for as many again.
    fn compact(&mut self) {
        let mut kept = 0;
        for next in 0..self.leaves.len() {
            let leaf = self.leaves[next];
            if let Some(slot) = leaf.slot {
                self.slots[slot as usize] = kept as u32;
                self.leaves[kept] = leaf;
                kept += 1;
            } else if kept == 0 {
                self.base = leaf.step().apply(self.base);
            } else {
                let before = &mut self.leaves[kept - 1];
                before.after = before.after.then(leaf.step());
            }
        }
        self.leaves.truncate(kept);
        self.room = (2 * kept).next_power_of_two().max(FEW);
        self.tree.clear();
        self.built = 0;
    }
}
