#![expect(unsafe_code, reason = "a global allocator can only be written with unsafe")]

//! What a registry of circuits takes: bounded memory, and no allocation for a key it knows.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use battlement_core::{
    breaker::{Config, Health, Registry},
    random::Seeded,
};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system allocator unchanged; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`, which are handed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; `pointer` came from the system allocator, like every other.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Some moment; core has no clock, and its tests need only one reading of it.
#[expect(clippy::disallowed_methods, reason = "any moment will do, and this is how to get one")]
fn start() -> Instant {
    Instant::now()
}

/// One test, because another beside it would be counted as well.
#[test]
fn a_hundred_thousand_keys_take_at_most_200_bytes_each() {
    const KEYS: u32 = 100_000;
    // The text of the keys included: 16 bytes of counters and 24 of text for each.
    let before = IN_USE.load(Relaxed);
    let (mut now, mut random) = (start(), Seeded(1));
    let limit = NonZeroU32::new(KEYS).unwrap();
    let mut breakers: Registry<Arc<str>> = Registry::new(Config::default(), limit).unwrap();
    for number in 0..KEYS {
        let key: Arc<str> = Arc::from(format!("anthropic/claude/{number:07}"));
        let ticket = breakers.admit(&key, now, &mut random).unwrap();
        let health = if number % 3 == 0 { Health::Bad } else { Health::Good };
        breakers.settle(&key, ticket, health, now, &mut random);
        now += Duration::from_millis(1);
    }
    assert_eq!(breakers.len(), KEYS as usize);
    let each = (IN_USE.load(Relaxed) - before) as f64 / f64::from(KEYS);
    assert!(each <= 200.0, "{each} bytes for each key");

    // More keys take no more.
    for number in KEYS..KEYS + 20_000 {
        let key: Arc<str> = Arc::from(format!("anthropic/claude/{number:07}"));
        let ticket = breakers.admit(&key, now, &mut random).unwrap();
        breakers.settle(&key, ticket, Health::Good, now, &mut random);
    }
    let each = (IN_USE.load(Relaxed) - before) as f64 / f64::from(KEYS);
    assert!(each <= 200.0, "{each} bytes for each key");

    let key: Arc<str> = Arc::from(format!("anthropic/claude/{:07}", KEYS + 19_999));
    let count = COUNT.load(Relaxed);
    for step in 0..1000 {
        if let Ok(mut ticket) = breakers.admit(&key, now, &mut random) {
            breakers.first_content(&key, &mut ticket, now, &mut random);
            let health = if step % 2 == 0 { Health::Bad } else { Health::Good };
            breakers.settle(&key, ticket, health, now, &mut random);
        }
        now += Duration::from_millis(10);
    }
    assert_eq!(COUNT.load(Relaxed) - count, 0, "allocations for a key that is known");
}
