//! What a bucket has to remember so that a charge can be changed afterwards.
//!
//! Every step of a bucket is a map `level ↦ min(cap, level + add)`: a refill is one, a charge, a
//! lowered capacity. Such maps compose into one of the same form, so a sequence of steps is kept as
//! a segment tree of maps with one leaf per admission: changing what an admission costs is the update
//! of one leaf, and the root gives the level that would be there, had that been the cost all along.
//!
//! Leaves that are settled are merged into their neighbours once the tree is full, so memory grows
//! with the reservations that are open at once, and not with the age of the oldest.

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
        // An absent cap stays absent, whatever is added to it.
        let cap = if self.cap == i128::MAX { i128::MAX } else { self.cap.saturating_add(next.add) };
        Self { cap: cap.min(next.cap), add: self.add.saturating_add(next.add) }
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
        Step::charge(self.cost).then(self.after)
    }
}

/// All steps since the oldest open reservation.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The level before the first leaf.
    base: i128,
    leaves: Vec<Leaf>,
    /// A heap-ordered binary tree over the leaves: the children of `i` are `2i` and `2i + 1`.
    tree: Vec<Step>,
    /// What came after the last leaf.
    tail: Option<Step>,
    /// Which leaf an open reservation is; `u32::MAX` for a slot that is free.
    slots: Vec<u32>,
    free: Vec<u32>,
}

/// The smallest tree; a power of two.
const SMALLEST: usize = 8;
const FREE: u32 = u32::MAX;

impl History {
    pub(super) fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes note of a step; worth nothing while no reservation is open.
    pub(super) fn advance(&mut self, step: Step) {
        if let Some(tail) = &mut self.tail {
            *tail = tail.then(step);
        }
    }

    /// Adds an admission at the end; `level` is that before its charge.
    pub(super) fn push(&mut self, level: i128, cost: i128) -> u32 {
        match (self.tail.take(), self.leaves.last_mut()) {
            (Some(tail), Some(last)) => {
                last.after = tail;
                self.refresh(self.leaves.len() - 1);
            }
            _ => self.base = level,
        }
        if self.leaves.len() == self.size() {
            self.compact();
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(FREE);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = self.leaves.len() as u32;
        self.leaves.push(Leaf { cost, after: Step::IDENTITY, slot: Some(slot) });
        self.tail = Some(Step::IDENTITY);
        self.refresh(self.leaves.len() - 1);
        slot
    }

    /// What an open admission is charged.
    pub(super) fn cost(&self, slot: u32) -> Option<i128> {
        Some(self.leaves[self.leaf(slot)?].cost)
    }

    /// Changes for good what an admission cost, and returns the level now.
    pub(super) fn close(&mut self, slot: u32, cost: i128) -> Option<i128> {
        let leaf = self.leaf(slot)?;
        self.leaves[leaf].cost = cost;
        self.leaves[leaf].slot = None;
        self.slots[slot as usize] = FREE;
        self.free.push(slot);
        self.refresh(leaf);
        let level = self.tail.unwrap_or(Step::IDENTITY).apply(self.root().apply(self.base));
        if self.open() == 0 {
            self.forget();
        }
        Some(level)
    }

    fn leaf(&self, slot: u32) -> Option<usize> {
        let leaf = *self.slots.get(slot as usize)?;
        (leaf != FREE).then_some(leaf as usize)
    }

    pub(super) fn size(&self) -> usize {
        self.tree.len() / 2
    }

    fn root(&self) -> Step {
        self.tree.get(1).copied().unwrap_or(Step::IDENTITY)
    }

    /// Recomputes the path from a leaf to the root.
    fn refresh(&mut self, leaf: usize) {
        let mut node = self.size() + leaf;
        self.tree[node] = self.leaves[leaf].step();
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].then(self.tree[2 * node + 1]);
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
        let size = (2 * kept).next_power_of_two().max(SMALLEST);
        self.tree.clear();
        self.tree.resize(2 * size, Step::IDENTITY);
        for (node, leaf) in self.tree[size..].iter_mut().zip(&self.leaves) {
            *node = leaf.step();
        }
        for node in (1..size).rev() {
            self.tree[node] = self.tree[2 * node].then(self.tree[2 * node + 1]);
        }
    }

    /// Starts anew: nothing is open, so nothing can change any more.
    fn forget(&mut self) {
        // Only the nodes above leaves were ever written.
        let (mut first, mut last) = (self.size(), self.size() + self.leaves.len() - 1);
        while first > 0 {
            self.tree[first..=last].fill(Step::IDENTITY);
            (first, last) = (first / 2, last / 2);
        }
        self.leaves.clear();
        self.tail = None;
        self.slots.clear();
        self.free.clear();
    }
}
