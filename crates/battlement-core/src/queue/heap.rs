//! A binary heap whose items can be found, changed and removed: each knows its place.

/// Items are numbers below some bound, ordered by a key and then by when they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Heap {
    entries: Vec<Entry>,
    /// Where an item is in `entries`; `u32::MAX` if it is not.
    places: Vec<u32>,
    /// How many items were ever inserted.
    inserted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u128,
    order: u64,
    item: u32,
}

const ABSENT: u32 = u32::MAX;

impl Heap {
    /// The item with the least key.
    pub(super) fn first(&self) -> Option<(u128, u32)> {
        self.entries.first().map(|entry| (entry.key, entry.item))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Inserts an item that is absent, or gives one that is not another key.
    pub(super) fn set(&mut self, item: u32, key: u128) {
        if self.places.len() <= item as usize {
            self.places.resize(item as usize + 1, ABSENT);
        }
        let place = match self.places[item as usize] {
            ABSENT => {
                self.inserted += 1;
                self.entries.push(Entry { key, order: self.inserted, item });
                self.entries.len() - 1
            }
            place => {
                self.entries[place as usize].key = key;
                place as usize
            }
        };
        self.settle(place);
    }

    /// Removes an item; tells whether it was present.
    pub(super) fn remove(&mut self, item: u32) -> bool {
        let Some(place) = self.places.get(item as usize).filter(|place| **place != ABSENT) else {
            return false;
        };
        let place = *place as usize;
        self.entries.swap_remove(place);
        self.places[item as usize] = ABSENT;
        if place < self.entries.len() {
            self.settle(place);
        }
        true
    }

    /// Moves an entry to where it belongs.
    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.is_before(place, (place - 1) / 2) {
            self.entries.swap(place, (place - 1) / 2);
            self.note(place);
            place = (place - 1) / 2;
        }
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut least = place;
            for child in [left, right] {
                if child < self.entries.len() && self.is_before(child, least) {
                    least = child;
                }
            }
            if least == place {
                break;
            }
            self.entries.swap(place, least);
            self.note(place);
            place = least;
        }
        self.note(place);
    }

    fn is_before(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.entries[one], &self.entries[other]);
        (one.key, one.order) < (other.key, other.order)
    }

    fn note(&mut self, place: usize) {
        self.places[self.entries[place].item as usize] = place as u32;
    }
}
