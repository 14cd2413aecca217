//! The metastable-failure experiment.

mod experiment;
mod load;
mod log;
mod measure;
mod policy;
mod service;
mod trigger;
mod world;

pub use experiment::{Experiment, PROCESSES, Run, Timing};
pub use load::{Load, STEP, STEPS};
pub use log::{Attempt, Call, Ending};
pub use measure::{Figures, Series};
pub use policy::{Part, Policy};
pub use trigger::Trigger;
pub use world::World;
