use super::*;

fn registry(limit: u32) -> Registry<u32> {
    Registry::new(config(), number(limit)).unwrap()
}

fn fail(breakers: &mut Registry<u32>, key: u32, now: Instant) {
    let mut random = Seeded(1);
    for _ in 0..ENOUGH {
        let Ok(ticket) = breakers.admit(&key, now, &mut random) else { return };
        breakers.settle(&key, ticket, Health::Bad, now, &mut random);
    }
    panic!("it never opens");
}

fn succeed(breakers: &mut Registry<u32>, key: u32, now: Instant) {
    let mut random = Seeded(1);
    let ticket = breakers.admit(&key, now, &mut random).unwrap();
    breakers.settle(&key, ticket, Health::Good, now, &mut random);
}

#[test]
fn keys_do_not_touch_each_other() {
    let now = start();
    let mut breakers = registry(10);
    assert_eq!((breakers.len(), breakers.is_empty()), (0, true));
    fail(&mut breakers, 1, now);
    succeed(&mut breakers, 2, now);
    assert_eq!(breakers.snapshot(&1, now).unwrap().mode, Mode::Open);
    assert_eq!(breakers.snapshot(&2, now).unwrap().mode, Mode::Closed);
    assert!(breakers.snapshot(&3, now).is_none());
    assert_eq!(breakers.snapshots(now).count(), 2);
    assert_eq!((breakers.len(), breakers.is_empty()), (2, false));
}

#[test]
fn a_flood_of_keys_forgets_neither_the_open_nor_the_busy() {
    let now = start();
    let mut breakers = registry(100);
    fail(&mut breakers, 1, now);
    for key in 1000..1250 {
        succeed(&mut breakers, key, now);
        succeed(&mut breakers, 2, now);
        assert!(breakers.len() <= 100);
    }
    assert_eq!(breakers.snapshot(&1, now).unwrap().mode, Mode::Open);
    assert_eq!(breakers.snapshot(&2, now).unwrap().good, 250.0);
    // Nobody asks for it any more, so in the end it goes.
    for key in 2000..3000 {
        succeed(&mut breakers, key, now);
    }
    assert!(breakers.snapshot(&1, now).is_none());
    assert_eq!(breakers.len(), 100);
}

#[test]
fn a_call_speaks_before_it_ends() {
    let (now, mut random) = (start(), Seeded(1));
    let mut breakers = registry(10);
    let mut tickets: Vec<_> =
        (0..4).map(|_| breakers.admit(&1, now, &mut random).unwrap()).collect();
    for ticket in &mut tickets {
        breakers.slow(&1, ticket, now, &mut random);
    }
    assert_eq!(breakers.snapshot(&1, now).unwrap().mode, Mode::Open);
    let now = now + 2 * SECOND;
    let mut probe = breakers.admit(&1, now, &mut random).unwrap();
    breakers.first_content(&1, &mut probe, now, &mut random);
    assert_eq!(breakers.snapshot(&1, now).unwrap().mode, Mode::Closed);
}

#[test]
fn of_many_that_are_open_the_oldest_goes() {
    let (now, mut random) = (start(), Seeded(1));
    let mut breakers = registry(100);
    (0..100).for_each(|key| fail(&mut breakers, key, now));
    let _ticket = breakers.admit(&100, now, &mut random).unwrap();
    assert!(breakers.snapshot(&0, now).is_none());
    assert!((1..100).all(|key| breakers.snapshot(&key, now).is_some()));
}

#[test]
fn a_registry_of_one() {
    let now = start();
    let mut breakers = registry(1);
    for key in 0..100 {
        fail(&mut breakers, key, now);
        assert_eq!(breakers.len(), 1);
        assert_eq!(breakers.snapshot(&key, now).unwrap().mode, Mode::Open);
    }
}

#[test]
fn a_ticket_of_a_forgotten_circuit_means_nothing() {
    let (now, mut random) = (start(), Seeded(1));
    let mut breakers = registry(1);
    let mut old = breakers.admit(&1, now, &mut random).unwrap();
    succeed(&mut breakers, 2, now);
    // Its key is unknown now, and then known again, but as another.
    breakers.slow(&1, &mut old, now, &mut random);
    assert!(breakers.snapshot(&1, now).is_none());
    let _new = breakers.admit(&1, now, &mut random).unwrap();
    let before = breakers.snapshot(&1, now);
    breakers.first_content(&1, &mut old, now, &mut random);
    breakers.settle(&1, old, Health::Bad, now, &mut random);
    assert_eq!(breakers.snapshot(&1, now), before);
}

#[test]
fn by_hand() {
    let (now, mut random) = (start(), Seeded(1));
    let mut breakers = registry(4);
    breakers.open(&1, None, now);
    assert!(breakers.admit(&1, now + 3600 * SECOND, &mut random).is_err());
    breakers.close(&1, now);
    assert_eq!(breakers.snapshot(&1, now).unwrap().mode, Mode::Closed);
    fail(&mut breakers, 1, now);
    breakers.reset(&1, now);
    let snapshot = breakers.snapshot(&1, now).unwrap();
    assert_eq!((snapshot.mode, snapshot.bad), (Mode::Closed, 0.0));
}
