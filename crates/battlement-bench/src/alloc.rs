// unsafe: a global allocator cannot be written without; it counts, and hands on to the system's.
#![expect(unsafe_code, reason = "a global allocator can only be written with unsafe")]

//! Counts what a piece of work asks of the allocator.
//!
//! A parser that is fast on an idle machine and allocates per event is slow on a busy one, so every
//! row shows its allocations. Counting is off while the clock runs: what remains then is one relaxed
//! load per allocation, the same for every contender.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// The system allocator, with counters beside it.
pub(crate) struct Counting;

/// What one piece of work asked for. A reallocation counts as an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// What of these bytes, and of older ones, was freed.
    pub(crate) freed: u64,
}

static COUNTED: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);

/// Counts while `work` runs; everything the process allocates meanwhile is taken for its own.
pub(crate) fn count<T>(work: impl FnOnce() -> T) -> (T, Allocated) {
    let look = || [&COUNT, &BYTES, &FREED].map(|counter| counter.load(Relaxed));
    let before = look();
    COUNTED.store(true, Relaxed);
    let result = work();
    COUNTED.store(false, Relaxed);
    let after = look();
    let [count, bytes, freed] = std::array::from_fn(|index| after[index] - before[index]);
    (result, Allocated { count, bytes, freed })
}

fn note(bytes: usize) {
    if COUNTED.load(Relaxed) {
        COUNT.fetch_add(1, Relaxed);
        BYTES.fetch_add(bytes as u64, Relaxed);
    }
}

fn note_freed(bytes: usize) {
    if COUNTED.load(Relaxed) {
        FREED.fetch_add(bytes as u64, Relaxed);
    }
}

// SAFETY: every call goes to the system allocator unchanged; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the promises of `alloc`, which are handed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        note_freed(layout.size());
        // SAFETY: as above; `pointer` came from the system allocator, like every other.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note_freed(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
