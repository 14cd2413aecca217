//! A stack and a provider on a network that is simulated: TCP that breaks, holds and loses what it likes.
//!
//! A socket on this machine never loses a packet, and nobody can pull its cable. [turmoil] can: it has hosts, links
//! and a clock of its own, so that a minute of trouble takes a second, and the same seed is the same trouble.
//! hyper's client and the simulated provider run on it as they are.

mod faults;
mod load;
mod seeds;
mod trace;
mod wire;
mod world;
