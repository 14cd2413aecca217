//! What lets calls through: at once, after a wait, or not at all.
//!
//! The gate of [`retry_after`](crate::retry_after), the limits of [`rate_limit`](crate::rate_limit), the circuits
//! of [`breaker`](crate::breaker) and the places of [`concurrency`](crate::concurrency) differ in what they
//! ask, and in nothing else: an attempt comes, passes with something that it has to give back, waits for
//! its turn, or is turned away. So each of them is a gate, [`Gated`] is the service in front of which
//! it stands, and `Both` is two of them in one, which spares a call the way through another service. Besides, who
//! has waited at the second of them is asked by the first again: a provider may have named a wait since, or
//! a circuit may have opened.

mod admission;
mod both;
mod future;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    admission::{Admitted, Gate, NoTurn, Turn},
    both::Both,
};
pub use self::{
    future::ResponseFuture,
    service::{Gated, Passed},
};
