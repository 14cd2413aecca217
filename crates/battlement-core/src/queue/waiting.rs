//! One class: its tenants, and whose turn it is.

use std::{collections::HashMap, num::NonZeroU16};

use foldhash::fast::RandomState;

use super::heap::Heap;

/// Who a call is for. Tenants share a class by their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// A number that is its own, such as a hash of its key.
    pub id: u64,
    /// What it gets, compared to others.
    pub weight: NonZeroU16,
}

impl Tenant {
    /// A tenant that gets as much as any other.
    pub const fn new(id: u64) -> Self {
        Self { id, weight: NonZeroU16::MIN }
    }
}

/// The waiting calls of a class, by tenant.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Tenants with waiting calls, by what they were served.
    pub(super) active: Heap,
    pub(super) accounts: Vec<Account>,
    /// What the class is owed, in tokens times 100.
    pub(super) credit: u128,
    /// Tenants without, that were served more than the least of those who wait.
    idle: Heap,
    idle_count: usize,
    index: HashMap<u64, u32, RandomState>,
    free: Vec<u32>,
    /// Nobody who comes was served less than this.
    floor: u128,
}

/// One tenant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) tenant: Tenant,
    /// What it was served, by its weight.
    pub(super) served: u128,
    /// Its waiting calls, first to last.
    pub(super) first: Option<u32>,
    pub(super) last: Option<u32>,
    pub(super) waiting: usize,
}

impl Waiting {
    /// The account of a tenant who is about to wait, or how many calls of it do if no more may.
    ///
    /// Who comes back is lifted to the least of those who wait: time away is no credit.
    pub(super) fn enter(&mut self, tenant: Tenant, most: usize) -> Result<u32, usize> {
        let account = self.open(tenant);
        let waiting = self.accounts[account as usize].waiting;
        if waiting >= most {
            return Err(waiting);
        }
        if waiting == 0 {
            let least = self.active.first().map_or(self.floor, |(served, _)| served);
            self.remember(account, false);
            let served = self.accounts[account as usize].served.max(least);
            self.accounts[account as usize].served = served;
            self.active.set(account, served);
        }
        Ok(account)
    }

    /// A tenant has no waiting call any more.
    pub(super) fn leave(&mut self, account: u32, most_idle: usize) {
        self.active.remove(account);
        if self.active.is_empty() {
            self.credit = 0;
        }
        self.remember(account, true);
        self.forget(most_idle);
    }

    /// Adds to what a tenant was served; negative for what it did not use.
    pub(super) fn charge(&mut self, tenant: Tenant, tokens: i64, most_idle: usize) {
        let account = self.open(tenant);
        let Account { served, waiting, .. } = &mut self.accounts[account as usize];
        let share = stride(tokens.unsigned_abs(), tenant.weight);
        *served = if tokens < 0 { served.saturating_sub(share) } else { *served + share };
        if *waiting > 0 {
            let served = *served;
            self.active.set(account, served);
        } else {
            self.remember(account, true);
            self.forget(most_idle);
        }
    }

    /// The first in line is served.
    pub(super) fn serve(&mut self, account: u32, cost: u64) {
        let Account { served, tenant, .. } = &mut self.accounts[account as usize];
        self.floor = self.floor.max(*served);
        *served += stride(cost, tenant.weight);
        let served = *served;
        self.active.set(account, served);
    }

    fn open(&mut self, tenant: Tenant) -> u32 {
        if let Some(account) = self.index.get(&tenant.id).copied() {
            self.accounts[account as usize].tenant = tenant;
            return account;
        }
        let new = Account { tenant, served: self.floor, first: None, last: None, waiting: 0 };
        let account = if let Some(account) = self.free.pop() {
            self.accounts[account as usize] = new;
            account
        } else {
            self.accounts.push(new);
            (self.accounts.len() - 1) as u32
        };
        self.index.insert(tenant.id, account);
        account
    }

    /// Puts a tenant among those who do not wait, or takes it from there.
    fn remember(&mut self, account: u32, idle: bool) {
        if self.idle.remove(account) {
            self.idle_count -= 1;
        }
        if idle {
            self.idle.set(account, self.accounts[account as usize].served);
            self.idle_count += 1;
        }
    }

    /// Forgets who would be lifted anyway, and whoever is too many.
    fn forget(&mut self, most_idle: usize) {
        while let Some((served, account)) = self.idle.first() {
            if served > self.floor && self.idle_count <= most_idle {
                break;
            }
            self.idle.remove(account);
            self.idle_count -= 1;
            self.index.remove(&self.accounts[account as usize].tenant.id);
            self.free.push(account);
        }
    }
}

/// What serving a cost adds to what a tenant was served.
pub(super) fn stride(cost: u64, weight: NonZeroU16) -> u128 {
    (u128::from(cost) << 20) / u128::from(weight.get())
}
