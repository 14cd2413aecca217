//! What goes wrong with a provider, from one end to the other.
//!
//! Each scenario is a script that the simulated provider plays, and what follows from it: what the caller gets, to
//! the word and to the code of the error; how often the provider was called, and how each of these calls ended
//! there; and when. It is played three times with the same expectation: over HTTP/1.1 and HTTP/2 on a socket, and in
//! memory, where the clock is paused and every instant is exact.

mod continued;
mod endings;
mod failures;
mod flapping;
mod hedged;
mod leaving;
mod limits;
mod never_more;
mod over_reqwest;
mod rig;
mod routes;
mod scenario;
mod streams;
mod words;
