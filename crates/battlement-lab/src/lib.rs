//! The metastable-failure experiment: how callers make an outage last, and what prevents it.
//!
//! A provider that is slow for two minutes should be slow for two minutes. But calls that time out are sent
//! again, the provider is still at work on the first ones, and what it does is more and more for callers who
//! have left: when it is well again it stays as busy as before, with work that is of no use to anybody. Such a
//! failure is called metastable: it lasts after what has caused it is gone (Bronson et al., HotOS 2021).
//!
//! This lab lets callers of every kind loose on providers of every kind, makes something go wrong for a while,
//! and looks whether it passes. The layers are the real ones, under the clock of tokio, which is paused:
//! half an hour takes a tenth of a second. A run follows from its seed, to the last bit.
//!
//! - [`World`] is who is called, [`Load`] how often, [`Trigger`] what goes wrong.
//! - [`Policy`] is what the callers do: nothing, what the SDKs of providers do, tower's retry, a cool-down as
//!   gateways have it; and the stack of this project, whole and without each of its layers.
//! - [`Experiment`] is one run of these, [`Figures`] what it comes to.
//! - [`Lab`] is many, and its [`Report`] a table, JSON, and pictures; it knows which figures
//!   have to hold ([`Goal`]).
//!
//! ```
//! use battlement_lab::{Experiment, Policy, Trigger, World};
//!
//! let figures = |policy| {
//!     Experiment::new(World::Slots, 0.75, Trigger::Quarter, policy, 7).run().figures()
//! };
//! // A quarter of the capacity for two minutes, and 25 minutes later not one call is answered.
//! assert_eq!(figures(Policy::Sdk).last, 0.0);
//! assert!(figures(Policy::Ours).after > 0.97);
//! ```
//!
//! `battlement lab` runs it from the command line.

mod experiment;
mod load;
mod log;
mod measure;
mod plan;
mod policy;
mod report;
mod service;
#[cfg(test)]
mod tests;
mod trigger;
mod world;

pub use experiment::{Experiment, PROCESSES, Run, Timing};
pub use load::{Load, STEP, STEPS};
pub use log::{Attempt, Call, Ending};
pub use measure::{Figures, Series};
pub use plan::{Lab, LastSeed, Progress};
pub use policy::{Part, Policy};
pub use report::{Goal, Report, Row, Verdict};
pub use trigger::Trigger;
pub use world::World;
