//! Who comes when, if nobody else comes.

use super::{Queue, heap::Heap, waiting::stride};

/// The waiting calls in the order of their turns.
#[derive(Debug)]
pub struct Line<'a, T> {
    queue: &'a Queue<T>,
    lanes: [Ahead; 3],
}

/// What is left of a class.
#[derive(Debug)]
struct Ahead {
    active: Heap,
    /// The first waiting call of each tenant.
    firsts: Vec<Option<u32>>,
    credit: u128,
}

impl<'a, T> Line<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Self {
        let lanes = queue.lanes.each_ref().map(|lane| Ahead {
            active: lane.active.clone(),
            firsts: lane.accounts.iter().map(|account| account.first).collect(),
            credit: lane.credit,
        });
        Self { queue, lanes }
    }

    pub(super) fn next_slot(&mut self) -> Option<u32> {
        let heads = self.lanes.each_ref().map(|lane| {
            let (_, account) = lane.active.first()?;
            Some(self.queue.waiters[lane.firsts[account as usize]? as usize].cost)
        });
        let credits = self.lanes.each_ref().map(|lane| lane.credit);
        let chosen = choose(heads, credits)?;
        let cost = heads[chosen]?;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let share = self.queue.config.shares[index];
            lane.credit = credit(lane.credit, heads[index].is_some(), share, cost, index == chosen);
        }
        let lane = &mut self.lanes[chosen];
        let (served, account) = lane.active.first()?;
        let slot = lane.firsts[account as usize]?;
        lane.firsts[account as usize] = self.queue.waiters[slot as usize].next;
        if lane.firsts[account as usize].is_some() {
            let weight = self.queue.lanes[chosen].accounts[account as usize].tenant.weight;
            lane.active.set(account, served + stride(cost, weight));
        } else {
            lane.active.remove(account);
            if lane.active.is_empty() {
                lane.credit = 0;
            }
        }
        Some(slot)
    }
}

impl<'a, T> Iterator for Line<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let slot = self.next_slot()?;
        self.queue.waiters[slot as usize].item.as_ref()
    }
}

/// The class whose turn it is: the one that is owed most beyond its first call; if none is owed
/// that much, the most urgent.
pub(super) fn choose(heads: [Option<u64>; 3], credits: [u128; 3]) -> Option<usize> {
    let mut due: Option<(usize, u128)> = None;
    for (index, (head, credit)) in heads.into_iter().zip(credits).enumerate() {
        let beyond = head.and_then(|cost| credit.checked_sub(u128::from(cost) * 100));
        if let Some(beyond) = beyond {
            if due.is_none_or(|(_, most)| beyond > most) {
                due = Some((index, beyond));
            }
        }
    }
    due.map(|(index, _)| index).or_else(|| heads.iter().position(Option::is_some))
}

/// What a class is owed after a cost has passed.
pub(super) fn credit(owed: u128, waits: bool, share: u8, cost: u64, is_served: bool) -> u128 {
    if !waits {
        return 0;
    }
    let earned = owed + u128::from(share) * u128::from(cost);
    // Who is served beyond its share owes nothing for it.
    if is_served { earned.saturating_sub(u128::from(cost) * 100) } else { earned }
}
